"""Accept and reject answers; accept what nobody decided in time; expire leases that ran out."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Literal
from uuid import UUID

from marketplace.accounts.commands.acts import record
from marketplace.batches.commands.lifecycle import cancel_batch, close_batch, settle
from marketplace.batches.locks import batch_for_update, hold_batch, lock_tasks
from marketplace.batches.models import Batch
from marketplace.batches.states import BatchState
from marketplace.common.database import rows, run, value
from marketplace.common.outbox import publish
from marketplace.common.transactions import require_transaction
from workers.assignments.commands.extras import top_up
from workers.assignments.commands.reserves import release_unneeded
from workers.assignments.errors import NotDecidable, RejectionInvalid, TooMany
from workers.assignments.events import AnswerAccepted, AnswerRejected, LeaseExpired
from workers.assignments.locks import (
    leases_of_batch,
    overdue_leases,
    submitted_for_update,
    submitted_past_deadline,
    tasks_of,
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
    _accept(batch_id, [(row[0], row[2]) for row in found], by="all" if assignments is None else "name")
    if found:
        record(
            "money.answers_accepted",
            subject="batch",
            subject_id=Batch.objects.values_list("public_id", flat=True).get(pk=batch_id),
            after={"answers": len(found), "named": assignments is not None},
        )
    return len(found)


def reject_answers(
    *,
    batch_id: int,
    assignments: list[UUID],
    reason: RejectReason,
    comment: str,
    made_by: int,
    version: int | None = None,
    review_id: int | None = None,
    agreed: Mapping[UUID, bool] | None = None,
) -> int:
    """Reject the named submitted answers; each place opens for another worker, and its money stays.

    A rejection says why, in words, and cites the instructions (`version`, a number) that the worker was shown; left
    out, it cites just those. This is the step alone: how many may be rejected without a review is for the caller
    (`results.commands.rejections`) and the database. `review_id` names the review that allowed it, and `agreed` says
    which answers agreed with others. Locks: batch, tasks, assignments. Emits `AnswerRejected`. Raises `NotDecidable`
    naming those that are not submitted, `RejectionInvalid`.
    """
    require_transaction()
    require_few(assignments)
    require_words(comment)
    hold_batch(batch_id)
    lock_tasks(tasks_of(batch_id, assignments))
    found = submitted_for_update(batch_id, assignments, DECISIONS_MAX)
    require_decidable(batch_id, assignments, {row[0] for row in found}, also="rejected")
    if not found:
        return 0
    ids = [row[0] for row in found]
    require_shown(ids, version)
    known = agreed or {}
    run(
        "INSERT INTO assignments_rejection (assignment_id, batch_id, reason, comment, version_id, made_by_id, made_at,"
        " review_id, agreed) SELECT a.id, a.batch_id, %s, %s, a.version_id, %s, market_now(), %s, g.agreed"
        " FROM assignments_assignment a LEFT JOIN unnest(%s::uuid[], %s::boolean[]) AS g(public_id, agreed)"
        " ON g.public_id = a.public_id WHERE a.id = ANY(%s) ORDER BY a.id",
        [reason, comment, made_by, review_id, list(known), list(known.values()), ids],
    )
    run(
        "UPDATE assignments_assignment SET state = 'rejected', decided_at = market_now(), end_reason = %s,"
        " comment = %s WHERE id = ANY(%s)",
        [reason, comment, ids],
    )
    publish(AnswerRejected(batch_id=batch_id, worker_ids=sorted({row[2] for row in found}), assignment_ids=ids))
    return len(found)


def accept_overdue(*, batch_id: int, worker_id: int, limit: int = DECISIONS_MAX) -> int:
    """Accept up to `limit` answers of the worker in the batch whose time for a decision has passed; how many."""
    require_transaction()
    found = submitted_past_deadline(batch_id, limit, worker_id=worker_id)
    _accept(batch_id, [(pk, worker) for pk, worker, _ in found], by="deadline")
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
        _accept(of_batch, found, by="deadline")
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


def _accept(batch_id: int, found: list[tuple[int, int]], *, by: Literal["name", "all", "deadline"]) -> None:
    if not found:
        return
    ids = [pk for pk, _ in found]
    run("UPDATE assignments_assignment SET state = 'accepted', decided_at = market_now() WHERE id = ANY(%s)", [ids])
    workers = sorted({worker for _, worker in found})
    publish(AnswerAccepted(batch_id=batch_id, worker_ids=workers, assignment_ids=ids, by=by))


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


def require_words(comment: str) -> None:
    """Raise `RejectionInvalid` where nothing is said."""
    if not comment.strip():
        raise RejectionInvalid(
            "Say in words what is wrong with the answers.",
            errors=[{"field": "comment", "message": "must not be empty"}],
        )


def require_shown(ids: list[int], version: int | None) -> None:
    """Raise `RejectionInvalid` where a worker was shown another version of the instructions than the one cited."""
    if version is not None and value(
        "SELECT EXISTS (SELECT 1 FROM assignments_assignment a JOIN projects_version v ON v.id = a.version_id"
        " WHERE a.id = ANY(%s) AND v.number <> %s)",
        [ids, version],
    ):
        raise RejectionInvalid(
            "The workers were shown another version of the instructions.",
            errors=[{"field": "version", "message": "is not the version that the answers were given under"}],
        )


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
