"""How profiles refuse."""

from marketplace.common.errors import Conflict, Unprocessable


class AlreadyWorker(Conflict):
    code = "already-worker"
    title = "This account is a worker already"


class NameTaken(Conflict):
    code = "name-taken"
    title = "This name is taken"


class NotHeld(Conflict):
    code = "skill-not-held"
    title = "The worker does not hold it"


class LinkEnded(Conflict):
    code = "link-ended"
    title = "This link has ended"


class WorkersUnknown(Unprocessable):
    code = "unknown-workers"
    title = "Some workers are not known"


class GrantInvalid(Unprocessable):
    code = "invalid-grant"
    title = "The grant is not valid"
