"""The ways work is refused."""

from marketplace.common.errors import BadRequest, Conflict, Forbidden, Unprocessable


class NothingToClaim(Conflict):
    code = "nothing-to-claim"
    title = "No open place is left"


class NotEligible(Forbidden):
    code = "not-eligible"
    title = "This batch is not open to you"


class UnderSanction(Forbidden):
    """With the sanction's id, by which he can contest it, and when it ends."""

    code = "sanctioned"
    title = "A sanction closes this to you"


class SlowedDown(Conflict):
    """With the sanction's id, and from when on the next claim may pass."""

    code = "slowed-down"
    title = "You are asked to slow down"


class LimitReached(Conflict):
    code = "limit-reached"
    title = "The batch gives one worker no more"


class WindowInvalid(Unprocessable):
    code = "window-invalid"
    title = "The window is too small or too large"


class TooManyWaits(Conflict):
    code = "too-many-waits"
    title = "You wait for too many batches"


class LeaseLost(Conflict):
    code = "lease-lost"
    title = "The lease has ended"


class AnswerInvalid(Unprocessable):
    code = "invalid-answer"
    title = "An answer is not valid; nothing was stored"


class DraftInvalid(Unprocessable):
    code = "invalid-draft"
    title = "The draft is not kept"


class TooMany(BadRequest):
    code = "too-many"
    title = "Too many at once"


class NotDecidable(Conflict):
    code = "answer-not-submitted"
    title = "These answers cannot be decided so now"


class RejectionInvalid(Unprocessable):
    code = "rejection-invalid"
    title = "The answers cannot be rejected or returned so"


class NotReturnable(Conflict):
    code = "answer-not-returnable"
    title = "These answers cannot go back for repair now"


class HoldsNone(Conflict):
    code = "holds-none"
    title = "Nothing is held back"


class ReasonMissing(Unprocessable):
    code = "reason-missing"
    title = "A reason is missing"


class NotContestable(Conflict):
    code = "rejection-not-contestable"
    title = "This rejection cannot be contested now"


class NoWorkToReward(Conflict):
    code = "no-work-to-reward"
    title = "This worker has not worked here"


class BonusReused(Conflict):
    code = "bonus-reused"
    title = "This bonus was already paid with other terms"


class NotInBatch(Unprocessable):
    code = "unknown-tasks"
    title = "Some tasks are not in this batch"


class DueFirst(Exception):
    """Not a refusal: leases of the batch are past their end, and the caller applies that in a transaction of its own
    before he asks again (R15). It must not be this one, for expiry locks what a claim may wait for."""

    def __init__(self, batch_id: int) -> None:
        super().__init__(batch_id)
        self.batch_id = batch_id
