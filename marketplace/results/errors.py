"""The ways results refuse."""

from marketplace.common.errors import Conflict, Forbidden, Unprocessable


class NothingToAggregate(Conflict):
    code = "no-answers"
    title = "There are no accepted answers yet"


class ReviewDecided(Conflict):
    code = "review-decided"
    title = "The review is over"


class OwnReview(Forbidden):
    code = "own-review"
    title = "This review is not yours to decide"


class RulingInvalid(Unprocessable):
    code = "adjudication-invalid"
    title = "The label cannot be settled so"


class NotChoosable(Conflict):
    code = "answer-not-choosable"
    title = "This answer cannot be chosen"


class NotInSample(Conflict):
    code = "not-in-sample"
    title = "Chance has not drawn this task"


class TooManyDatasets(Conflict):
    code = "data-sets-unfinished"
    title = "Other versions of this data set are not finished yet"


class DatasetUnfinished(Conflict):
    code = "data-set-unfinished"
    title = "This version is not finished yet"


class DatasetFailed(Conflict):
    code = "data-set-failed"
    title = "This version could not be made"


class BuildRefused(Exception):
    """Why a data set cannot be built, in words for its requester; trying again would not help."""


class NothingToReport(Conflict):
    code = "not-published"
    title = "This batch was never published"
