"""Give back what a batch set aside and does not need any more (R6, R18)."""

from marketplace.batches.locks import batch_for_update
from marketplace.batches.models import Batch
from marketplace.common.database import one, rows, run, value
from marketplace.common.transactions import require_transaction
from marketplace.ledger.addresses import disputes_of, escrow_of, funds_of
from marketplace.ledger.commands import Move, move
from marketplace.ledger.queries import balance


def release_unneeded(*, batch_id: int) -> int:
    """Return the money of places that nobody can take any more, of a batch that is closing or cancelled, to the
    requester; what is leased, undecided or unpaid stays in escrow. Locks: batch, ledger accounts. Returns how many
    places were given back by this call; repeating it gives back what has become free since.
    """
    require_transaction()
    found = one("SELECT places, step FROM assignments_release_places(%s)", [batch_id])
    if found is None:
        return 0
    places, step = found
    batch = _with_requester(batch_id)
    _return(batch, escrow_of(batch.public_id), f"release:{batch.public_id}:{step}", places * batch.unit_micros)
    return int(places)


def release_disputes(*, batch_id: int) -> bool:
    """Return what lies aside for disputes of a settled batch once no rejection of it can be contested any more; what is
    due to workers stays. Says whether it did. The database refuses it before that time.
    """
    require_transaction()
    batch_for_update(batch_id)
    if not rows("SELECT 1 FROM assignments_reserve WHERE batch_id = %s AND disputes_released_at IS NULL", [batch_id]):
        return False
    run("UPDATE assignments_reserve SET disputes_released_at = market_now() WHERE batch_id = %s", [batch_id])
    batch = _with_requester(batch_id)
    address = disputes_of(batch.public_id)
    give_back(batch, address, f"release:{batch.public_id}:disputes", keep_micros=disputes_due(batch_id))
    return True


def disputes_due(batch_id: int) -> int:
    """What has to stay aside for answers that were upheld and are not paid yet."""
    return int(
        value(
            "SELECT coalesce(sum(price_micros + fee_micros), 0) FROM assignments_settlement"
            " WHERE batch_id = %s AND from_disputes AND settled_at IS NULL",
            [batch_id],
        )
    )


def give_back(batch: Batch, address: str, key: str, *, keep_micros: int = 0) -> None:
    """Return all that lies at the address, but for what is to stay, to the batch's requester; last in a transaction."""
    _return(batch, address, key, balance(address, batch.currency) - keep_micros)


def _return(batch: Batch, address: str, key: str, amount_micros: int) -> None:
    if amount_micros:
        move(
            [
                Move(
                    key=key,
                    kind="release",
                    source=address,
                    destination=funds_of(batch.requester.public_id),
                    currency=batch.currency,
                    amount_micros=amount_micros,
                    batch_id=batch.pk,
                )
            ]
        )


def _with_requester(batch_id: int) -> Batch:
    return Batch.objects.select_related("requester").get(pk=batch_id)
