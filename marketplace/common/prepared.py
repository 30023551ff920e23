"""The few statements that every claim and submission runs, and those with long values: kept prepared, and sent with as
little ado as possible.

A cursor of the driver costs more than such a statement does, and so does each way to the server and back. So these go
straight to the driver's own `libpq` layer, several in one go where none needs the answer of another, BEGIN and COMMIT
among them; its adapters still write the values and read the rows, and its exceptions say what went wrong. Where anybody
listens to the statements (`execute_wrapper`, `DEBUG`), they go the usual way, so that nothing runs unseen.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import count
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.postgresql.base import ServerBindingCursor
from psycopg import Connection, OperationalError
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import FeatureNotSupported, InvalidSqlStatementName, error_from_result
from psycopg.generators import fetch_many
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus

from marketplace.common.database import decoded

# More different statements than that are no longer few: the rest travels unprepared.
KEPT_MAX = 100
Ask = tuple[str, Sequence[Any]]
_Kind = tuple[str, tuple[int, ...]]
_Known = dict[_Kind, bytes]
_kept: WeakKeyDictionary[Connection[Any], _Known] = WeakKeyDictionary()
_numbers = count(1)


def prepared(sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    """As `database.rows`, by a statement that the connection keeps prepared.

    Values travel apart from the text, so their types must be plain from it: cast where they are not. `%s` stands for a
    value (`%b` for one that travels as it is in memory), and there is no other `%` in the text.
    """
    return prepared_together((sql, params))[0]


def prepared_together(*asked: Ask) -> list[list[tuple[Any, ...]]]:
    """The rows of several statements that are sent at once: none is run after one that fails."""
    return _send(asked, commit=False)


def commit_with(sql: str, params: Sequence[Any]) -> None:
    """Run the last statement of the outermost transaction and commit in one go; `atomic` finds nothing left to do.

    Within a savepoint, or where the transaction is to be rolled back, only the statement is run.
    """
    outermost = not connection.savepoint_ids and not connection.needs_rollback
    _send([(sql, params)], commit=outermost)


def array_of(values: Iterable[int | bool | UUID]) -> str:
    """Numbers, truth values or UUIDs as the text of an array, which the statement casts (`%s::bigint[]`): none of them
    needs quoting, and the driver's own way looks at each of them several times."""
    return f"{{{','.join(map(str, values))}}}"


def _send(asked: Sequence[Ask], *, commit: bool) -> list[list[tuple[Any, ...]]]:
    database = connections[DEFAULT_DB_ALIAS]
    database.ensure_connection()
    raw = database.connection
    if database.execute_wrappers or database.queries_logged:
        return [_in_the_open(*ask) for ask in asked]
    database.validate_no_broken_transaction()
    known = _kept.setdefault(raw, {})
    with database.wrap_database_errors:
        statements = [_Statement(raw, *ask) for ask in asked]
        if len(known) + len(asked) > KEPT_MAX and any(statement.kind not in known for statement in statements):
            return [_in_the_open(*ask) for ask in asked]
        idle = raw.pgconn.transaction_status == TransactionStatus.IDLE
        try:
            return _straight(raw, known, statements, commit)
        except (InvalidSqlStatementName, FeatureNotSupported):
            # Somebody emptied the session, or a migration gave a table other columns. All are prepared anew; within a
            # transaction it is too late for this one, which is why a request begins with a statement outside.
            known.clear()
            if not idle:
                raise
            if raw.pgconn.transaction_status != TransactionStatus.IDLE:
                _good(raw, raw.pgconn.exec_(b"ROLLBACK"))
            return _straight(raw, known, statements, commit)


class _Statement:
    """A statement with its values as they travel; `kind` is what it is prepared by."""

    def __init__(self, raw: Connection[Any], sql: str, params: Sequence[Any]) -> None:
        self.sql = sql
        self.adapt = Transformer(raw)
        self.values: Sequence[Any] = self.adapt.dump_sequence(params, _form(sql)[1])
        self.kind: _Kind = (sql, self.adapt.types or ())

    def rows(self, result: Any) -> list[tuple[Any, ...]]:
        if result.status != ExecStatus.TUPLES_OK:
            return []
        self.adapt.set_pgresult(result)
        found = self.adapt.load_rows(0, result.ntuples, tuple)
        return decoded(found, [result.ftype(column) for column in range(result.nfields)])


def _straight(
    raw: Connection[Any], known: _Known, statements: Sequence[_Statement], commit: bool
) -> list[list[tuple[Any, ...]]]:
    pgconn = raw.pgconn
    begin = not raw.autocommit and pgconn.transaction_status == TransactionStatus.IDLE
    names = [_name(raw, known, statement) for statement in statements]
    if len(statements) == 1 and not begin and not commit:
        [only] = statements
        return [only.rows(_good(raw, pgconn.exec_prepared(names[0], only.values, only.adapt.formats)))]
    pgconn.enter_pipeline_mode()
    try:
        if begin:
            pgconn.send_query_params(b"BEGIN", None)
        for name, statement in zip(names, statements, strict=True):
            pgconn.send_query_prepared(name, statement.values, statement.adapt.formats)
        if commit:
            pgconn.send_query_params(b"COMMIT", None)
        pgconn.pipeline_sync()
        answers = [raw.wait(fetch_many(pgconn)) for _ in range(begin + len(statements) + commit + 1)]
    finally:
        if pgconn.status == ConnStatus.OK:
            pgconn.exit_pipeline_mode()
    # A connection that breaks answers nothing more.
    results = [_good(raw, answer[0] if answer else None) for answer in answers[:-1]]
    return [statement.rows(result) for statement, result in zip(statements, results[begin:], strict=False)]


def _name(raw: Connection[Any], known: _Known, statement: _Statement) -> bytes:
    name = known.get(statement.kind)
    if name is None:
        name = b"hot_%d" % next(_numbers)
        _good(raw, raw.pgconn.prepare(name, _form(statement.sql)[0], statement.kind[1]))
        known[statement.kind] = name
    return name


def _good(raw: Connection[Any], result: Any) -> Any:
    if result is None:
        raise OperationalError("the connection to the database is lost")
    if result.status in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
        return result
    if raw.pgconn.status != ConnStatus.OK:
        # What is said of a connection that broke carries no code.
        raise OperationalError(result.get_error_message(raw.info.encoding))
    raise error_from_result(result, raw.info.encoding)


@lru_cache(maxsize=1_000)
def _form(sql: str) -> tuple[bytes, list[PyFormat]]:
    """The statement with numbered values, and in which format each travels."""
    first, *rest = re.split("(%[sb])", sql)
    kinds, texts = rest[::2], rest[1::2]
    numbered = first + "".join(f"${number}{text}" for number, text in enumerate(texts, 1))
    return numbered.encode(), [PyFormat.BINARY if kind == "%b" else PyFormat.AUTO for kind in kinds]


def _in_the_open(sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.wrap_database_errors:
        bare: Any = ServerBindingCursor(connection.connection)  # type: ignore[call-arg]
    with connection.make_cursor(bare) as cursor:
        cursor.execute(sql, params)
        if not cursor.description:
            return []
        return decoded(cursor.fetchall(), [column.type_code for column in cursor.description])
