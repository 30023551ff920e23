"""Imports too large for one transaction: received in parts, then turned into tasks in short steps.

Each step is a transaction that holds the import's row and moves its cursor with the tasks that it brings, so a process
that dies loses the step and nothing else, and any other goes on from there. What an import brought is hidden until it
is done; where it fails or is cancelled, it is taken away again in steps too.
"""

import io
from collections.abc import Iterator
from contextlib import closing
from typing import BinaryIO

from marketplace.batches.commands.lifecycle import require_no_import
from marketplace.batches.commands.loading import (
    ERRORS_COUNTED,
    ERRORS_SHOWN,
    Brought,
    Chunk,
    ahead,
    bring,
    chunks_of,
)
from marketplace.batches.errors import ImportEnded
from marketplace.batches.label_studio import LABEL_STUDIO, read_label_studio
from marketplace.batches.locks import draft_for_update, import_with_batch
from marketplace.batches.models import Batch, Import, ImportPart
from marketplace.batches.row_checks import RowChecker, RowErrors
from marketplace.batches.rows import Cursor, Mapping, Row, read_csv, read_jsonl
from marketplace.batches.states import BatchState, ImportState
from marketplace.common.database import MarketNow, one, run, try_sweep_lock, value
from marketplace.common.prepared import prepared
from marketplace.common.transactions import one_transaction, require_transaction
from marketplace.projects.interface import json_fields

PART_BYTES = 1024 * 1024
DISCARDED_AT_ONCE = 5_000
STEPPED = [
    *("state", "touched_at", "finished_at", "bytes_done", "rows_read", "header", "left_out", "errors", "error_count"),
    *("tasks", "gold_tasks", "reserved_tasks", "places"),
]


def begin_import(
    *, batch: Batch, state: ImportState, principal: str = "", key: str = "", kind: str = "jsonl", **known: object
) -> Import:
    """The row of a new import into a draft that the caller holds. Raises `ImportRunning` beside an unfinished one."""
    require_transaction()
    require_no_import(batch.pk)
    return Import.objects.create(
        batch=batch,
        state=state,
        principal=principal,
        key=key,
        kind=kind,
        after_task_id=value("SELECT nextval('batches_task_id_seq')"),
        made_at=MarketNow(),
        touched_at=MarketNow(),
        **known,
    )


def receive(*, batch_id: int, principal: str, key: str, kind: str, mapping: Mapping | None = None) -> Import | None:
    """Begin to receive a body under this key; None when it has arrived already.

    A repeat of a request that broke off begins anew with the first part, and what is left of the first stops: its parts
    are refused from now on. Raises `WrongState`, `ImportRunning`.
    """
    require_transaction()
    batch = draft_for_update(batch_id)
    mine = (
        Import.objects.select_for_update(no_key=True)
        .filter(batch=batch, finished_at=None, principal=principal, key=key, kind=kind)
        .first()
    )
    if mine is None or mine.mapping != mapping or mine.state not in (ImportState.RECEIVING, ImportState.RUNNING):
        return begin_import(
            batch=batch, state=ImportState.RECEIVING, principal=principal, key=key, kind=kind, mapping=mapping
        )
    if mine.state == ImportState.RUNNING:
        return None
    ImportPart.objects.filter(of=mine).delete()
    mine.attempt, mine.bytes_total, mine.touched_at = mine.attempt + 1, 0, MarketNow()
    mine.save(update_fields=["attempt", "bytes_total", "touched_at"])
    return mine


def add_part(*, of: Import, number: int, body: bytes) -> None:
    """Keep a part of the body. All parts but the last have `PART_BYTES`. Raises `ImportEnded`."""
    require_transaction()
    kept = run(
        "UPDATE batches_import SET bytes_total = bytes_total + %s, touched_at = market_now()"
        " WHERE id = %s AND state = 'receiving' AND attempt = %s",
        [len(body), of.pk, of.attempt],
    )
    if not kept:
        raise ImportEnded("The import was cancelled, or another request brings its body.")
    # Bound, for a text would have each byte as two digits for the server to parse: four times the time in all.
    prepared("INSERT INTO batches_importpart (import_id, number, body) VALUES (%s, %s, %b)", [of.pk, number, body])


def received(*, of: Import, body_sha256: bytes) -> Import:
    """The body is complete: its rows become tasks from now on, by `advance`. Raises `ImportEnded`."""
    require_transaction()
    kept = run(
        "UPDATE batches_import SET state = 'running', body_sha256 = %s, touched_at = market_now()"
        " WHERE id = %s AND state = 'receiving' AND attempt = %s",
        [body_sha256, of.pk, of.attempt],
    )
    if not kept:
        raise ImportEnded("The import was cancelled, or another request brings its body.")
    of.refresh_from_db()
    return of


def give_up(*, of: Import) -> None:
    """Cancel an import whose body is refused; nothing where another request brings it by now."""
    require_transaction()
    run(
        "UPDATE batches_import SET state = 'cancelled', touched_at = market_now()"
        " WHERE id = %s AND state = 'receiving' AND attempt = %s",
        [of.pk, of.attempt],
    )


def cancel_import(*, import_id: int) -> Import:
    """Stop an import and take away what it brought, by `advance`. Repeatable. Raises `ImportEnded` for one that is
    done."""
    require_transaction()
    found = import_with_batch(import_id, wait=True)
    assert found is not None
    it, _ = found
    if it.state in (ImportState.DONE, ImportState.FAILED):
        raise ImportEnded("This import has ended already.", state=it.state)
    if it.state != ImportState.CANCELLED:
        it.state, it.touched_at = ImportState.CANCELLED, MarketNow()
        it.save(update_fields=["state", "touched_at"])
        it.refresh_from_db()
    return it


def abandon_stale(*, after_s: int) -> int:
    """Cancel imports whose body stopped arriving; how many. Repeatable."""
    require_transaction()
    return run(
        "UPDATE batches_import SET state = 'cancelled', touched_at = market_now() WHERE id IN (SELECT id FROM"
        " batches_import WHERE finished_at IS NULL AND state = 'receiving'"
        " AND touched_at < market_now() - make_interval(secs => %s) FOR NO KEY UPDATE SKIP LOCKED)",
        [after_s],
    )


def next_import() -> int | None:
    """The import that has waited longest, which goes behind the others by this: one whose steps fail, or kill, takes no
    more than its turn."""
    row = one(
        "UPDATE batches_import SET touched_at = market_now() WHERE id = (SELECT id FROM batches_import"
        " WHERE finished_at IS NULL AND state <> 'receiving' ORDER BY touched_at, id LIMIT 1"
        " FOR NO KEY UPDATE SKIP LOCKED) RETURNING id"
    )
    return None if row is None else row[0]


def advance(import_id: int) -> Iterator[bool]:
    """Take the import's steps one by one, each in a transaction of its own; yields whether there is another.

    Ends where another process takes over, or there is nothing to do.
    """
    it = Import.objects.select_related("batch__version").get(pk=import_id)
    if it.state == ImportState.RUNNING:
        yield from _load(it)
    while True:
        with one_transaction(principal="system"):
            # One step of all imports at a time, so that they take one worker process and leave the others.
            going_on = try_sweep_lock("imports") and discard_step(import_id=import_id)
        if not going_on:
            return
        yield True


def _load(it: Import) -> Iterator[bool]:
    batch = it.batch
    cursor = Cursor(it.bytes_done, it.rows_read, it.header, dict(it.left_out))
    checker = RowChecker(interface=batch.version.interface, overlap=batch.overlap, order=batch.order)
    begun, wrong = cursor.copy(), it.error_count
    with closing(ahead(chunks_of(_source(it, cursor), checker, cursor))) as chunks:
        for chunk in chunks:
            with one_transaction(principal="system"):
                going_on = try_sweep_lock("imports") and load_step(import_id=it.pk, begun=begun, chunk=chunk)
            if not going_on:
                return
            begun = chunk.end
            yield True
            wrong += chunk.errors.count
            if wrong >= ERRORS_COUNTED:
                break
    with one_transaction(principal="system"):
        ended = try_sweep_lock("imports") and load_step(import_id=it.pk, begun=begun, chunk=None)
    if ended:
        yield True


def load_step(*, import_id: int, begun: Cursor, chunk: Chunk | None) -> bool:
    """Bring in the chunk that begins at `begun`, or, where there is none, end the import; whether it did.

    Changes nothing where another process holds the import or has gone on, or the import was cancelled. An import of
    which a row was wrong is read on, to name the others. Locks batch (shared), import.
    """
    require_transaction()
    found = import_with_batch(import_id, wait=False)
    if found is None:
        return False
    it, batch = found
    if it.state != ImportState.RUNNING or it.bytes_done != begun.offset:
        return False
    # Nobody is told that a step was taken before the last one, whose commit makes all before it durable too: a crash
    # loses steps as the death of this process does, tasks and cursor together.
    if chunk is not None:
        run("SET LOCAL synchronous_commit = off")
    it.touched_at = MarketNow()
    if batch.state != BatchState.DRAFT:
        it.state = ImportState.CANCELLED
    elif chunk is None:
        assert it.error_count or begun.offset == it.bytes_total, "a part of the body is missing"
        if not it.tasks and not it.error_count:
            it.errors, it.error_count = [{"row": 0, "field": "", "message": "the file holds no rows"}], 1
        it.state = ImportState.FAILED if it.error_count else ImportState.DONE
        it.finished_at = None if it.error_count else MarketNow()
        it.bytes_done = it.bytes_total
        ImportPart.objects.filter(of=it).delete()
    else:
        errors = RowErrors(limit=ERRORS_SHOWN)
        errors.found, errors.count = it.errors, it.error_count
        _count(it, bring(batch, chunk, copy=not errors.count))
        # A line that cannot be read moves no cursor: whoever goes on from there reads and names it again.
        if chunk.end.offset != begun.offset or not errors.count:
            errors.merge(chunk.errors)
        it.errors, it.error_count = errors.found, errors.count
        it.bytes_done, it.rows_read, it.header = chunk.end.offset, chunk.end.row, chunk.end.header
        it.left_out = chunk.end.left_out
        ImportPart.objects.filter(of=it, number__lt=it.bytes_done // PART_BYTES).delete()
    it.save(update_fields=STEPPED)
    return it.state != ImportState.CANCELLED


def _count(it: Import, brought: Brought) -> None:
    it.tasks += brought.tasks
    it.gold_tasks += brought.gold_tasks
    it.reserved_tasks += brought.reserved_tasks
    it.places += brought.places


def discard_step(*, import_id: int) -> bool:
    """Take away some tasks of a failed or cancelled import, and at the end its parts; whether there may be more.

    The database refuses to touch those of another import, or of a batch that was published. Locks batch, import.
    """
    require_transaction()
    it = Import.objects.get(pk=import_id)
    if it.finished_at is not None or it.state not in (ImportState.FAILED, ImportState.CANCELLED):
        return False
    if value("SELECT batches_discard_import(%s, %s)", [import_id, DISCARDED_AT_ONCE]):
        return True
    ImportPart.objects.filter(of=it).delete()
    Import.objects.filter(pk=import_id).update(finished_at=MarketNow(), touched_at=MarketNow())
    return False


def _source(it: Import, cursor: Cursor) -> Iterator[Row]:
    body: BinaryIO = io.BufferedReader(_Parts(it, cursor.offset), PART_BYTES)
    return rows_of(it.kind, body, it.batch, cursor, it.mapping)


def rows_of(kind: str, body: BinaryIO, batch: Batch, cursor: Cursor, mapping: Mapping | None = None) -> Iterator[Row]:
    """The rows of a body of this kind from the cursor on; `mapping` as in `rows`."""
    if kind == "csv":
        return read_csv(body, json_fields=json_fields(batch.version.interface), at=cursor, mapping=mapping)
    if kind == LABEL_STUDIO:
        return read_label_studio(body, batch.version.interface, cursor)
    return read_jsonl(body, cursor, mapping=mapping)


class _Parts(io.RawIOBase):
    """The parts of a body as one file, from an offset on; one part is in memory."""

    def __init__(self, it: Import, offset: int) -> None:
        self._of, self._total = it.pk, it.bytes_total
        self._at = offset
        self._number, self._body = -1, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        if self._at >= self._total:
            return 0
        number, begin = divmod(self._at, PART_BYTES)
        if number != self._number:
            part = one("SELECT body FROM batches_importpart WHERE import_id = %s AND number = %s", [self._of, number])
            if part is None:
                return 0  # another process is further on, which the next step finds out
            self._number, self._body = number, bytes(part[0])
        view = memoryview(buffer)  # type: ignore[arg-type]
        piece = self._body[begin : begin + len(view)]
        view[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)
