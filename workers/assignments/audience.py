"""Who may work on a batch. The batch stores the audience as data; here it is evaluated."""

from marketplace.batches.models import Batch
from marketplace.common.database import value
from workers.assignments.errors import NotEligible
from workers.reputation.queries import shown_standing


def refusal(batch: Batch, *, worker_id: int) -> str | None:
    """Why the worker may not work on the batch, in words, or None when he may.

    Nobody works for his own organisation. `min_score` bounds the mean of the worker's posterior in the project; it
    applies once there are `min_evidence` verdicts (0 by default: the prior counts at once), so that a new worker can
    show what he can do. Judged is the standing that the worker sees: one that moved with every answer would tell him
    which was gold.
    """
    if value(
        "SELECT EXISTS (SELECT 1 FROM accounts_member m JOIN profiles_worker w ON w.user_id = m.user_id"
        " WHERE m.requester_id = %s AND w.id = %s)",
        [batch.requester_id, worker_id],
    ):
        return "Nobody works on a batch of his own organisation."
    minimum = batch.audience.get("min_score")
    if minimum is None:
        return None
    standing = shown_standing(worker_id=worker_id, project_id=batch.project_id)
    if standing.evidence < batch.audience.get("min_evidence", 0):
        return None
    if standing.posterior.mean < minimum:
        return f"It asks for a score of at least {minimum:.2f} in this project."
    return None


def require_eligible(*, worker_id: int, batch: Batch) -> None:
    """Raise `NotEligible` with the reason unless the worker may work on the batch."""
    reason = refusal(batch, worker_id=worker_id)
    if reason is not None:
        raise NotEligible(reason, batch=str(batch.public_id))
