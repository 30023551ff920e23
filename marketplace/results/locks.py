"""The only place of this app that locks rows. A review comes before its batch; then as everywhere."""

from typing import Any
from uuid import UUID

from marketplace.common.database import one, rows
from marketplace.results.models import RejectionReview


def review_for_update(public_id: UUID) -> RejectionReview | None:
    """The review under FOR NO KEY UPDATE, with its batch."""
    found = RejectionReview.objects.select_related("batch").select_for_update(no_key=True, of=("self",))
    return found.filter(public_id=public_id).first()


def review_to_apply(review_id: int | None) -> RejectionReview | None:
    """An approved review that has not taken effect in full: this one, or the oldest that nobody else holds."""
    row = one(
        "SELECT id FROM results_rejectionreview WHERE state = 'approved' AND applied_at IS NULL"
        " AND (%s::bigint IS NULL OR id = %s) ORDER BY id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED",
        [review_id, review_id],
    )
    return None if row is None else RejectionReview.objects.get(pk=row[0])


def reviews_due(limit: int) -> list[tuple[Any, ...]]:
    """Rejections that nobody can contest any more, as (assignment, worker, project, batch, task, whether it still is
    one); what is being contested waits, and what another transaction holds is left to the next sweep."""
    return rows(
        "SELECT d.assignment_id, a.worker_id, b.project_id, a.batch_id, a.task_id, a.state = 'rejected'"
        " FROM results_reviewdue d JOIN assignments_assignment a ON a.id = d.assignment_id"
        " JOIN batches_batch b ON b.id = a.batch_id WHERE d.due_at <= (SELECT market_now())"
        " AND NOT EXISTS (SELECT 1 FROM assignments_contest c WHERE c.assignment_id = a.id AND c.ended_at IS NULL)"
        " ORDER BY d.assignment_id LIMIT %s FOR NO KEY UPDATE OF a SKIP LOCKED",
        [limit],
    )
