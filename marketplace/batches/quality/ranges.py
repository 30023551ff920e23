"""Ranges of numbers: what a comparison lets through, and which comparisons exclude each other."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from marketplace.batches.quality.catalogue import BOUNDS, METRICS, Metric

if TYPE_CHECKING:
    from marketplace.batches.quality.forms import Condition


@dataclass(frozen=True)
class Range:
    """The numbers from `least` to `most`, each end with or without itself."""

    least: float = -math.inf
    most: float = math.inf
    with_least: bool = True
    with_most: bool = True

    def contains(self, value: float) -> bool:
        above = value > self.least or (self.with_least and value == self.least)
        return above and (value < self.most or (self.with_most and value == self.most))

    def is_empty(self) -> bool:
        return self.least > self.most or (self.least == self.most and not (self.with_least and self.with_most))

    def covers(self, other: "Range") -> bool:
        """Whether all of the other is within; the other's ends count to it."""
        return self.contains(other.least) and self.contains(other.most)

    def both(self, other: "Range") -> "Range":
        """What is in both."""
        low = max((self, other), key=lambda r: (r.least, not r.with_least))
        high = min((self, other), key=lambda r: (r.most, r.with_most))
        return Range(low.least, high.most, low.with_least, high.with_most)

    def meets(self, other: "Range") -> bool:
        return not self.both(other).is_empty()

    def within(self, metric: Metric) -> "Range":
        """What is left of it for the metric: its range, and whole numbers only where it counts."""
        left = self.both(Range(metric.least, metric.most))
        if not metric.whole or left.is_empty():
            return left
        least = math.floor(left.least) + 1 if not left.with_least else math.ceil(left.least)
        most = math.ceil(left.most) - 1 if not left.with_most else math.floor(left.most)
        return Range(least, most)


def range_of(comparison: str, threshold: float) -> Range:
    """What the comparison lets through."""
    return {
        "below": Range(most=threshold, with_most=False),
        "at_most": Range(most=threshold),
        "above": Range(least=threshold, with_least=False),
        "at_least": Range(least=threshold),
    }[comparison]


def contradictions(conditions: Sequence["Condition"]) -> Iterator[tuple[int, int]]:
    """Pairs of conditions (later, earlier) on one metric that cannot hold together.

    The ends of an interval lie on either side of its point, so that `low above 0.8` contradicts `high below 0.6`.
    """
    for at, one in enumerate(conditions):
        for before, other in enumerate(conditions[:at]):
            if one.metric == other.metric and not _together(one, other):
                yield at, before


def _together(one: "Condition", other: "Condition") -> bool:
    rising = sorted((one, other), key=lambda c: BOUNDS.index(c.bound))
    under, over = (range_of(c.comparison, c.threshold) for c in rising)
    ranges = [under, over]
    if rising[0].bound != rising[1].bound:
        # The lower of the two may be anything up to the higher: only "under is large, over is small" excludes.
        under, over = Range(under.least, math.inf, under.with_least), Range(-math.inf, over.most, True, over.with_most)
    ranges.append(under.both(over))
    return not any(allowed.within(METRICS[one.metric]).is_empty() for allowed in ranges)
