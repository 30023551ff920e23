"""Give tasks of a running batch more places, and hold the money for them (R6, R12)."""

from collections.abc import Sequence
from dataclasses import dataclass

from marketplace.accounts.commands.acts import record
from marketplace.batches.errors import HoldTooLarge, WrongState
from marketplace.batches.locks import lock_tasks, share_batch
from marketplace.batches.models import OVERLAP_MAX, Batch
from marketplace.batches.queries import estimate, tasks_called
from marketplace.batches.states import BatchState
from marketplace.batches.transfers import put
from marketplace.common.database import one
from marketplace.common.money import AMOUNT_MAX, shown
from marketplace.common.outbox import publish
from marketplace.common.transactions import require_transaction
from marketplace.ledger.addresses import disputes_of, escrow_of, funds_of, topup_of
from marketplace.ledger.commands import Move, move, require_funds
from workers.assignments.errors import NotInBatch, TooMany
from workers.assignments.events import PlacesAdded

TASKS_MAX = 1_000


@dataclass(frozen=True)
class Added:
    """What was added: the tasks that have more places now, how many places in all, and what is held for them."""

    tasks: list[int]
    places: int
    held_micros: int


def more_places(*, batch_id: int, task_ids: Sequence[int], by: int = 1) -> Added:
    """Raise the overlap of tasks of an open or paused batch by `by`, and hold from the requester's funds what the new
    places can cost at most: pay and fee, and their part of what lies aside for disputes and for a top-up.

    A task that was full goes to the end of the queue. Gold and reserved tasks, those in quarantine and those that would
    have more than 50 places are passed over. The database ends no transaction in which places came without their money.
    Each call adds anew. Locks: batch (shared), tasks, tail, ledger accounts. Emits `PlacesAdded`. Raises `WrongState`,
    `TooMany`, `HoldTooLarge`, and `NotEnough` saying how much is missing; then nothing has happened.
    """
    require_transaction()
    if len(task_ids) > TASKS_MAX or not 1 <= by < OVERLAP_MAX:
        raise TooMany(f"Add 1 to {OVERLAP_MAX - 1} places to at most {TASKS_MAX} tasks at once.")
    share_batch(batch_id)
    batch = Batch.objects.select_related("requester").get(pk=batch_id)
    if batch.state not in (BatchState.PUBLISHED, BatchState.PAUSED):
        raise WrongState(f"A batch that is {batch.state} takes no more work.", state=batch.state)
    tasks = sorted(set(task_ids))
    lock_tasks(tasks)
    found = one(
        "SELECT number, raised, places, disputes FROM assignments_more_places(%s, %s, %s)", [batch_id, tasks, by]
    )
    if found is None:
        return Added([], 0, 0)
    number, raised, places, disputes = found
    publish(PlacesAdded(batch_id=batch_id, task_ids=raised))
    total = estimate(batch).total_micros
    if total > AMOUNT_MAX:
        most = shown(AMOUNT_MAX, batch.currency)
        raise HoldTooLarge(f"This batch could cost {shown(total, batch.currency)} then; the most is {most}.")
    holds = _holds(batch, number, places, disputes)
    held = sum(hold.amount_micros for hold in holds)
    require_funds(
        address=funds_of(batch.requester.public_id),
        currency=batch.currency,
        amount_micros=held,
        lines={
            "pay": places * batch.price_micros,
            "fees": places * batch.fee_micros,
            "disputes": disputes * (batch.unit_micros + batch.topup_place_micros),
            "a top-up": places * batch.topup_place_micros,
        },
    )
    if raised:
        record(
            "money.places_added",
            subject="batch",
            subject_id=batch.public_id,
            after={"tasks": len(raised), "places": places, "currency": batch.currency},
        )
    move(holds)
    return Added(raised, places, held)


def more_places_for(*, batch_id: int, tasks: Sequence[str], by: int = 1) -> tuple[Added, list[str]]:
    """The same for tasks by their external ids; and which of them were passed over. Raises `NotInBatch` besides."""
    require_transaction()
    known = tasks_called(batch_id, tasks)
    unknown = [task for task in tasks if task not in known]
    if unknown:
        raise NotInBatch("These tasks are not in this batch.", tasks=unknown[:20])
    added = more_places(batch_id=batch_id, task_ids=list(known.values()), by=by)
    raised = set(added.tasks)
    return added, sorted(name for name, pk in known.items() if pk not in raised)


def _holds(batch: Batch, number: int, places: int, disputes: int) -> list[Move]:
    own, funds, key = batch.public_id, funds_of(batch.requester.public_id), f"more:{batch.public_id}:{number}"
    aside = disputes * (batch.unit_micros + batch.topup_place_micros)
    return [
        *put(batch, "more", key, funds, escrow_of(own), places * batch.unit_micros),
        *put(batch, "more", f"{key}:disputes", funds, disputes_of(own), aside),
        *put(batch, "more", f"{key}:topup", funds, topup_of(own), places * batch.topup_place_micros),
    ]
