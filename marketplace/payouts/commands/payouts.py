"""Asking for a payout, calling it off, and deciding on it."""

from uuid import UUID, uuid4

from marketplace.accounts.commands.acts import record
from marketplace.accounts.queries import same_person
from marketplace.common.database import run, value
from marketplace.common.money import shown
from marketplace.common.transactions import require_transaction
from marketplace.ledger.addresses import earned_by
from marketplace.ledger.commands import move
from marketplace.ledger.errors import NotEnough
from marketplace.ledger.queries import balance
from marketplace.payouts.commands.steps import hold, money_back, step
from marketplace.payouts.errors import (
    AmountInvalid,
    DestinationNotUsable,
    NoSuchDestination,
    OwnPayout,
    TooMuchAtOnce,
    WrongState,
)
from marketplace.payouts.limits import Limits, limits
from marketplace.payouts.locks import payout_for_update, payouts_for_update, user_for_update
from marketplace.payouts.models import CENT_MICROS, Destination, Payout
from marketplace.payouts.providers.registry import provider
from marketplace.payouts.queries import day_of
from marketplace.payouts.states import STOPPABLE, PayoutState


def request_payout(
    *, user_id: int, holder: UUID, destination: UUID, amount_micros: int | None, currency: str
) -> Payout:
    """Set the money aside to be paid out; without an amount, all whole cents that were earned and may go at once.

    `holder` is whose ledger accounts they are: the caller knows him to be this user. Locks: user, ledger accounts.
    Raises `NoSuchDestination`, `DestinationNotUsable`, `NoSuchProvider`, `AmountInvalid`, `TooMuchAtOnce`, `NotEnough`.
    """
    require_transaction()
    user_for_update(user_id)
    place = _usable(user_id, destination, currency)
    allowed = limits()
    have = balance(earned_by(holder), currency)
    if amount_micros is None:
        amount_micros = min(have - have % CENT_MICROS, allowed.maximum_micros)
    _require_amount(amount_micros, allowed, currency)
    _require_pace(user_id, amount_micros, allowed, currency)
    _require_funds(have, amount_micros, currency)
    public_id = uuid4()
    run(
        "INSERT INTO payouts_payout (public_id, user_id, holder, destination_id, provider, currency, amount_micros,"
        " provider_key, needs_review) VALUES (%s, %s, %s, %s, %s, %s, %s, '', %s)",
        [
            public_id,
            user_id,
            holder,
            place.pk,
            place.provider,
            currency,
            amount_micros,
            amount_micros >= allowed.review_micros,
        ],
    )
    payout = Payout.objects.select_related("destination", "user").get(public_id=public_id)
    move([hold(payout)])
    record(
        "money.payout_requested",
        subject="payout",
        subject_id=public_id,
        after={
            "user": payout.user.public_id,
            "amount_micros": amount_micros,
            "currency": currency,
            "destination": place.public_id,
        },
    )
    return payout


def cancel_payout(*, user_id: int, public_id: UUID) -> Payout:
    """Call it off, while nobody was asked to pay it; the money is back at once. Locks: payout, ledger accounts.

    Raises `NoSuchPayout`, `WrongState`.
    """
    require_transaction()
    payout = payout_for_update(public_id, user_id=user_id)
    _require_stoppable(payout)
    before = payout.state
    step(payout, PayoutState.CANCELLED, reason="called off")
    move([money_back(payout)])
    _decided("money.payout_cancelled", payout, before, PayoutState.CANCELLED, by=user_id)
    payout.refresh_from_db()
    return payout


def approve_payout(*, public_id: UUID, by: int) -> Payout:
    """Let it be sent. `by` is staff. Raises `NoSuchPayout`, `WrongState`, `OwnPayout`, `DestinationNotUsable`."""
    require_transaction()
    payout = payout_for_update(public_id)
    _require_not_own(payout, by)
    if payout.state != PayoutState.REQUESTED:
        raise WrongState(f"The payout is {payout.state}; only a requested one is approved.", state=payout.state)
    _require_ripe(payout.destination)
    before = payout.state
    step(payout, PayoutState.APPROVED, decided_by_id=by)
    _decided("money.payout_approved", payout, before, PayoutState.APPROVED, by=by)
    payout.refresh_from_db()
    return payout


def refuse_payout(*, public_id: UUID, by: int, reason: str) -> Payout:
    """Do not pay it; the money is back at once, and the worker reads why. `by` is staff.

    Raises `NoSuchPayout`, `WrongState`, `OwnPayout`.
    """
    require_transaction()
    payout = payout_for_update(public_id)
    _require_not_own(payout, by)
    _require_stoppable(payout)
    before = payout.state
    step(payout, PayoutState.REFUSED, decided_by_id=by, reason=reason)
    move([money_back(payout)])
    _decided("money.payout_refused", payout, before, PayoutState.REFUSED, by=by)
    payout.refresh_from_db()
    return payout


def approve_unreviewed(*, limit: int = 100) -> int:
    """Approve what nobody has to look at; returns how many there were."""
    require_transaction()
    ready = payouts_for_update(
        skip_locked=True,
        limit=limit,
        state=PayoutState.REQUESTED,
        needs_review=False,
        destination__removed_at=None,
        destination__usable_from__lte=value("SELECT market_now()"),
    )
    for payout in ready:
        step(payout, PayoutState.APPROVED)
        _decided("money.payout_approved", payout, PayoutState.REQUESTED, PayoutState.APPROVED, by=None)
    return len(ready)


def _decided(act: str, payout: Payout, before: str, after: str, *, by: int | None) -> None:
    """Into the audit log: what was decided of a payout, by whom, and of how much."""
    amount = {"amount_micros": payout.amount_micros, "currency": payout.currency}
    record(
        act,
        subject="payout",
        subject_id=payout.public_id,
        by=by,
        before={"state": str(before)},
        after={"state": str(after), **amount},
    )


def _usable(user_id: int, public_id: UUID, currency: str) -> Destination:
    place = Destination.objects.filter(user_id=user_id, public_id=public_id, removed_at=None).first()
    if place is None:
        raise NoSuchDestination("There is no such destination.")
    if place.currency != currency:
        raise AmountInvalid(
            f"`currency` must be {place.currency}, that of the destination.",
            errors=[{"field": "currency", "message": f"must be {place.currency}"}],
        )
    provider(place.provider)
    _require_ripe(place)
    return place


def _require_ripe(place: Destination) -> None:
    if place.removed_at is not None:
        raise DestinationNotUsable("The destination was removed.")
    if place.usable_from > value("SELECT market_now()"):
        raise DestinationNotUsable(
            f"Nothing is paid to a new destination within 72 hours: this one can be used from"
            f" {place.usable_from:%Y-%m-%d %H:%M:%S} UTC on.",
            usable_from=place.usable_from.isoformat(),
        )


def _require_amount(amount_micros: int, allowed: Limits, currency: str) -> None:
    if amount_micros % CENT_MICROS:
        text = "must be a multiple of 10000: whole cents are paid out"
    elif amount_micros < allowed.minimum_micros:
        text = f"is below the least that is paid out, {shown(allowed.minimum_micros, currency)}"
    elif amount_micros > allowed.maximum_micros:
        text = f"is above the most that is paid out at once, {shown(allowed.maximum_micros, currency)}"
    else:
        return
    raise AmountInvalid(f"`amount_micros` {text}.", errors=[{"field": "amount_micros", "message": text}])


def _require_pace(user_id: int, amount_micros: int, allowed: Limits, currency: str) -> None:
    """The caps of a day. The user is locked, so that requests at once are counted one after another."""
    day = day_of(user_id)
    if day.times >= allowed.daily_count:
        raise TooMuchAtOnce(
            f"At most {allowed.daily_count} payouts within 24 hours; you had {day.times}.", limit=allowed.daily_count
        )
    if day.total_micros + amount_micros > allowed.daily_micros:
        left = max(0, allowed.daily_micros - day.total_micros)
        raise TooMuchAtOnce(
            f"`amount_micros` is more than the {shown(left, currency)} that may still go within these 24 hours.",
            left_micros=left,
        )


def _require_funds(have: int, amount_micros: int, currency: str) -> None:
    if have < amount_micros:
        missing = amount_micros - have
        raise NotEnough(
            f"You ask for {shown(amount_micros, currency)} and have {shown(have, currency)}:"
            f" {shown(missing, currency)} is missing.",
            missing_micros=missing,
            currency=currency,
        )


def _require_stoppable(payout: Payout) -> None:
    if payout.state not in STOPPABLE:
        raise WrongState(f"The payout is {payout.state}: it cannot be stopped any more.", state=payout.state)


def _require_not_own(payout: Payout, by: int) -> None:
    if same_person(payout.user_id, by):
        raise OwnPayout("Another member of the staff decides on this payout, for it is yours.")
