"""The values that can be compared: those of tasks that at least two workers answered."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

IntArray = NDArray[np.intp]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Units:
    """What was said about each unit, a task with two values or more; other tasks' values are left out.

    unit    (n_values,)  0 … n_units - 1, rising
    worker  (n_values,)  as given; rising within a unit
    value   (n_values,)  finite numbers; labels are their numbers
    size    (n_units,)   how many values each unit has, at least 2
    task    (n_units,)   which task each unit is, rising
    row     (n_values,)  where each value was in the arrays given to `of`

    The order in which values are given is of no importance. Every value counts as another worker's.
    """

    unit: IntArray
    worker: IntArray
    value: FloatArray
    size: IntArray
    task: IntArray
    row: IntArray

    @classmethod
    def of(cls, task: ArrayLike, worker: ArrayLike, value: ArrayLike) -> "Units":
        """Units of three columns of equal length; tasks and workers are whole numbers.

        Raises `ValueError` where the columns differ in length, a value is not finite or a task is no whole number.
        """
        tasks, workers = _whole("task", task), _whole("worker", worker)
        values = np.asarray(value, dtype=np.float64)
        if values.ndim != 1 or not len(tasks) == len(workers) == len(values):
            raise ValueError(f"task, worker and value differ in length: {len(tasks)}, {len(workers)}, {values.size}")
        if not np.all(np.isfinite(values)):
            raise ValueError(f"value {int(np.argmin(np.isfinite(values)))} is not a finite number")
        order = np.lexsort((values, workers, tasks))
        _, group, counts = np.unique(tasks[order], return_inverse=True, return_counts=True)
        kept = order[counts[group] >= 2]
        names, unit, size = np.unique(tasks[kept], return_inverse=True, return_counts=True)
        return cls(unit.astype(np.intp), workers[kept], values[kept], size.astype(np.intp), names, kept)

    def __len__(self) -> int:
        """How many units there are."""
        return len(self.size)

    @cached_property
    def codes(self) -> tuple[IntArray, FloatArray]:
        """The values as numbers 0 … n_codes - 1 (n_values,), and the distinct values in rising order (n_codes,)."""
        distinct, code = np.unique(self.value, return_inverse=True)
        return code.astype(np.intp), distinct

    @cached_property
    def alike(self) -> FloatArray:
        """The share of the pairs of each unit's values that are equal: (n_units,), 0 … 1."""
        code, distinct = self.codes
        cell, times = np.unique(self.unit * max(len(distinct), 1) + code, return_counts=True)
        met = np.bincount(cell // max(len(distinct), 1), times * (times - 1.0), minlength=len(self))
        return np.asarray(met / (self.size * (self.size - 1.0)))

    @cached_property
    def pairs(self) -> tuple[IntArray, IntArray]:
        """Every two values of one unit, once: the places of both in `value`, the first before the second.

        Their number grows with the square of the units' sizes.
        """
        firsts, seconds = [], []
        start = np.cumsum(self.size) - self.size
        for size in np.unique(self.size).tolist():
            begins = start[self.size == size]
            one, other = np.triu_indices(size, 1)
            firsts.append((begins[:, None] + one).ravel())
            seconds.append((begins[:, None] + other).ravel())
        if not firsts:
            return np.zeros(0, np.intp), np.zeros(0, np.intp)
        first, second = np.concatenate(firsts), np.concatenate(seconds)
        order = np.lexsort((second, first))
        return first[order], second[order]

    def sum_by_unit(self, amount: FloatArray) -> FloatArray:
        """Amounts (n_values,) → their sum in each unit (n_units,)."""
        return np.asarray(np.bincount(self.unit, amount, minlength=len(self)), dtype=np.float64)

    def select(self, rows: NDArray[np.bool_]) -> "Units":
        """The units of some of the values (n_values,) alone; those that keep one value are left out.

        `row` says where the values were in this object's arrays.
        """
        places = np.flatnonzero(rows)
        found = Units.of(self.task[self.unit[places]], self.worker[places], self.value[places])
        return Units(found.unit, found.worker, found.value, found.size, found.task, places[found.row])


def _whole(name: str, values: ArrayLike) -> IntArray:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
        raise ValueError(f"{name} must be a column of whole numbers")
    return array.astype(np.intp)
