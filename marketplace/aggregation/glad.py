"""Easy and hard tasks, able and unable workers: the model of Whitehill and others (2009), fitted by EM.

Source: J. Whitehill, T. Wu, J. Bergsma, J. Movellan and P. Ruvolo, "Whose vote should count more: optimal integration
of labels from labelers of unknown expertise", NIPS 2009; for more than two labels errors are spread evenly.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marketplace.aggregation.evidence import Ballot, logistic, normalised, softplus
from marketplace.aggregation.known import certain, known_labels, rule_out
from marketplace.aggregation.result import LabelResult
from marketplace.aggregation.votes import IntArray, Votes

FloatArray = NDArray[np.float64]
# Abilities and log easinesses come from normal distributions of this mean and of variance 1, before any vote.
MEAN = 1.0
# Rounds over abilities and easinesses in each M step, and how often a step that loses is halved.
ROUNDS, HALVINGS = 3, 8
STEP_MAX = 2.0


@dataclass(frozen=True, eq=False)
class GladResult(LabelResult):
    """Labels, abilities and easiness.

    ability          (n_workers,)   0 for one who guesses between right and wrong, below 0 for one who misleads
    easiness         (n_tasks,)     > 0; the log-odds of a right answer are ability x easiness
    log_likelihoods  (iterations,)  natural log of the probability of all votes plus the log of the priors' densities up
                                    to a constant, at each E step; never falling
    """

    ability: FloatArray = field(default_factory=lambda: np.zeros(0))
    easiness: FloatArray = field(default_factory=lambda: np.zeros(0))
    log_likelihoods: FloatArray = field(default_factory=lambda: np.zeros(0))


def glad(
    votes: Votes, *, gold: ArrayLike | None = None, max_iterations: int = 100, tolerance: float = 1e-5
) -> GladResult:
    """Each task's label and easiness and each worker's ability, together the most probable under their priors.

    A worker of ability a is right on a task of easiness e with probability 1 / (1 + exp(-a e)), and otherwise gives any
    other label alike. All labels are equally probable beforehand. Starts with all abilities and log easinesses at their
    mean; stops when the log-likelihood rises by less than `tolerance` per vote. Each M step is Newton's method by turns
    over all abilities and all easinesses, each safeguarded so that the expected likelihood never falls.

    gold  (n_tasks,)  the right label where it is known, else -1

    Ties break to the first label. A task without votes returns equal probabilities, or its known label; it and a worker
    without votes keep the priors' means.
    """
    if max_iterations < 1:
        raise ValueError("max_iterations must be at least 1")
    known = known_labels(gold, votes)
    ballot = Ballot.of(votes)
    task, worker = ballot.votes.task, ballot.votes.worker
    n_votes = np.bincount(votes.task, minlength=votes.n_tasks)
    voted = np.flatnonzero(n_votes)
    log_others, log_labels = np.log(max(votes.n_labels - 1, 1)), np.log(max(votes.n_labels, 1))
    ability, log_easiness = np.full(votes.n_workers, MEAN), np.full(votes.n_tasks, MEAN)

    posteriors = normalised(np.zeros((votes.n_tasks, votes.n_labels)))[0]
    trace: list[float] = []
    converged = len(votes) == 0
    while not converged and len(trace) < max_iterations:
        if trace:
            ability, log_easiness = _learn(ballot, ballot.of_named(posteriors), ability, log_easiness)
        odds = ability[worker] * np.exp(log_easiness)[task]
        log_joint = ballot.by_label(odds + log_others)  # log of right over wrong, for the named label
        rule_out(log_joint, known)
        posteriors, log_sums = normalised(log_joint)
        wrong = -softplus(odds).sum() - log_others * len(votes)
        prior = -0.5 * ((ability - MEAN) ** 2).sum() - 0.5 * ((log_easiness - MEAN) ** 2).sum()
        trace.append(float(log_sums[voted].sum() - log_labels * len(voted) + wrong + prior))
        converged = len(trace) > 1 and trace[-1] - trace[-2] < tolerance * len(votes)
    return GladResult.of(
        "glad",
        certain(posteriors, known),
        n_votes,
        iterations=len(trace),
        converged=converged,
        ability=ability,
        easiness=np.exp(log_easiness),
        log_likelihoods=np.array(trace),
    )


def _learn(
    ballot: Ballot, right: FloatArray, ability: FloatArray, log_easiness: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The M step: better abilities (n_workers,) and log easinesses (n_tasks,), `right` (n_votes,) being how probable
    it is that each vote is right."""
    task, worker = ballot.votes.task, ballot.votes.worker
    for _ in range(ROUNDS):
        easiness = np.exp(log_easiness)[task]
        odds = ability[worker] * easiness
        sigma = logistic(odds)
        slope = ballot.by_worker((right - sigma) * easiness) - (ability - MEAN)
        curve = ballot.by_worker(sigma * (1 - sigma) * easiness**2) + 1.0
        ability = _ascend(ability, slope / curve, worker, right, odds, np.asarray, easiness)

        able = ability[worker]
        odds = able * easiness
        sigma = logistic(odds)
        slope = ballot.by_task((right - sigma) * odds) - (log_easiness - MEAN)
        # Where the second derivative is not negative only the prior's part of it scales the step.
        curve = np.maximum(ballot.by_task(sigma * (1 - sigma) * odds**2 - (right - sigma) * odds), 0.0) + 1.0
        log_easiness = _ascend(log_easiness, slope / curve, task, right, odds, np.exp, able)
    return ability, log_easiness


def _ascend(
    at: FloatArray, step: FloatArray, owner: IntArray, right: FloatArray, odds: FloatArray,
    factor: Callable[[FloatArray], FloatArray],
    other: FloatArray,
) -> FloatArray:  # fmt: skip
    """Each coordinate (n,) moved by its step, halved for those that would lose by it; at last they stay where they are.

    owner    (n_votes,)  the coordinate that each vote depends on
    odds     (n_votes,)  the log-odds of each vote as things are
    factor               what a vote's coordinate multiplies its log-odds by
    other    (n_votes,)  and what else they are multiplied by
    """
    before = np.bincount(owner, right * odds - softplus(odds), minlength=len(at)) - 0.5 * (at - MEAN) ** 2
    step = np.clip(step, -STEP_MAX, STEP_MAX)
    places = np.arange(len(owner))
    for _ in range(HALVINGS):
        moved = (at + step)[owner[places]]
        tried = factor(moved) * other[places]
        after = np.bincount(owner[places], right[places] * tried - softplus(tried), minlength=len(at))
        losing = np.zeros(len(at), bool)
        losing[owner[places]] = True  # of the others it is known that they win
        losing &= after - 0.5 * (at + step - MEAN) ** 2 < before
        if not losing.any():
            return at + step
        step = np.where(losing, step / 2, step)
        places = places[losing[owner[places]]]
    return at + np.where(losing, 0.0, step)
