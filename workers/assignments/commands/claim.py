"""Claim places of a batch."""

from datetime import datetime
from random import Random
from typing import Any

from marketplace.batches.errors import BatchNotOpen
from marketplace.batches.queries import Offer
from marketplace.common.errors import DomainError
from marketplace.common.prepared import Ask, array_of, prepared
from marketplace.common.transactions import require_transaction
from workers.assignments.audience import require_eligible
from workers.assignments.errors import DueFirst, LimitReached, NotEligible, NothingToClaim, SlowedDown, UnderSanction
from workers.assignments.queries import LeasedTask
from workers.gold.commands import draw_schedule

BEGIN = "SELECT due FROM assignments_begin(%s, %s, %s::uuid[])"
CLAIM = (
    "SELECT outcome, assignment, token, lease_until, data, draft"
    " FROM assignments_claim(%s, %s, %s::integer, %s::boolean)"
)


def claim(
    *,
    worker_id: int,
    offer: Offer,
    count: int,
    chance: Random,
    due_done: bool = False,
    device: str | None = None,
) -> list[LeasedTask]:
    """Top the worker up to `count` live leases in the batch and return all of them.

    Repeating it changes nothing while the leases live. May return fewer: a short page is a success. Which of the new
    leases are gold follows the worker's schedule and is decided before any task is looked at, so that every claim runs
    the same statements. Locks: worker, batch (shared), tasks. Emits `PlaceTaken`. Raises `BatchNotOpen`, `NotEligible`,
    `UnderSanction`, `SlowedDown`, `LimitReached`, `NothingToClaim`; and `DueFirst`, before it changes anything, when
    leases of the batch are past their end and `due_done` does not say that the caller has just applied what is due.
    """
    require_transaction()
    [(due,)] = prepared(BEGIN, [worker_id, offer.pk, array_of([])])
    if due and not due_done:
        raise DueFirst(offer.pk)
    require_eligible(worker_id=worker_id, offer=offer, device=device)
    found = prepared(*statement(worker_id=worker_id, offer=offer, count=count))
    return taken(found, worker_id=worker_id, offer=offer, count=count, chance=chance)


def statement(*, worker_id: int, offer: Offer, count: int, wait: bool = True) -> Ask:
    """The claim itself, for a caller who holds the worker and has found him eligible; without `wait` it passes by
    tasks that others hold, as a caller must who holds tasks already."""
    return CLAIM, [worker_id, offer.pk, count, wait]


def taken(
    found: list[tuple[Any, ...]], *, worker_id: int, offer: Offer, count: int, chance: Random, wait: bool = True
) -> list[LeasedTask]:
    """What the statement found, or why it found nothing; where the worker's gold schedule ended first, it is drawn
    further and the statement run again."""
    if found[0][0] == "schedule":
        draw_schedule(
            worker_id=worker_id,
            batch_id=offer.pk,
            project_id=offer.project_id,
            requester_id=offer.requester_id,
            policy=offer.gold_policy,
            count=count,
            chance=chance,
        )
        found = prepared(*statement(worker_id=worker_id, offer=offer, count=count, wait=wait))
    if found[0][0] != "leased":
        raise _refused(found[0], offer)
    return [
        LeasedTask(
            id=assignment,
            token=token,
            batch=offer.public_id,
            data=data,
            draft=draft,
            lease_until=lease_until,
            price_micros=offer.price_micros,
            currency=offer.currency,
            version=offer.version_number,
        )
        for _, assignment, token, lease_until, data, draft in found
    ]


def _refused(said: tuple[Any, ...], offer: Offer) -> DomainError:
    """The refusal that the row says; one for a sanction has its id, its end and its words where a lease has its own."""
    outcome, sanction, _, until, about, _ = said
    batch = str(offer.public_id)
    match outcome:
        case "not-open":
            return BatchNotOpen("This batch takes no work now.", batch=batch)
        case "own":
            return NotEligible("Nobody works on a batch of his own organisation.", batch=batch)
        case "sanctioned" | "slowed":
            times = {
                "expires_at" if outcome == "sanctioned" else "retry_at": until,
                "appeal_until": datetime.fromisoformat(about.pop("appeal_until")),
            }
            told = {name: at.isoformat() for name, at in times.items()}
            kind = UnderSanction if outcome == "sanctioned" else SlowedDown
            return kind(about.pop("words"), batch=batch, sanction=str(sanction), **told, **about)
        case "limit":
            return LimitReached("You have done as much of this batch as it gives one worker for now.", batch=batch)
        case "nothing":
            return NothingToClaim("No open place is left for you in this batch.", batch=batch)
    raise AssertionError(f"assignments_claim said {outcome}")
