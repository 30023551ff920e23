"""Workers differ, and in different ways: the model of Dawid and Skene (1979), fitted by expectation maximisation.

Source: A. P. Dawid and A. M. Skene, "Maximum likelihood estimation of observer error-rates using the EM algorithm",
doi:10.2307/2346806.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marketplace.aggregation.majority import vote_shares
from marketplace.aggregation.result import LabelResult
from marketplace.aggregation.votes import IntArray, Votes

FloatArray = NDArray[np.float64]

# No probability is taken to be exactly 0: one impossible answer would outweigh any number of others. As in crowd-kit.
FLOOR = 1e-10
# Tasks are worked through in runs of about this many posteriors, so that a run's arrays stay in the processor's cache.
RUN = 2**17
# A task's first votes are added vote by vote for a whole run at once; votes beyond this many take the general way.
SLOTS = 64


@dataclass(frozen=True, eq=False)
class DawidSkeneResult(LabelResult):
    """Labels, and what was learned about the workers.

    class_prior      (n_labels,)    share of each true label; sums to 1
    log_likelihoods  (iterations,)  natural log of the probability of all votes at each E step, never falling; with a
                                    pseudocount, plus the log of its prior density up to a constant
    """

    class_prior: FloatArray = field(default_factory=lambda: np.zeros(0))
    log_likelihoods: FloatArray = field(default_factory=lambda: np.zeros(0))
    _cells: "_Cells | None" = None
    _rates: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))
    _unseen: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))

    @property
    def confusion(self) -> FloatArray:
        """How each worker answers: (n_workers, n_labels, n_labels), axes worker, true, given; each row sums to 1.

        A row of which nothing is known is uniform over the labels that the worker used, or over all if he never voted.
        Built anew at each reading, since it is large where labels are many.
        """
        assert self._cells is not None
        n_labels = len(self.class_prior)
        full = np.repeat(self._unseen[:, :, None], n_labels, axis=2)
        full[self._cells.worker, :, self._cells.label] = self._rates
        return full


def dawid_skene(
    votes: Votes,
    *,
    class_prior: ArrayLike | None = None,
    pseudocount: float = 0.0,
    max_iterations: int = 100,
    tolerance: float = 1e-5,
) -> DawidSkeneResult:
    """Each task's label and each worker's confusion matrix, together the most likely explanation of the votes.

    Starts from the vote shares and alternates M and E steps until the bound on the log-likelihood rises by less than
    `tolerance` per vote, or `max_iterations` (at least 1) are done, which `converged` tells. The same votes give the
    same result, always.

    class_prior  (n_labels,)  weights > 0 of the true labels, kept as given; estimated from the votes without it
    pseudocount  >= 0         added to each count of each confusion matrix; 0 is maximum likelihood, as in crowd-kit;
                              more keeps workers with few votes from extreme rates

    With the defaults it computes what crowd-kit's DawidSkene computes, and stops where it stops. Ties break to the
    label that comes first in the label order. A task without votes returns the class prior. Without any votes the prior
    is uniform, and no iteration is needed. Empty input gives empty arrays.
    """
    if pseudocount < 0 or max_iterations < 1:
        raise ValueError("pseudocount must be at least 0 and max_iterations at least 1")
    fixed_prior = None if class_prior is None else _checked_prior(class_prior, votes.n_labels)
    cells = _Cells.of(votes)
    layout = _Layout.of(votes, cells)
    n_votes = np.bincount(votes.task, minlength=votes.n_tasks)

    shares = vote_shares(votes)
    posteriors = np.ascontiguousarray(shares[layout.order].T)
    prior = fixed_prior if fixed_prior is not None else _as_prior(posteriors.sum(axis=1))
    counts = np.zeros((votes.n_labels, len(cells.worker)))
    for run in layout.runs:
        run.add_counts(posteriors[:, run.start : run.stop], counts)
    cells.complete(counts)
    rates, unseen = cells.rates(counts, pseudocount)
    log_rates, log_prior = np.log(rates), np.log(np.maximum(prior, FLOOR))

    trace: list[float] = []
    bound = -np.inf
    converged = len(votes) == 0
    while not converged and len(trace) < max_iterations:
        counts[:] = 0.0
        log_likelihood = 0.0
        for run in layout.runs:
            block = posteriors[:, run.start : run.stop]
            run.sum_log_rates(log_rates, out=block)
            block += log_prior[:, None]
            log_likelihood += _normalise(block)
            run.add_counts(block, counts)
        cells.complete(counts)
        trace.append(log_likelihood + cells.log_density(log_rates, unseen, pseudocount))
        # The posteriors' entropy is what the likelihood has beyond the expected log joint: no other pass over them.
        tasks_by_label = posteriors.sum(axis=1)
        expected = float((counts.T * log_rates).sum() + tasks_by_label @ log_prior)
        entropy = log_likelihood - expected

        rates, unseen = cells.rates(counts, pseudocount)
        if fixed_prior is None:
            prior = _as_prior(tasks_by_label)
        log_rates, log_prior = np.log(rates), np.log(np.maximum(prior, FLOOR))

        # Watched as crowd-kit watches it, to stop where it stops: the evidence lower bound after the M step, but with
        # the class prior counted for each vote instead of each task. The likelihood itself flattens earlier, while
        # labels still change: on the recorded crowd after 26 iterations instead of 80.
        last, bound = bound, float((counts.T * log_rates).sum() + counts.sum(axis=1) @ log_prior) + entropy
        bound += cells.log_density(log_rates, unseen, pseudocount)
        converged = bound - last < tolerance * len(votes)

    full = np.tile(prior, (votes.n_tasks, 1))
    full[layout.order] = posteriors.T
    return DawidSkeneResult.of(
        "dawid_skene",
        full,
        n_votes,
        iterations=len(trace),
        converged=converged,
        class_prior=prior,
        log_likelihoods=np.array(trace),
        _cells=cells,
        _rates=rates,
        _unseen=unseen,
    )


def _checked_prior(weights: ArrayLike, n_labels: int) -> FloatArray:
    prior = np.asarray(weights, dtype=np.float64)
    if prior.shape != (n_labels,) or not np.all(np.isfinite(prior)) or np.any(prior <= 0):
        raise ValueError(f"class_prior must be {n_labels} positive numbers")
    return np.asarray(prior / prior.sum())


def _as_prior(tasks_by_label: FloatArray) -> FloatArray:
    """Expected number of tasks of each label (n_labels,) → share of each label; uniform where there is no task."""
    n_tasks = tasks_by_label.sum()
    return np.asarray(tasks_by_label / n_tasks) if n_tasks else _uniform(len(tasks_by_label))


def _uniform(n_labels: int) -> FloatArray:
    return np.full(n_labels, 1.0 / max(n_labels, 1))


def _normalise(log_joint: FloatArray) -> float:
    """Turn the columns of (n_labels, n_tasks) into probabilities in place; return the sum of the logs of their sums."""
    top = log_joint.max(axis=0)
    log_joint -= top
    np.exp(log_joint, out=log_joint)
    sums = log_joint.sum(axis=0)
    log_joint /= sums
    return float(top.sum() + np.log(sums).sum())


@dataclass(frozen=True, eq=False)
class _Cells:
    """The pairs of worker and given label that occur, sorted; others need no memory, however many labels there are.

    worker, label  (n_cells,)    of each pair
    of_vote        (n_votes,)    the pair of each vote
    n_votes        (n_cells,)    votes of each pair
    first          (n_active,)   the first pair of each worker who voted
    """

    worker: IntArray
    label: IntArray
    of_vote: IntArray
    n_votes: IntArray
    first: IntArray
    n_workers: int
    n_labels: int

    @classmethod
    def of(cls, votes: Votes) -> "_Cells":
        pair = votes.worker * votes.n_labels + votes.label
        per_pair = np.bincount(pair, minlength=votes.n_workers * votes.n_labels)
        occurs = per_pair > 0
        pairs = np.flatnonzero(occurs)
        worker, label = np.divmod(pairs, max(votes.n_labels, 1))
        first = np.flatnonzero(np.diff(worker, prepend=-1))
        of_vote = (np.cumsum(occurs) - 1)[pair]
        return cls(worker, label, of_vote, per_pair[pairs], first, votes.n_workers, votes.n_labels)

    def complete(self, counts: FloatArray) -> None:
        """Set the last label's expected counts to what the others leave of each pair's votes.

        It costs precision only far below `FLOOR`, in pairs with fewer than a million votes.
        """
        counts[-1:] = self.n_votes - counts[:-1].sum(axis=0)

    def rates(self, counts: FloatArray, pseudocount: float) -> tuple[FloatArray, FloatArray]:
        """The M step: counts (n_labels, n_cells) of true label and pair → probability of each given label.

        returns  (n_cells, n_labels)    for each pair that occurs: how probable that answer is, by true label
                 (n_workers, n_labels)  the same for any one label that the worker never gave
        """
        unseen = np.full((self.n_workers, self.n_labels), 1.0 / max(self.n_labels, 1))
        if not len(self.worker):
            return np.zeros((0, self.n_labels)), unseen
        mass = np.ascontiguousarray(np.maximum(counts, FLOOR).T) + pseudocount
        seen_labels = np.diff(self.first, append=len(self.worker))
        totals = np.add.reduceat(mass, self.first, axis=0) + (pseudocount * (self.n_labels - seen_labels))[:, None]
        unseen[self.worker[self.first]] = pseudocount / totals
        return mass / np.repeat(totals, seen_labels, axis=0), unseen

    def log_density(self, log_rates: FloatArray, unseen: FloatArray, pseudocount: float) -> float:
        """Log of the Dirichlet prior density that `pseudocount` stands for, up to a constant."""
        if not pseudocount:
            return 0.0
        active = self.worker[self.first]
        unseen_labels = self.n_labels - np.diff(self.first, append=len(self.worker))
        return pseudocount * float(log_rates.sum() + (np.log(unseen[active]).sum(axis=1) * unseen_labels).sum())


@dataclass(frozen=True, eq=False)
class _Run:
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

        The last label's are left to `_Cells.complete`, for this is the larger part of all the work.
        """
        n_cells = counts.shape[1]
        for label in range(len(posteriors) - 1):
            for cells in self.slots:
                counts[label] += np.bincount(cells, posteriors[label, : len(cells)], minlength=n_cells)
            if len(self.rest_cell):
                weights = posteriors[label].take(self.rest_task)
                counts[label] += np.bincount(self.rest_cell, weights, minlength=n_cells)


@dataclass(frozen=True, eq=False)
class _Layout:
    """The tasks that have votes, most votes first, cut into runs.

    order  (n_voted,)  the task at each place of the layout
    """

    order: IntArray
    runs: tuple[_Run, ...]

    @classmethod
    def of(cls, votes: Votes, cells: _Cells) -> "_Layout":
        per_task = np.bincount(votes.task, minlength=votes.n_tasks)
        order = np.argsort(-per_task, kind="stable")[: np.count_nonzero(per_task)]
        if np.all(votes.task[1:] >= votes.task[:-1]):
            by_task = cells.of_vote
        else:
            by_task = cells.of_vote[np.argsort(votes.task, kind="stable")]
        first = np.cumsum(per_task) - per_task
        return cls(order, tuple(_runs(per_task[order], first[order], by_task, votes.n_labels)))


def _runs(per_task: IntArray, first: IntArray, by_task: IntArray, n_labels: int) -> Iterator[_Run]:
    """Cut tasks (votes of each falling, first vote of each) into runs; by_task holds the pairs sorted by task."""
    step = max(1024, RUN // max(n_labels, 1))
    for start in range(0, len(per_task), step):
        stop = min(start + step, len(per_task))
        have, at = per_task[start:stop], first[start:stop]
        slots = tuple(by_task[at[: np.count_nonzero(have > slot)] + slot] for slot in range(min(have[0], SLOTS)))
        beyond = np.maximum(have - SLOTS, 0)
        rest_task = np.repeat(np.arange(stop - start), beyond)
        offset = np.arange(len(rest_task)) - np.repeat(np.cumsum(beyond) - beyond, beyond)
        yield _Run(start, stop, slots, rest_task, by_task[at[rest_task] + SLOTS + offset])
