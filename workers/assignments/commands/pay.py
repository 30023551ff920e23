"""Pay what is due, many at once."""

from uuid import UUID

from marketplace.common.database import run
from marketplace.common.outbox import publish
from marketplace.common.transactions import require_transaction
from marketplace.ledger.addresses import FEES, disputes_of, earned_by, escrow_of
from marketplace.ledger.commands import Move, move
from workers.assignments.events import PaymentSettled
from workers.assignments.locks import due_settlements

GROUP = 500


def settle_due(*, worker_id: int | None = None, batch_id: int | None = None, limit: int = GROUP) -> int:
    """Pay up to `limit` due answers by one statement, last in the transaction: escrow → worker, escrow → fees; after a
    won appeal from what lies aside for disputes.

    Also called before a withdrawal, a statement or a batch's settlement, for one worker or batch. Each answer is paid
    once: its settlement row is locked and marked, and the transfers' keys name the assignment. Emits `PaymentSettled`.
    Returns how many were paid; call it again until that is less than `limit`.
    """
    require_transaction()
    due = due_settlements(worker_id, batch_id, limit)
    if not due:
        return 0
    run(
        "UPDATE assignments_settlement SET settled_at = market_now() WHERE assignment_id = ANY(%s)",
        [[row[0] for row in due]],
    )
    for of_batch in sorted({row[1] for row in due}):
        mine = [row for row in due if row[1] == of_batch]
        publish(
            PaymentSettled(
                batch_id=of_batch,
                worker_ids=sorted({row[3] for row in mine}),
                assignment_ids=[row[0] for row in mine],
            )
        )
    move([transfer for row in due for transfer in _payment(*row)])
    return len(due)


def _payment(
    assignment_id: int,
    batch_id: int,
    batch: UUID,
    worker_id: int,
    worker: UUID,
    currency: str,
    price: int,
    fee: int,
    from_disputes: bool,
) -> list[Move]:
    source = disputes_of(batch) if from_disputes else escrow_of(batch)
    reward = Move(
        key=f"reward:{assignment_id}",
        kind="upheld" if from_disputes else "reward",
        source=source,
        destination=earned_by(worker),
        currency=currency,
        amount_micros=price,
        batch_id=batch_id,
    )
    if not fee:
        return [reward]
    return [
        reward,
        Move(
            key=f"fee:{assignment_id}",
            kind="fee",
            source=source,
            destination=FEES,
            currency=currency,
            amount_micros=fee,
            batch_id=batch_id,
        ),
    ]
