"""Put aside what rejections may cost, and give back what a batch does not need any more (R6, R18)."""

from uuid import UUID

from marketplace.batches.locks import batch_for_update
from marketplace.batches.models import Batch
from marketplace.batches.states import BatchState
from marketplace.batches.transfers import put
from marketplace.common.database import one, rows, run, value
from marketplace.common.transactions import require_transaction
from marketplace.ledger.addresses import disputes_of, escrow_of, funds_of, topup_of
from marketplace.ledger.commands import move, require_funds
from marketplace.ledger.queries import balance


def cover_rejections(*, batch_id: int, first: UUID) -> int:
    """Put aside from the requester's funds what the batch's rejections without a review would cost if all that can be
    contested were undone, as far as nothing lies aside for them yet; how much that was. `first` is one of the answers
    just rejected. Of a batch that takes no more work the money of their own places is put aside (`release_unneeded`).
    The caller holds the batch. Locks: ledger accounts. Raises `NotEnough`.
    """
    require_transaction()
    batch = _with_requester(batch_id)
    if batch.state not in (BatchState.PUBLISHED, BatchState.PAUSED):
        return 0
    contestable = value(
        "SELECT count(*) FROM assignments_rejection r"
        " JOIN assignments_assignment a ON a.id = r.assignment_id AND a.state = 'rejected'"
        " LEFT JOIN assignments_contest c ON c.assignment_id = r.assignment_id"
        " WHERE r.batch_id = %s AND r.review_id IS NULL AND r.made_by_id IS NOT NULL"
        " AND CASE WHEN c.assignment_id IS NULL THEN r.made_at > market_now() - make_interval(secs => %s)"
        " ELSE c.ended_at IS NULL END",
        [batch_id, batch.appeal_s],
    )
    missing = max(0, contestable * (batch.unit_micros + batch.topup_place_micros) - disputes_free(batch_id))
    if missing:
        lines = {"rejections that may turn out to be wrong": missing}
        require_funds(address=_funds(batch), currency=batch.currency, amount_micros=missing, lines=lines)
        key = f"reserve:{first}:rejected:covered"
        move(put(batch, "reserve", key, _funds(batch), disputes_of(batch.public_id), missing))
    return missing


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
