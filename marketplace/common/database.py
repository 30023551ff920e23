"""Small helpers for plain SQL, used where a statement says more than a query set."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, connection, connections, models, transaction
from django.db.models import Func
from psycopg.errors import QueryCanceled

JSONB_OID = 3802


class TookTooLong(Exception):
    """A statement was given up after the time that it had."""


class MarketNow(Func):
    """`market_now()`: the only clock for deadlines and fences. Tests move it; application clocks do not matter."""

    function = "market_now"
    output_field = models.DateTimeField()


def rows(sql: str, params: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
    """All rows of a statement, with jsonb columns decoded (Django's connections leave them as text)."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params or None)
        return decoded(cursor.fetchall(), [column.type_code for column in cursor.description])


def one(sql: str, params: Sequence[Any] = ()) -> tuple[Any, ...] | None:
    """The first row of a statement, decoded as by `rows`, or None."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params or None)
        row = cursor.fetchone()
        return None if row is None else decoded([row], [column.type_code for column in cursor.description])[0]


def decoded(found: list[tuple[Any, ...]], types: Sequence[int]) -> list[tuple[Any, ...]]:
    """The rows with the columns that have the type of jsonb decoded."""
    places = [place for place, oid in enumerate(types) if oid == JSONB_OID]
    if not places:
        return found
    changed = []
    for row in found:
        cells = list(row)
        for place in places:
            if cells[place] is not None:
                cells[place] = json.loads(cells[place])
        changed.append(tuple(cells))
    return changed


def value(sql: str, params: Sequence[Any] = ()) -> Any:
    """The first column of a statement that always returns a row."""
    row = one(sql, params)
    assert row is not None, "the statement returned no row"
    return row[0]


def run(sql: str, params: Sequence[Any] = ()) -> int:
    """Execute a statement; returns how many rows it touched."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params or None)
        return cursor.rowcount


@contextmanager
def acting_as(role: str) -> Iterator[None]:
    """Run the block's statements as `role`, by SET LOCAL inside the transaction, so that no pool can leak it.

    The role named must be a constant of the program. After an error the transaction is lost and the role with it.
    """
    assert role.isidentifier()
    run(f"SET LOCAL ROLE {role}")
    yield
    run("SET LOCAL ROLE NONE")


@contextmanager
def as_owner() -> Iterator[None]:
    """Run the block's transactions as the owner of the tables, who may what the running site may not. For commands at
    the console of the server, which alone has his password; nothing that was read in the block goes on reading after.
    """
    assert not connection.in_atomic_block, "another role means another transaction"
    before, connections["default"] = connections["default"], connections.create_connection("owner")
    try:
        yield
    finally:
        connections["default"].close()
        connections["default"] = before


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Read in the block, where none of its statements may take longer; it is a transaction. By SET LOCAL, so that no
    pool can leak it. Raises `TookTooLong`."""
    try:
        with transaction.atomic():
            run("SELECT set_config('statement_timeout', %s, true)", [f"{seconds}s"])
            yield
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise TookTooLong from error
        raise


def try_sweep_lock(name: str) -> bool:
    """Take the advisory lock that makes a sweep run once at a time; it ends with the transaction."""
    return bool(value("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [name]))


def wait_sweep_lock(name: str) -> None:
    """Take the same lock, once whoever has it is done: for a short step that must not be skipped."""
    run("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
