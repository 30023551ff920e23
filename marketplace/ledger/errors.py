"""The ways the ledger refuses."""

from marketplace.common.errors import Conflict


class NotEnough(Conflict):
    code = "not-enough-funds"
    title = "Not enough money"


class TransferKeyReused(Conflict):
    code = "transfer-key-reused"
    title = "This transfer was already made with other terms"
