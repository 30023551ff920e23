"""Who may work on a batch. The batch stores the audience as data; here it is evaluated."""

from typing import Any

from marketplace.batches.models import Batch
from workers.assignments.errors import NotEligible
from workers.reputation.queries import posterior_of


def refusal(audience: dict[str, Any], *, worker_id: int, project_id: int) -> str | None:
    """Why the worker may not work under this audience, in words, or None when he may.

    `min_score` bounds the mean of the worker's posterior in the project. It applies once there are `min_evidence`
    verdicts (0 by default: the prior counts at once), so that a new worker can show what he can do.
    """
    minimum = audience.get("min_score")
    if minimum is None:
        return None
    standing = posterior_of(worker_id=worker_id, project_id=project_id)
    if standing.evidence < audience.get("min_evidence", 0):
        return None
    if standing.posterior.mean < minimum:
        return f"It asks for a score of at least {minimum:.2f} in this project."
    return None


def require_eligible(*, worker_id: int, batch: Batch) -> None:
    """Raise `NotEligible` with the reason unless the worker may work on the batch."""
    reason = refusal(batch.audience, worker_id=worker_id, project_id=batch.project_id)
    if reason is not None:
        raise NotEligible(reason, batch=str(batch.public_id))
