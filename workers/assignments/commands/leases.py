"""While a lease lives: extend it, keep what is typed so far, give it back."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from marketplace.batches.locks import lock_tasks
from marketplace.common.commands import forgets
from marketplace.common.database import one, rows, run
from marketplace.common.errors import NotFound
from marketplace.common.outbox import publish
from marketplace.common.transactions import require_transaction
from workers.assignments.errors import DraftInvalid, LeaseLost
from workers.assignments.events import LeaseReturned
from workers.assignments.locks import own_assignment_for_update
from workers.assignments.states import ReturnReason
from workers.profiles.locks import worker_for_update
from workers.reputation.commands import Judged, record_outcomes
from workers.reputation.states import Kind

DRAFT_BYTES_MAX = 256 * 1024

# By a full time limit from now, and never beyond what the batch lets a lease last in all.
EXTEND = """
UPDATE assignments_assignment a
   SET lease_until = greatest(a.lease_until, least(market_now() + make_interval(secs => b.time_limit_s),
                                                   a.leased_at + make_interval(secs => b.lease_max_s)))
  FROM unnest(%s::uuid[], %s::uuid[]) AS g(assignment, token), batches_batch b
 WHERE a.worker_id = %s AND a.public_id = g.assignment AND a.token = g.token AND a.state = 'leased'
   AND a.lease_until > market_now() AND b.id = a.batch_id
RETURNING a.public_id, a.lease_until, a.lease_until >= a.leased_at + make_interval(secs => b.lease_max_s)
"""


@dataclass(frozen=True)
class Beat:
    """What became of one lease: until when it lives now, and whether that is final; None once it is lost."""

    assignment: UUID
    lease_until: datetime | None
    final: bool


@dataclass(frozen=True)
class Kept:
    """A draft as it is kept, and the lease it belongs to."""

    assignment: UUID
    saved_at: datetime
    lease_until: datetime | None


def extend_leases(*, worker_id: int, leases: list[tuple[UUID, UUID]]) -> list[Beat]:
    """Prolong the leases (assignment, token) of a worker who is active; in the order given.

    Each lives for its batch's time limit from now, up to `lease_max_s` after it began. One that is lost stays lost.
    Locks: worker, assignments.
    """
    require_transaction()
    worker_for_update(worker_id)
    extended = {row[0]: Beat(*row) for row in _extended(worker_id, leases)}
    return [extended.get(assignment, Beat(assignment, None, True)) for assignment, _ in leases]


def save_draft(*, worker_id: int, assignment: UUID, token: UUID, values: dict[str, Any]) -> Kept:
    """Keep what the worker has typed so far and prolong his lease; the last save wins, from whichever device.

    A draft is not checked against the interface: it is not finished. It outlives the lease, and comes back with the
    assignment if the worker gets it again. Raises `NotFound`, `DraftInvalid`, and `LeaseLost` once the assignment is
    submitted or decided.
    """
    require_transaction()
    body = json.dumps(values)
    if len(body) > DRAFT_BYTES_MAX:
        raise DraftInvalid(f"A draft may have at most {DRAFT_BYTES_MAX} bytes.")
    worker_for_update(worker_id)
    found = own_assignment_for_update(worker_id, assignment)
    if found is None:
        raise NotFound("There is no such assignment.")
    pk, state = found
    if state not in ("leased", "expired", "returned"):
        raise LeaseLost("The answer is submitted already.", assignment=str(assignment), state=state)
    row = one(
        "INSERT INTO assignments_draft (assignment_id, values, saved_at) VALUES (%s, %s::jsonb, market_now())"
        " ON CONFLICT (assignment_id) DO UPDATE SET values = excluded.values, saved_at = excluded.saved_at"
        " RETURNING saved_at",
        [pk, body],
    )
    assert row is not None
    extended = _extended(worker_id, [(assignment, token)])
    return Kept(assignment, row[0], extended[0][1] if extended else None)


def _extended(worker_id: int, leases: list[tuple[UUID, UUID]]) -> list[tuple[Any, ...]]:
    """The leases that live, by `EXTEND`. One may end after the statement has found it alive and before the database's
    own fence looks: asked again, the statement finds that it has ended. Each can do so once."""
    ask = [[lease[0] for lease in leases], [lease[1] for lease in leases], worker_id]
    for _lease in leases:
        try:
            with transaction.atomic():
                return rows(EXTEND, ask)
        except IntegrityError as error:
            if getattr(getattr(error.__cause__, "diag", None), "constraint_name", None) != "lease_ended":
                raise
    return rows(EXTEND, ask)


@forgets
def forget_drafts(limit: int) -> int:
    """Delete drafts 30 days after they were last saved (R44)."""
    return run(
        "DELETE FROM assignments_draft WHERE assignment_id IN (SELECT assignment_id FROM assignments_draft"
        " WHERE saved_at < market_now() - interval '30 days' LIMIT %s)",
        [limit],
    )


def return_lease(
    *, worker_id: int, assignment: UUID, token: UUID, reason: ReturnReason = ReturnReason.SKIP, comment: str = ""
) -> None:
    """Give a place back; another worker may take it, this one not again. Repeating it with the token changes nothing.

    A skip says nothing about the task; rules may count how many came in a row, and nothing else does. With any other
    reason the worker counts among those who gave it up, and enough of them put it into quarantine. Locks: worker, task,
    assignment, standing. Emits `LeaseReturned`. Raises `NotFound`, `LeaseLost`.
    """
    require_transaction()
    worker_for_update(worker_id)
    found = one(
        "SELECT a.task_id, a.batch_id, b.project_id FROM assignments_assignment a"
        " JOIN batches_batch b ON b.id = a.batch_id WHERE a.worker_id = %s AND a.public_id = %s",
        [worker_id, assignment],
    )
    if found is None:
        raise NotFound("There is no such assignment.")
    lock_tasks([found[0]])
    pk, state = own_assignment_for_update(worker_id, assignment) or (0, "")
    returned = run(
        "UPDATE assignments_assignment SET state = 'returned', end_reason = %s, comment = %s"
        " WHERE id = %s AND token = %s AND state = 'leased' AND lease_until > market_now()",
        [reason, comment, pk, token],
    )
    if returned:
        publish(LeaseReturned(batch_id=found[1], worker_ids=[worker_id], assignment_ids=[pk]))
        if reason == ReturnReason.SKIP:
            task_id, batch_id, project_id = found
            record_outcomes(
                [Judged(worker_id, project_id, batch_id, kind=Kind.SKIP, assignment_id=pk, task_id=task_id)]
            )
    elif not one(
        "SELECT 1 FROM assignments_assignment WHERE id = %s AND token = %s AND state = 'returned'", [pk, token]
    ):
        raise LeaseLost("The place is no longer yours to give back.", assignment=str(assignment), state=state)
