"""Which marks of two workers on one item are the same, and how far they lie over each other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marketplace.aggregation.geometry.matching import matching

FloatArray = NDArray[np.float64]
# Two marks that overlap by less are not about the same thing. The usual bound of object detection.
SAME_THING = 0.5


def stretch_overlaps(one: ArrayLike, other: ArrayLike) -> FloatArray:
    """Intersection over union of every two stretches, of characters or seconds.

    one (n, 2), other (m, 2)  start and end, the start before the end
    returns (n, m)            0 … 1
    """
    left, right = _columns(one, 2), _columns(other, 2)
    low, high = np.maximum(left[:, None, 0], right[None, :, 0]), np.minimum(left[:, None, 1], right[None, :, 1])
    shared = np.maximum(high - low, 0.0)
    union = (left[:, 1] - left[:, 0])[:, None] + (right[:, 1] - right[:, 0])[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


@dataclass(frozen=True)
class Matching:
    """Which marks of two lists are the same: (place in one, place in other, overlap), and the places left over."""

    pairs: tuple[tuple[int, int, float], ...]
    only_one: tuple[int, ...]
    only_other: tuple[int, ...]

    def mean_overlap(self) -> float:
        """The mean over the pairs and what is left over, which counts as 0; 1 where there are no marks at all."""
        count = len(self.pairs) + len(self.only_one) + len(self.only_other)
        return sum(overlap for _, _, overlap in self.pairs) / count if count else 1.0

    def mean_dice(self) -> float:
        """The same with Dice's coefficient, 2 I / (1 + I), in place of the overlap I."""
        count = len(self.pairs) + len(self.only_one) + len(self.only_other)
        return sum(2 * overlap / (1 + overlap) for _, _, overlap in self.pairs) / count if count else 1.0

    def f1(self) -> float:
        """Twice the pairs over all marks; 1 where there are no marks at all."""
        marks = 2 * len(self.pairs) + len(self.only_one) + len(self.only_other)
        return 2 * len(self.pairs) / marks if marks else 1.0


def paired(overlaps: ArrayLike, *, least: float = SAME_THING) -> Matching:
    """Pairs of marks that are the same, each in one pair at most: as `geometry.matching` finds them.

    overlaps  (n, m)  0 … 1
    """
    table = np.asarray(overlaps, dtype=np.float64)
    found = matching(table, least).tolist()
    ones, others = {one for one, _ in found}, {other for _, other in found}
    return Matching(
        tuple(sorted((one, other, float(table[one, other])) for one, other in found)),
        tuple(one for one in range(table.shape[0]) if one not in ones),
        tuple(other for other in range(table.shape[1]) if other not in others),
    )


def _columns(values: ArrayLike, width: int) -> FloatArray:
    array = np.asarray(values, dtype=np.float64).reshape(-1, width)
    if not np.all(np.isfinite(array)):
        raise ValueError("marks must lie at finite places")
    return array
