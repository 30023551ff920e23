"""Change what is in a draft: give items a known answer, take it back, take items out."""

import json
from collections.abc import Sequence
from typing import Any

from marketplace.accounts.commands.acts import record
from marketplace.batches.commands.lifecycle import require_no_import
from marketplace.batches.errors import KeysInvalid, NoSuchItems
from marketplace.batches.locks import draft_for_update
from marketplace.batches.models import Batch
from marketplace.batches.queries import tasks_called
from marketplace.batches.row_checks import RowChecker, RowErrors
from marketplace.batches.simhash import simhash
from marketplace.common.database import rows, run, value
from marketplace.common.transactions import require_transaction

ERRORS_SHOWN = 100
REFUSAL = "What is in a batch changes while it is a draft only."


def set_keys(*, batch_id: int, keys: Sequence[dict[str, Any]]) -> int:
    """Make items of a draft gold: `task` is the external id of each, `key` the known answer; how many are changed.

    One that is gold already gets the new key. All or none. Locks the batch. Raises `KeysInvalid` naming each item that
    is wrong, `WrongState`, `ImportRunning`.
    """
    require_transaction()
    batch = _draft(batch_id)
    known = {
        external_id: (task_id, overlap, reserved, data)
        for external_id, task_id, overlap, reserved, data in rows(
            "SELECT t.external_id, t.id, t.overlap, t.reserved, p.data FROM batches_task t"
            " JOIN batches_payload p ON p.task_id = t.id WHERE t.batch_id = %s AND t.external_id = ANY(%s)",
            [batch.pk, [one["task"] for one in keys]],
        )
    }
    checker = RowChecker(interface=batch.version.interface, overlap=batch.overlap, order=batch.order)
    errors, found = RowErrors(limit=ERRORS_SHOWN), {}
    for number, one in enumerate(keys):
        if one["task"] not in known:
            errors.add(number, "task", f"there is no item {one['task'][:100]!r}")
            continue
        task_id, overlap, reserved, data = known[one["task"]]
        if reserved:
            errors.add(number, "task", "is reserved for somebody: as gold it would be known as such")
        elif task_id in found:
            errors.add(number, "task", f"{one['task'][:100]!r} is named twice")
        found[task_id] = (checker.key(one["key"], data, number, errors), overlap, data)
    if errors.count:
        # Numbered from 0, as items of a list are elsewhere.
        shown = [{"item": error["row"], "field": error["field"], "message": error["message"]} for error in errors.found]
        raise KeysInvalid(f"{errors.count} of the keys are wrong; none was changed.", errors=shown)
    task_ids = list(found)
    value("SELECT batches_take_keys(%s, %s)", [batch.pk, task_ids])
    changed = run(
        "INSERT INTO batches_goldkey (task_id, batch_id, key, cap, simhash)"
        " SELECT k.task_id, %s, k.key::jsonb, k.cap, k.simhash"
        " FROM unnest(%s::bigint[], %s::text[], %s::smallint[], %s::bigint[]) AS k(task_id, key, cap, simhash)",
        [
            batch.pk,
            task_ids,
            [json.dumps(key, ensure_ascii=False) for key, _, _ in found.values()],
            [overlap for _, overlap, _ in found.values()],
            [simhash(data) for _, _, data in found.values()],
        ],
    )
    _record("gold.keys_set", batch, changed)
    return changed


def take_keys(*, batch_id: int, tasks: Sequence[str]) -> int:
    """Make gold items of a draft, by external ids, ordinary again; how many were gold. Repeatable.

    Locks the batch. Raises `NoSuchItems`, `WrongState`, `ImportRunning`.
    """
    require_transaction()
    batch = _draft(batch_id)
    taken = int(value("SELECT batches_take_keys(%s, %s)", [batch.pk, _ids(batch, tasks)]))
    _record("gold.keys_taken", batch, taken)
    return taken


def take_out(*, batch_id: int, tasks: Sequence[str]) -> int:
    """Take items, by external ids, out of a draft for good; how many. Locks and raises like `take_keys`."""
    require_transaction()
    batch = _draft(batch_id)
    before = _keys_in(batch)
    gone = int(value("SELECT batches_take_out(%s, %s)", [batch.pk, _ids(batch, tasks)]))
    _record("gold.keys_taken", batch, before - _keys_in(batch))
    return gone


def _keys_in(batch: Batch) -> int:
    return int(value("SELECT batches_keys_in(%s)", [batch.pk]))


def _record(act: str, batch: Batch, keys: int) -> None:
    """Into the audit log, where gold has changed: of how many items."""
    if keys:
        record(act, subject="batch", subject_id=batch.public_id, after={"keys": keys})


def _draft(batch_id: int) -> Batch:
    batch = draft_for_update(batch_id, refusal=REFUSAL)
    require_no_import(batch.pk)
    return batch


def _ids(batch: Batch, tasks: Sequence[str]) -> list[int]:
    known = tasks_called(batch.pk, tasks)
    errors = [
        {"item": number, "field": "tasks", "message": f"there is no item {task[:100]!r}"}
        for number, task in enumerate(tasks)
        if task not in known
    ]
    if errors:
        raise NoSuchItems(f"{len(errors)} of the items are not there.", errors=errors[:ERRORS_SHOWN])
    return list(known.values())
