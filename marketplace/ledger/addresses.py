"""The names of the places where money lies. The ledger knows these words, not users, batches or tasks.

Ids in an address are public ids. Only an address that begins with `outside:` may go below zero: it stands for the world
outside, so its balance is what came in, negated.
"""

from uuid import UUID

FEES = "platform:fees"


def funds_of(requester: UUID) -> str:
    return f"requester:{requester}:funds"


def escrow_of(batch: UUID) -> str:
    return f"batch:{batch}:escrow"


def earned_by(worker: UUID) -> str:
    return f"worker:{worker}:earned"


def outside(channel: str) -> str:
    return f"outside:{channel}"
