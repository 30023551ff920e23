"""How easily workers could find out that a task is gold, as far as the market can tell."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Parts:
    """What might give a gold task away, each from 0 (nothing) to 1.

    alike    other payloads in the project are as good as the same: 0, 1/2, 2/3, … for none, one, two, …
    linked   of those who met it, the share who have another account: such people may compare notes with themselves
    size     how extreme the size of its payload is among the ordinary tasks of its batch
    """

    alike: float
    linked: float
    size: float

    @property
    def detectability(self) -> float:
        """That any of them gives it away, taken as independent."""
        return 1 - (1 - self.alike) * (1 - self.linked) * (1 - self.size)


def size_part(size: int, ordinary: Sequence[int]) -> float:
    """How extreme a size is among the sizes of ordinary tasks: 0 within their middle nine tenths, 1 beyond all of them.

    >>> size_part(5, [1, 5, 9]), size_part(10, [1, 5, 9]), size_part(5, [])
    (0.0, 1.0, 0.0)
    """
    if not ordinary:
        return 0.0
    beyond = min(sum(other <= size for other in ordinary), sum(other >= size for other in ordinary)) / len(ordinary)
    return max(0.0, 1 - beyond / 0.05)


def alike_part(others: int) -> float:
    """
    >>> alike_part(0), alike_part(1)
    (0.0, 0.5)
    """
    return others / (others + 1)
