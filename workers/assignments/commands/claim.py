"""Claim places, give them back."""

from random import Random
from uuid import UUID

from marketplace.batches.locks import lock_tasks, open_batch_shared
from marketplace.common.database import rows, run
from marketplace.common.errors import NotFound
from marketplace.common.outbox import publish
from marketplace.common.transactions import require_transaction
from workers.assignments.audience import require_eligible
from workers.assignments.errors import LeaseLost, NothingToClaim
from workers.assignments.events import LeaseReturned, PlaceTaken
from workers.assignments.locks import own_assignments_for_update
from workers.assignments.queries import LeasedTask, held_leases, leased_tasks
from workers.gold.commands import keep_schedule, plan_gold
from workers.profiles.locks import worker_for_update


def claim(*, worker_id: int, batch_id: int, count: int, chance: Random) -> list[LeasedTask]:
    """Top the worker up to `count` live leases in the batch and return all of them.

    Repeating it changes nothing while the leases live. May return fewer: a short page is a success. Which of the new
    leases are gold follows the worker's schedule and is decided before any task is looked at, so that every claim runs
    the same statements. Locks: worker, batch (shared), tasks. Emits `PlaceTaken`. Raises `BatchNotOpen`, `NotEligible`,
    `NothingToClaim`.
    """
    require_transaction()
    worker_for_update(worker_id)
    batch = open_batch_shared(batch_id)
    require_eligible(worker_id=worker_id, batch=batch)
    held = held_leases(worker_id, batch_id)
    plan = plan_gold(worker_id=worker_id, batch=batch, count=max(0, count - len(held)), chance=chance)
    taken: list[int] = []
    if plan.flags:
        taken = [row[0] for row in rows("SELECT assignments_take(%s, %s, %s)", [worker_id, batch_id, plan.flags])]
        keep_schedule(plan, used=len(taken))
    if not held and not taken:
        raise NothingToClaim("No open place is left for you in this batch.", batch=str(batch.public_id))
    if taken:
        publish(PlaceTaken(batch_id=batch_id, worker_ids=[worker_id], assignment_ids=taken))
    return leased_tasks(held + taken)


def return_lease(*, worker_id: int, assignment: UUID, token: UUID, reason: str = "") -> None:
    """Give a place back; another worker may take it, this one not again. Repeating it with the token changes nothing.

    Locks: worker, task, assignment. Emits `LeaseReturned`. Raises `NotFound`, `LeaseLost`.
    """
    require_transaction()
    worker_for_update(worker_id)
    found = rows(
        "SELECT task_id FROM assignments_assignment WHERE worker_id = %s AND public_id = %s", [worker_id, assignment]
    )
    if not found:
        raise NotFound("There is no such assignment.")
    lock_tasks([found[0][0]])
    pk, _, _, batch_id, *_, state = own_assignments_for_update(worker_id, [assignment])[0]
    returned = run(
        "UPDATE assignments_assignment SET state = 'returned', end_reason = %s"
        " WHERE id = %s AND token = %s AND state = 'leased' AND lease_until > market_now()",
        [reason, pk, token],
    )
    if returned:
        publish(LeaseReturned(batch_id=batch_id, worker_ids=[worker_id], assignment_ids=[pk]))
    elif not rows(
        "SELECT 1 FROM assignments_assignment WHERE id = %s AND token = %s AND state = 'returned'", [pk, token]
    ):
        raise LeaseLost("The place is no longer yours to give back.", assignment=str(assignment), state=state)
