"""Each worker is right with a probability of his own, whatever the label: the one-coin model, fitted by EM.

Source: Y. Zhang, X. Chen, D. Zhou and M. I. Jordan, "Spectral methods meet EM", doi:10.48550/arXiv.1406.3824.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marketplace.aggregation.evidence import Ballot, normalised
from marketplace.aggregation.known import certain, known_labels, rule_out
from marketplace.aggregation.majority import vote_shares
from marketplace.aggregation.result import LabelResult
from marketplace.aggregation.votes import IntArray, Votes

FloatArray = NDArray[np.float64]
# Nobody is always right or never, or one vote would outweigh any number of others. As in crowd-kit.
FLOOR = 1e-10


@dataclass(frozen=True, eq=False)
class OneCoinResult(LabelResult):
    """Labels, and how often each worker is right.

    skills           (n_workers,)   probability of a right answer; NaN for a worker without votes and without prior
    class_prior      (n_labels,)    share of each true label; sums to 1
    log_likelihoods  (iterations,)  natural log of the probability of all votes, plus with pseudocounts the log of their
                                    density up to a constant, at each E step; never falling
    """

    skills: FloatArray = field(default_factory=lambda: np.zeros(0))
    class_prior: FloatArray = field(default_factory=lambda: np.zeros(0))
    log_likelihoods: FloatArray = field(default_factory=lambda: np.zeros(0))


def one_coin(
    votes: Votes,
    *,
    right_pseudocount: float = 0.0,
    wrong_pseudocount: float = 0.0,
    gold: ArrayLike | None = None,
    max_iterations: int = 100,
    tolerance: float = 1e-5,
) -> OneCoinResult:
    """Each task's label and each worker's accuracy; a wrong answer is any of the other labels alike.

    right_pseudocount, wrong_pseudocount  >= 0  added to each worker's expected numbers of right and wrong answers
    gold               (n_tasks,)   the right label where it is known, else -1

    Starts from the vote shares; stops when the evidence bound rises by less than `tolerance` per vote, as crowd-kit's
    OneCoinDawidSkene does, whose labels it gives. Ties break to the first label. A task without votes returns the class
    prior, or its known label. With one label only, that label is the result and all workers are right.
    """
    if min(right_pseudocount, wrong_pseudocount) < 0 or max_iterations < 1:
        raise ValueError("pseudocounts must be at least 0 and max_iterations at least 1")
    known = known_labels(gold, votes)
    ballot = Ballot.of(votes)
    n_votes = np.bincount(votes.task, minlength=votes.n_tasks)
    voted = np.flatnonzero(n_votes)
    wrong_labels = max(votes.n_labels - 1, 1)
    given = np.bincount(ballot.votes.worker, minlength=votes.n_workers).astype(np.float64)

    posteriors = certain(vote_shares(votes), known)
    right, prior = _learn(ballot, posteriors, voted, given, right_pseudocount, wrong_pseudocount)
    trace: list[float] = []
    bound = -np.inf
    converged = len(votes) == 0
    while not converged and len(trace) < max_iterations:
        log_right, log_wrong, log_prior = _logs(right, prior, wrong_labels)
        gain = (log_right - log_wrong)[ballot.votes.worker]
        log_joint = ballot.by_label(gain) + log_prior
        rule_out(log_joint, known)
        posteriors, log_sums = normalised(log_joint)
        density = float(right_pseudocount * log_right.sum() + wrong_pseudocount * log_wrong.sum())
        log_likelihood = float(log_sums[voted].sum() + given @ log_wrong)
        trace.append(log_likelihood + density)
        named = ballot.by_worker(ballot.of_named(posteriors))
        entropy = log_likelihood - _expected(
            named, given, posteriors[voted].sum(axis=0), log_right, log_wrong, log_prior
        )

        right, prior = _learn(ballot, posteriors, voted, given, right_pseudocount, wrong_pseudocount)
        log_right, log_wrong, log_prior = _logs(right, prior, wrong_labels)
        # As in `dawid_skene`: the class prior counted for each vote, to stop where crowd-kit stops.
        by_vote = (posteriors * n_votes[:, None]).sum(axis=0)
        last, bound = bound, _expected(named, given, by_vote, log_right, log_wrong, log_prior) + entropy
        bound += float(right_pseudocount * log_right.sum() + wrong_pseudocount * log_wrong.sum())
        converged = bound - last < tolerance * len(votes)

    posteriors[n_votes == 0] = prior
    return OneCoinResult.of(
        "one_coin",
        certain(posteriors, known),
        n_votes,
        iterations=len(trace),
        converged=converged,
        skills=np.where(given + right_pseudocount + wrong_pseudocount > 0, right, np.nan),
        class_prior=prior,
        log_likelihoods=np.array(trace),
    )


def _learn(
    ballot: Ballot, posteriors: FloatArray, voted: IntArray, given: FloatArray, more_right: float, more_wrong: float
) -> tuple[FloatArray, FloatArray]:
    """The M step: the share of right answers (n_workers,), a half where there are none, and of labels (n_labels,)."""
    total = given + more_right + more_wrong
    named = ballot.by_worker(ballot.of_named(posteriors)) + more_right
    right = np.where(total > 0, named / np.where(total > 0, total, 1.0), 0.5)
    n_labels = posteriors.shape[1]
    prior = posteriors[voted].mean(axis=0) if len(voted) else np.full(n_labels, 1.0 / max(n_labels, 1))
    return right, prior


def _logs(right: FloatArray, prior: FloatArray, wrong_labels: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    log_right = np.log(np.clip(right, FLOOR, 1 - FLOOR))
    log_wrong = np.log(np.clip((1 - right) / wrong_labels, FLOOR, 1 - FLOOR))
    return log_right, log_wrong, np.log(np.maximum(prior, FLOOR))


def _expected(
    named: FloatArray, given: FloatArray, by_label: FloatArray, log_right: FloatArray, log_wrong: FloatArray,
    log_prior: FloatArray,
) -> float:  # fmt: skip
    return float(named @ log_right + (given - named) @ log_wrong + by_label @ log_prior)
