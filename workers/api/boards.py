"""The board: what every worker may know of each batch that takes work, for lists, pages and sockets alike."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from marketplace.batches.models import Batch
from marketplace.batches.queries import running_batches
from marketplace.results.queries import RejectionRate, rejection_rates
from workers.assignments.hourly import Pay, pay_of
from workers.assignments.places import places_left


@dataclass(frozen=True)
class Figures:
    """What is measured of a batch: `places_left` counts gold as any other work, and is 0 where nothing can be claimed
    any more; `pay` is None where too little is known; `rate` is how its requester decided lately."""

    places_left: int
    pay: Pay | None
    rate: RejectionRate


def figures_of(batches: Sequence[Batch]) -> dict[int, Figures]:
    """Of each, by internal id. A fixed number of statements, however many batches."""
    if not batches:
        return {}
    ids = [batch.pk for batch in batches]
    left, pay = places_left(ids), pay_of(ids)
    rates = rejection_rates(batch.requester_id for batch in batches)
    return {batch.pk: Figures(left[batch.pk], pay.get(batch.pk), rates[batch.requester_id]) for batch in batches}


def known_to_all(batch: Batch, figures: Figures) -> dict[str, Any]:
    """What the API and the socket say of a batch to every worker."""
    return {
        "name": batch.name,
        "requester": {
            "id": str(batch.requester.public_id),
            "name": batch.requester.name,
            "rejection_rate": figures.rate.rate,
            "rejections": figures.rate.rejected,
            "rejections_upheld": figures.rate.upheld,
        },
        "price_micros": batch.price_micros,
        "currency": batch.currency,
        "pay_per_hour": asdict(figures.pay) if figures.pay else None,
        "places_left": figures.places_left,
        "time_limit_s": batch.time_limit_s,
    }


def board_state(batch_ids: Collection[int] | None = None) -> dict[str, dict[str, Any]]:
    """The batches on the board (of these ids, or all), by public id. A fixed number of statements, however many."""
    found = running_batches() if batch_ids is None else running_batches().filter(pk__in=batch_ids)
    batches = list(found.select_related("requester", "version").order_by("pk"))
    figures = figures_of(batches)
    return {
        str(batch.public_id): {
            **known_to_all(batch, figures[batch.pk]),
            "version": batch.version.number,
            "needs": bool(batch.audience or batch.head_start_s),
        }
        for batch in batches
    }
