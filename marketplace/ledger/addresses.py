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


def disputes_of(batch: UUID) -> str:
    """What the requester set aside for answers that he rejected and has to pay for after an appeal."""
    return f"batch:{batch}:disputes"


def topup_of(batch: UUID) -> str:
    """What the requester set aside to bring the batch's pay up to the hourly rate that he promised."""
    return f"batch:{batch}:topup"


def earned_by(worker: UUID) -> str:
    return f"worker:{worker}:earned"


def withdrawing_by(worker: UUID) -> str:
    """What is on its way out to the worker and has not arrived."""
    return f"worker:{worker}:withdrawing"


def worker_in(address: str) -> UUID | None:
    """Whose account it is, where it is a worker's.

    >>> worker_in("worker:6f1c1f3e-6c0e-4a40-9d2c-0a8e5e1f0b11:earned")
    UUID('6f1c1f3e-6c0e-4a40-9d2c-0a8e5e1f0b11')
    >>> worker_in("platform:fees"), worker_in("worker:nobody:earned")
    (None, None)
    """
    kind, _, rest = address.partition(":")
    try:
        return UUID(rest.partition(":")[0]) if kind == "worker" else None
    except ValueError:
        return None


def outside(channel: str) -> str:
    return f"outside:{channel}"
