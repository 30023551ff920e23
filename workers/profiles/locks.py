"""The only place of this app that locks rows."""

from marketplace.common.database import rows, value


def worker_for_update(worker_id: int) -> int:
    """The worker under FOR NO KEY UPDATE, and the account that stands for his person: his claims and submits, from
    whichever account, run one after the other. Returns the person's id.

    The first lock of every transaction that takes one.
    """
    return int(value("SELECT profiles_lock(%s)", [worker_id]))


def skill_for_update(skill_id: int) -> None:
    """The skill under FOR NO KEY UPDATE: grants of it are made one after the other."""
    rows("SELECT 1 FROM profiles_skill WHERE id = %s FOR NO KEY UPDATE", [skill_id])


def list_for_update(list_id: int) -> None:
    """The list under FOR NO KEY UPDATE: changes of it are made one after the other."""
    rows("SELECT 1 FROM profiles_workerlist WHERE id = %s FOR NO KEY UPDATE", [list_id])
