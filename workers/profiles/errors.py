"""How profiles refuse."""

from marketplace.common.errors import Conflict


class AlreadyWorker(Conflict):
    code = "already-worker"
    title = "This account is a worker already"
