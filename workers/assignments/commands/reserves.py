"""Give back what a batch set aside and does not need any more (R6, R18)."""

from marketplace.batches.locks import batch_for_update
from marketplace.batches.models import Batch
from marketplace.batches.transfers import put
from marketplace.common.database import one, rows, run, value
from marketplace.common.transactions import require_transaction
from marketplace.ledger.addresses import disputes_of, escrow_of, funds_of, topup_of
from marketplace.ledger.commands import move
from marketplace.ledger.queries import balance


def release_unneeded(*, batch_id: int) -> int:
    """Free the places that nobody can take any more, of a batch that is closing or cancelled; what is leased, undecided
    or unpaid stays in escrow. The money goes back to the requester, but for rejections that can still be contested and
    that nothing lies aside for yet: so much is put aside. Locks: batch, ledger accounts. Returns how many places were
    freed by this call; repeating it frees what has become free since.
    """
    require_transaction()
    found = one("SELECT places, aside, step FROM assignments_release_places(%s)", [batch_id])
    if found is None:
        return 0
    places, aside, step = found
    batch = _with_requester(batch_id)
    escrow, back = escrow_of(batch.public_id), (places - aside) * batch.unit_micros
    reserve = f"reserve:{batch.public_id}:rejected:{step}"
    move(
        [
            *put(batch, "reserve", reserve, escrow, disputes_of(batch.public_id), aside * batch.unit_micros),
            *put(batch, "release", f"release:{batch.public_id}:{step}", escrow, _funds(batch), back),
        ]
    )
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
    address, key = disputes_of(batch.public_id), f"release:{batch.public_id}:disputes"
    move(put(batch, "release", key, address, _funds(batch), disputes_free(batch_id)))
    return True


def release_topup(*, batch_id: int) -> None:
    """Return what lies aside for a top-up that is paid."""
    require_transaction()
    run("UPDATE assignments_reserve SET topup_released_at = market_now() WHERE batch_id = %s", [batch_id])
    batch = _with_requester(batch_id)
    address, key = topup_of(batch.public_id), f"release:{batch.public_id}:topup"
    move(put(batch, "release", key, address, _funds(batch), balance(address, batch.currency)))


def disputes_free(batch_id: int) -> int:
    """What lies aside for disputes and is due to nobody, read at one moment."""
    return int(value("SELECT assignments_disputes_free(%s)", [batch_id]))


def _funds(batch: Batch) -> str:
    return funds_of(batch.requester.public_id)


def _with_requester(batch_id: int) -> Batch:
    return Batch.objects.select_related("requester").get(pk=batch_id)
