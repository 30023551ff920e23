"""The label that most workers gave."""

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.result import LabelResult
from marketplace.aggregation.votes import Votes


def vote_shares(votes: Votes) -> NDArray[np.float64]:
    """The share of each task's votes that went to each label.

    returns  (n_tasks, n_labels)  0 … 1, rows sum to 1; a task without votes has 1 / n_labels everywhere
    """
    cells = votes.n_tasks * votes.n_labels
    counts = np.bincount(votes.task * votes.n_labels + votes.label, minlength=cells).astype(np.float64)
    counts = counts.reshape(votes.n_tasks, votes.n_labels)
    totals = counts.sum(axis=1, keepdims=True)
    counts[totals[:, 0] == 0] = 1.0
    return counts / np.where(totals == 0, votes.n_labels, totals)


def majority(votes: Votes) -> LabelResult:
    """The most frequent label of each task; posteriors are the shares of the votes.

    Ties break to the label that comes first in the label order. That is crowd-kit's rule too, and all labels are equal
    to its MajorityVote's where the label order is that of its columns (which pandas chooses, differently in different
    versions). A task without votes gets equal posteriors, so the first label, and `n_votes` 0. Empty input gives empty
    arrays.
    """
    return LabelResult.of("majority", vote_shares(votes), np.bincount(votes.task, minlength=votes.n_tasks))
