"""Points on a scale: workers err by a little more often than by much, and each leans up or down in his own way.

A worker gives point g where t is right with a probability proportional to exp(-precision |g - t| + leaning (g - t)):
the discrete Laplace distribution, skewed, cut to the scale. For each t it is an exponential family, so that the best
precision and leaning are the top of a concave function. Fitted by expectation maximisation, as in doi:10.2307/2346806.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marketplace.aggregation.evidence import Ballot, normalised
from marketplace.aggregation.known import certain, known_labels, rule_out
from marketplace.aggregation.majority import vote_shares
from marketplace.aggregation.result import LabelResult
from marketplace.aggregation.votes import Votes

FloatArray = NDArray[np.float64]
# Before any vote, precision and leaning are normally distributed around these with variance 1.
PRECISION_MEAN, LEANING_MEAN = 1.0, 0.0
NEWTON_STEPS = 20
EQUAL = 1e-9


@dataclass(frozen=True, eq=False)
class OrdinalResult(LabelResult):
    """Labels, and what was learned about the workers.

    medians      (n_tasks,)    the lowest point with at least half of the probability at or below it: the guess with the
                               least expected distance from the right point
    precision    (n_workers,)  how fast errors become rare with their size; 0 for one who answers at random
    leaning      (n_workers,)  above 0 for one who gives too high points
    class_prior  (n_labels,)   share of each point; sums to 1
    log_likelihoods  (iterations,)  as for the other methods; never falling
    """

    medians: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))
    precision: FloatArray = field(default_factory=lambda: np.zeros(0))
    leaning: FloatArray = field(default_factory=lambda: np.zeros(0))
    class_prior: FloatArray = field(default_factory=lambda: np.zeros(0))
    log_likelihoods: FloatArray = field(default_factory=lambda: np.zeros(0))


def ordinal(
    votes: Votes, *, gold: ArrayLike | None = None, max_iterations: int = 100, tolerance: float = 1e-5
) -> OrdinalResult:
    """Each task's point on a scale, and each worker's precision and leaning; labels are the points in rising order.

    gold  (n_tasks,)  the right label where it is known, else -1

    Starts from the vote shares and stops when the log-likelihood rises by less than `tolerance` per vote. The shares of
    the points are estimated, from one task more of each than expected. Ties break to the lower point. A task without
    votes returns those shares, or its known point; a worker without votes has the priors' means.
    """
    if max_iterations < 1:
        raise ValueError("max_iterations must be at least 1")
    known = known_labels(gold, votes)
    ballot = Ballot.of(votes)
    n_votes = np.bincount(votes.task, minlength=votes.n_tasks)
    voted = np.flatnonzero(n_votes)
    points = np.arange(votes.n_labels)
    off = points[None, :] - points[:, None]  # axes true, given
    pair = ballot.votes.worker * votes.n_labels + ballot.votes.label

    posteriors = certain(vote_shares(votes), known)
    worker = np.column_stack([np.full(votes.n_workers, PRECISION_MEAN), np.full(votes.n_workers, LEANING_MEAN)])
    trace: list[float] = []
    converged = len(votes) == 0
    prior = _shares(posteriors[voted])
    worker = _learn(worker, _counts(ballot, posteriors, pair), off)
    while not converged and len(trace) < max_iterations:
        log_rates = _log_rates(worker, off)  # (n_workers, true, given)
        rows = log_rates.transpose(0, 2, 1).reshape(-1, votes.n_labels)[pair]
        log_joint = np.column_stack([ballot.by_task(rows[:, point]) for point in points]) + np.log(prior)
        rule_out(log_joint, known)
        posteriors, log_sums = normalised(log_joint)
        density = float(-0.5 * ((worker - [PRECISION_MEAN, LEANING_MEAN]) ** 2).sum() + np.log(prior).sum())
        trace.append(float(log_sums[voted].sum()) + density)
        converged = len(trace) > 1 and trace[-1] - trace[-2] < tolerance * len(votes)
        if not converged:
            prior = _shares(posteriors[voted])
            worker = _learn(worker, _counts(ballot, posteriors, pair), off)

    posteriors[n_votes == 0] = prior
    posteriors = certain(posteriors, known)
    medians = (np.cumsum(posteriors, axis=1) >= 0.5 - EQUAL).argmax(axis=1) if votes.n_tasks else np.zeros(0, np.intp)
    return OrdinalResult.of(
        "ordinal",
        posteriors,
        n_votes,
        iterations=len(trace),
        converged=converged,
        medians=medians,
        precision=worker[:, 0],
        leaning=worker[:, 1],
        class_prior=prior,
        log_likelihoods=np.array(trace),
    )


def _shares(posteriors: FloatArray) -> FloatArray:
    expected = posteriors.sum(axis=0) + 1.0
    return np.asarray(expected / max(expected.sum(), 1.0))


def _counts(ballot: Ballot, posteriors: FloatArray, pair: NDArray[np.intp]) -> FloatArray:
    """How often each worker is expected to have given each point where each is right: (n_workers, true, given)."""
    votes = ballot.votes
    by_true = [
        np.bincount(pair, posteriors[votes.task, true], minlength=votes.n_workers * votes.n_labels)
        for true in range(votes.n_labels)
    ]
    shape = (votes.n_labels, votes.n_workers, votes.n_labels)
    return np.asarray(by_true, np.float64).reshape(shape).transpose(1, 0, 2)


def _log_rates(worker: FloatArray, off: NDArray[np.intp]) -> FloatArray:
    log_rates = -worker[:, 0, None, None] * np.abs(off) + worker[:, 1, None, None] * off
    return np.asarray(log_rates - np.logaddexp.reduce(log_rates, axis=2, keepdims=True)) if off.size else log_rates


def _learn(worker: FloatArray, counts: FloatArray, off: NDArray[np.intp]) -> FloatArray:
    """The M step by Newton's method, for all workers at once: (n_workers, 2), the log density being concave.

    A step that would lose is halved, so that the likelihood never falls.
    """
    says = np.stack([-np.abs(off), off]).astype(np.float64)  # what precision and leaning multiply
    center = np.array([PRECISION_MEAN, LEANING_MEAN])
    observed = np.einsum("wtg,ktg->wk", counts, says)
    given = counts.sum(axis=2)

    def value(at: FloatArray) -> FloatArray:
        density = -0.5 * ((at - center) ** 2).sum(axis=1)
        return np.asarray((counts * _log_rates(at, off)).sum(axis=(1, 2)) + density)

    for _ in range(NEWTON_STEPS):
        rates = np.exp(_log_rates(worker, off))
        mean = np.einsum("wtg,ktg->wtk", rates, says)
        second = np.einsum("wtg,ktg,ltg->wtkl", rates, says, says) - mean[..., :, None] * mean[..., None, :]
        slope = observed - np.einsum("wt,wtk->wk", given, mean) - (worker - center)
        curve = np.einsum("wt,wtkl->wkl", given, second) + np.eye(2)
        step = np.linalg.solve(curve, slope[..., None])[..., 0]
        before = value(worker)
        for _ in range(NEWTON_STEPS):
            losing = value(worker + step) < before - EQUAL
            if not losing.any():
                break
            step[losing] /= 2
        step[losing] = 0.0
        worker = worker + step
        if np.abs(step).max(initial=0.0) < EQUAL:
            break
    return worker
