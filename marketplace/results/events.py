"""What happened to results."""

from dataclasses import dataclass

from marketplace.common.outbox import Event


@dataclass(frozen=True)
class ReviewEvent(Event):
    batch_id: int
    review_id: int


class RejectionsWaiting(ReviewEvent):
    """Rejections wait for a review."""


class RejectionsReviewed(ReviewEvent):
    """A review was decided."""
