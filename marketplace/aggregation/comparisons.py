"""Which of two was better, by whom: the input of the methods for pairwise comparisons and rankings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.votes import IntArray, index_column

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Comparisons:
    """Comparisons of two items each, checked once, sorted and read-only.

    worker  (n,)  0 … n_workers - 1
    left    (n,)  0 … n_items - 1, the item that was shown first
    right   (n,)  0 … n_items - 1, another item
    won     (n,)  by how much the left one won: 1 it is better, 0 the right one is, between them a tie or a strength
    weight  (n,)  >= 0, how much the comparison counts

    Items may be without comparisons, and fall into groups that were never compared with each other. Raises `ValueError`
    for what does not fit.
    """

    worker: IntArray
    left: IntArray
    right: IntArray
    won: FloatArray
    weight: FloatArray
    n_workers: int
    n_items: int

    def __post_init__(self) -> None:
        sizes = {"worker": self.n_workers, "left": self.n_items, "right": self.n_items}
        columns: dict[str, NDArray[Any]] = {
            name: index_column(name, getattr(self, name), sizes[name]) for name in sizes
        }
        for name in ("won", "weight"):
            columns[name] = np.asarray(getattr(self, name), np.float64)
        if len({column.shape for column in columns.values()}) != 1 or columns["won"].ndim != 1:
            raise ValueError("worker, left, right, won and weight must be columns of equal length")
        if not (np.all(columns["won"] >= 0) and np.all(columns["won"] <= 1)):
            raise ValueError("won must be from 0 to 1")
        if not (np.all(columns["weight"] >= 0) and np.all(np.isfinite(columns["weight"]))):
            raise ValueError("weight must be finite and not negative")
        if np.any(columns["left"] == columns["right"]):
            raise ValueError("an item is compared with itself")
        order = np.lexsort(tuple(reversed(columns.values())))
        for name, column in columns.items():
            ordered = column[order]
            ordered.flags.writeable = False
            object.__setattr__(self, name, ordered)

    def __len__(self) -> int:
        """How many comparisons there are."""
        return len(self.won)

    @classmethod
    def of_rankings(
        cls, workers: Sequence[int], levels: Sequence[Sequence[Sequence[int]]], n_workers: int, n_items: int
    ) -> "Comparisons":
        """Every ranking as the comparisons of its pairs: an item wins against all on lower levels, ties on its own.

        workers  who gave each ranking
        levels   each ranking as its levels, the best first, of the items that are on each

        A ranking of n items counts as n / 2 comparisons (its n (n - 1) / 2 pairs at 1 / (n - 1)), for its pairs are not
        independent. The item of the lower number is taken as the left one.
        """
        rows: list[tuple[int, int, int, float, float]] = []
        for worker, ranking in zip(workers, levels, strict=True):
            places = [(item, place) for place, level in enumerate(ranking) for item in level]
            weight = 1.0 / max(len(places) - 1, 1)
            for at, (one, its) in enumerate(places):
                for other, place in places[at + 1 :]:
                    won = 0.5 if its == place else 1.0
                    rows.append((worker, one, other, won, weight) if one < other
                                else (worker, other, one, 1 - won, weight))  # fmt: skip
        columns = list(zip(*rows, strict=True)) if rows else [(), (), (), (), ()]
        numbers = [np.array(column, np.intp) for column in columns[:3]]
        return cls(
            numbers[0], numbers[1], numbers[2], np.array(columns[3], np.float64), np.array(columns[4], np.float64),
            n_workers, n_items,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class ScoreResult:
    """How good each item is, with what was learned about the workers.

    scores     (n_items,)    natural logs of the strengths, of mean 0 in each group that was compared: item i is
                             preferred to j with probability 1 / (1 + exp(scores[j] - scores[i]))
    group      (n_items,)    the number of the group, by its first item; scores of different groups say nothing together
    n_compared (n_items,)    in how many comparisons the item was
    attention  (n_workers,)  probability that the worker compares rather than answers blindly; 1 where that is not asked
    leftness   (n_workers,)  how often he gives the left one when he answers blindly; 0.5 where that is not asked
    log_likelihoods  (iterations,)  natural log of the probability of all outcomes and of the priors, never falling
    """

    method: str
    scores: FloatArray
    group: IntArray
    n_compared: NDArray[np.intp]
    attention: FloatArray
    leftness: FloatArray
    iterations: int
    converged: bool
    log_likelihoods: FloatArray

    def preference(self, left: NDArray[np.intp], right: NDArray[np.intp]) -> FloatArray:
        """How probable it is that each left item is preferred to the right one by somebody who compares them."""
        return np.asarray(1.0 / (1.0 + np.exp(self.scores[right] - self.scores[left])))


def groups(comparisons: Comparisons) -> IntArray:
    """The group of each item (n_items,): the lowest item that it is linked with by comparisons that count."""
    counting = comparisons.weight > 0
    left, right = comparisons.left[counting], comparisons.right[counting]
    group = np.arange(comparisons.n_items)
    while True:
        before = group.copy()
        low = np.minimum(group[left], group[right])
        np.minimum.at(group, left, low)
        np.minimum.at(group, right, low)
        group = group[group]  # follow one link more, so that long chains close in a few rounds
        if np.array_equal(group, before):
            return group


def strongly_connected(comparisons: Comparisons) -> bool:
    """Whether in every group a chain of wins leads from each item to each other: else some strengths are infinite."""
    group = groups(comparisons)
    wins = (comparisons.won > 0) & (comparisons.weight > 0)
    losses = (comparisons.won < 1) & (comparisons.weight > 0)
    better = np.concatenate([comparisons.left[wins], comparisons.right[losses]])
    worse = np.concatenate([comparisons.right[wins], comparisons.left[losses]])
    return all(_all_reached(group, *ends) for ends in ((better, worse), (worse, better)))


def _all_reached(group: IntArray, start: IntArray, end: IntArray) -> bool:
    reached = group == np.arange(len(group))
    while True:
        new = end[reached[start] & ~reached[end]]
        if not len(new):
            return bool(reached.all())
        reached[new] = True
