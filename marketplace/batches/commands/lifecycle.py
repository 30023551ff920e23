"""Publish, pause, resume, close, cancel and settle: every step of a batch's life."""

from typing import Any

from marketplace.accounts.commands.acts import record
from marketplace.batches.errors import HoldTooLarge, ImportRunning, NothingToPublish, WrongState
from marketplace.batches.events import (
    BatchCancelled,
    BatchClosing,
    BatchPaused,
    BatchPublished,
    BatchResumed,
    BatchSettled,
)
from marketplace.batches.locks import batch_for_update
from marketplace.batches.models import Batch
from marketplace.batches.queries import Estimate, estimate, unfinished_import
from marketplace.batches.states import BatchState, PauseReason, may_become
from marketplace.batches.transfers import put
from marketplace.common.database import MarketNow
from marketplace.common.money import AMOUNT_MAX, shown
from marketplace.common.outbox import publish
from marketplace.common.transactions import require_transaction
from marketplace.ledger.addresses import disputes_of, escrow_of, funds_of, topup_of
from marketplace.ledger.commands import Move, move, require_funds
from marketplace.ledger.queries import balance


def publish_batch(*, batch_id: int) -> Batch:
    """Hold the worst case and open the batch for claims: the pay of all places, gold included, with fees in escrow; and
    aside what the terms provide for disputes and for a top-up.

    Locks the batch, then the ledger accounts, last. Emits `BatchPublished`. Raises `NotEnough` naming what is missing
    and for what, `NothingToPublish` for a batch without tasks, `ImportRunning` beside an unfinished import. Repeating
    it on a published batch changes nothing.
    """
    require_transaction()
    # First without the lock, which would wait for a step of the import.
    require_no_import(batch_id)
    batch = batch_for_update(batch_id)
    if batch.state == BatchState.PUBLISHED:
        return batch
    _require_step(batch, BatchState.PUBLISHED, only_from=BatchState.DRAFT)
    require_no_import(batch_id)
    cost = estimate(batch)
    if cost.tasks == cost.gold_tasks:
        raise NothingToPublish("Import tasks before publishing; gold alone is no work.")
    if cost.total_micros > AMOUNT_MAX:
        most = shown(AMOUNT_MAX, batch.currency)
        raise HoldTooLarge(f"This batch can cost {shown(cost.total_micros, batch.currency)}; the most is {most}.")
    require_funds(
        address=funds_of(batch.requester.public_id),
        currency=batch.currency,
        amount_micros=cost.total_micros,
        lines={
            "pay": cost.reward_micros,
            "fees": cost.fee_micros,
            "disputes": cost.disputes_micros,
            "a top-up": cost.topup_micros,
        },
    )
    _become(batch, BatchState.PUBLISHED, published_at=MarketNow())
    publish(BatchPublished(batch_id=batch.pk))
    held = {"held_micros": cost.total_micros, "currency": batch.currency}
    _record("money.batch_published", batch, BatchState.DRAFT, BatchState.PUBLISHED, **held)
    move(_holds(batch, cost))
    return batch


def pause_batch(*, batch_id: int, reason: PauseReason = PauseReason.MANUAL) -> Batch:
    """Stop new claims, with the reason; leases may still be submitted. Repeating it changes nothing."""
    require_transaction()
    batch = batch_for_update(batch_id)
    if batch.state != BatchState.PAUSED:
        _require_step(batch, BatchState.PAUSED)
        _become(batch, BatchState.PAUSED, pause_reason=reason)
        publish(BatchPaused(batch_id=batch.pk, reason=reason))
    return batch


def resume_batch(*, batch_id: int) -> Batch:
    """Open a paused batch again. Repeating it changes nothing."""
    require_transaction()
    batch = batch_for_update(batch_id)
    if batch.state != BatchState.PUBLISHED:
        _require_step(batch, BatchState.PUBLISHED, only_from=BatchState.PAUSED)
        _become(batch, BatchState.PUBLISHED, pause_reason="")
        publish(BatchResumed(batch_id=batch.pk))
    return batch


def close_batch(*, batch_id: int) -> Batch:
    """No new claims; the batch settles once every answer is decided and paid. Repeating it changes nothing."""
    require_transaction()
    batch = batch_for_update(batch_id)
    if batch.state not in (BatchState.CLOSING, BatchState.SETTLED):
        _require_step(batch, BatchState.CLOSING)
        _record("money.batch_closed", batch, batch.state, BatchState.CLOSING)
        _become(batch, BatchState.CLOSING, pause_reason="", closed_at=MarketNow())
        publish(BatchClosing(batch_id=batch.pk))
    return batch


def cancel_batch(*, batch_id: int) -> Batch:
    """Stop the batch for good. What is submitted is still decided and paid; `assignments` expires the leases."""
    require_transaction()
    batch = batch_for_update(batch_id)
    if batch.state != BatchState.CANCELLED:
        _require_step(batch, BatchState.CANCELLED)
        _record("money.batch_cancelled", batch, batch.state, BatchState.CANCELLED)
        _become(batch, BatchState.CANCELLED, pause_reason="", closed_at=MarketNow())
        publish(BatchCancelled(batch_id=batch.pk))
    return batch


def settle(*, batch_id: int) -> Batch:
    """Return the rest of the escrow to the requester and end the batch.

    The database refuses while an assignment is live or an accepted answer is unpaid. A cancelled batch keeps its state
    and is marked settled. Emits `BatchSettled`. Repeating it changes nothing.
    """
    require_transaction()
    batch = batch_for_update(batch_id)
    if batch.settled_at is not None:
        return batch
    if batch.state == BatchState.CANCELLED:
        _become(batch, BatchState.CANCELLED, settled_at=MarketNow())
    else:
        _require_step(batch, BatchState.SETTLED)
        _become(batch, BatchState.SETTLED, settled_at=MarketNow())
    publish(BatchSettled(batch_id=batch.pk))
    escrow, back = escrow_of(batch.public_id), funds_of(batch.requester.public_id)
    move(put(batch, "refund", f"refund:{batch.public_id}", escrow, back, balance(escrow, batch.currency)))
    return batch


def _holds(batch: Batch, cost: Estimate) -> list[Move]:
    own, funds = batch.public_id, funds_of(batch.requester.public_id)
    return [
        *put(batch, "hold", f"hold:{own}", funds, escrow_of(own), cost.reward_micros + cost.fee_micros),
        *put(batch, "reserve", f"reserve:{own}:disputes", funds, disputes_of(own), cost.disputes_micros),
        *put(batch, "reserve", f"reserve:{own}:topup", funds, topup_of(own), cost.topup_micros),
    ]


def _record(act: str, batch: Batch, before: str, after: str, **facts: Any) -> None:
    """Into the audit log: the step of a batch that holds money or lets it go."""
    record(
        act,
        subject="batch",
        subject_id=batch.public_id,
        before={"state": str(before)},
        after={"state": str(after), **facts},
    )


def require_no_import(batch_id: int) -> None:
    """Raise `ImportRunning` while an import into the batch is not finished."""
    other = unfinished_import(batch_id)
    if other is not None:
        raise ImportRunning(
            "An import into this batch is not finished: wait for it, or cancel it.",
            **{"import": str(other.public_id), "import_state": other.state},
        )


def _require_step(batch: Batch, wanted: BatchState, only_from: BatchState | None = None) -> None:
    if not may_become(batch.state, wanted) or (only_from is not None and batch.state != only_from):
        raise WrongState(f"A batch that is {batch.state} cannot become {wanted} by this.", state=batch.state)


def _become(batch: Batch, state: BatchState, **fields: object) -> None:
    Batch.objects.filter(pk=batch.pk).update(state=state, **fields)
    batch.refresh_from_db()
