"""Medians of many tasks at once."""

import numpy as np
from numpy.typing import NDArray


def task_medians(
    task: NDArray[np.intp], value: NDArray[np.float64], n_tasks: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    """The two middle values of each task (the same twice where the number is odd) and the number of values.

    task, value  (n_values,)  value of a task 0 … n_tasks - 1, in any order
    returns      three of (n_tasks,); where a task has no values, NaN, NaN and 0
    """
    counts = np.bincount(task, minlength=n_tasks)
    ordered = np.append(value[np.lexsort((value, task))], np.nan)
    first = np.cumsum(counts) - counts
    low = np.where(counts > 0, first + (counts - 1) // 2, len(value))
    high = np.where(counts > 0, first + counts // 2, len(value))
    return ordered[low], ordered[high], counts
