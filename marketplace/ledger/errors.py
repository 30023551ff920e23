"""The ways the ledger refuses."""

from marketplace.common.errors import Conflict, NotFound


class NotEnough(Conflict):
    code = "not-enough-funds"
    title = "Not enough money"


class TransferKeyReused(Conflict):
    code = "transfer-key-reused"
    title = "This transfer was already made with other terms"


class NoSuchTransfer(NotFound):
    code = "no-such-transfer"
    title = "There is no such transfer"


class NotReversible(Conflict):
    code = "not-reversible"
    title = "This transfer cannot be taken back"
