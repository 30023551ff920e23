"""Pay besides the price: a requester's bonus, and the top-up that brings a batch to its hourly target."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError

from marketplace.accounts.commands.acts import record
from marketplace.batches.locks import batch_for_update, share_batch
from marketplace.batches.models import Batch
from marketplace.batches.transfers import put
from marketplace.common.database import rows, value
from marketplace.common.outbox import publish
from marketplace.common.transactions import require_transaction
from marketplace.ledger.addresses import FEES, earned_by, funds_of, topup_of
from marketplace.ledger.commands import Move, move, require_funds
from workers.assignments.commands.reserves import release_topup
from workers.assignments.errors import BonusReused, NoWorkToReward
from workers.assignments.events import BonusPaid
from workers.assignments.locks import topups_due
from workers.profiles.models import Worker

GROUP = 500


@dataclass(frozen=True)
class Bonus:
    """A bonus that was paid: amounts in micro-units; `is_new` is false for a repeat."""

    public_id: UUID
    amount_micros: int
    fee_micros: int
    is_new: bool


def pay_bonus(*, batch_id: int, worker_id: int, amount_micros: int, reason: str, reference: str, made_by: int) -> Bonus:
    """Pay a worker of the batch something besides the price, with the reason that he will read: funds → worker, and the
    fee's share of it, without the minimum, funds → fees.

    `reference` is the requester's own name for it: the same again is no second bonus, and with other terms raises
    `BonusReused`. Locks: batch (shared), ledger accounts. Emits `BonusPaid`. Raises `NoWorkToReward` for somebody who
    has answered nothing in the batch, `NotEnough`.
    """
    require_transaction()
    share_batch(batch_id)
    batch = Batch.objects.select_related("requester").get(pk=batch_id)
    worker = Worker.objects.get(pk=worker_id)
    try:
        found = rows(
            "SELECT public_id, amount_micros, fee_micros, reason, is_new"
            " FROM assignments_give_bonus(%s, %s, %s, %s, %s, %s)",
            [batch_id, worker_id, reference, amount_micros, reason, made_by],
        )
    except IntegrityError as error:
        if getattr(getattr(error.__cause__, "diag", None), "constraint_name", None) != "bonus_for_work":
            raise
        raise NoWorkToReward("A bonus is for somebody who has answered in this batch.") from error
    public_id, amount, fee, text, is_new = found[0]
    if (amount, text) != (amount_micros, reason):
        raise BonusReused(f"The reference {reference!r} names a bonus with another amount or reason.", bonus=public_id)
    if is_new:
        publish(BonusPaid(batch_id=batch_id, worker_ids=[worker_id], assignment_ids=[]))
        require_funds(
            address=funds_of(batch.requester.public_id),
            currency=batch.currency,
            amount_micros=amount + fee,
            lines={"the bonus": amount, "its fee": fee},
        )
        record(
            "money.bonus_paid",
            subject="bonus",
            subject_id=public_id,
            by=made_by,
            after={
                "batch": batch.public_id,
                "worker": worker.public_id,
                "amount_micros": amount,
                "fee_micros": fee,
                "currency": batch.currency,
            },
        )
        paid = [(public_id, worker.public_id, amount, fee)]
        move(extra_transfers(batch, "bonus", funds_of(batch.requester.public_id), paid))
    return Bonus(public_id, amount, fee, is_new)


def top_up(*, batch_id: int, limit: int = GROUP) -> bool:
    """Bring the pay of a batch without open work to its hourly target, up to `limit` workers at a time; in the end the
    rest of what lay aside goes back to the requester. Whether nothing was left to do: call it again until then. Locks:
    batch, ledger accounts. Emits `BonusPaid`.
    """
    require_transaction()
    batch_for_update(batch_id)
    batch = Batch.objects.select_related("requester").get(pk=batch_id)
    if batch.target_hourly_micros is None or batch.published_at is None:
        return True
    ((each, released_at),) = rows(
        "SELECT topup_micros, topup_released_at FROM assignments_reserve WHERE batch_id = %s", [batch_id]
    )
    if released_at is not None:
        return True
    if each is None:
        value("SELECT assignments_raise_pay(%s)", [batch_id])
    due = topups_due(batch_id, limit)
    if due:
        paid = rows(
            "UPDATE assignments_extra SET settled_at = market_now() WHERE id = ANY(%s) RETURNING worker_id",
            [[row[0] for row in due]],
        )
        publish(BonusPaid(batch_id=batch_id, worker_ids=sorted({row[0] for row in paid}), assignment_ids=[]))
        move(extra_transfers(batch, "topup", topup_of(batch.public_id), [row[1:] for row in due]))
    elif not value(
        "SELECT EXISTS (SELECT 1 FROM assignments_extra WHERE batch_id = %s AND settled_at IS NULL)", [batch_id]
    ):
        release_topup(batch_id=batch_id)
    return False


def extra_transfers(batch: Batch, kind: str, source: str, paid: list[tuple[Any, ...]]) -> list[Move]:
    """The transfers of extra pay, given as (public id, worker's, amount, fee): source → worker, source → fees."""
    parts = [
        part
        for extra, worker, amount, fee in paid
        for part in (
            (f"{kind}:{extra}", kind, earned_by(worker), amount),
            (f"{kind}-fee:{extra}", "fee", FEES, fee),
        )
    ]
    return [
        transfer
        for key, what, destination, amount in parts
        for transfer in put(batch, what, key, source, destination, amount)
    ]
