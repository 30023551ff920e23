"""Workers who know the answer and workers who spam: multi-annotator competence estimation, by variational Bayes.

Source: D. Hovy, T. Berg-Kirkpatrick, A. Vaswani and E. Hovy, "Learning Whom to Trust with MACE", NAACL-HLT 2013,
https://aclanthology.org/N13-1132.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marketplace.aggregation.evidence import Ballot, normalised
from marketplace.aggregation.known import certain, known_labels, rule_out
from marketplace.aggregation.result import LabelResult
from marketplace.aggregation.votes import Votes

FloatArray = NDArray[np.float64]
# The asymptotic series of digamma is exact to double precision from here on.
ASYMPTOTIC = 6.0
TINY = 1e-300


@dataclass(frozen=True, eq=False)
class MaceResult(LabelResult):
    """Labels, and what was learned about the workers.

    competence  (n_workers,)           probability that the worker knows the answer rather than spams
    spam        (n_workers, n_labels)  what he gives when he spams; rows sum to 1
    log_likelihoods  (iterations,)     natural log of the probability of all votes under the weights of each E step
    """

    competence: FloatArray = field(default_factory=lambda: np.zeros(0))
    spam: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))
    log_likelihoods: FloatArray = field(default_factory=lambda: np.zeros(0))


def mace(
    votes: Votes,
    *,
    competence_prior: tuple[float, float] = (0.5, 0.5),
    spam_prior: float = 10.0,
    even_classes: bool = True,
    gold: ArrayLike | None = None,
    max_iterations: int = 50,
    tolerance: float = 1e-5,
) -> MaceResult:
    """Each task's label; each worker either gives it or, spamming, draws one from habits of his own.

    competence_prior  (spams, knows)  parameters > 0 of the Beta prior of each worker's competence
    spam_prior        > 0             parameter of the symmetric Dirichlet prior of his habits
    even_classes                      all true labels are equally probable beforehand, as in the original; if False
                                      their shares are estimated too, from one task more of each than expected
    gold              (n_tasks,)      the right label where it is known, else -1

    Where the original draws its starts at random, this one starts
    with every worker as likely to know as to spam, and without habits: the same votes give the same result, always.
    Stops when the log-likelihood changes by less than `tolerance` per vote. Ties break to the first label. A task
    without votes returns the shares of the classes, or its known label; a worker without votes has the priors' means.
    """
    if min(*competence_prior, spam_prior) <= 0 or max_iterations < 1:
        raise ValueError("the priors must be above 0 and max_iterations at least 1")
    known = known_labels(gold, votes)
    ballot = Ballot.of(votes)
    worker, label = ballot.votes.worker, ballot.votes.label
    n_votes = np.bincount(votes.task, minlength=votes.n_tasks)
    voted = np.flatnonzero(n_votes)
    pair = worker * votes.n_labels + label
    shape = (votes.n_workers, votes.n_labels)
    spamming, knowing = np.full(votes.n_workers, 0.5), np.full(votes.n_workers, 0.5)
    habit = np.full(shape, 1.0 / max(votes.n_labels, 1))
    counts_spam, counts_know = np.zeros(shape), np.zeros(votes.n_workers)

    log_classes = np.full(votes.n_labels, -np.log(max(votes.n_labels, 1)))
    posteriors = np.tile(np.exp(log_classes), (votes.n_tasks, 1))
    trace: list[float] = []
    converged = len(votes) == 0
    while not converged and len(trace) <= max_iterations:
        if trace:
            spamming, knowing, habit = _variational(counts_spam, counts_know, competence_prior, spam_prior)
        by_chance = np.maximum(spamming[worker] * habit.reshape(-1)[pair], TINY)
        either = by_chance + knowing[worker]
        log_joint = ballot.by_label(np.log(either) - np.log(by_chance)) + log_classes
        rule_out(log_joint, known)
        posteriors, log_sums = normalised(log_joint)
        trace.append(float(log_sums[voted].sum() + np.log(by_chance).sum()))
        knew = ballot.of_named(posteriors) * knowing[worker] / either
        counts_know = ballot.by_worker(knew)
        counts_spam = np.asarray(np.bincount(pair, 1 - knew, minlength=habit.size).reshape(shape), np.float64)
        if not even_classes:
            classes = posteriors[voted].sum(axis=0) + 1.0
            log_classes = np.log(classes / classes.sum())
        converged = len(trace) > 1 and abs(trace[-1] - trace[-2]) < tolerance * len(votes)

    posteriors[n_votes == 0] = np.exp(log_classes)
    know = counts_know + competence_prior[1]
    spam = counts_spam + spam_prior
    return MaceResult.of(
        "mace",
        certain(posteriors, known),
        n_votes,
        iterations=max(len(trace) - 1, 0),
        converged=converged,
        competence=know / (know + counts_spam.sum(axis=1) + competence_prior[0]),
        spam=spam / np.maximum(spam.sum(axis=1, keepdims=True), TINY),
        log_likelihoods=np.array(trace),
    )


def _variational(
    counts_spam: FloatArray, counts_know: FloatArray, competence_prior: tuple[float, float], spam_prior: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The weights of spamming (n_workers,), knowing (n_workers,) and of each habit (n_workers, n_labels): the
    exponential of the expected log of each, which sums to less than 1."""
    spam = counts_spam.sum(axis=1) + competence_prior[0]
    know = counts_know + competence_prior[1]
    both = digamma(spam + know)
    habits = counts_spam + spam_prior
    return (
        np.exp(digamma(spam) - both),
        np.exp(digamma(know) - both),
        np.exp(digamma(habits) - digamma(habits.sum(axis=1))[:, None]),
    )


def digamma(value: FloatArray) -> FloatArray:
    """The derivative of the log of the gamma function, for values > 0, to about 13 digits.

    By its recurrence up to 6, then its asymptotic series. Source: Abramowitz and Stegun, 6.3.5 and 6.3.18.
    """
    x = np.array(value, np.float64)
    total = np.zeros_like(x)
    while np.any(small := x < ASYMPTOTIC):
        total[small] -= 1.0 / x[small]
        x[small] += 1.0
    inverse = 1.0 / x**2
    series = 1 / 12 - inverse * (1 / 120 - inverse * (1 / 252 - inverse * (1 / 240 - inverse * (1 / 132 - inverse * (
        691 / 32760 - inverse / 12)))))  # fmt: skip
    return np.asarray(total + np.log(x) - 0.5 / x - inverse * series)
