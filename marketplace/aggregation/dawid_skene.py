"""Workers differ, and in different ways: the model of Dawid and Skene (1979), fitted by expectation maximisation.

Source: A. P. Dawid and A. M. Skene, "Maximum likelihood estimation of observer error-rates using the EM algorithm",
doi:10.2307/2346806.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marketplace.aggregation.cells import FLOOR, Cells
from marketplace.aggregation.known import certain, known_labels, rule_out
from marketplace.aggregation.layout import Layout
from marketplace.aggregation.majority import vote_shares
from marketplace.aggregation.result import LabelResult
from marketplace.aggregation.votes import Votes

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DawidSkeneResult(LabelResult):
    """Labels, and what was learned about the workers.

    class_prior      (n_labels,)    share of each true label; sums to 1
    log_likelihoods  (iterations,)  natural log of the probability of all votes at each E step, never falling; with a
                                    pseudocount, plus the log of its prior density up to a constant
    """

    class_prior: FloatArray = field(default_factory=lambda: np.zeros(0))
    log_likelihoods: FloatArray = field(default_factory=lambda: np.zeros(0))
    _cells: "Cells | None" = None
    _rates: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))
    _unseen: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))
    _unseen_right: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))

    @property
    def confusion(self) -> FloatArray:
        """How each worker answers: (n_workers, n_labels, n_labels), axes worker, true, given; each row sums to 1.

        A row of which nothing is known is uniform over the labels that the worker used, or over all if he never voted.
        Built anew at each reading, since it is large where labels are many.
        """
        assert self._cells is not None
        n_labels = len(self.class_prior)
        full = np.repeat(self._unseen[:, :, None], n_labels, axis=2)
        every = np.arange(n_labels)
        full[:, every, every] = self._unseen_right
        full[self._cells.worker, :, self._cells.label] = self._rates
        return full


def dawid_skene(
    votes: Votes,
    *,
    class_prior: ArrayLike | None = None,
    class_pseudocount: float = 0.0,
    pseudocount: float = 0.0,
    right_pseudocount: float = 0.0,
    gold: ArrayLike | None = None,
    max_iterations: int = 100,
    tolerance: float = 1e-5,
) -> DawidSkeneResult:
    """Each task's label and each worker's confusion matrix, together the most likely explanation of the votes.

    Starts from the vote shares and alternates M and E steps until the bound on the log-likelihood rises by less than
    `tolerance` per vote, or `max_iterations` (at least 1) are done, which `converged` tells. The same votes give the
    same result, always.

    class_prior        (n_labels,)  weights > 0 of the true labels, kept as given; estimated from the votes without it
    class_pseudocount  >= 0         added to the expected number of tasks of each label when the prior is estimated
    pseudocount        >= 0         added to each count of each confusion matrix; 0 is maximum likelihood, as in
                                    crowd-kit; more keeps workers with few votes from extreme rates
    right_pseudocount  >= 0         added besides to the counts of right answers: what is expected of a stranger
    gold               (n_tasks,)   the right label where it is known, else -1; kept, and all else learns from it

    With the defaults it computes what crowd-kit's DawidSkene computes, and stops where it stops. Ties break to the
    label that comes first in the label order. A label that nobody gave is never the result unless `class_prior`, a
    pseudocount or gold makes it possible: without them it is as if it did not exist. A task without votes returns the
    class prior, or its known label. Without any votes the prior is uniform, and no iteration is needed. Empty input
    gives empty arrays.
    """
    if min(pseudocount, right_pseudocount, class_pseudocount) < 0 or max_iterations < 1:
        raise ValueError("pseudocounts must be at least 0 and max_iterations at least 1")
    fixed_prior = None if class_prior is None else _checked_prior(class_prior, votes.n_labels)
    known = known_labels(gold, votes)
    votes = votes.in_order()
    cells = Cells.of(votes, pseudocount, right_pseudocount)
    layout = Layout.of(votes, cells)
    n_votes = np.bincount(votes.task, minlength=votes.n_tasks)
    known_here = None if known is None else known[layout.order]

    shares = certain(vote_shares(votes), known)
    posteriors = np.ascontiguousarray(shares[layout.order].T)
    prior = fixed_prior if fixed_prior is not None else _as_prior(posteriors.sum(axis=1), class_pseudocount)
    counts = np.zeros((votes.n_labels, len(cells.worker)))
    for run in layout.runs:
        run.add_counts(posteriors[:, run.start : run.stop], counts)
    cells.complete(counts)
    rates, unseen, unseen_right = cells.rates(counts)
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
            if known_here is not None:
                rule_out(block.T, known_here[run.start : run.stop])
            log_likelihood += _normalise(block)
            run.add_counts(block, counts)
        cells.complete(counts)
        density = cells.log_density(log_rates, unseen, unseen_right) + class_pseudocount * float(log_prior.sum())
        trace.append(log_likelihood + density)
        # The posteriors' entropy is what the likelihood has beyond the expected log joint: no other pass over them.
        tasks_by_label = posteriors.sum(axis=1)
        expected = float((counts.T * log_rates).sum() + tasks_by_label @ log_prior)
        entropy = log_likelihood - expected

        rates, unseen, unseen_right = cells.rates(counts)
        if fixed_prior is None:
            prior = _as_prior(tasks_by_label, class_pseudocount)
        log_rates, log_prior = np.log(rates), np.log(np.maximum(prior, FLOOR))

        # Watched as crowd-kit watches it, to stop where it stops: the evidence lower bound after the M step, but with
        # the class prior counted for each vote instead of each task. The likelihood itself flattens earlier, while
        # labels still change: on the recorded crowd after 26 iterations instead of 80.
        last, bound = bound, float((counts.T * log_rates).sum() + counts.sum(axis=1) @ log_prior) + entropy
        bound += cells.log_density(log_rates, unseen, unseen_right)
        converged = bound - last < tolerance * len(votes)

    full = np.tile(prior, (votes.n_tasks, 1))
    full[layout.order] = posteriors.T
    return DawidSkeneResult.of(
        "dawid_skene",
        certain(full, known),
        n_votes,
        iterations=len(trace),
        converged=converged,
        class_prior=prior,
        log_likelihoods=np.array(trace),
        _cells=cells,
        _rates=rates,
        _unseen=unseen,
        _unseen_right=unseen_right,
    )


def _checked_prior(weights: ArrayLike, n_labels: int) -> FloatArray:
    prior = np.asarray(weights, dtype=np.float64)
    if prior.shape != (n_labels,) or not np.all(np.isfinite(prior)) or np.any(prior <= 0):
        raise ValueError(f"class_prior must be {n_labels} positive numbers")
    return np.asarray(prior / prior.sum())


def _as_prior(tasks_by_label: FloatArray, pseudocount: float) -> FloatArray:
    """Expected number of tasks of each label (n_labels,) → share of each label; uniform where there is no task."""
    n_tasks = tasks_by_label.sum() + pseudocount * len(tasks_by_label)
    return np.asarray((tasks_by_label + pseudocount) / n_tasks) if n_tasks else _uniform(len(tasks_by_label))


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
