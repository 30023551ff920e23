"""Who may work on a batch. The batch stores the audience as data; here it is evaluated."""

from marketplace.batches.models import Batch
from marketplace.batches.queries import Offer
from marketplace.common.database import value
from workers.assignments.errors import NotEligible
from workers.reputation.queries import shown_standing


def owns(*, worker_id: int, requester_id: int) -> bool:
    """Whether an account of the worker's person is a member of the organisation: nobody works for his own (R13)."""
    return bool(
        value(
            "SELECT EXISTS (SELECT 1 FROM profiles_worker me JOIN profiles_worker w ON w.person_id = me.person_id"
            " JOIN accounts_member m ON m.user_id = w.user_id WHERE me.id = %s AND m.requester_id = %s)",
            [worker_id, requester_id],
        )
    )


def refusal(batch: Batch | Offer, *, worker_id: int) -> str | None:
    """Why the worker may not work on the batch, in words, or None when he may; his own organisation apart (`owns`).

    `min_score` bounds the mean of the worker's posterior in the project; it applies once there are `min_evidence`
    verdicts (0 by default: the prior counts at once), so that a new worker can show what he can do. Judged is the
    standing that the worker sees: one that moved with every answer would tell him which was gold.
    """
    minimum = batch.audience.get("min_score")
    if minimum is None:
        return None
    standing = shown_standing(worker_id=worker_id, project_id=batch.project_id)
    if standing.evidence < batch.audience.get("min_evidence", 0):
        return None
    if standing.posterior.mean < minimum:
        return f"It asks for a score of at least {minimum:.2f} in this project."
    return None


def require_eligible(*, worker_id: int, offer: Offer) -> None:
    """Raise `NotEligible` with the reason unless the worker may work on the batch; asks nothing where all may."""
    reason = refusal(offer, worker_id=worker_id)
    if reason is not None:
        raise NotEligible(reason, batch=str(offer.public_id))
