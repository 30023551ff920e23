"""The few statistics that the crowd's benchmark needs, in NumPy: AUC, a logistic regression, χ²."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, lgamma, log, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def auc(scores: ArrayLike, positive: ArrayLike) -> float | None:
    """The probability that a positive scores higher than a negative, ties as halves; None without one of each."""
    score, is_positive = np.asarray(scores, np.float64), np.asarray(positive, bool)
    n_positive, n_negative = int(is_positive.sum()), int((~is_positive).sum())
    if not n_positive or not n_negative:
        return None
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = (ends - (counts - 1) / 2)[place]
    return float((ranks[is_positive].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def auc_error(n_positive: int, n_negative: int) -> float | None:
    """The standard deviation of an AUC where nothing is to be told apart (Mann and Whitney)."""
    if not n_positive or not n_negative:
        return None
    return sqrt((n_positive + n_negative + 1) / (12 * n_positive * n_negative))


def stratified_auc(scores: ArrayLike, positive: ArrayLike, strata: Sequence[str]) -> tuple[float, float] | None:
    """(AUC, standard deviation under chance) over pairs within the same stratum only, strata weighted by how much they
    tell; None where no stratum has one of each."""
    score, is_positive, stratum = np.asarray(scores, np.float64), np.asarray(positive, bool), np.asarray(strata)
    total = weights = 0.0
    for name in np.unique(stratum):
        here = stratum == name
        value = auc(score[here], is_positive[here])
        error = auc_error(int(is_positive[here].sum()), int((~is_positive[here]).sum()))
        if value is not None and error:
            total, weights = total + value / error**2, weights + 1 / error**2
    return (total / weights, sqrt(1 / weights)) if weights else None


def logistic(features: Floats, positive: ArrayLike, *, penalty: float = 1.0, steps: int = 30) -> Floats:
    """Weights (last one the constant) of a ridge logistic regression by Newton's method.

    features  (n, k)  of about unit variance: see `standardised`
    """
    x = np.hstack([features, np.ones((len(features), 1))])
    y = np.asarray(positive, np.float64)
    weights = np.zeros(x.shape[1])
    ridge = np.full(x.shape[1], penalty)
    ridge[-1] = 1e-6
    for _ in range(steps):
        chance = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        gradient = x.T @ (y - chance) - ridge * weights
        hessian = (x * (chance * (1 - chance))[:, None]).T @ x + np.diag(ridge)
        step = np.linalg.solve(hessian, gradient)
        weights = weights + step
        if np.abs(step).max() < 1e-6:
            break
    return weights


def standardised(features: Floats) -> Floats:
    """Each column with mean 0 and deviation 1; a constant column becomes zeros."""
    spread = features.std(axis=0)
    return (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)


def cross_validated(
    features: Floats, positive: ArrayLike, groups: ArrayLike, *, folds: int = 5, seed: int = 0, penalty: float = 1.0
) -> Floats:
    """For each row the score that a regression gives it which was fitted without its group.

    Scores are centred in each fold, so that folds can be compared.
    """
    x, y, group = standardised(features), np.asarray(positive, bool), np.asarray(groups)
    names = np.unique(group)
    fold_of = dict(zip(names, np.random.default_rng(seed).permutation(len(names)) % folds, strict=True))
    fold = np.array([fold_of[name] for name in group])
    scores = np.zeros(len(y))
    for number in range(folds):
        train, held_out = fold != number, fold == number
        if not held_out.any() or len(np.unique(y[train])) < 2:
            continue
        weights = logistic(x[train], y[train], penalty=penalty)
        given = x[held_out] @ weights[:-1]
        scores[held_out] = given - given.mean()
    return scores


def chi_square_tail(statistic: float, freedom: int) -> float:
    """The probability that χ² with that many degrees of freedom is at least as large (upper incomplete gamma)."""
    if statistic <= 0 or freedom <= 0:
        return 1.0
    a, x = freedom / 2, statistic / 2
    front = exp(-x + a * log(x) - lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        n = a
        while abs(term) > abs(total) * 1e-15:
            n += 1
            term *= x / n
            total += term
        return max(0.0, 1 - total * front)
    tiny = 1e-300
    b = x + 1 - a
    c, d = 1 / tiny, 1 / b
    h = d
    for i in range(1, 10_000):
        an = -i * (i - a)
        b += 2
        d = 1 / (an * d + b or tiny)
        c = b + an / c or tiny
        h *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return front * h


def binomial_tail(hits: int, tries: int, chance: float) -> float:
    """The probability of at least that many hits, exactly."""
    if hits <= 0:
        return 1.0
    if chance <= 0:
        return 0.0
    if chance >= 1:
        return 1.0
    logs = [
        lgamma(tries + 1) - lgamma(k + 1) - lgamma(tries - k + 1) + k * log(chance) + (tries - k) * log(1 - chance)
        for k in range(hits, tries + 1)
    ]
    top = max(logs)
    return min(1.0, exp(top) * sum(exp(one - top) for one in logs))
