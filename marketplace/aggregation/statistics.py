"""What Dawid and Skene's model must know of any set of tasks, and of many sets as the sum of theirs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.cells import FLOOR
from marketplace.aggregation.evidence import normalised
from marketplace.aggregation.majority import vote_shares
from marketplace.aggregation.votes import IntArray, Votes

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Statistics:
    """Sums over tasks, from which the shares of the labels and the workers' rates follow. `a + b` is those of both.

    tasks_by_label  (n_labels,)          expected number of tasks of each true label
    pair            (n_pairs,)           rising; worker * n_labels + given label, of the answers that occur
    counts          (n_pairs, n_labels)  how often that was given, expected by true label
    log_likelihood                       natural log of the probability of the votes; 0 before any E step
    """

    tasks_by_label: FloatArray
    pair: IntArray
    counts: FloatArray
    log_likelihood: float = 0.0

    def __add__(self, other: "Statistics") -> "Statistics":
        if len(self.tasks_by_label) != len(other.tasks_by_label):
            raise ValueError("statistics of different labels do not add up")
        pair = np.union1d(self.pair, other.pair)
        counts = np.zeros((len(pair), len(self.tasks_by_label)))
        for part in (self, other):
            counts[np.searchsorted(pair, part.pair)] += part.counts
        return Statistics(
            self.tasks_by_label + other.tasks_by_label, pair, counts, self.log_likelihood + other.log_likelihood
        )

    @classmethod
    def of(cls, votes: Votes, posteriors: FloatArray, log_likelihood: float = 0.0) -> "Statistics":
        """Those of the votes' tasks, given the posteriors (n_tasks, n_labels) of their labels. Only tasks with votes
        count; workers are numbered alike in all pieces."""
        ordered = votes.in_order()
        pair, place = np.unique(ordered.worker * max(votes.n_labels, 1) + ordered.label, return_inverse=True)
        counts = [
            np.bincount(place, posteriors[ordered.task, true], minlength=len(pair)) for true in range(votes.n_labels)
        ]
        voted = np.bincount(votes.task, minlength=votes.n_tasks) > 0
        shape = (votes.n_labels, len(pair))
        return cls(posteriors[voted].sum(axis=0), pair, np.asarray(counts, np.float64).reshape(shape).T, log_likelihood)


@dataclass(frozen=True, eq=False)
class Model:
    """The shares of the labels and the workers' rates that follow from statistics; knows no tasks.

    class_prior  (n_labels,)          sums to 1
    pair         (n_pairs,)           as in `Statistics`
    rates        (n_pairs, n_labels)  how probable that answer is, by true label
    totals       (n_workers, n_labels)  what each worker's rates were divided by
    pseudocount, right_pseudocount    as in `dawid_skene`, for answers that are not among the pairs
    """

    class_prior: FloatArray
    pair: IntArray
    rates: FloatArray
    totals: FloatArray = field(repr=False)
    pseudocount: float = 0.0
    right_pseudocount: float = 0.0

    @classmethod
    def of(cls, statistics: Statistics, *, pseudocount: float = 0.0, right_pseudocount: float = 0.0) -> "Model":
        """The M step; the pseudocounts are those of `dawid_skene`."""
        n_labels = len(statistics.tasks_by_label)
        n_tasks = statistics.tasks_by_label.sum()
        uniform = np.full(n_labels, 1.0 / max(n_labels, 1))
        worker, label = np.divmod(statistics.pair, max(n_labels, 1))
        mass = np.maximum(statistics.counts, FLOOR)
        n_workers = int(worker.max()) + 1 if len(worker) else 0
        totals = np.zeros((n_workers, n_labels))
        np.add.at(totals, worker, mass)
        totals += pseudocount * n_labels + right_pseudocount
        mass = mass + pseudocount
        mass[np.arange(len(label)), label] += right_pseudocount
        prior = statistics.tasks_by_label / n_tasks if n_tasks else uniform
        return cls(prior, statistics.pair, mass / totals[worker], totals, pseudocount, right_pseudocount)

    def posteriors(self, votes: Votes) -> tuple[FloatArray, float]:
        """The E step: probabilities (n_tasks, n_labels) of each task's label, and the log-likelihood of the votes.

        An answer of a kind that a worker never gave before counts by the pseudocounts, and without them for nothing. A
        task without votes has the shares of the labels.
        """
        ordered = votes.in_order()
        n_labels = max(votes.n_labels, 1)
        pair = ordered.worker * n_labels + ordered.label
        at = np.searchsorted(self.pair, pair)
        known = at < len(self.pair)
        known[known] = self.pair[at[known]] == pair[known]
        rates = np.full((len(pair), votes.n_labels), 1.0 / n_labels)
        rates[known] = self.rates[at[known]]
        if self.pseudocount or self.right_pseudocount:
            worker, label = ordered.worker[~known], ordered.label[~known]
            empty = self.pseudocount * votes.n_labels + self.right_pseudocount
            totals = np.full((len(worker), votes.n_labels), empty)
            has = worker < len(self.totals)
            totals[has] = self.totals[worker[has]]
            mass = np.full((len(worker), votes.n_labels), self.pseudocount)
            mass[np.arange(len(label)), label] += self.right_pseudocount
            rates[~known] = np.maximum(mass, FLOOR) / totals
        log_joint = np.tile(np.log(np.maximum(self.class_prior, FLOOR)), (votes.n_tasks, 1))
        log_rates = np.log(rates)
        for true in range(votes.n_labels):
            log_joint[:, true] += np.bincount(ordered.task, log_rates[:, true], minlength=votes.n_tasks)
        found, log_sums = normalised(log_joint)
        return found, float(log_sums[np.bincount(votes.task, minlength=votes.n_tasks) > 0].sum())


@dataclass(frozen=True, eq=False)
class FittedInPieces:
    """The model that was fitted, and how: `model.posteriors(piece)` has the labels of any piece."""

    model: Model
    statistics: Statistics
    iterations: int
    converged: bool
    log_likelihoods: FloatArray


def dawid_skene_in_pieces(
    pieces: Callable[[], Iterable[Votes]],
    *,
    pseudocount: float = 0.0,
    right_pseudocount: float = 0.0,
    max_iterations: int = 100,
    tolerance: float = 1e-5,
) -> FittedInPieces:
    """`dawid_skene` over votes that come in pieces: only their statistics are added up, so that memory is one piece's.

    pieces  gives the same pieces each time it is called; all votes of a task are in one piece, workers and labels are
            numbered alike in all, tasks within each by themselves

    Each iteration goes once over the pieces; they may as well be worked on at different places, since their statistics
    add up in any way. The same optimum is climbed as over the whole; it stops when the log-likelihood rises by less
    than `tolerance` per vote. No pieces, or no votes, give no iterations. Raises `ValueError` for pieces of different
    labels.
    """
    if min(pseudocount, right_pseudocount) < 0 or max_iterations < 1:
        raise ValueError("pseudocounts must be at least 0 and max_iterations at least 1")

    def model_of(statistics: Statistics) -> Model:
        return Model.of(statistics, pseudocount=pseudocount, right_pseudocount=right_pseudocount)

    statistics = _sum(Statistics.of(votes, vote_shares(votes)) for votes in pieces())
    n_votes = sum(len(votes) for votes in pieces())
    model = model_of(statistics)
    trace: list[float] = []
    converged = n_votes == 0
    while not converged and len(trace) < max_iterations:
        learned = _sum(Statistics.of(votes, *model.posteriors(votes)) for votes in pieces())
        density = _log_density(model) if pseudocount or right_pseudocount else 0.0
        trace.append(learned.log_likelihood + density)
        converged = len(trace) > 1 and trace[-1] - trace[-2] < tolerance * n_votes
        statistics, model = learned, model_of(learned)
    return FittedInPieces(model, statistics, len(trace), converged, np.array(trace))


def _sum(parts: Iterable[Statistics]) -> Statistics:
    total: Statistics | None = None
    for part in parts:
        total = part if total is None else total + part
    return total if total is not None else Statistics(np.zeros(0), np.zeros(0, np.intp), np.zeros((0, 0)))


def _log_density(model: Model) -> float:
    """Log of the prior density that the pseudocounts stand for, up to a constant."""
    n_workers, n_labels = model.totals.shape
    worker, label = np.divmod(model.pair, n_labels)
    active = np.unique(worker)
    rates = np.empty((n_workers, n_labels, n_labels))  # worker, given, true
    rates[:] = (model.pseudocount / model.totals)[:, None, :]
    every = np.arange(n_labels)
    rates[:, every, every] = (model.pseudocount + model.right_pseudocount) / model.totals
    rates[worker, label] = model.rates
    density = model.right_pseudocount * float(np.log(rates[active][:, every, every]).sum())
    return density + (model.pseudocount * float(np.log(rates[active]).sum()) if model.pseudocount else 0.0)
