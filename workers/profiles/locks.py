"""The only place of this app that locks rows."""

from marketplace.common.database import value


def worker_for_update(worker_id: int) -> int:
    """The worker under FOR NO KEY UPDATE, and the account that stands for his person: his claims and submits, from
    whichever account, run one after the other. Returns the person's id.

    The first lock of every transaction that takes one.
    """
    return int(value("SELECT profiles_lock(%s)", [worker_id]))
