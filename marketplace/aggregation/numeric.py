"""Numbers from many people: means that a few wild answers cannot move, and workers with a bias and a spread."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marketplace.aggregation.votes import IntArray, index_column

FloatArray = NDArray[np.float64]
# Shares of weight that are closer than rounding can tell are equal.
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Numbers:
    """Numbers given by workers to tasks: three arrays of equal length, checked once, sorted and read-only.

    task    (n_values,)  0 … n_tasks - 1
    worker  (n_values,)  0 … n_workers - 1
    value   (n_values,)  finite

    They are kept by rising task, worker and value, so that results are the same to the bit whatever order they came in.
    Raises `ValueError` for what does not fit.
    """

    task: IntArray
    worker: IntArray
    value: FloatArray
    n_tasks: int
    n_workers: int

    def __post_init__(self) -> None:
        task, worker = (
            index_column("task", self.task, self.n_tasks),
            index_column("worker", self.worker, self.n_workers),
        )
        value = np.asarray(self.value, np.float64)
        if value.ndim != 1 or not len(task) == len(worker) == len(value):
            raise ValueError("task, worker and value must be three columns of equal length")
        if not np.all(np.isfinite(value)):
            raise ValueError("value holds numbers that are not finite")
        order = np.lexsort((value, worker, task))
        for name, array in (("task", task), ("worker", worker), ("value", value)):
            ordered = array[order]
            ordered.flags.writeable = False
            object.__setattr__(self, name, ordered)

    def __len__(self) -> int:
        """How many numbers there are."""
        return len(self.value)


@dataclass(frozen=True, eq=False)
class NumberResult:
    """One number for each task, with how sure the method is of it.

    values    (n_tasks,)    NaN for a task without answers
    spread    (n_tasks,)    standard error of the value; NaN where nothing says how large it is
    n_values  (n_tasks,)    how many numbers the task had
    bias      (n_workers,)  by how much the worker's numbers are too high; 0 for methods that do not ask
    variance  (n_workers,)  of what remains of his errors; NaN for methods that do not ask
    log_likelihoods  (iterations,)  natural log of the density of all numbers, at each step; never falling
    """

    method: str
    values: FloatArray
    spread: FloatArray
    n_values: NDArray[np.intp]
    bias: FloatArray
    variance: FloatArray
    iterations: int = 0
    converged: bool = True
    log_likelihoods: FloatArray = field(default_factory=lambda: np.zeros(0))


def trimmed_mean(numbers: Numbers, *, weight: ArrayLike | None = None, trim: float = 0.25) -> NumberResult:
    """Each task's mean by weight, without the lowest and the highest `trim` of its weight.

    weight  (n_workers,)  >= 0, 1 each if None; a task whose workers all weigh nothing has equal weights
    trim    0 … 0.5       the share of a task's weight cut off at either end, if need be a part of an answer's; at 0.5
                          only the middle is left: the median by weight, of two middle ones their mean

    One answer is its own mean. `spread` is the standard error of the weighted mean of what is left. With trim 0 that is
    the plain weighted mean, with trim 0.25 the mean of the middle half.
    """
    if not 0 <= trim <= 0.5:
        raise ValueError("trim must be from 0 to 0.5")
    weights = np.ones(numbers.n_workers) if weight is None else np.asarray(weight, np.float64)
    if weights.shape != (numbers.n_workers,) or not np.all(np.isfinite(weights)) or np.any(weights < 0):
        raise ValueError(f"weight must be {numbers.n_workers} numbers, none of them negative")
    order = np.lexsort((numbers.worker, numbers.value, numbers.task))
    task, value, own = numbers.task[order], numbers.value[order], weights[numbers.worker[order]]
    counts = np.bincount(task, minlength=numbers.n_tasks)
    totals = np.bincount(task, own, minlength=numbers.n_tasks)
    own = np.where(totals[task] > 0, own / np.where(totals > 0, totals, 1.0)[task], 1.0 / np.maximum(counts, 1)[task])
    upto = _within(task, own, counts)  # the share of the task's weight up to and with each answer
    if trim < 0.5:
        kept = np.clip(np.minimum(upto, 1 - trim) - np.maximum(upto - own, trim), 0.0, None)
    else:
        kept = ((upto >= 0.5 - ROUNDING) & (upto - own <= 0.5 + ROUNDING) & (own > 0)).astype(np.float64)
    weight_kept = np.bincount(task, kept, minlength=numbers.n_tasks)
    safe = np.where(weight_kept > 0, weight_kept, 1.0)
    # Around the middle one, so that large numbers that are close together lose no digits.
    middle = np.full(numbers.n_tasks, 0.0)
    first = np.cumsum(counts) - counts
    present = counts > 0
    middle[present] = value[(first + (counts - 1) // 2)[present]]
    mean = middle + np.bincount(task, kept * (value - middle[task]), minlength=numbers.n_tasks) / safe
    off = np.bincount(task, kept**2 * (value - mean[task]) ** 2, minlength=numbers.n_tasks) / safe**2
    answers = np.bincount(task, kept > 0, minlength=numbers.n_tasks)
    spread = np.where(answers > 1, np.sqrt(off * answers / np.maximum(answers - 1, 1)), np.nan)
    return NumberResult(
        "trimmed_mean", np.where(present, mean, np.nan), np.where(present, spread, np.nan), counts,
        np.zeros(numbers.n_workers), np.full(numbers.n_workers, np.nan),
    )  # fmt: skip


def _within(task: IntArray, own: FloatArray, counts: IntArray) -> FloatArray:
    """Running sums that begin anew with each task: (n_values,) sorted by task."""
    running = np.cumsum(own)
    first = np.cumsum(counts) - counts
    before = np.where(first > 0, running[np.maximum(first - 1, 0)], 0.0) if len(running) else np.zeros(len(counts))
    return np.asarray(running - before[task])
