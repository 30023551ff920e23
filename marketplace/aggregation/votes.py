"""The one input of every aggregation method: who gave which label to which task, as integers."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Votes:
    """Votes as three index arrays of equal length, checked once and read-only from then on.

    task    (n_votes,)  0 … n_tasks - 1
    worker  (n_votes,)  0 … n_workers - 1
    label   (n_votes,)  0 … n_labels - 1

    The order of the votes is of no importance. A task, worker or label may be without votes. One worker may vote twice
    on one task; each vote counts. The arrays are copies, so that later changes to the caller's arrays change nothing
    here. Raises `ValueError` for what does not fit.
    """

    task: IntArray
    worker: IntArray
    label: IntArray
    n_tasks: int
    n_workers: int
    n_labels: int

    def __post_init__(self) -> None:
        for name, size in (("task", self.n_tasks), ("worker", self.n_workers), ("label", self.n_labels)):
            if size < 0:
                raise ValueError(f"n_{name}s is negative: {size}")
            object.__setattr__(self, name, _index_array(name, getattr(self, name), size))
        if not len(self.task) == len(self.worker) == len(self.label):
            raise ValueError(
                f"task, worker and label differ in length: {len(self.task)}, {len(self.worker)}, {len(self.label)}"
            )
        if self.n_tasks and not self.n_labels:
            raise ValueError("tasks without any label to choose from have no result")

    def __len__(self) -> int:
        """How many votes there are."""
        return len(self.task)

    def in_order(self) -> "Votes":
        """The same votes by rising task, worker and label, so that sums over them are the same to the bit however the
        votes came."""
        if max(self.n_tasks, 1) * max(self.n_workers, 1) * max(self.n_labels, 1) >= 2**62:
            order = np.lexsort((self.label, self.worker, self.task))
            return replace(self, task=self.task[order], worker=self.worker[order], label=self.label[order])
        key = (self.task * self.n_workers + self.worker) * self.n_labels + self.label
        if np.all(key[1:] >= key[:-1]):
            return self
        key.sort()  # four times as fast as sorting by three columns
        pair, label = np.divmod(key, self.n_labels)
        task, worker = np.divmod(pair, self.n_workers)
        return replace(self, task=task, worker=worker, label=label)

    @classmethod
    def of(
        cls,
        tasks: Iterable[Hashable],
        workers: Iterable[Hashable],
        labels: Iterable[Hashable],
        *,
        task_order: Sequence[Any] | None = None,
        label_order: Sequence[Any] | None = None,
    ) -> tuple["Votes", "Vocabularies"]:
        """Encode three columns of any hashable values; the vocabularies turn indices back into values.

        Tasks and workers are numbered in the order in which they first appear, tasks in `task_order` if given (it may
        name tasks that have no votes). Labels are numbered in `label_order`, by which ties break, or else sorted.
        Raises `ValueError` for a value that a given order does not name, or an order that names one twice.
        """
        task, task_words = _in_order("task", *_distinct(tasks), task_order)
        worker, worker_words = _distinct(workers)
        label, label_words = _distinct(labels)
        label, label_words = _in_order(
            "label", label, label_words, sorted(label_words) if label_order is None else label_order
        )
        votes = cls(task, worker, label, len(task_words), len(worker_words), len(label_words))
        return votes, Vocabularies(task_words, worker_words, label_words)


@dataclass(frozen=True)
class Vocabularies:
    """What the indices of encoded `Votes` stand for: `labels[i]` is the value of label i, and so on."""

    tasks: tuple[Any, ...]
    workers: tuple[Any, ...]
    labels: tuple[Any, ...]


def _index_array(name: str, values: Any, size: int) -> IntArray:
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"{name} has {array.ndim} dimensions instead of 1")
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"{name} holds {array.dtype} instead of integers")
    if array.size and (array.min() < 0 or array.max() >= size):
        raise ValueError(f"{name} holds {array.min()} … {array.max()}, outside 0 … {size - 1}")
    array = array.astype(np.intp, copy=True)
    array.flags.writeable = False
    return array


def index_column(name: str, values: Any, size: int) -> IntArray:
    """A read-only copy of a column of numbers 0 … size - 1. Raises `ValueError` with its name for any other."""
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
        raise ValueError(f"{name} must be a column of integers")
    return _index_array(name, array, size)


def _distinct(values: Iterable[Hashable]) -> tuple[IntArray, tuple[Any, ...]]:
    """Number the values by first appearance: the number of each, and the values in that order."""
    if isinstance(values, np.ndarray):
        whole = values.size and np.issubdtype(values.dtype, np.integer)
        if whole and int(values.max()) - int(values.min()) <= 4 * values.size:
            return _distinct_integers(values)
        values = values.tolist()  # Python's values hash several times faster than NumPy's scalars
    column = list(values)
    words = tuple(dict.fromkeys(column))
    index = {word: position for position, word in enumerate(words)}
    return np.fromiter(map(index.__getitem__, column), dtype=np.intp, count=len(column)), words


def _distinct_integers(values: NDArray[Any]) -> tuple[IntArray, tuple[Any, ...]]:
    """The same for integers that lie close together, by tables instead of hashing: twenty times faster for millions."""
    low = values.min()
    offset = (values - low).astype(np.intp)
    first = np.full(int(offset.max()) + 1, -1, dtype=np.intp)
    first[offset[::-1]] = np.arange(len(offset) - 1, -1, -1)  # of several writes the last stays: the first appearance
    present = np.flatnonzero(first >= 0)
    present = present[np.argsort(first[present])]
    number = np.empty(len(first), dtype=np.intp)
    number[present] = np.arange(len(present))
    return number[offset], tuple((present + int(low)).tolist())


def _in_order(
    name: str, codes: IntArray, words: tuple[Any, ...], order: Sequence[Any] | None
) -> tuple[IntArray, tuple[Any, ...]]:
    """Renumber by the place of each word in `order`, which may name more words; None leaves everything as it is."""
    if order is None:
        return codes, words
    place = {word: position for position, word in enumerate(order)}
    if len(place) != len(order):
        raise ValueError(f"the {name} order names a value twice")
    for word in words:
        if word not in place:
            raise ValueError(f"{word!r} is not in the {name} order")
    return np.array([place[word] for word in words], dtype=np.intp)[codes], tuple(order)
