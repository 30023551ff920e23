"""The few statements that every claim and submission runs, and those with long values: kept prepared, and sent with as
little ado as possible.

A cursor of the driver costs more than such a statement does. So these go straight to the driver's own `libpq` layer;
its adapters still write the values and read the rows, and its exceptions say what went wrong. Where somebody listens to
the statements (`execute_wrapper`, `DEBUG`), they go the usual way, so that nothing runs unseen.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

from django.db import connection
from django.db.backends.postgresql.base import ServerBindingCursor
from psycopg import Connection, OperationalError
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import FeatureNotSupported, InvalidSqlStatementName, error_from_result
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus

from marketplace.common.database import decoded

# More different statements than that are no longer few: the rest travels unprepared.
KEPT_MAX = 100
_Known = dict[tuple[str, tuple[int, ...]], bytes]
_kept: WeakKeyDictionary[Connection[Any], _Known] = WeakKeyDictionary()
_numbers = count(1)


def prepared(sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    """As `database.rows`, by a statement that the connection keeps prepared.

    Values travel apart from the text, so their types must be plain from it: cast where they are not. `%s` stands for a
    value (`%b` for one that travels as it is in memory), and there is no other `%` in the text.
    """
    connection.ensure_connection()
    raw = connection.connection
    known = _kept.setdefault(raw, {})
    if connection.execute_wrappers or connection.queries_logged:
        return _in_the_open(sql, params)
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors:
        return _straight(raw, known, sql, params)


def _straight(raw: Connection[Any], known: _Known, sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    adapt = Transformer(raw)
    values: Sequence[Any] = adapt.dump_sequence(params, _form(sql)[1])
    types = adapt.types or ()
    if len(known) >= KEPT_MAX and (sql, types) not in known:
        return _in_the_open(sql, params)
    pgconn = raw.pgconn
    if not raw.autocommit and pgconn.transaction_status == TransactionStatus.IDLE:
        _good(raw, pgconn.exec_(b"BEGIN"))
    try:
        result = _good(raw, pgconn.exec_prepared(_name(raw, known, sql, types), values, adapt.formats))
    except (InvalidSqlStatementName, FeatureNotSupported):
        # Somebody emptied the session, or a migration gave a table other columns. All are prepared anew; within a
        # transaction it is too late for this one, which is why a request begins with a statement outside.
        known.clear()
        if pgconn.transaction_status != TransactionStatus.IDLE:
            raise
        result = _good(raw, pgconn.exec_prepared(_name(raw, known, sql, types), values, adapt.formats))
    if result.status != ExecStatus.TUPLES_OK:
        return []
    adapt.set_pgresult(result)
    found = adapt.load_rows(0, result.ntuples, tuple)
    return decoded(found, [result.ftype(column) for column in range(result.nfields)])


def _name(raw: Connection[Any], known: _Known, sql: str, types: tuple[int, ...]) -> bytes:
    name = known.get((sql, types))
    if name is None:
        name = b"hot_%d" % next(_numbers)
        _good(raw, raw.pgconn.prepare(name, _form(sql)[0], types))
        known[sql, types] = name
    return name


def _good(raw: Connection[Any], result: Any) -> Any:
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
