"""Several labels at once: each label by itself, as a question whether it belongs."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.result import LabelResult
from marketplace.aggregation.votes import IntArray, Votes

FloatArray = NDArray[np.float64]
Method = Callable[[Votes, int], LabelResult]


@dataclass(frozen=True, eq=False)
class RelevanceResult:
    """How probable it is that each label belongs to each task.

    posteriors  (n_tasks, n_labels)  0 … 1, each label by itself; rows do not sum to 1
    chosen      (n_tasks, n_labels)  bool, the labels that are more probable than not; a tie says no
    confidence  (n_tasks,)           of the least sure label
    n_votes     (n_tasks,)           answers of the task
    by_label    each label's own result, with its parameters of the workers; label 1 says that it belongs
    """

    posteriors: FloatArray
    chosen: NDArray[np.bool_]
    confidence: FloatArray
    n_votes: NDArray[np.intp]
    by_label: tuple[LabelResult, ...]
    iterations: int
    converged: bool


def each_label(
    task: IntArray, worker: IntArray, given: NDArray[np.bool_], n_tasks: int, n_workers: int, method: Method
) -> RelevanceResult:
    """Binary relevance: for every label, `method` over the votes that it belongs (1) or does not (0), and the label.

    task, worker  (n_answers,)           whose answer to which task
    given         (n_answers, n_labels)  which labels each answer names; at least one column

    As crowd-kit's BinaryRelevance with the same method inside. Tasks without answers have what the method gives them.
    """
    if given.ndim != 2 or not given.shape[1] or given.dtype != np.bool_ or len(given) != len(task):
        raise ValueError("given must be true or false for each answer and label, of which there is at least one")
    results = tuple(
        method(Votes(task, worker, given[:, label].astype(np.intp), n_tasks, n_workers, 2), label)
        for label in range(given.shape[1])
    )
    posteriors = np.stack([result.posteriors[:, 1] for result in results], axis=1)
    return RelevanceResult(
        posteriors,
        np.stack([result.labels == 1 for result in results], axis=1),
        np.min([result.confidence for result in results], axis=0),
        results[0].n_votes,
        results,
        max(result.iterations for result in results),
        all(result.converged for result in results),
    )
