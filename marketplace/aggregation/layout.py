"""Votes laid out for sums over whole arrays, so that each step of an expectation maximisation is a few of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.cells import Cells
from marketplace.aggregation.votes import IntArray, Votes

FloatArray = NDArray[np.float64]

# Tasks are worked through in runs of about this many posteriors, so that a run's arrays stay in the processor's cache.
RUN = 2**17
# A task's first votes are added vote by vote for a whole run at once; votes beyond this many take the general way.
SLOTS = 64


@dataclass(frozen=True, eq=False)
class Run:
    """Some tasks, most votes first, with their votes laid out for whole-array sums.

    slots      the pairs of the first, second, … vote of those tasks that have one: a prefix of the run each
    rest_task  (n_rest,)  task within the run, and
    rest_cell  (n_rest,)  pair, of each vote that is beyond the slots
    """

    start: int
    stop: int
    slots: tuple[IntArray, ...]
    rest_task: IntArray
    rest_cell: IntArray

    def sum_log_rates(self, log_rates: FloatArray, out: FloatArray) -> None:
        """The E step's sum over each task's votes: log_rates (n_cells, n_labels) → out (n_labels, tasks of the run)."""
        total = log_rates.take(self.slots[0], axis=0)
        for cells in self.slots[1:]:
            total[: len(cells)] += log_rates.take(cells, axis=0)
        out[...] = total.T
        if len(self.rest_cell):
            for label in range(len(out)):
                weights = log_rates[:, label].take(self.rest_cell)
                out[label] += np.bincount(self.rest_task, weights, minlength=out.shape[1])

    def add_counts(self, posteriors: FloatArray, counts: FloatArray) -> None:
        """The M step's expected counts: posteriors (n_labels, tasks of the run) add to counts (n_labels, n_cells).

        The last label's are left to `Cells.complete`, for this is the larger part of all the work.
        """
        n_cells = counts.shape[1]
        for label in range(len(posteriors) - 1):
            for cells in self.slots:
                counts[label] += np.bincount(cells, posteriors[label, : len(cells)], minlength=n_cells)
            if len(self.rest_cell):
                weights = posteriors[label].take(self.rest_task)
                counts[label] += np.bincount(self.rest_cell, weights, minlength=n_cells)


@dataclass(frozen=True, eq=False)
class Layout:
    """The tasks that have votes, most votes first, cut into runs.

    order  (n_voted,)  the task at each place of the layout
    """

    order: IntArray
    runs: tuple[Run, ...]

    @classmethod
    def of(cls, votes: Votes, cells: Cells) -> "Layout":
        per_task = np.bincount(votes.task, minlength=votes.n_tasks)
        order = np.argsort(-per_task, kind="stable")[: np.count_nonzero(per_task)]
        if np.all(votes.task[1:] >= votes.task[:-1]):
            by_task = cells.of_vote
        else:
            by_task = cells.of_vote[np.argsort(votes.task, kind="stable")]
        first = np.cumsum(per_task) - per_task
        return cls(order, tuple(_runs(per_task[order], first[order], by_task, votes.n_labels)))


def _runs(per_task: IntArray, first: IntArray, by_task: IntArray, n_labels: int) -> Iterator[Run]:
    """Cut tasks (votes of each falling, first vote of each) into runs; by_task holds the pairs sorted by task."""
    step = max(1024, RUN // max(n_labels, 1))
    for start in range(0, len(per_task), step):
        stop = min(start + step, len(per_task))
        have, at = per_task[start:stop], first[start:stop]
        slots = tuple(by_task[at[: np.count_nonzero(have > slot)] + slot] for slot in range(min(have[0], SLOTS)))
        beyond = np.maximum(have - SLOTS, 0)
        rest_task = np.repeat(np.arange(stop - start), beyond)
        offset = np.arange(len(rest_task)) - np.repeat(np.cumsum(beyond) - beyond, beyond)
        yield Run(start, stop, slots, rest_task, by_task[at[rest_task] + SLOTS + offset])
