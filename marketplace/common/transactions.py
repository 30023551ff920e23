"""The boundary owns the transaction: one durable transaction, one command, one stored response (R16)."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from django.db import connection, transaction

from marketplace.common.database import one, run
from marketplace.common.errors import KeyReused
from marketplace.common.prepared import commit_with, prepared
from marketplace.common.tracing import current_id

_principal: ContextVar[str] = ContextVar("principal", default="")


@dataclass(frozen=True)
class StoredResponse:
    """What a request was answered with, to the byte."""

    status: int
    body: bytes


class Once:
    """One execution under one idempotency key. `stored` is the first answer when this is a repeat."""

    def __init__(self, principal: str, key: str | None, stored: StoredResponse | None = None) -> None:
        self.stored = stored
        self._principal = principal
        self._key = key
        self._answer: StoredResponse | None = None

    def keep(self, status: int, body: bytes) -> None:
        """Have the answer stored in the same transaction as the change that it reports: by its last statement."""
        self._answer = StoredResponse(status, body)

    def end(self) -> None:
        """Store the answer and commit."""
        if self._key is not None and self.stored is None and self._answer is not None:
            commit_with(
                "UPDATE common_idempotency SET status = %s::smallint, body = %s WHERE principal = %s AND key = %s",
                [self._answer.status, self._answer.body, self._principal, self._key],
            )


@contextmanager
def one_transaction(*, principal: str, key: str | None = None, body_hash: bytes = b"") -> Iterator[Once]:
    """Open a durable transaction for exactly one command.

    With a key, the first call runs and its answer is kept for 30 days; a repeat finds it in `Once.stored`, a concurrent
    twin waits on the unique index until the first has committed, and the same key with another body raises `KeyReused`.
    A refusal (any exception) rolls everything back, the key included, so that it may be tried again.
    """
    before = _principal.set(principal)
    try:
        with transaction.atomic(durable=True):
            if key is None:
                yield Once(principal, None)
                return
            inserted = prepared(
                "INSERT INTO common_idempotency (principal, key, body_hash, made_at) VALUES (%s, %s, %s, market_now())"
                # Whatever event the transaction writes has the id of its request beside it (by the column's default).
                " ON CONFLICT DO NOTHING RETURNING set_config('touchstone.request', %s, true)",
                [principal, key, body_hash, current_id() or ""],
            )
            if inserted:
                first = Once(principal, key)
                yield first
                first.end()
                return
            row = one(
                "SELECT body_hash, status, body FROM common_idempotency WHERE principal = %s AND key = %s",
                [principal, key],
            )
            assert row is not None and row[1] is not None, "a committed idempotency row always holds its response"
            if bytes(row[0]) != body_hash:
                raise KeyReused("The key was first used with another body; use a new key for a new request.", key=key)
            yield Once(principal, key, StoredResponse(row[1], bytes(row[2])))
    finally:
        _principal.reset(before)


@contextmanager
def snapshot() -> Iterator[None]:
    """One view of the database for all that is read in the block, in which nothing is written; in a transaction that is
    open already it is that one's."""
    nested = connection.in_atomic_block
    with transaction.atomic():
        if not nested:
            run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def acting() -> str:
    """The principal of the transaction that runs, as `key-user:7` or `system`; empty outside of one."""
    return _principal.get()


def is_known(principal: str, key: str) -> bool:
    """Whether an answer is stored under the key."""
    return one("SELECT 1 FROM common_idempotency WHERE principal = %s AND key = %s", [principal, key]) is not None


def require_transaction() -> None:
    """Commands call this first: they open nothing, their caller owns the transaction."""
    if not connection.in_atomic_block:
        raise RuntimeError("a command was called outside a transaction; use one_transaction()")
