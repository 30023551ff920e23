"""Bring tasks into a draft batch: COPY in chunks, every error with its row, all or nothing."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.db import connection

from marketplace.batches.errors import RowsInvalid, WrongState
from marketplace.batches.locks import batch_for_update
from marketplace.batches.models import Batch, Import
from marketplace.batches.rows import Row, RowErrors, TaskRow, checked_rows
from marketplace.batches.states import BatchState
from marketplace.common.database import MarketNow, rows
from marketplace.common.transactions import require_transaction
from workers.profiles.queries import workers_by_pseudonym

CHUNK = 10_000
ERRORS_SHOWN = 100


def import_tasks(*, batch_id: int, source: Iterator[Row], body_sha256: bytes) -> Import:
    """Add the rows as tasks of the draft batch; gold keys go where only the gold reader sees them.

    Reads the source once, in chunks, so memory stays flat. Raises `RowsInvalid` with up to 100 errors, each naming its
    row and field; then nothing is kept. Raises `WrongState` when the batch is not a draft.
    """
    require_transaction()
    batch = batch_for_update(batch_id)
    if batch.state != BatchState.DRAFT:
        raise WrongState("Tasks can be added to a draft batch only.", state=batch.state)
    errors = RowErrors(limit=ERRORS_SHOWN)
    totals = {"tasks": 0, "gold_tasks": 0, "reserved_tasks": 0, "places": 0}
    checked = checked_rows(source, interface=batch.version.interface, overlap=batch.overlap, errors=errors)
    while chunk := list(islice(checked, CHUNK)):
        _require_new_ids(batch, chunk, errors)
        workers = _workers_of(batch, chunk, errors)
        if errors.found:
            continue  # keep reading, to name the other rows that are wrong
        _copy(batch, chunk, workers)
        totals["tasks"] += len(chunk)
        totals["gold_tasks"] += sum(row.gold is not None for row in chunk)
        totals["reserved_tasks"] += sum(bool(row.reserved_for) for row in chunk)
        totals["places"] += sum(row.overlap for row in chunk)
    if not totals["tasks"] and not errors.found:
        errors.add(0, "", "the file holds no rows")
    if errors.found:
        raise RowsInvalid(
            f"{errors.count} {'error' if errors.count == 1 else 'errors'}; nothing was imported.", errors=errors.found
        )
    return Import.objects.create(batch=batch, body_sha256=body_sha256, made_at=MarketNow(), **totals)


def _require_new_ids(batch: Batch, chunk: list[TaskRow], errors: RowErrors) -> None:
    """An external id stands for one task of the batch; a chunk is checked against itself and against what is there."""
    first: dict[str, int] = {}
    for row in chunk:
        if row.external_id in first:
            errors.add(row.number, "external_id", f"is the same as in row {first[row.external_id]}")
        else:
            first[row.external_id] = row.number
    for (known,) in rows(
        "SELECT external_id FROM batches_task WHERE batch_id = %s AND external_id = ANY(%s)", [batch.pk, list(first)]
    ):
        errors.add(first[known], "external_id", "is already in this batch")


def _workers_of(batch: Batch, chunk: list[TaskRow], errors: RowErrors) -> dict[str, int]:
    wanted = {code for row in chunk for code in row.reserved_for}
    if not wanted:
        return {}
    known = workers_by_pseudonym(batch.requester_id, sorted(wanted))
    for row in chunk:
        for code in row.reserved_for:
            if code not in known:
                errors.add(row.number, "reserved_for", f"{code[:40]} is no worker known to you")
    return known


def _copy(batch: Batch, chunk: list[TaskRow], workers: dict[str, int]) -> None:
    ids = [row[0] for row in rows("SELECT nextval('batches_task_id_seq') FROM generate_series(1, %s)", [len(chunk)])]
    numbered = list(zip(ids, chunk, strict=True))
    _copy_rows(
        "batches_task (id, batch_id, external_id, overlap, reserved)",
        ((pk, batch.pk, row.external_id, row.overlap, bool(row.reserved_for)) for pk, row in numbered),
    )
    _copy_rows("batches_payload (task_id, batch_id, data)", ((pk, batch.pk, row.data) for pk, row in numbered))
    _copy_rows(
        "batches_goldkey (task_id, batch_id, key, cap)",
        ((pk, batch.pk, row.gold, row.overlap) for pk, row in numbered if row.gold is not None),
    )
    _copy_rows(
        "batches_reservation (task_id, worker_id, batch_id)",
        ((pk, workers[code], batch.pk) for pk, row in numbered for code in row.reserved_for),
    )


def _copy_rows(target: str, values: Iterator[tuple[Any, ...]]) -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN") as copy:
        for row in values:
            copy.write_row(row)
