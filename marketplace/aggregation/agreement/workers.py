"""Each worker, and every two of them, beside those who did the same tasks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marketplace.aggregation.agreement.units import FloatArray, IntArray, Units


@dataclass(frozen=True, eq=False)
class Beside:
    """Workers beside the others, or pairs of workers: (n,) each.

    worker  (n,) or (n, 2)  rising
    tasks   how many tasks could be compared
    alike   the mean likeness of two answers to one task; each task counts the same
    apart   the mean distance, by which `beyond_chance` counts
    """

    worker: IntArray
    tasks: IntArray
    alike: FloatArray
    apart: FloatArray

    def beyond_chance(self, expected: float) -> FloatArray:
        """What Krippendorff's alpha would be if all disagreed as these do: 1 - apart / expected, where `expected` is
        the distance that chance would bring; NaN where that is 0 or unknown."""
        if not expected > 0:
            return np.full(len(self.apart), np.nan)
        return 1 - self.apart / expected


def by_worker(units: Units, alike: ArrayLike, apart: ArrayLike) -> Beside:
    """Each worker beside those who did the same tasks.

    alike, apart  (n_pairs,)  likeness and distance of each pair of `units.pairs`
    """
    first, second = units.pairs
    worker = np.concatenate([units.worker[first], units.worker[second]])
    unit = np.concatenate([units.unit[first]] * 2)
    names, place = np.unique(worker, return_inverse=True)
    return Beside(names, *_means(units, unit, place, len(names), alike, apart, times=2))


def by_pair(units: Units, alike: ArrayLike, apart: ArrayLike) -> Beside:
    """Every two workers who did a task both; as `by_worker`."""
    first, second = units.pairs
    couple = np.stack([units.worker[first], units.worker[second]], axis=1)
    names, place = np.unique(couple, axis=0, return_inverse=True)
    return Beside(names, *_means(units, units.unit[first], place.reshape(-1), len(names), alike, apart, times=1))


def _means(
    units: Units, unit: IntArray, place: NDArray[np.intp], count: int, alike: ArrayLike, apart: ArrayLike, *, times: int
) -> tuple[IntArray, FloatArray, FloatArray]:
    cell, of_cell, mates = np.unique(place * max(len(units), 1) + unit, return_inverse=True, return_counts=True)
    who = cell // max(len(units), 1)
    tasks = np.bincount(who, minlength=count)
    means = [
        np.bincount(
            who,
            np.bincount(of_cell, np.tile(np.asarray(values, np.float64), times), minlength=len(cell)) / mates,
            minlength=count,
        )
        / np.maximum(tasks, 1)
        for values in (alike, apart)
    ]
    return tasks.astype(np.intp), means[0], means[1]
