"""For how much an answer counts that is not quite right: always 0 … 1."""


def f1(matched: int, wanted: int, given: int) -> float:
    """The F1 score of `given` things of which `matched` are among the `wanted` ones; 1 where nothing was to be given
    and nothing was.

    >>> f1(1, 2, 1), f1(0, 0, 0), f1(0, 0, 3)
    (0.6666666666666666, 1.0, 0.0)
    """
    return 2 * matched / (wanted + given) if wanted + given else 1.0


def falling(distance: float, free: float, zero_at: float) -> float:
    """1 up to a distance of `free`, from there in a straight line down to 0 at `zero_at`; 0 beyond.

    >>> [falling(distance, 1, 5) for distance in (0, 1, 2, 4, 5, 9)]
    [1.0, 1.0, 0.75, 0.25, 0.0, 0.0]
    """
    if distance <= free:
        return 1.0
    if distance >= zero_at:
        return 0.0
    return (zero_at - distance) / (zero_at - free)
