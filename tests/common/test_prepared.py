"""The short way of the hottest statements says and does what the usual way does."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction
from django.db.transaction import TransactionManagementError
from psycopg.pq import TransactionStatus

from marketplace.common import prepared as module
from marketplace.common.prepared import array_of, commit_with, prepared, prepared_together

ECHO = (
    "SELECT %s::bigint, %s::text, %s::boolean, %s::uuid, %b::bytea, %s::bigint[], %s::uuid[], %s::text[],"
    " %s::boolean[], %s::timestamptz, %s::float8, %s::jsonb, %s::text"
)
KEEP = "INSERT INTO common_idempotency (principal, key, body_hash, made_at) VALUES (%s, 'k', '', %s)"


def values() -> list[Any]:
    return [
        *(2**40, "ä'\\", True, uuid4(), b"\x00\xff", [1, 2**40], [uuid4(), uuid4()], ['a"b', "{,}", ""], [True, False]),
        *(moment(), 0.1, '{"a": [1, null, "ä"]}', None),
    ]


def moment() -> datetime:
    return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


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


def status() -> TransactionStatus:
    assert connection.connection is not None
    return connection.connection.pgconn.transaction_status


def test_arrays_as_text_are_the_arrays(db: None) -> None:
    uuids = [uuid4(), uuid4()]
    given = [array_of([1, -(2**40)]), array_of(uuids), array_of([True, False]), array_of([])]
    [row] = prepared("SELECT %s::bigint[], %s::uuid[], %s::boolean[], %s::uuid[]", given)
    assert row == ([1, -(2**40)], uuids, [True, False], [])


def test_statements_sent_at_once_run_in_their_order_and_none_after_one_that_fails(committed: str) -> None:
    count = ("SELECT count(*) FROM common_idempotency WHERE principal = %s", ["p"])
    with transaction.atomic(durable=True):
        assert prepared_together(count, (KEEP, ["p", moment()]), count) == [[(0,)], [], [(1,)]]
        transaction.set_rollback(True)
    with pytest.raises(IntegrityError), transaction.atomic(durable=True):
        prepared_together((KEEP, ["p", moment()]), (KEEP, ["p", moment()]), (KEEP, ["q", moment()]))
    assert prepared_together(count, count) == [[(0,)], [(0,)]]
    with connection.execute_wrapper(lambda execute, *args: execute(*args)):
        assert prepared_together(count, count) == [[(0,)], [(0,)]]


def test_the_last_statement_commits(committed: str, as_owner: psycopg.Connection[Any]) -> None:
    done: list[str] = []
    with transaction.atomic(durable=True):
        transaction.on_commit(lambda: done.append("told"))
        commit_with(KEEP, ["p", moment()])
        assert status() == TransactionStatus.IDLE and not done
    assert done == ["told"]
    assert as_owner.execute("SELECT principal FROM common_idempotency").fetchall() == [("p",)]


def test_the_last_statement_commits_nothing_where_the_transaction_is_to_be_undone(committed: str) -> None:
    with transaction.atomic(durable=True):
        prepared(KEEP, ["p", moment()])
        with transaction.atomic():
            commit_with(KEEP, ["q", moment()])
            assert status() == TransactionStatus.INTRANS
        transaction.set_rollback(True)
    with pytest.raises(IntegrityError), transaction.atomic(durable=True):
        prepared(KEEP, ["r", moment()])
        commit_with(KEEP, ["r", moment()])
    assert prepared("SELECT principal FROM common_idempotency", []) == []
    assert status() == TransactionStatus.IDLE


def test_what_the_commit_itself_refuses_is_said(committed: str) -> None:
    prepared("CREATE TEMPORARY TABLE later (n integer UNIQUE DEFERRABLE INITIALLY DEFERRED)", [])
    with pytest.raises(IntegrityError), transaction.atomic(durable=True):
        prepared("INSERT INTO later VALUES (%s::integer)", [1])
        commit_with("INSERT INTO later VALUES (%s::integer)", [1])
    assert prepared("SELECT count(*) FROM later", []) == [(0,)]


def test_a_connection_that_breaks_amid_statements_is_said_to_be_broken(
    committed: str, as_owner: psycopg.Connection[Any]
) -> None:
    [(pid,)] = prepared("SELECT pg_backend_pid()", [])
    for ask in (
        lambda: prepared_together(("SELECT %s::integer", [1]), ("SELECT %s::integer", [2])),
        lambda: commit_with("SELECT %s::integer", [3]),
    ):
        with psycopg.connect(as_owner.info.dsn, user="postgres", autocommit=True) as superuser:
            superuser.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        with pytest.raises(OperationalError), transaction.atomic(durable=True):
            ask()
        connection.close()
        [(pid,)] = prepared("SELECT pg_backend_pid()", [])


def test_statements_that_were_forgotten_are_prepared_anew_where_nothing_was_done_yet(committed: str) -> None:
    ask = ("SELECT %s::integer", [1])
    prepared(*ask)
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
    with transaction.atomic(durable=True):
        assert prepared_together(ask, ask) == [[(1,)], [(1,)]]
