"""Withdrawals: what is due is paid first, and then what was earned is set aside to go out."""

from uuid import UUID

from marketplace.accounts.second_factor import Proof, spend
from marketplace.common.transactions import require_transaction
from marketplace.payouts.commands.payouts import request_payout
from marketplace.payouts.locks import user_for_update
from marketplace.payouts.models import Payout, Threshold
from workers.assignments.commands.pay import GROUP, settle_due
from workers.profiles.models import Worker


def withdraw(*, worker_id: int, destination: UUID, currency: str, amount_micros: int | None = None) -> Payout:
    """Ask for a payout of what the worker has earned, accepted answers that are not settled yet included; without an
    amount, of all of it. Locks, events and refusals are those of `settle_due` and `request_payout`.
    """
    require_transaction()
    worker = Worker.objects.get(pk=worker_id)
    # Before any account: whoever holds this person wants his accounts next.
    user_for_update(worker.user_id)
    while settle_due(worker_id=worker_id) == GROUP:
        pass
    return request_payout(
        user_id=worker.user_id,
        holder=worker.public_id,
        destination=destination,
        amount_micros=amount_micros,
        currency=currency,
    )


def withdraw_proven(
    *, worker_id: int, proof: Proof | None, destination: UUID, currency: str, amount_micros: int | None = None
) -> Payout:
    """The same for somebody at a browser, who shows a code of his second factor: it is spent with the payout. Raises
    `CodeUsed`, `CodeWrong` besides.
    """
    require_transaction()
    spend(proof, user_id=Worker.objects.get(pk=worker_id).user_id)
    return withdraw(worker_id=worker_id, destination=destination, currency=currency, amount_micros=amount_micros)


def withdraw_by_threshold(*, threshold: Threshold) -> Payout:
    """Ask for what the worker wished to be paid by himself."""
    return withdraw(
        worker_id=Worker.objects.get(public_id=threshold.holder).pk,
        destination=threshold.destination.public_id,
        currency=threshold.currency,
    )
