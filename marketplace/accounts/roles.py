"""What roles include. Pure."""

RANKS = {"viewer": 0, "reviewer": 1, "manager": 2, "owner": 3}


def includes(role: str, needed: str) -> bool:
    """Whether somebody with `role` may do what `needed` may.

    >>> includes("manager", "reviewer"), includes("viewer", "reviewer")
    (True, False)
    """
    return RANKS[role] >= RANKS[needed]
