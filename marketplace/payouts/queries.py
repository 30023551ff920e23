"""Reads of destinations, payouts, runs and reports."""

import json
import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import BooleanField, Count, ExpressionWrapper, Q, QuerySet, Sum

from marketplace.accounts.queries import same_person
from marketplace.common.database import MarketNow, one, rows
from marketplace.common.errors import NotFound
from marketplace.common.sealing import Unsealable, unseal
from marketplace.payouts.errors import FileUnreadable, NoSuchPayout, NoSuchRun
from marketplace.payouts.models import CENT_MICROS, Attempt, Destination, Payout, Report, Run, RunRelease, Threshold
from marketplace.payouts.providers.base import FileProvider, Order
from marketplace.payouts.providers.registry import provider
from marketplace.payouts.states import IN_FLIGHT

logger = logging.getLogger("touchstone.payouts")
DESTINATION_SEAL = "destination"


def destinations_of(user_id: int) -> QuerySet[Destination]:
    """The person's destinations that are not removed; `usable` says whether they can be paid to now."""
    usable = ExpressionWrapper(Q(usable_from__lte=MarketNow()), output_field=BooleanField())
    return Destination.objects.filter(user_id=user_id, removed_at=None).annotate(usable=usable)


def payouts_of(user_id: int) -> QuerySet[Payout]:
    """The person's payouts."""
    return Payout.objects.filter(user_id=user_id).select_related("destination")


def payout_for(user_id: int, public_id: UUID) -> Payout:
    """A payout of the person's; raises `NoSuchPayout` for another's as for none."""
    payout = payouts_of(user_id).filter(public_id=public_id).first()
    if payout is None:
        raise NoSuchPayout("There is no such payout.")
    return payout


@dataclass(frozen=True)
class Day:
    """What somebody asked for within the last 24 hours, as the caps of a day count it."""

    times: int
    total_micros: int


def day_of(user_id: int) -> Day:
    """What counts against the person's caps of a day now."""
    row = one(
        "SELECT count(*), coalesce(sum(amount_micros), 0) FROM payouts_payout WHERE user_id = %s"
        " AND requested_at > market_now() - interval '24 hours' AND state NOT IN ('refused', 'cancelled')",
        [user_id],
    )
    assert row is not None
    return Day(int(row[0]), int(row[1]))


@dataclass(frozen=True)
class Gone:
    """Of one currency: what has arrived at the person, and what is on its way to him."""

    currency: str
    paid_micros: int
    on_its_way_micros: int


def gone_to(user_id: int) -> dict[str, Gone]:
    """What was paid out to the person ever, and what is on its way, by currency."""
    return {
        currency: Gone(currency, int(paid), int(leaving))
        for currency, paid, leaving in rows(
            "SELECT currency, coalesce(sum(amount_micros) FILTER (WHERE state = 'settled'), 0),"
            " coalesce(sum(amount_micros) FILTER (WHERE state = ANY(%s)), 0)"
            " FROM payouts_payout WHERE user_id = %s GROUP BY currency",
            [list(IN_FLIGHT), user_id],
        )
    }


def payouts_in(state: str | None = None) -> QuerySet[Payout]:
    """All payouts, or those in one state."""
    found = Payout.objects.select_related("destination", "user", "decided_by", "run")
    return found if state is None else found.filter(state=state)


def any_payout(public_id: UUID) -> Payout:
    """Any payout, for staff; raises `NoSuchPayout`."""
    found = payouts_in().filter(public_id=public_id).first()
    if found is None:
        raise NoSuchPayout("There is no such payout.")
    return found


def runs() -> QuerySet[Run]:
    """All runs, each with how many payouts it has, of how much, and how many of them are still out."""
    return Run.objects.select_related("made_by", "release__made_by").annotate(
        count=Count("payouts"),
        total_micros=Sum("payouts__amount_micros"),
        open=Count("payouts", filter=Q(payouts__state="sent")),
    )


def run_for(public_id: UUID) -> Run:
    """A run; raises `NoSuchRun`."""
    run = runs().filter(public_id=public_id).first()
    if run is None:
        raise NoSuchRun("There is no such run.")
    return run


def is_released(run_id: int) -> bool:
    """Whether a second person has looked at the run."""
    return RunRelease.objects.filter(run_id=run_id).exists()


def payouts_of_run(run_id: int) -> QuerySet[Payout]:
    """What is in the run's file, in its order."""
    return payouts_in().filter(run_id=run_id).order_by("pk")


def own_among(payouts: Iterable[Payout], user_id: int) -> list[Payout]:
    """Those that pay this person, by whichever of his accounts."""
    every = list(payouts)
    found = rows(
        "SELECT paid.id FROM unnest(%s::bigint[]) AS paid (id) WHERE accounts_same_person(paid.id, %s)",
        [sorted({payout.user_id for payout in every}), user_id],
    )
    own = {row[0] for row in found}
    return [payout for payout in every if payout.user_id in own]


def may_release(run: Run, payouts: Iterable[Payout], user_id: int) -> bool:
    """Whether the person has neither made the run nor is paid by it."""
    return not (same_person(run.made_by_id, user_id) or own_among(payouts, user_id))


def attempts() -> QuerySet[Attempt]:
    """Every wish for a destination that is or was another person's."""
    return Attempt.objects.select_related("user", "destination__user")


def attempts_of(user_ids: Collection[int]) -> QuerySet[Attempt]:
    """Those of these accounts, and those for a destination of theirs."""
    return attempts().filter(Q(user_id__in=user_ids) | Q(destination__user_id__in=user_ids))


def reports() -> QuerySet[Report]:
    """Every report of a provider."""
    return Report.objects.select_related("made_by")


def any_report(public_id: UUID) -> Report:
    """One of them; raises `NotFound`."""
    found = reports().filter(public_id=public_id).first()
    if found is None:
        raise NotFound("There is no such report.")
    return found


def thresholds_of(user_id: int) -> QuerySet[Threshold]:
    """The person's wishes to be paid by himself."""
    return Threshold.objects.filter(user_id=user_id).select_related("destination")


def due_thresholds(*, limit: int = 200) -> list[Threshold]:
    """Wishes whose time has come, by what is earned and paid out to the account now, of those whose destination can be
    used and who have nothing on its way there."""
    found = rows(
        "SELECT t.id FROM payouts_threshold t JOIN payouts_destination d ON d.id = t.destination_id"
        " JOIN ledger_account a ON a.address = 'worker:' || t.holder || ':earned' AND a.currency = t.currency"
        " WHERE a.balance_micros >= t.above_micros AND d.removed_at IS NULL AND d.usable_from <= market_now()"
        " AND NOT EXISTS (SELECT 1 FROM payouts_payout p WHERE p.destination_id = d.id"
        "  AND p.state IN ('requested', 'approved', 'sent', 'in_doubt', 'failed')) ORDER BY t.id LIMIT %s",
        [limit],
    )
    return list(Threshold.objects.filter(pk__in=[row[0] for row in found]).select_related("destination").order_by("pk"))


def in_flight() -> list[dict[str, Any]]:
    """Money on its way out, by provider, currency and state: how many, how much, and how old the oldest is."""
    return [
        dict(
            zip(("provider", "currency", "state", "count", "amount_micros", "oldest_at", "oldest_s"), row, strict=True)
        )
        for row in rows(
            "SELECT provider, currency, state, count(*), sum(amount_micros)::bigint, min(requested_at),"
            " extract(epoch FROM market_now() - min(requested_at))::bigint FROM payouts_payout"
            " WHERE state IN ('requested', 'approved', 'sent', 'in_doubt', 'failed') GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
        )
    ]


@dataclass(frozen=True)
class RunFile:
    """The file of a run."""

    body: bytes
    content_type: str
    extension: str


def run_file(run: Run) -> RunFile:
    """The file of the run, made anew from its payouts, with the same bytes each time. Raises `NoSuchProvider`,
    `FileUnreadable`."""
    by = provider(run.provider)
    assert isinstance(by, FileProvider), "a run is of a provider that is given files"
    orders = [order_of(payout) for payout in payouts_of_run(run.pk)]
    if None in orders:
        raise FileUnreadable("Some destinations of this run cannot be read: was SECRET_KEY replaced?")
    body = by.write([order for order in orders if order is not None], run=str(run.public_id), made_at=run.made_at)
    return RunFile(body, by.content_type, by.extension)


def order_of(payout: Payout, *, age: timedelta | None = None) -> Order | None:
    """What the provider is asked, to the letter the same each time, with what earlier calls for it brought and how long
    ago (`age`) the first may have been; None where the details cannot be unsealed."""
    try:
        details = json.loads(unseal(DESTINATION_SEAL, bytes(payout.destination.details)))
    except Unsealable:
        logger.error("the destination of payout %s cannot be read: was SECRET_KEY replaced?", payout.public_id)
        return None
    return Order(
        key=payout.provider_key,
        amount_cents=payout.amount_micros // CENT_MICROS,
        currency=payout.currency,
        details=details,
        reference=f"Touchstone {str(payout.public_id)[:8]}",
        known_as=payout.provider_ref,
        age=age,
    )
