"""Bring tasks into a draft batch in one transaction: every error with its row, all or nothing."""

from collections.abc import Iterable
from contextlib import closing

from marketplace.batches.commands.imports import begin_import
from marketplace.batches.commands.loading import ERRORS_COUNTED, ERRORS_SHOWN, Brought, ahead, bring, chunks_of
from marketplace.batches.errors import RowsInvalid
from marketplace.batches.locks import draft_for_update
from marketplace.batches.models import Import
from marketplace.batches.row_checks import RowChecker, RowErrors
from marketplace.batches.rows import ROW_BYTES_MAX, Cursor, Mapping, Row
from marketplace.batches.states import ImportState
from marketplace.common.database import MarketNow
from marketplace.common.transactions import require_transaction


def import_tasks(
    *,
    batch_id: int,
    source: Iterable[Row],
    body_sha256: bytes,
    kind: str = "jsonl",
    size: int = 0,
    cursor: Cursor | None = None,
    mapping: Mapping | None = None,
) -> Import:
    """Add the rows as tasks of the draft batch; gold keys go where only the gold reader sees them.

    Reads the source once, in chunks, so memory stays flat; for what is so long that its transaction would be too, there
    is `commands.imports`. Raises `RowsInvalid` with up to 100 errors, each naming its row and field; then nothing is
    kept. Raises `WrongState` when the batch is not a draft, `ImportRunning` beside another import that is not finished.
    """
    require_transaction()
    batch = draft_for_update(batch_id)
    cursor = cursor or Cursor()
    errors, brought = RowErrors(limit=ERRORS_SHOWN), Brought()
    made = begin_import(
        batch=batch, state=ImportState.RUNNING, kind=kind, body_sha256=body_sha256, bytes_total=size, mapping=mapping
    )
    checker = RowChecker(interface=batch.version.interface, overlap=batch.overlap, order=batch.order)
    with closing(ahead(chunks_of(source, checker, cursor))) as chunks:
        for chunk in chunks:
            brought.add(bring(batch, chunk, copy=not errors.count))
            errors.merge(chunk.errors)
            if errors.count >= ERRORS_COUNTED:
                break
    if not brought.tasks and not errors.count:
        errors.add(0, "", "the file holds no rows")
    if errors.count:
        raise RowsInvalid(told(errors), errors=errors.found)
    Import.objects.filter(pk=made.pk).update(
        state=ImportState.DONE,
        rows_read=cursor.row,
        bytes_done=cursor.offset,
        left_out=cursor.left_out,
        tasks=brought.tasks,
        gold_tasks=brought.gold_tasks,
        reserved_tasks=brought.reserved_tasks,
        places=brought.places,
        finished_at=MarketNow(),
    )
    made.refresh_from_db()
    return made


def require_readable(rows: Iterable[Row], cursor: Cursor) -> None:
    """Look at the beginning of a large file before the rest is taken in: where even its first row, or its header, is
    beyond reading, nothing behind it could be read either. Raises `RowsInvalid`."""
    first = next(iter(rows), None)
    if first is not None and first.problem and (cursor.row == 0 or cursor.offset > ROW_BYTES_MAX):
        errors = RowErrors(limit=ERRORS_SHOWN)
        errors.add(first.number, "", first.problem)
        raise RowsInvalid(told(errors), errors=errors.found)


def told(errors: RowErrors) -> str:
    """What to say of an import with errors."""
    return f"{errors.count} {'error' if errors.count == 1 else 'errors'}; nothing was imported."
