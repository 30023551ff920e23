"""Tasks whose right label is known, as gold tasks are: every method that takes them holds them fast."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marketplace.aggregation.votes import IntArray, Votes

FloatArray = NDArray[np.float64]
UNKNOWN = -1


def known_labels(gold: ArrayLike | None, votes: Votes) -> IntArray | None:
    """The argument `gold` of a method, checked: (n_tasks,) the right label of each task, or -1 where it is not known.

    None without any. Raises `ValueError` for a wrong length, for what is no whole number, and for labels out of range.
    """
    if gold is None:
        return None
    labels = np.asarray(gold)
    if labels.shape != (votes.n_tasks,):
        raise ValueError(f"gold must hold one label for each of the {votes.n_tasks} tasks, or -1 where it is not known")
    if labels.size and not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"gold holds {labels.dtype} instead of integers")
    if labels.size and (labels.min() < UNKNOWN or labels.max() >= votes.n_labels):
        raise ValueError(f"gold holds {labels.min()} … {labels.max()}, outside -1 … {votes.n_labels - 1}")
    return labels.astype(np.intp) if np.any(labels > UNKNOWN) else None


def certain(posteriors: FloatArray, gold: IntArray | None) -> FloatArray:
    """Posteriors (n_tasks, n_labels) with the known labels at probability 1; a copy where any is known."""
    if gold is None:
        return posteriors
    pinned = posteriors.copy()
    tasks = np.flatnonzero(gold > UNKNOWN)
    pinned[tasks] = 0.0
    pinned[tasks, gold[tasks]] = 1.0
    return pinned


def rule_out(log_joint: FloatArray, gold: IntArray | None) -> None:
    """Make every label but the known one impossible, in place: log_joint (n_tasks, n_labels), gold (n_tasks,)."""
    if gold is None:
        return
    tasks = np.flatnonzero(gold > UNKNOWN)
    kept = log_joint[tasks, gold[tasks]]
    log_joint[tasks] = -np.inf
    log_joint[tasks, gold[tasks]] = kept
