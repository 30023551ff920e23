"""Wishes to be paid by oneself, whenever enough has been earned."""

from uuid import UUID

from marketplace.accounts.commands.acts import record
from marketplace.accounts.second_factor import Proof, spend
from marketplace.common.database import run
from marketplace.common.money import shown
from marketplace.common.transactions import require_transaction
from marketplace.payouts.errors import NoSuchDestination, ThresholdInvalid
from marketplace.payouts.limits import limits
from marketplace.payouts.locks import user_for_update
from marketplace.payouts.models import CENT_MICROS, Destination, Threshold


def set_threshold(
    *, user_id: int, holder: UUID, destination: UUID, above_micros: int | None, proof: Proof | None
) -> Destination:
    """Have all that was earned in the destination's currency paid there, whenever it is at least so much; None ends it.

    One wish for each currency: the last counts. Returns the destination. Locks: user.
    Raises `NoSuchDestination`, `ThresholdInvalid`, `CodeUsed`.
    """
    require_transaction()
    spend(proof, user_id=user_id)
    user_for_update(user_id)
    place = Destination.objects.filter(user_id=user_id, public_id=destination, removed_at=None).first()
    if place is None:
        raise NoSuchDestination("There is no such destination.")
    least = limits().minimum_micros
    if above_micros is not None and (above_micros < least or above_micros % CENT_MICROS):
        text = f"must be a multiple of 10000 and at least {shown(least, place.currency)}"
        raise ThresholdInvalid(f"`above_micros` {text}.", errors=[{"field": "above_micros", "message": text}])
    mine = Threshold.objects.filter(user_id=user_id, currency=place.currency)
    before = mine.values_list("above_micros", flat=True).first()
    run("DELETE FROM payouts_threshold WHERE user_id = %s AND currency = %s", [user_id, place.currency])
    if above_micros is not None:
        Threshold.objects.create(
            user_id=user_id,
            holder=holder,
            provider=place.provider,
            currency=place.currency,
            above_micros=above_micros,
            destination=place,
        )
    record(
        "money.threshold_set",
        subject="destination",
        subject_id=destination,
        by=user_id,
        before={"above_micros": before},
        after={"above_micros": above_micros},
    )
    return place
