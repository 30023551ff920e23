"""What roles include. Pure."""

from collections.abc import Iterable

RANKS = {"viewer": 0, "reviewer": 1, "manager": 2, "owner": 3}


def includes(role: str, needed: str) -> bool:
    """Whether somebody with `role` may do what `needed` may.

    >>> includes("manager", "reviewer"), includes("viewer", "reviewer")
    (True, False)
    """
    return RANKS[role] >= RANKS[needed]


def covers(held: Iterable[str], wanted: Iterable[str]) -> bool:
    """Whether somebody of the staff with these roles has one of those wanted; a superuser has them all.

    >>> covers({"finance"}, ["support", "finance"]), covers({"quality"}, ["finance"]), covers({"superuser"}, ["x"])
    (True, False, True)
    """
    roles = set(held)
    return "superuser" in roles or not roles.isdisjoint(wanted)
