"""Where a request becomes one transaction, and its answer is kept so that a repeat gets the same bytes (R16)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.http import HttpResponse
from django.utils.crypto import salted_hmac
from rest_framework.request import Request

from marketplace.common.errors import DomainError
from marketplace.common.sealing import Unsealable, seal, unseal
from marketplace.common.transactions import Once, is_known, one_transaction
from marketplace.rest.errors import AnswerForgotten, KeyMalformed, KeyMissing
from marketplace.rest.problems import problem_of
from marketplace.rest.rendering import http_response, json_bytes

KEY_LENGTH_MAX = 200
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
SEALED = b"sealed:"


class Boundary:
    """One request inside its transaction."""

    def __init__(self, execution: Once, instance: str) -> None:
        self._execution = execution
        self._instance = instance

    @property
    def replay(self) -> HttpResponse | None:
        """The first answer, if this is a repeat."""
        stored = self._execution.stored
        if stored is None:
            return None
        body = stored.body
        if body.startswith(SEALED):
            try:
                body = unseal("answer", body[len(SEALED) :])
            except Unsealable:
                raise AnswerForgotten("It held a secret, which is kept for a while only.") from None
        response = http_response(stored.status, body)
        response["Idempotent-Replay"] = "true"
        return response

    def respond(self, data: Any, status: int = 200, *, secret: bool = False, problem: bool = False) -> HttpResponse:
        """Answer with the data as JSON and keep exactly these bytes with the change; None is an empty body.

        `secret` keeps them encrypted, for answers that show a key or a code this one time. Statuses from 400 on are
        problem documents; `problem` says that this is meant.
        """
        assert problem == (status >= 400), "a kept answer from 400 on is a problem document, and no other is"
        body = b"" if data is None else json_bytes(data)
        self._execution.keep(status, SEALED + seal("answer", body) if secret else body)
        return http_response(status, body)

    def refuse(self, error: DomainError) -> HttpResponse:
        """Answer with a refusal that is an outcome: what the transaction wrote stays, and a repeat gets the same."""
        document = problem_of(error, self._instance)
        return self.respond(document, document["status"], problem=True)


def respond(data: Any, status: int = 200) -> HttpResponse:
    """The answer to a read."""
    return http_response(status, json_bytes(data))


@contextmanager
def once(request: Request, *, body_hash: bytes | None = None) -> Iterator[Boundary]:
    """Run the block in one transaction, under the caller's Idempotency-Key:

        with once(request) as boundary:
            return boundary.replay or boundary.respond(view_of(command(...)), status=201)

    Give `body_hash` where the body is a stream; it must say method and address as well (`request_hash`).
    Raises `KeyMissing`, `KeyMalformed`, `KeyReused`.
    """
    key = None if request.method in SAFE_METHODS else idempotency_key(request)
    digest = request_hash(request, request.body) if body_hash is None else body_hash
    with one_transaction(principal=principal_of(request), key=key, body_hash=digest) as execution:
        yield Boundary(execution, request.path)


@contextmanager
def again(request: Request) -> Iterator[None]:
    """Run the block in one transaction without a key: for a PUT, which changes nothing when it is repeated."""
    assert request.method == "PUT", "only what may be repeated by nature goes without a key"
    with one_transaction(principal=principal_of(request)):
        yield


def idempotency_key(request: Request) -> str:
    """The Idempotency-Key header."""
    key = request.headers.get("Idempotency-Key", "").strip()
    if not key:
        raise KeyMissing(
            "Send an Idempotency-Key header: any text of up to 200 characters, a new one for each request."
        )
    if len(key) > KEY_LENGTH_MAX or not key.isascii() or not key.isprintable():
        raise KeyMalformed(f"An Idempotency-Key is printable ASCII of at most {KEY_LENGTH_MAX} characters.")
    return key


def answered_already(request: Request) -> bool:
    """Whether a request under this key was answered before, as far as can be said before the body is known."""
    return is_known(principal_of(request), idempotency_key(request))


def principal_of(request: Request) -> str:
    """Whose key it is: a person's, whatever key he signs in with; strangers share one for each address of the API."""
    if request.user.is_authenticated:
        return f"key-user:{request.user.pk}"
    return f"anonymous:{request.path}"


def request_hash(request: Request, body: bytes) -> bytes:
    """A digest of method, address and body; keyed, for with a plain one a reader of the table could guess passwords."""
    text = b"\n".join([(request.method or "").encode(), request.get_full_path().encode(), body])
    return salted_hmac("touchstone.request", text, algorithm="sha256").digest()
