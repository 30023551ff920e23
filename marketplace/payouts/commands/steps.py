"""The steps of a payout and the transfers that go with them. The caller holds the payout, and moves the money last."""

from typing import Any

from marketplace.common.database import run
from marketplace.ledger.addresses import earned_by, outside, withdrawing_by
from marketplace.ledger.commands import Move
from marketplace.payouts.models import REASON_MAX, Payout
from marketplace.payouts.states import PayoutState


def step(payout: Payout, state: str, **columns: Any) -> None:
    """Write the next state, with what else is to be written; the database refuses a step that is none."""
    if "reason" in columns:
        columns["reason"] = str(columns["reason"])[:REASON_MAX]
    write(payout, state=state, **columns)
    payout.state = PayoutState(state)


def write(payout: Payout, **columns: Any) -> None:
    """Write columns of the payout and no others."""
    names = ", ".join(f"{name} = %s" for name in columns)
    run(f"UPDATE payouts_payout SET {names} WHERE id = %s", [*columns.values(), payout.pk])


def hold(payout: Payout) -> Move:
    """The money is set aside."""
    return _move(payout, "", "payout", earned_by(payout.holder), withdrawing_by(payout.holder))


def money_on(payout: Payout) -> Move:
    """It has arrived."""
    return _move(payout, ":end", "payout-settled", withdrawing_by(payout.holder), outside(payout.provider))


def money_back(payout: Payout) -> Move:
    """It was not paid. The key is that of the other end, so that only one of both can be."""
    return _move(payout, ":end", "payout-back", withdrawing_by(payout.holder), earned_by(payout.holder))


def money_returned(payout: Payout) -> Move:
    """It had arrived, and was sent back."""
    return _move(payout, ":returned", "payout-returned", outside(payout.provider), earned_by(payout.holder))


def settle(payout: Payout, **columns: Any) -> Move:
    """The receiver has it."""
    step(payout, PayoutState.SETTLED, lease=None, lease_until=None, **columns)
    return money_on(payout)


def fail(payout: Payout, reason: str, **columns: Any) -> Move:
    """The provider does not pay: the money goes back in the same transaction."""
    step(payout, PayoutState.FAILED, reason=reason or "the provider did not say why", **columns)
    step(payout, PayoutState.RETURNED, lease=None, lease_until=None, look_up_at=None)
    return money_back(payout)


def send_back(payout: Payout, reason: str) -> Move:
    """What was settled has come back."""
    step(
        payout,
        PayoutState.RETURNED,
        reason=reason or "the bank sent it back",
        lease=None,
        lease_until=None,
        look_up_at=None,
    )
    return money_returned(payout)


def _move(payout: Payout, suffix: str, kind: str, source: str, destination: str) -> Move:
    return Move(
        key=f"payout:{payout.public_id}{suffix}",
        kind=kind,
        source=source,
        destination=destination,
        currency=payout.currency,
        amount_micros=payout.amount_micros,
    )
