"""What a worker can have paid out now, and what stands in the way of more."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import models

from marketplace.common.database import value
from marketplace.payouts.limits import Limits, limits
from marketplace.payouts.models import CENT_MICROS, Destination
from marketplace.payouts.queries import day_of, destinations_of, gone_to
from workers.assignments.queries import earnings
from workers.profiles.models import Worker

FEE_MICROS = 0  # who asks for a payout gets all of it


class Why(models.TextChoices):
    """Why nothing can be paid out now."""

    NOTHING = "nothing_earned"
    LITTLE = "below_minimum"
    NOWHERE = "no_destination"
    NOT_YET = "destination_waits"
    DAY_FULL = "day_is_full"


@dataclass(frozen=True)
class Withdrawable:
    """Of one currency: what the worker has (settled, and accepted and due), what of it can be asked for at once, or why
    nothing, and from when his first destination can be used where that is what he waits for. `paid` and `on_its_way`
    were asked for before; `submitted` is undecided."""

    currency: str
    settled_micros: int
    due_micros: int
    submitted_micros: int
    may_micros: int
    why: str
    usable_from: datetime | None
    on_its_way_micros: int
    paid_micros: int

    @property
    def earned_micros(self) -> int:
        return self.settled_micros + self.due_micros


@dataclass(frozen=True)
class PayoutTerms:
    """The limits of this site, where the worker can be paid, what he asked for today, and what he has by currency."""

    limits: Limits
    today_times: int
    today_micros: int
    destinations: list[Destination]
    usable: frozenset[UUID]
    money: list[Withdrawable]

    def of(self, currency: str) -> Withdrawable:
        """The money of one currency; zeros where there never was any."""
        found = [one for one in self.money if one.currency == currency]
        return found[0] if found else Withdrawable(currency, 0, 0, 0, 0, Why.NOTHING, None, 0, 0)


def payout_terms(worker_id: int) -> PayoutTerms:
    """All of it, by as many statements whatever the worker's history."""
    user_id = Worker.objects.values_list("user_id", flat=True).get(pk=worker_id)
    allowed, day, gone = limits(), day_of(user_id), gone_to(user_id)
    places = list(destinations_of(user_id).order_by("pk"))
    now: datetime = value("SELECT market_now()")
    have = {one.currency: one for one in earnings(worker_id)}
    left = allowed.daily_micros - day.total_micros if day.times < allowed.daily_count else 0
    money = []
    for currency in sorted(have.keys() | gone.keys()):
        own, out = have.get(currency), gone.get(currency)
        fitting = [place.usable_from for place in places if place.currency == currency]
        earned = own.earned_micros if own else 0
        may, why = _may(earned, min(left, allowed.maximum_micros), allowed, fitting, now)
        money.append(
            Withdrawable(
                currency=currency,
                settled_micros=own.settled_micros if own else 0,
                due_micros=own.due_micros if own else 0,
                submitted_micros=own.submitted_micros if own else 0,
                may_micros=may,
                why=why,
                usable_from=min(fitting) if why == Why.NOT_YET else None,
                on_its_way_micros=out.on_its_way_micros if out else 0,
                paid_micros=out.paid_micros if out else 0,
            )
        )
    usable = frozenset(place.public_id for place in places if place.usable_from <= now)
    return PayoutTerms(allowed, day.times, day.total_micros, places, usable, money)


def _may(earned: int, most: int, allowed: Limits, usable_from: list[datetime], now: datetime) -> tuple[int, str]:
    whole = earned - earned % CENT_MICROS
    if whole <= 0:
        return 0, Why.NOTHING
    if whole < allowed.minimum_micros:
        return 0, Why.LITTLE
    if not usable_from:
        return 0, Why.NOWHERE
    if min(usable_from) > now:
        return 0, Why.NOT_YET
    if most < allowed.minimum_micros:
        return 0, Why.DAY_FULL
    return min(whole, most - most % CENT_MICROS), ""
