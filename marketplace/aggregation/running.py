"""The consensus of one task as its answers arrive, by what is known of the workers before; nothing is estimated here."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.result import LabelResult
from marketplace.aggregation.votes import Votes

FloatArray = NDArray[np.float64]

# Nobody is taken to be always right, or never: a single vote moves the odds of two labels by 99 to 1 at most.
ACCURACY_MIN, ACCURACY_MAX = 0.01, 0.99
# Log posteriors that are closer than rounding can tell are equal.
EQUAL = 1e-9


@dataclass(frozen=True, eq=False)
class Running:
    """What all votes of each task say together, and for each vote what the others of its task say without it.

    labels      (n_tasks,)            the most probable label; of equals the one with more votes, then the first
    posteriors  (n_tasks, n_labels)   probabilities; a task without votes has the prior
    n_votes     (n_tasks,)            how many votes the task had
    others_labels      (n_votes,)           for each vote, the label of its task by the other votes, same tie rule
    others_posteriors  (n_votes, n_labels)  and their posterior; the prior where there are no others
    others_count       (n_votes,)           and how many they are
    others_agree       (n_votes,)           and the share of them that gave the same label; NaN without others
    """

    labels: NDArray[np.intp]
    posteriors: FloatArray
    n_votes: NDArray[np.intp]
    others_labels: NDArray[np.intp]
    others_posteriors: FloatArray
    others_count: NDArray[np.intp]
    others_agree: FloatArray


def running_consensus(votes: Votes, accuracy: FloatArray, log_prior: FloatArray | None = None) -> Running:
    """Bayes' rule for each task by itself, with known workers: one E step of Dawid and Skene's model, errors being
    spread evenly over the wrong labels (the one-coin model, for each true label a coin of its own).

    accuracy   (n_workers, n_labels)  the expected probability that the worker gives that label where it is the true one
    log_prior  (n_labels,)            natural log; uniform if None, so that no label needs more than another
    returns    `Running`; without votes, or tasks, its arrays are empty or hold the prior

    Where accuracies are independent and uncertain, their expectations are all that the posterior of one task depends
    on, for each worker votes once on it and the likelihood is linear in his accuracy. A vote never counts against the
    label that it names: who is worse than chance counts for nothing, so that nobody's answers are turned around.
    Source: doi:10.2307/2346806; the leave-one-out posterior divides the vote's own likelihood out again.
    """
    if accuracy.shape != (votes.n_workers, votes.n_labels):
        raise ValueError(f"accuracy has shape {accuracy.shape} instead of {(votes.n_workers, votes.n_labels)}")
    if log_prior is None:
        log_prior = np.full(votes.n_labels, -np.log(max(votes.n_labels, 1)))
    own = log_likelihoods(votes, accuracy)
    log_joint = np.tile(log_prior, (votes.n_tasks, 1))
    counts = np.zeros((votes.n_tasks, votes.n_labels), np.intp)
    np.add.at(log_joint, votes.task, own)
    np.add.at(counts, (votes.task, votes.label), 1)
    n_votes = counts.sum(axis=1)

    at = np.arange(len(votes))
    others = counts[votes.task]
    same = others[at, votes.label] - 1
    others[at, votes.label] = same
    count = n_votes[votes.task] - 1
    others_log = log_joint[votes.task] - own
    with np.errstate(invalid="ignore"):
        agree = np.where(count > 0, same / np.maximum(count, 1), np.nan)
    return Running(
        _most_probable(log_joint, counts), _normalised(log_joint), n_votes,
        _most_probable(others_log, others), _normalised(others_log), count, agree,
    )  # fmt: skip


def log_likelihoods(votes: Votes, accuracy: FloatArray) -> FloatArray:
    """How probable each vote is under each true label, in logs.

    accuracy  (n_workers, n_labels)  as for `running_consensus`; brought between `ACCURACY_MIN` and `ACCURACY_MAX`
    returns   (n_votes, n_labels)    natural logs; each row is largest at the label of the vote, if not there alone
    """
    if not len(votes):
        return np.zeros((0, votes.n_labels))
    right = np.clip(accuracy, ACCURACY_MIN, ACCURACY_MAX)[votes.worker]
    at = np.arange(len(votes))
    named = right[at, votes.label]
    likelihood = np.minimum((1 - right) / max(votes.n_labels - 1, 1), named[:, None])
    likelihood[at, votes.label] = named
    return np.asarray(np.log(likelihood))


def weighted_majority(votes: Votes, accuracy: FloatArray) -> LabelResult:
    """The label with the most weight behind it; each vote weighs the log of its worker's odds.

    accuracy  (n_workers,)  the expected probability that the worker is right; at 1 / n_labels and below he weighs 0

    The weight is log(p / (1 - p)) for two labels, and log(p (n_labels - 1) / (1 - p)) for more, which makes the
    posteriors those of `running_consensus`: under the one-coin model no other weights err less often (Nitzan and
    Paroush, doi:10.2307/2526438). Of labels with equal weight the one with more votes wins, then the first in the
    order of labels. A task without votes has equal posteriors and the first label.
    """
    found = running_consensus(votes, np.repeat(accuracy[:, None], votes.n_labels, axis=1))
    confidence = found.posteriors[np.arange(votes.n_tasks), found.labels] if votes.n_tasks else np.zeros(0)
    return LabelResult("weighted_majority", found.posteriors, found.labels, confidence, found.n_votes)


def agreement_weight(confidence: float, n_labels: int) -> float:
    """How far a consensus of that confidence is from a mere guess among the labels: 0 for a guess … 1 for certainty."""
    return max(0.0, (n_labels * confidence - 1) / (n_labels - 1)) if n_labels > 1 else 0.0


def _most_probable(log_joint: FloatArray, counts: NDArray[np.intp]) -> NDArray[np.intp]:
    if not log_joint.size:
        return np.zeros(len(log_joint), np.intp)
    top = log_joint >= log_joint.max(axis=1, keepdims=True) - EQUAL
    return np.asarray(np.where(top, counts, -1).argmax(axis=1))  # the first of equals


def _normalised(log_joint: FloatArray) -> FloatArray:
    if not log_joint.size:
        return log_joint
    return np.asarray(np.exp(log_joint - np.logaddexp.reduce(log_joint, axis=1, keepdims=True)))
