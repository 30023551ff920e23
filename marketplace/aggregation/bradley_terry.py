"""Scores of items from comparisons of two: the model of Bradley and Terry (1952), doi:10.2307/2334029.

Fitted by the minorisation of D. R. Hunter, "MM algorithms for generalized Bradley-Terry models",
doi:10.1214/aos/1079120141; a second model beside it has workers who do not always look, as in X. Chen, P. N. Bennett,
K. Collins-Thompson and E. Horvitz, "Pairwise ranking aggregation in a crowdsourced setting",
doi:10.1145/2433396.2433420.
"""

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.comparisons import Comparisons, ScoreResult, groups, strongly_connected
from marketplace.aggregation.votes import IntArray

FloatArray = NDArray[np.float64]
# Rounds over the strengths in each M step of the noisy model.
ROUNDS = 5


def bradley_terry(
    comparisons: Comparisons, *, pseudocount: float = 0.1, max_iterations: int = 10_000, tolerance: float = 1e-10
) -> ScoreResult:
    """The strengths that make the outcomes most probable, all workers being equally good.

    pseudocount  >= 0  wins, and as many losses, of each item against an imagined one of strength 1: draws scores
                       towards 0 and gives every item a finite one. With 0 it is maximum likelihood, as in
                       crowd-kit, and needs a chain of wins from each item to each other in its group; `ValueError`
                       otherwise

    Stops when no strength changes by more than `tolerance` of itself. An item that was never compared has score 0.
    """
    if pseudocount < 0 or max_iterations < 1:
        raise ValueError("pseudocount must be at least 0 and max_iterations at least 1")
    if not pseudocount and not strongly_connected(comparisons):
        raise ValueError("some items win or lose all their comparisons; a pseudocount above 0 gives them finite scores")
    group = groups(comparisons)
    pairs = _Pairs(comparisons)
    wins = pairs.wins(comparisons.weight)
    together = pairs.together(comparisons.weight)
    score = np.zeros(comparisons.n_items)
    trace: list[float] = []
    converged = len(comparisons) == 0
    while not converged and len(trace) < max_iterations:
        trace.append(pairs.log_likelihood(score, comparisons.weight) + _log_prior(score, pseudocount))
        moved = _centred(pairs.improve(score, wins, together, pseudocount), group, pseudocount)
        converged = bool(np.abs(moved - score).max() < tolerance)
        score = moved
    n_workers = comparisons.n_workers
    return ScoreResult(
        "bradley_terry", _centred(score, group, 0.0), group, pairs.n_compared, np.ones(n_workers),
        np.full(n_workers, 0.5), len(trace), converged, np.array(trace),
    )  # fmt: skip


def noisy_bradley_terry(
    comparisons: Comparisons, *, pseudocount: float = 0.1, attention_prior: tuple[float, float] = (4.0, 1.0),
    leftness_prior: float = 2.0, max_iterations: int = 2000, tolerance: float = 1e-7,
) -> ScoreResult:  # fmt: skip
    """Strengths of the items, beside how often each worker looks at them and which side he gives when he does not.

    pseudocount      > 0              as for `bradley_terry`
    attention_prior  (looks, blind)   answers of each kind that every worker is taken to have given before; >= 0
    leftness_prior   >= 0             blind answers of each side that he is taken to have given before

    By expectation maximisation over which answers were blind, from the strengths of `bradley_terry`; stops when the log
    of the probability rises by less than `tolerance` per comparison. It reaches a local optimum, as any method for this
    model does; the priors on attention keep workers from being turned around for a few odd answers.
    """
    if pseudocount <= 0 or min(*attention_prior, leftness_prior) < 0 or max_iterations < 1:
        raise ValueError("pseudocount must be above 0, the priors at least 0 and max_iterations at least 1")
    start = bradley_terry(comparisons, pseudocount=pseudocount)
    pairs, worker, won = _Pairs(comparisons), comparisons.worker, comparisons.won
    weight, score = comparisons.weight, start.scores
    looks, blind = attention_prior
    attention = np.full(comparisons.n_workers, looks / (looks + blind) if looks + blind else 0.5)
    leftness = np.full(comparisons.n_workers, 0.5)

    def by_worker(amount: FloatArray) -> FloatArray:
        return np.bincount(worker, amount, minlength=comparisons.n_workers).astype(np.float64, copy=False)

    trace: list[float] = []
    converged = len(comparisons) == 0
    while not converged and len(trace) < max_iterations:
        # A tie, or a strength, is part of an answer for either side; each part is looked at or blind by itself.
        odds = score[comparisons.left] - score[comparisons.right]
        looked, by_side = [], []
        log_likelihood = _log_prior(score, pseudocount)
        for side, share in ((1, won), (-1, 1 - won)):
            seen = attention[worker] / (1 + np.exp(-side * odds))
            not_seen = (1 - attention[worker]) * (leftness[worker] if side > 0 else 1 - leftness[worker])
            total = np.maximum(seen + not_seen, 1e-300)
            log_likelihood += float((weight * share * np.log(total)).sum())
            looked.append(weight * share * seen / total)
            by_side.append(weight * share * not_seen / total)
        log_likelihood += _log_beta(attention, looks, blind) + _log_beta(leftness, leftness_prior, leftness_prior)
        trace.append(log_likelihood)
        converged = len(trace) > 1 and trace[-1] - trace[-2] < tolerance * len(comparisons)
        if converged:
            break
        seen_by = by_worker(looked[0] + looked[1]) + looks
        total_by = by_worker(weight) + looks + blind
        attention = np.where(total_by > 0, seen_by / np.where(total_by > 0, total_by, 1.0), attention)
        blind_left = by_worker(by_side[0]) + leftness_prior
        blind_by = by_worker(by_side[0] + by_side[1]) + 2 * leftness_prior
        leftness = np.where(blind_by > 0, blind_left / np.where(blind_by > 0, blind_by, 1.0), leftness)
        wins = pairs.wins_of(looked[0], looked[1])
        together = pairs.together(looked[0] + looked[1])
        for _ in range(ROUNDS):
            score = _centred(pairs.improve(score, wins, together, pseudocount), start.group, pseudocount)
    return ScoreResult(
        "noisy_bradley_terry", _centred(score, start.group, 0.0), start.group, start.n_compared, attention, leftness,
        len(trace), converged, np.array(trace),
    )  # fmt: skip


class _Pairs:
    """The comparisons gathered by pair of items, so that a step costs as much as there are different pairs."""

    def __init__(self, comparisons: Comparisons) -> None:
        self.given = comparisons
        low = np.minimum(comparisons.left, comparisons.right)
        high = np.maximum(comparisons.left, comparisons.right)
        keys, self.pair = np.unique(low * max(comparisons.n_items, 1) + high, return_inverse=True)
        self.low, self.high = np.divmod(keys, max(comparisons.n_items, 1))
        both = np.concatenate([comparisons.left, comparisons.right])
        self.n_compared: IntArray = np.bincount(both, minlength=comparisons.n_items)

    def wins(self, weight: FloatArray) -> FloatArray:
        return self.wins_of(weight * self.given.won, weight * (1 - self.given.won))

    def wins_of(self, left: FloatArray, right: FloatArray) -> FloatArray:
        """What each item won: left, right (n,) how much each comparison counts for either side → (n_items,)."""
        n_items = self.given.n_items
        won = np.bincount(self.given.left, left, minlength=n_items)
        return np.asarray(won + np.bincount(self.given.right, right, minlength=n_items))

    def together(self, weight: FloatArray) -> FloatArray:
        return np.bincount(self.pair, weight, minlength=len(self.low)).astype(np.float64, copy=False)

    def improve(self, score: FloatArray, wins: FloatArray, together: FloatArray, pseudocount: float) -> FloatArray:
        """One step of Hunter's: never less probable than before."""
        strength = np.exp(score)
        rate = together / (strength[self.low] + strength[self.high])
        n_items = len(score)
        pulled = np.bincount(self.low, rate, minlength=n_items) + np.bincount(self.high, rate, minlength=n_items)
        divisor = np.asarray(pulled + 2 * pseudocount / (strength + 1.0))
        known = divisor > 0
        return np.where(
            known, np.log(np.maximum(wins + pseudocount, 1e-300)) - np.log(np.where(known, divisor, 1.0)), score
        )

    def log_likelihood(self, score: FloatArray, weight: FloatArray) -> float:
        odds = score[self.given.left] - score[self.given.right]
        won = self.given.won
        return float(-(weight * (won * np.logaddexp(0, -odds) + (1 - won) * np.logaddexp(0, odds))).sum())


def _centred(score: FloatArray, group: IntArray, pseudocount: float) -> FloatArray:
    """Scores of mean 0 in each group; with a pseudocount only the imagined item says where 0 is."""
    if pseudocount:
        return score
    count = np.bincount(group, minlength=len(score))
    mean = np.bincount(group, score, minlength=len(score)) / np.maximum(count, 1)
    return np.asarray(score - mean[group]) if len(score) else score


def _log_prior(score: FloatArray, pseudocount: float) -> float:
    return -pseudocount * float((np.logaddexp(0, -score) + np.logaddexp(0, score)).sum())


def _log_beta(share: FloatArray, one: float, other: float) -> float:
    return float(one * np.log(np.maximum(share, 1e-300)).sum() + other * np.log(np.maximum(1 - share, 1e-300)).sum())
