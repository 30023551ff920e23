"""Whether gold is equally likely at every position of a phase, and of a page (R37)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tests.benchmarks.trust.figures import chi_square_tail
from tests.crowd.story import Show

PROBATION, PHASE = 20, 40


def phase_of(nth: int, probation: int = PROBATION) -> str:
    """The phases whose shares of gold are public: the probation, and what comes later."""
    return "probation" if nth < probation else "later"


@dataclass(frozen=True)
class PositionTest:
    """χ² over the positions of all complete stretches, and how probable that much is where all are alike."""

    stretches: int
    gold: int
    chi_square: float
    freedom: int
    p: float | None


def uniform(stretches: Iterable[Sequence[bool]]) -> PositionTest:
    """Test stretches of equal length, each with its gold marked.

    A stretch with g of m positions gold says nothing by g; only where they lie counts. For uniform subsets the counts
    have covariance Σ g(m−g)/(m(m−1)) · (I − 1/m), so that the statistic is χ² with m − 1 degrees of freedom.
    """
    table = np.array([list(stretch) for stretch in stretches], np.float64)
    if not table.size:
        return PositionTest(0, 0, 0.0, 0, None)
    n, m = table.shape
    golds = table.sum(axis=1)
    variance = float((golds * (m - golds)).sum()) / (m * (m - 1))
    if not variance:
        return PositionTest(n, int(golds.sum()), 0.0, m - 1, None)
    counts = table.sum(axis=0)
    statistic = float(((counts - counts.mean()) ** 2).sum()) / variance
    return PositionTest(n, int(golds.sum()), round(statistic, 2), m - 1, chi_square_tail(statistic, m - 1))


def position_tests(
    shows: Iterable[Show], people: Iterable[int], *, probation: int = PROBATION, phase: int = PHASE
) -> dict[str, PositionTest]:
    """Over the complete phases of those people: the probation, its halves, later phases, and full pages.

    Only of people who are not limited for what they answer: whoever fails gold early is stopped early, and the phases
    that he completed would be those in which it came late.
    """
    chosen = set(people)
    sequences: defaultdict[int, list[Show]] = defaultdict(list)
    pages: defaultdict[tuple[int, int], list[Show]] = defaultdict(list)
    for show in shows:
        if show.person in chosen:
            sequences[show.person].append(show)
            pages[show.person, show.page].append(show)
    first, later = [], []
    for sequence in sequences.values():
        flags = [show.gold for show in sorted(sequence, key=lambda show: show.nth)]
        if probation and len(flags) >= probation:
            first.append(flags[:probation])
        for start in range(probation, len(flags) - phase + 1, phase):
            later.append(flags[start : start + phase])
    of_pages = [[show.gold for show in page] for page in pages.values() if page[0].page_size == len(page) > 1]
    largest = max((len(page) for page in of_pages), default=0)
    return {
        "probation": uniform(first),
        "first_ten": _halves(first),
        "later": uniform(later),
        "in_page": uniform(page for page in of_pages if len(page) == largest),
    }


def _halves(stretches: Sequence[Sequence[bool]]) -> PositionTest:
    """Whether the first half has as much gold as the second."""
    if not stretches:
        return PositionTest(0, 0, 0.0, 0, None)
    m = len(stretches[0])
    half = m // 2
    variance = difference = 0.0
    for flags in stretches:
        g = sum(flags)
        difference += sum(flags[:half]) - g * half / m
        variance += g * (half / m) * (1 - half / m) * (m - g) / (m - 1)
    if not variance:
        return PositionTest(len(stretches), sum(map(sum, stretches)), 0.0, 1, None)
    statistic = difference**2 / variance
    return PositionTest(len(stretches), sum(map(sum, stretches)), round(statistic, 2), 1, chi_square_tail(statistic, 1))
