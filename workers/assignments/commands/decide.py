"""Accept and reject answers; accept what nobody decided in time; expire leases that ran out."""

from collections import defaultdict
from uuid import UUID

from marketplace.batches.commands.lifecycle import cancel_batch, close_batch, settle
from marketplace.batches.locks import batch_for_update, lock_tasks
from marketplace.batches.models import Batch
from marketplace.batches.states import BatchState
from marketplace.common.database import rows, run, value
from marketplace.common.outbox import publish
from marketplace.common.transactions import require_transaction
from workers.assignments.commands.extras import top_up
from workers.assignments.commands.reserves import release_unneeded
from workers.assignments.errors import NotDecidable, TooMany
from workers.assignments.events import AnswerAccepted, AnswerRejected, LeaseExpired
from workers.assignments.locks import (
    leases_of_batch,
    overdue_leases,
    submitted_for_update,
    submitted_past_deadline,
)
from workers.assignments.states import RejectReason

DECISIONS_MAX = 1_000


def accept_answers(*, batch_id: int, assignments: list[UUID] | None, limit: int = DECISIONS_MAX) -> int:
    """Accept the named submitted answers of the batch, or up to `limit` of all that no hold keeps; returns how many
    were accepted.

    Each becomes due for payment by the same step. Repeating it accepts nothing twice; a named answer that is decided
    already is passed over when it was accepted and refused (`NotDecidable`) otherwise. Emits `AnswerAccepted`.
    """
    require_transaction()
    require_few(assignments)
    found = submitted_for_update(batch_id, assignments, limit)
    if assignments is not None:
        require_decidable(batch_id, assignments, {row[0] for row in found}, also="accepted")
    _accept(batch_id, [(row[0], row[2]) for row in found])
    return len(found)


def reject_answers(*, batch_id: int, assignments: list[UUID], reason: RejectReason, comment: str) -> int:
    """Reject the named submitted answers with a reason; each place opens for another worker, and its money stays.

    Locks: tasks, assignments. Emits `AnswerRejected`. Raises `NotDecidable` naming those that are not submitted.
    """
    require_transaction()
    require_few(assignments)
    tasks = rows(
        "SELECT task_id FROM assignments_assignment WHERE batch_id = %s AND public_id = ANY(%s)",
        [batch_id, assignments],
    )
    lock_tasks([row[0] for row in tasks])
    found = submitted_for_update(batch_id, assignments, DECISIONS_MAX)
    require_decidable(batch_id, assignments, {row[0] for row in found}, also="rejected")
    if found:
        run(
            "UPDATE assignments_assignment SET state = 'rejected', decided_at = market_now(), end_reason = %s,"
            " comment = %s WHERE id = ANY(%s)",
            [reason, comment, [row[0] for row in found]],
        )
        publish(
            AnswerRejected(
                batch_id=batch_id,
                worker_ids=sorted({row[2] for row in found}),
                assignment_ids=[row[0] for row in found],
            )
        )
    return len(found)


def accept_overdue(*, batch_id: int, worker_id: int, limit: int = DECISIONS_MAX) -> int:
    """Accept up to `limit` answers of the worker in the batch whose time for a decision has passed; how many."""
    require_transaction()
    found = submitted_past_deadline(batch_id, limit, worker_id=worker_id)
    _accept(batch_id, [(pk, worker) for pk, worker, _ in found])
    return len(found)


def apply_due(*, batch_id: int | None = None, limit: int = 500) -> int:
    """Expire leases that ran out and accept answers whose time for a decision has passed, in one batch or in all.

    The interface calls it before a claim or a read that depends on it, so nothing needs a background process (R15,
    R18). Bounded and repeatable; what another transaction holds is left to the next call. Emits `LeaseExpired`,
    `AnswerAccepted`. Returns how many assignments changed.
    """
    require_transaction()
    expired = overdue_leases(batch_id, limit)
    _expire(expired, "time")
    decided: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for pk, worker_id, of_batch in submitted_past_deadline(batch_id, limit):
        decided[of_batch].append((pk, worker_id))
    for of_batch, found in decided.items():
        _accept(of_batch, found)
    return len(expired) + sum(len(found) for found in decided.values())


def cancel(*, batch_id: int) -> Batch:
    """Cancel the batch and end its leases with that reason; submitted answers are still decided and paid."""
    require_transaction()
    batch = cancel_batch(batch_id=batch_id)
    while leases := leases_of_batch(batch_id, 1_000):
        _expire(leases, "cancelled")
    return batch


def finish_batch(*, batch_id: int) -> bool:
    """Close the batch when its work is done, give back what it does not need any more, bring its pay to the hourly
    target, and settle it when all is decided and paid; says whether it moved on.

    What it reads first is a hint; `close_batch` and `settle` lock the batch, and the database refuses to settle one
    that still has live or unpaid work.
    """
    require_transaction()
    state, settled_at = rows("SELECT state, settled_at FROM batches_batch WHERE id = %s", [batch_id])[0]
    if settled_at is not None:
        return False
    if state == BatchState.PUBLISHED and value("SELECT assignments_batch_is_done(%s)", [batch_id]):
        # Again under its lock: a task that was released from quarantine meanwhile is work to do.
        if batch_for_update(batch_id).state != state or not value("SELECT assignments_batch_is_done(%s)", [batch_id]):
            return False
        close_batch(batch_id=batch_id)
        return True
    if state not in (BatchState.CLOSING, BatchState.CANCELLED):
        return False
    if release_unneeded(batch_id=batch_id) or _has_open_work(batch_id):
        return False
    batch_for_update(batch_id)
    # Again under its lock: a rejection that was undone meanwhile is to be paid first.
    if _has_open_work(batch_id):
        return False
    if top_up(batch_id=batch_id):
        settle(batch_id=batch_id)
    return True


def _has_open_work(batch_id: int) -> bool:
    return bool(
        value(
            "SELECT EXISTS (SELECT 1 FROM assignments_assignment WHERE batch_id = %s AND state = 'leased')"
            " OR EXISTS (SELECT 1 FROM assignments_assignment WHERE batch_id = %s AND state = 'submitted')"
            " OR EXISTS (SELECT 1 FROM assignments_settlement WHERE batch_id = %s AND settled_at IS NULL)",
            [batch_id, batch_id, batch_id],
        )
    )


def _accept(batch_id: int, found: list[tuple[int, int]]) -> None:
    if not found:
        return
    ids = [pk for pk, _ in found]
    run("UPDATE assignments_assignment SET state = 'accepted', decided_at = market_now() WHERE id = ANY(%s)", [ids])
    publish(AnswerAccepted(batch_id=batch_id, worker_ids=sorted({worker for _, worker in found}), assignment_ids=ids))


def _expire(ids: list[int], reason: str) -> None:
    if not ids:
        return
    ended = rows(
        "UPDATE assignments_assignment SET state = 'expired', end_reason = %s WHERE id = ANY(%s)"
        " RETURNING batch_id, worker_id, id",
        [reason, ids],
    )
    for batch_id in sorted({row[0] for row in ended}):
        mine = [row for row in ended if row[0] == batch_id]
        publish(
            LeaseExpired(
                batch_id=batch_id,
                worker_ids=sorted({row[1] for row in mine}),
                assignment_ids=[row[2] for row in mine],
            )
        )


def require_few(assignments: list[UUID] | None) -> None:
    """Raise `TooMany` where one call names more answers than a transaction should hold."""
    if assignments is not None and len(assignments) > DECISIONS_MAX:
        raise TooMany(f"Decide at most {DECISIONS_MAX} answers at once.")


def require_decidable(
    batch_id: int, assignments: list[UUID], found: set[int], *, also: str, wanted: str = "submitted"
) -> None:
    """Raise `NotDecidable` naming those that are neither found as `wanted` nor have become `also` before."""
    known = {
        row[0]: (row[1], row[2])
        for row in rows(
            "SELECT public_id, id, state FROM assignments_assignment WHERE batch_id = %s AND public_id = ANY(%s)",
            [batch_id, assignments],
        )
    }
    wrong = [
        str(public_id)
        for public_id in assignments
        if public_id not in known or (known[public_id][0] not in found and known[public_id][1] != also)
    ]
    if wrong:
        raise NotDecidable(f"Some answers are not in this batch, or are not {wanted}.", answers=wrong[:20])
