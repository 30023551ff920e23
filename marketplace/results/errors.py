"""The ways results refuse."""

from marketplace.common.errors import Conflict, Forbidden


class NothingToAggregate(Conflict):
    code = "no-answers"
    title = "There are no accepted answers yet"


class ReviewDecided(Conflict):
    code = "review-decided"
    title = "The review is over"


class OwnReview(Forbidden):
    code = "own-review"
    title = "This review is not yours to decide"
