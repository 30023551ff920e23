"""Votes that count by how good their worker is, where that is known, or read off the majority."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marketplace.aggregation.evidence import Ballot
from marketplace.aggregation.known import UNKNOWN, certain, known_labels
from marketplace.aggregation.majority import majority, vote_shares
from marketplace.aggregation.result import LabelResult
from marketplace.aggregation.votes import Votes

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class WeightedResult(LabelResult):
    """Labels, and what each worker's vote weighed: `skills` (n_workers,), NaN where nothing is known of a worker."""

    skills: FloatArray = field(default_factory=lambda: np.zeros(0))


def weighted_shares(votes: Votes, weight: ArrayLike) -> LabelResult:
    """The label with the greatest sum of its voters' weights; posteriors are the shares of those sums.

    weight  (n_workers,)  >= 0; a task whose voters all weigh nothing goes by its plain votes

    Ties break to the first label. A task without votes has equal posteriors. As crowd-kit's MajorityVote with skills.
    """
    weights = np.asarray(weight, np.float64)
    if weights.shape != (votes.n_workers,) or not np.all(np.isfinite(weights)) or np.any(weights < 0):
        raise ValueError(f"weight must be {votes.n_workers} numbers, none of them negative")
    ballot = Ballot.of(votes)
    sums = ballot.by_label(weights[ballot.votes.worker])
    totals = sums.sum(axis=1, keepdims=True)
    shares = np.where(totals > 0, sums / np.where(totals > 0, totals, 1.0), vote_shares(votes))
    return LabelResult.of("weighted_shares", shares, np.bincount(votes.task, minlength=votes.n_tasks))


def agreement_weighted(votes: Votes, *, gold: ArrayLike | None = None) -> WeightedResult:
    """Two rounds of voting: in the second each worker weighs as much as he agrees with the majority of the first.

    gold  (n_tasks,)  the right label where it is known, else -1; with it, workers are weighed by their known answers
                      alone, and one who has none weighs as the mean of the others

    Known as worker agreement with aggregate (Appen); equal to crowd-kit's Wawa, and with gold to its GoldMajorityVote
    where every worker has answered known tasks. Ties break to the first label.
    """
    known = known_labels(gold, votes)
    right = majority(votes).labels if known is None else known
    judged = right[votes.task] > UNKNOWN
    answers = np.bincount(votes.worker[judged], minlength=votes.n_workers)
    agreeing = np.bincount(votes.worker[judged & (right[votes.task] == votes.label)], minlength=votes.n_workers)
    skills = np.where(answers > 0, agreeing / np.maximum(answers, 1), np.nan)
    stranger = agreeing.sum() / answers.sum() if answers.sum() else 1.0
    found = weighted_shares(votes, np.where(answers > 0, skills, stranger))
    return WeightedResult.of("agreement_weighted", certain(found.posteriors, known), found.n_votes, skills=skills)
