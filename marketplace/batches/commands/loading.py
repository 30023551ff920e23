"""Rows into the tables: read and checked a chunk ahead in a thread, and brought in by COPY."""

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from json import loads
from operator import add
from typing import TypeVar

from django.db import IntegrityError, connection, connections, transaction

from marketplace.batches.models import Batch
from marketplace.batches.row_checks import RowChecker, RowErrors, TaskRow
from marketplace.batches.rows import Cursor, Row
from marketplace.batches.simhash import simhash
from marketplace.common.database import rows, value
from workers.profiles.queries import workers_by_pseudonym

CHUNK = 10_000
CHUNK_BYTES = 4 * 1024 * 1024
ERRORS_SHOWN = 100
# Behind so many nothing more is read: a file of nothing but errors would take as long as one of rows.
ERRORS_COUNTED = 20_000
Item = TypeVar("Item")


@dataclass(slots=True)
class Chunk:
    """Some rows that are right, what is wrong with others among them, and where the next chunk begins.

    `tasks` and `payloads` are what COPY takes of each row behind the task's id and the batch's: made ahead, while the
    server works on the chunk before.
    """

    rows: list[TaskRow]
    errors: RowErrors
    end: Cursor
    tasks: list[str]
    payloads: list[str]


@dataclass(slots=True)
class Brought:
    """What came into the tables."""

    tasks: int = 0
    gold_tasks: int = 0
    reserved_tasks: int = 0
    places: int = 0

    def add(self, other: "Brought") -> None:
        """Count what another chunk brought."""
        self.tasks += other.tasks
        self.gold_tasks += other.gold_tasks
        self.reserved_tasks += other.reserved_tasks
        self.places += other.places


def chunks_of(source: Iterable[Row], checker: RowChecker, cursor: Cursor) -> Iterator[Chunk]:
    """The source in chunks, bounded by the rows and the bytes that are read; the source moves `cursor`."""
    rest = iter(source)
    while True:
        errors, before = RowErrors(limit=ERRORS_SHOWN), cursor.copy()
        some = _some(rest, cursor)
        found = list(checker.checked(some, errors))
        if not found and not errors.count and cursor == before:
            return
        tasks = [
            f"\t{_escaped(row.external_id)}\t{row.overlap}\t{int(bool(row.reserved_for))}\t{row.level}\n"
            for row in found
        ]
        yield Chunk(found, errors, cursor.copy(), tasks, [f"\t{_json(row.data)}\n" for row in found])


def _some(source: Iterator[Row], cursor: Cursor) -> Iterator[Row]:
    enough = cursor.offset + CHUNK_BYTES
    for _, row in zip(range(CHUNK), source):  # noqa: B905 - the range is first, so that no row is lost
        yield row
        if cursor.offset >= enough:
            return


def ahead(items: Iterator[Item]) -> Generator[Item, None, None]:
    """The items, each made in a thread while the one before it is used; one waits at most."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, None)
        try:
            while (item := coming.result()) is not None:
                coming = pool.submit(next, items, None)
                yield item
        finally:
            # Behind what is under way, and before the pool's end: the thread's own connection.
            pool.submit(connections.close_all)


def bring(batch: Batch, chunk: Chunk, *, copy: bool) -> Brought:
    """Put the chunk's rows into the tables, or only look what is wrong with them, which is added to the chunk's errors.

    A chunk with an error brings nothing. Must run inside a transaction; a refused COPY is taken back to a savepoint.
    """
    _require_own_ids(chunk)
    workers = _workers_of(batch, chunk)
    if copy and chunk.rows and not chunk.errors.count:
        try:
            with transaction.atomic():
                return _copy(batch, chunk, workers)
        except IntegrityError as refused:
            if "task_external_id" not in str(refused):
                raise
    _require_new_ids(batch, chunk)
    return Brought()


def _require_own_ids(chunk: Chunk) -> None:
    """An external id stands for one task; the database compares with the rows before, this with the chunk itself."""
    if len({row.external_id for row in chunk.rows}) == len(chunk.rows):
        return
    first: dict[str, int] = {}
    for row in chunk.rows:
        if first.setdefault(row.external_id, row.number) != row.number:
            chunk.errors.add(row.number, "external_id", f"is the same as in row {first[row.external_id]}")


def _require_new_ids(batch: Batch, chunk: Chunk) -> None:
    first: dict[str, int] = {}
    for row in chunk.rows:
        first.setdefault(row.external_id, row.number)
    known = rows(
        "SELECT external_id FROM batches_task WHERE batch_id = %s AND external_id = ANY(%s)", [batch.pk, list(first)]
    )
    for number in sorted(first[name] for (name,) in known):
        chunk.errors.add(number, "external_id", "is already in this batch")


def _workers_of(batch: Batch, chunk: Chunk) -> dict[str, int]:
    wanted = {code for row in chunk.rows for code in row.reserved_for}
    if not wanted:
        return {}
    known = workers_by_pseudonym(batch.requester_id, sorted(wanted))
    for row in chunk.rows:
        for code in row.reserved_for:
            if code not in known:
                chunk.errors.add(row.number, "reserved_for", f"{code[:40]} is no worker known to you")
    return known


def _copy(batch: Batch, chunk: Chunk, workers: dict[str, int]) -> Brought:
    found, into = chunk.rows, batch.pk
    ids = value(
        "SELECT string_agg(nextval('batches_task_id_seq')::text, ',') FROM generate_series(1, %s)", [len(found)]
    ).split(",")
    begun = [f"{pk}\t{into}" for pk in ids]
    _copy_lines("batches_task (id, batch_id, external_id, overlap, reserved, priority)", map(add, begun, chunk.tasks))
    _copy_lines("batches_payload (task_id, batch_id, data)", map(add, begun, chunk.payloads))
    numbered = list(zip(ids, found, strict=True))
    gold = [(pk, row) for pk, row in numbered if row.gold is not None]
    if gold:
        _copy_lines(
            "batches_goldkey (task_id, batch_id, key, cap, simhash)",
            (f"{pk}\t{into}\t{_json(row.gold or '')}\t{row.overlap}\t{simhash(loads(row.data))}\n" for pk, row in gold),
        )
    reserved = [(pk, row) for pk, row in numbered if row.reserved_for]
    if reserved:
        _copy_lines(
            "batches_reservation (task_id, worker_id, batch_id)",
            (f"{pk}\t{workers[code]}\t{into}\n" for pk, row in reserved for code in row.reserved_for),
        )
    return Brought(len(found), len(gold), len(reserved), sum(row.overlap for row in found))


def _copy_lines(target: str, lines: Iterable[str]) -> None:
    # A context manager: Django's own wrapping of errors ends before a COPY does.
    statement = f"COPY {target} FROM STDIN"
    with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write("".join(lines).encode())


# COPY's text format: a backslash escapes, a tab ends a cell and a line feed or carriage return a row.
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _escaped(text: str) -> str:
    return text if text.isalnum() else text.translate(_ESCAPES)


def _json(text: str) -> str:
    """JSON has its control characters escaped already."""
    return text.replace("\\", "\\\\") if "\\" in text else text
