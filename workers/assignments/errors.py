"""The ways work is refused."""

from marketplace.common.errors import BadRequest, Conflict, Forbidden, Unprocessable


class NothingToClaim(Conflict):
    code = "nothing-to-claim"
    title = "No open place is left"


class NotEligible(Forbidden):
    code = "not-eligible"
    title = "This batch is not open to you"


class LeaseLost(Conflict):
    code = "lease-lost"
    title = "The lease has ended"


class AnswerInvalid(Unprocessable):
    code = "invalid-answer"
    title = "An answer is not valid; nothing was stored"


class TooMany(BadRequest):
    code = "too-many"
    title = "Too many at once"


class NotDecidable(Conflict):
    code = "answer-not-submitted"
    title = "Only submitted answers can be decided"
