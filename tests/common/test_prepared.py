"""The short way of the hottest statements says and does what the usual way does."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction
from django.db.transaction import TransactionManagementError

from marketplace.common import prepared as module
from marketplace.common.prepared import prepared

ECHO = (
    "SELECT %s::bigint, %s::text, %s::boolean, %s::uuid, %b::bytea, %s::bigint[], %s::uuid[], %s::text[],"
    " %s::boolean[], %s::timestamptz, %s::float8, %s::jsonb, %s::text"
)
KEEP = "INSERT INTO common_idempotency (principal, key, body_hash, made_at) VALUES (%s, 'k', '', %s)"


def values() -> list[Any]:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    return [
        *(2**40, "ä'\\", True, uuid4(), b"\x00\xff", [1, 2**40], [uuid4(), uuid4()], ['a"b', "{,}", ""], [True, False]),
        *(moment, 0.1, '{"a": [1, null, "ä"]}', None),
    ]


def in_the_open(sql: str, params: list[Any]) -> list[tuple[Any, ...]]:
    with connection.execute_wrapper(lambda execute, *args: execute(*args)):
        return prepared(sql, params)


def test_values_go_and_come_as_they_do_the_usual_way(db: None) -> None:
    given = values()
    [short], [usual] = prepared(ECHO, given), in_the_open(ECHO, given)
    assert short == usual
    assert [type(one) for one in short] == [type(one) for one in usual]
    assert short[:11] == tuple(bytes(one) if isinstance(one, memoryview) else one for one in given[:11])
    assert short[11:] == ({"a": [1, None, "ä"]}, None)


def test_a_statement_is_planned_once_for_each_kind_of_values(db: None) -> None:
    names = "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'hot_%%' AND statement LIKE %s::text || '%%'"
    mark = f"SELECT '{uuid4()}'"
    for given in (1, 2, 70_000, 70_001):
        prepared(f"{mark}, %s::bigint", [given])
    assert connection.connection is not None
    with connection.cursor() as cursor:
        cursor.execute(names, [mark])
        assert cursor.fetchone() == (2,)


def test_beyond_the_bound_new_statements_are_not_kept_and_the_kept_ones_stay(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, late = f"SELECT '{uuid4()}' = 'a', %s::int", f"SELECT '{uuid4()}' = 'a', %s::int"
    prepared(kept, [5])
    known = module._kept[connection.connection]
    monkeypatch.setattr(module, "KEPT_MAX", len(known))
    opened: list[str] = []
    usual = module._in_the_open
    monkeypatch.setattr(module, "_in_the_open", lambda sql, params: (opened.append(sql), usual(sql, params))[1])
    assert prepared(late, [5]) == prepared(kept, [5]) == [(False, 5)]
    assert opened == [late]
    assert len(known) == module.KEPT_MAX


def test_without_rows_there_are_none(db: None) -> None:
    assert prepared("SELECT 1 WHERE %s::boolean", [False]) == []
    assert prepared("CREATE TEMPORARY TABLE nothing ON COMMIT DROP AS SELECT 1 AS one LIMIT 0", []) == []


def test_what_the_database_refuses_keeps_its_name(db: None) -> None:
    with pytest.raises(DatabaseError) as refused, transaction.atomic():
        prepared("SELECT 1 / %s::integer", [0])
    assert isinstance(refused.value.__cause__, psycopg.errors.DivisionByZero)
    with pytest.raises(IntegrityError) as broken, transaction.atomic():
        prepared(
            "INSERT INTO common_idempotency (principal, key, body_hash, made_at) VALUES (%s, 'k', '', NULL)", ["p"]
        )
    assert isinstance(broken.value.__cause__, psycopg.errors.NotNullViolation)
    assert broken.value.__cause__.diag.column_name == "made_at"


def test_a_lost_transaction_takes_no_statement(db: None) -> None:
    with transaction.atomic():
        transaction.set_rollback(True)
        with pytest.raises(TransactionManagementError):
            prepared("SELECT %s::integer", [1])


def test_it_begins_the_transaction_that_it_is_in(committed: str) -> None:
    with transaction.atomic(durable=True):
        prepared(
            "INSERT INTO common_idempotency (principal, key, body_hash, made_at) VALUES (%s, 'k', '', now())", ["p"]
        )
        transaction.set_rollback(True)
    assert prepared("SELECT 1 FROM common_idempotency WHERE principal = %s", ["p"]) == []
    with transaction.atomic(durable=True):
        prepared(
            "INSERT INTO common_idempotency (principal, key, body_hash, made_at) VALUES (%s, 'k', '', now())", ["p"]
        )
    assert prepared("SELECT 1 FROM common_idempotency WHERE principal = %s", ["p"]) == [(1,)]


def test_a_broken_connection_is_said_to_be_one(committed: str, as_owner: psycopg.Connection[Any]) -> None:
    [(pid,)] = prepared("SELECT pg_backend_pid()", [])
    with psycopg.connect(as_owner.info.dsn, user="postgres", autocommit=True) as superuser:
        superuser.execute("SELECT pg_terminate_backend(%s)", [pid])
    with pytest.raises(OperationalError):
        prepared("SELECT 1", [])
    connection.close_if_unusable_or_obsolete()
    assert prepared("SELECT 1", []) == [(1,)]


def test_a_session_that_was_emptied_is_prepared_anew(committed: str) -> None:
    assert prepared("SELECT %s::text", ["a"]) == [("a",)]
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
    assert prepared("SELECT %s::text", ["a"]) == [("a",)]
    with transaction.atomic():
        assert prepared("SELECT %s::text", ["b"]) == [("b",)]


def test_a_rolled_back_transaction_leaves_the_statements_prepared(committed: str) -> None:
    for _ in range(3):
        with transaction.atomic():
            assert prepared("SELECT %s::text", ["a"]) == [("a",)]
            transaction.set_rollback(True)
