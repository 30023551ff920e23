"""Tasks that workers keep giving up: refund them, pause a batch that has many, release them again (R19)."""

from marketplace.batches.commands.lifecycle import pause_batch
from marketplace.batches.errors import WrongState
from marketplace.batches.locks import batch_for_update, lock_tasks, share_batch
from marketplace.batches.models import Batch
from marketplace.batches.queries import counts, tasks_called
from marketplace.batches.states import BatchState, PauseReason
from marketplace.batches.transfers import put
from marketplace.common.database import one, rows, run
from marketplace.common.outbox import publish
from marketplace.common.transactions import require_transaction
from marketplace.ledger.addresses import escrow_of, funds_of
from marketplace.ledger.commands import Move, move, require_funds
from workers.assignments.errors import NotInBatch
from workers.assignments.events import TasksQuarantined, TasksReleased
from workers.assignments.locks import refunds_due
from workers.assignments.poison import SpikePolicy, completed, is_spike

GROUP = 500


def refund_quarantined(*, batch_id: int | None = None, limit: int = GROUP) -> int:
    """Give the money of the open places of up to `limit` quarantined tasks back, by one statement, last.

    Also called before a batch settles, which returns whatever this has not. A place that opens later, as by a
    rejection, is refunded by a later call. What another transaction holds is left to the next one. Locks: batches
    (shared), tasks, ledger accounts. Emits `TasksQuarantined` for tasks that are new. Returns how many were looked at;
    call it again until that is less than `limit`.
    """
    require_transaction()
    tasks = refunds_due(batch_id, limit)
    if not tasks:
        return 0
    refunds = rows("SELECT task_id, batch_id, places, step, is_new FROM assignments_refund(%s)", [tasks])
    batches = {
        batch.pk: batch
        for batch in Batch.objects.select_related("requester").filter(pk__in={refund[1] for refund in refunds})
    }
    for pk in sorted(batches):
        fresh = [task for task, of_batch, _, _, is_new in refunds if of_batch == pk and is_new]
        if fresh:
            publish(TasksQuarantined(batch_id=pk, task_ids=fresh))
    move(
        [
            transfer
            for task, of_batch, places, step, _ in refunds
            for transfer in _refund(batches[of_batch], task, places, step)
        ]
    )
    return len(tasks)


def pause_if_broken(*, batch_id: int, policy: SpikePolicy | None = None) -> bool:
    """Pause an open batch when many of its tasks are in quarantine at once; says whether it did.

    Answers that are there are decided and paid all the same. After the requester resumes the batch it takes as many
    quarantined tasks again. Locks the batch. Emits `BatchPaused` with its reason.
    """
    require_transaction()
    # Counted without the lock first, for nothing else should wait while nothing is wrong.
    if not _broken(batch_id, policy):
        return False
    batch = batch_for_update(batch_id)
    if batch.state != BatchState.PUBLISHED or not _broken(batch_id, policy):
        return False
    pause_batch(batch_id=batch_id, reason=PauseReason.BROKEN_TASKS)
    run(
        "INSERT INTO assignments_spike (batch_id, seen) VALUES (%s, %s)"
        " ON CONFLICT (batch_id) DO UPDATE SET seen = excluded.seen",
        [batch_id, counts(batch_id)["quarantined"]],
    )
    return True


def release_tasks(*, batch_id: int, tasks: list[str]) -> int:
    """Put quarantined tasks, by their external ids, back to work, and hold again what was refunded for them.

    Nothing counts against them any more; whoever had them before does not get them again. Those that are not in
    quarantine are passed over, so repeating it changes nothing. Locks: batch (shared), tasks, ledger accounts. Emits
    `TasksReleased`. Raises `NotInBatch`, `WrongState` for a batch that takes no more work, `NotEnough`. Returns how
    many were released.
    """
    require_transaction()
    share_batch(batch_id)
    batch = Batch.objects.select_related("requester").get(pk=batch_id)
    if batch.state not in (BatchState.PUBLISHED, BatchState.PAUSED):
        raise WrongState(f"A batch that is {batch.state} gives its tasks to nobody.", state=batch.state)
    known = tasks_called(batch_id, tasks)
    unknown = [task for task in tasks if task not in known]
    if unknown:
        raise NotInBatch("These tasks are not in this batch.", tasks=unknown[:20])
    ids = list(known.values())
    lock_tasks(ids)
    released = rows("SELECT task_id, places, step FROM assignments_release(%s, %s)", [batch_id, ids])
    if not released:
        return 0
    run("UPDATE assignments_spike SET seen = greatest(0, seen - %s) WHERE batch_id = %s", [len(released), batch_id])
    publish(TasksReleased(batch_id=batch_id, task_ids=[row[0] for row in released]))
    holds = [hold for task, places, step in released for hold in _hold(batch, task, places, step)]
    require_funds(
        address=funds_of(batch.requester.public_id),
        currency=batch.currency,
        amount_micros=sum(hold.amount_micros for hold in holds),
    )
    move(holds)
    return len(released)


def _broken(batch_id: int, policy: SpikePolicy | None) -> bool:
    row = one(
        "SELECT b.overlap, s.seen FROM batches_batch b LEFT JOIN assignments_spike s ON s.batch_id = b.id"
        " WHERE b.id = %s AND b.state = 'published'",
        [batch_id],
    )
    if row is None:
        return False
    told = counts(batch_id)
    done = completed(submitted=told["submitted"], accepted=told["accepted"], rejected=told["rejected"], overlap=row[0])
    return is_spike(quarantined=told["quarantined"], done=done, seen=row[1] or 0, policy=policy)


def _refund(batch: Batch, task_id: int, places: int, step: int) -> list[Move]:
    escrow, funds = escrow_of(batch.public_id), funds_of(batch.requester.public_id)
    return put(batch, "quarantine", f"quarantine:{task_id}:{step}", escrow, funds, places * batch.unit_micros)


def _hold(batch: Batch, task_id: int, places: int, step: int) -> list[Move]:
    escrow, funds = escrow_of(batch.public_id), funds_of(batch.requester.public_id)
    return put(batch, "rehold", f"rehold:{task_id}:{step}", funds, escrow, places * batch.unit_micros)
