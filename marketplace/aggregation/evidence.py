"""Sums of votes by task and label, for the models in which a vote speaks for the label that it names and no other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.votes import IntArray, Votes

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ballot:
    """Votes in order, and the place of each in an array (n_tasks, n_labels).

    One worker's votes are added up in the order of the tasks, so that sums are the same to the bit whatever order the
    votes came in.
    """

    votes: Votes
    place: IntArray

    @classmethod
    def of(cls, votes: Votes) -> "Ballot":
        ordered = votes.in_order()
        return cls(ordered, ordered.task * ordered.n_labels + ordered.label)

    def by_label(self, weight: FloatArray) -> FloatArray:
        """The weights (n_votes,) of the votes for each label of each task, added up: (n_tasks, n_labels)."""
        cells = self.votes.n_tasks * self.votes.n_labels
        sums = np.bincount(self.place, weight, minlength=cells).astype(np.float64, copy=False)
        return np.asarray(sums.reshape(self.votes.n_tasks, self.votes.n_labels))

    def by_task(self, weight: FloatArray) -> FloatArray:
        """Weights (n_votes,) added up by task: (n_tasks,)."""
        return np.bincount(self.votes.task, weight, minlength=self.votes.n_tasks).astype(np.float64, copy=False)

    def by_worker(self, weight: FloatArray) -> FloatArray:
        """Weights (n_votes,) added up by worker: (n_workers,)."""
        return np.bincount(self.votes.worker, weight, minlength=self.votes.n_workers).astype(np.float64, copy=False)

    def of_named(self, posteriors: FloatArray) -> FloatArray:
        """For each vote the posterior of the label that it names: (n_tasks, n_labels) → (n_votes,)."""
        return np.asarray(posteriors.reshape(-1)[self.place])


def normalised(log_joint: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Probabilities of the rows of (n_tasks, n_labels) logs, and the log of each row's sum (n_tasks,).

    A row may hold -inf for what is impossible, but not only that.
    """
    if not log_joint.size:
        return log_joint.copy(), np.zeros(len(log_joint))
    top = log_joint.max(axis=1, keepdims=True)
    probable = np.exp(log_joint - top)
    sums = probable.sum(axis=1, keepdims=True)
    return np.asarray(probable / sums), np.asarray((top + np.log(sums))[:, 0])


def softplus(value: FloatArray) -> FloatArray:
    """log(1 + exp(value)), without overflow."""
    return np.asarray(np.log1p(np.exp(-np.abs(value))) + np.maximum(value, 0.0))


def logistic(value: FloatArray) -> FloatArray:
    """1 / (1 + exp(-value)), without overflow."""
    small = np.exp(-np.abs(value))
    return np.asarray(np.where(value >= 0, 1.0, small) / (1.0 + small))
