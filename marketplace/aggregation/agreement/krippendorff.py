"""Krippendorff's alpha: the disagreement that is observed, as a share of what chance would bring.

Source: K. Krippendorff, "Computing Krippendorff's alpha-reliability" (2011),
https://repository.upenn.edu/handle/20.500.14332/2089.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from marketplace.aggregation.agreement.units import FloatArray, IntArray, Units

# Pairs of distinct values that are compared in one go: arrays of this many numbers fit the processor's cache.
BLOCK = 2**20


class Level(StrEnum):
    """What the values are: names; points in an order; numbers with a distance; numbers with a distance and a zero."""

    NOMINAL = "nominal"
    ORDINAL = "ordinal"
    INTERVAL = "interval"
    RATIO = "ratio"


@dataclass(frozen=True, eq=False)
class Alpha:
    """Alpha of some units, ready to be computed again for other weights of the units.

    within  (n_units,)  the squared distances of all ordered pairs of a unit's values, divided by its size - 1; for the
                        ordinal level, whose distances follow from the weights, it is made anew each time
    """

    units: Units
    level: Level
    within: FloatArray

    @classmethod
    def of(cls, units: Units, level: Level | str) -> "Alpha":
        """Raises `ValueError` for the ratio level where a value is below 0: there its distance means nothing."""
        level = Level(level)
        if level is Level.RATIO and len(units.value) and units.value.min() < 0:
            raise ValueError("ratio needs values of 0 and more")
        if level is Level.NOMINAL:
            within = _nominal_within(units)
        elif level is Level.RATIO:
            within = _ratio_within(units)
        else:
            within = _square_within(units, _centred(units.value))
        return cls(units, level, within)

    def at(self, weights: ArrayLike | None = None) -> float:
        """Alpha where unit u counts `weights[u]` times (n_units,); once each by default. 1 is full agreement, 0 what
        chance would bring, below 0 is worse. NaN without units, and where all values are equal."""
        return _beyond(*self.distances(weights))

    def distances(self, weights: ArrayLike | None = None) -> tuple[float, float]:
        """The mean squared distance of two values of one unit, as it is observed; and of any two values, as chance
        would bring. Both NaN where there is no alpha."""
        units = self.units
        weight = np.ones(len(units)) if weights is None else np.asarray(weights, dtype=np.float64)
        if weight.shape != (len(units),):
            raise ValueError(f"weights must be {len(units)} numbers, one for each unit")
        code, distinct = units.codes
        counts = np.asarray(np.bincount(code, weight[units.unit], minlength=len(distinct)), dtype=np.float64)
        total = counts.sum()
        if total < 2 or np.count_nonzero(counts) < 2:
            return float("nan"), float("nan")
        within = self.within
        if self.level is Level.NOMINAL:
            among = total**2 - (counts**2).sum()
        elif self.level is Level.RATIO:
            among = _ratio_among(distinct, counts)
        else:
            # The ordinal distance of two values is the number of values between them, half of both included: the
            # distance of their middle ranks.
            place = _centred(distinct) if self.level is Level.INTERVAL else np.cumsum(counts) - counts / 2
            if self.level is Level.ORDINAL:
                place = place - total / 2
                within = _square_within(units, place[code])
            among = 2 * (total * (counts * place**2).sum() - (counts * place).sum() ** 2)
        return float(weight @ within / total), float(among / (total * (total - 1)))


def krippendorff_alpha(units: Units, level: Level | str = Level.NOMINAL) -> float:
    """Krippendorff's alpha of the units' values; any number of workers, any of whom may have left tasks out.

    NaN where nothing can be compared or all values are equal: then there is no chance to be better than. Raises
    `ValueError` for an unknown level and for values below 0 at the ratio level. Time grows with the number of values,
    at the ratio level also with the square of the number of distinct ones.
    """
    return Alpha.of(units, level).at()


def _beyond(observed: float, expected: float) -> float:
    return 1 - observed / expected if expected > 0 else float("nan")


def _centred(values: FloatArray) -> FloatArray:
    """Distances stay and sums of squares keep their digits. The middle of the range, so that no order matters."""
    return values - (values.min() + values.max()) / 2 if len(values) else values


def _nominal_within(units: Units) -> FloatArray:
    code, distinct = units.codes
    cell, times = np.unique(units.unit * max(len(distinct), 1) + code, return_counts=True)
    alike = np.bincount(cell // max(len(distinct), 1), times.astype(np.float64) ** 2, minlength=len(units))
    return np.asarray((units.size.astype(np.float64) ** 2 - alike) / (units.size - 1))


def _square_within(units: Units, place: FloatArray) -> FloatArray:
    size, total = units.size, units.sum_by_unit(place)
    return np.maximum(2 * (size * units.sum_by_unit(place**2) - total**2) / (size - 1), 0.0)


def _ratio_within(units: Units) -> FloatArray:
    first, second = units.pairs
    off = _ratio(units.value[first], units.value[second])
    return np.asarray(2 * np.bincount(units.unit[first], off, minlength=len(units)) / (units.size - 1))


def _ratio(one: FloatArray, other: FloatArray) -> FloatArray:
    both = one + other
    return np.asarray(np.divide(one - other, both, out=np.zeros_like(both), where=both != 0) ** 2)


def _ratio_among(distinct: FloatArray, counts: FloatArray) -> float:
    step = max(1, BLOCK // len(distinct))
    return sum(
        float(counts[at : at + step] @ _ratio(distinct[at : at + step, None], distinct[None, :]) @ counts)
        for at in range(0, len(distinct), step)
    )


@dataclass(frozen=True, eq=False)
class DistanceAlpha:
    """Alpha of values of any kind, of which only distances are known: of all pairs within units, and of pairs of any
    two values, all of them or a sample, for what chance would bring.

    within  (n_units,)      as in `Alpha`, of distances 0 … 1 taken as they are
    size    (n_units,)      how many values each unit has
    one, other  (n_sample,) the units of the two values of each pair of the sample
    apart   (n_sample,)     how far they are from each other
    """

    within: FloatArray
    size: IntArray
    one: IntArray
    other: IntArray
    apart: FloatArray

    def at(self, weights: ArrayLike | None = None) -> float:
        """Alpha where unit u counts `weights[u]` times; NaN where nothing can be compared or all values are equal."""
        return _beyond(*self.distances(weights))

    def distances(self, weights: ArrayLike | None = None) -> tuple[float, float]:
        """As of `Alpha`. A pair of the sample counts as often as both its units do; one within a unit as the unit."""
        weight = np.ones(len(self.size)) if weights is None else np.asarray(weights, dtype=np.float64)
        values = weight @ self.size
        pairs = weight[self.one] * np.where(self.one == self.other, 1.0, weight[self.other])
        chance = pairs.sum()
        if not values or not chance:
            return float("nan"), float("nan")
        return float(weight @ self.within / values), float(pairs @ self.apart / chance)


def distance_alpha(
    units: Units, apart: ArrayLike, one: ArrayLike, other: ArrayLike, sampled: ArrayLike
) -> DistanceAlpha:
    """`DistanceAlpha` of units whose values are of any kind.

    apart       (n_pairs,)   distance of each pair of `units.pairs`, 0 … 1
    one, other  (n_sample,)  pairs of places in `units.value`, of one unit or of two: all pairs for the alpha as it is
                             defined, or a random sample of them
    sampled     (n_sample,)  their distances
    """
    distance = np.asarray(apart, dtype=np.float64)
    first, _second = units.pairs
    if distance.shape != first.shape:
        raise ValueError(f"apart must be {len(first)} distances, one for each pair")
    for name, values in (("apart", distance), ("sampled", np.asarray(sampled, dtype=np.float64))):
        if values.size and not (np.all(np.isfinite(values)) and values.min() >= 0 and values.max() <= 1):
            raise ValueError(f"{name} must be distances from 0 to 1")
    total = np.bincount(units.unit[first], distance, minlength=len(units))
    left, right = np.asarray(one, dtype=np.intp), np.asarray(other, dtype=np.intp)
    return DistanceAlpha(
        within=2 * total / (units.size - 1),
        size=units.size,
        one=units.unit[left],
        other=units.unit[right],
        apart=np.asarray(sampled, dtype=np.float64),
    )
