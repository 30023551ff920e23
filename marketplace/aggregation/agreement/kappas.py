"""Raw agreement of labels, and kappas: what of it is beyond chance."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from marketplace.aggregation.agreement.units import FloatArray, IntArray, Units


class Weighing(StrEnum):
    """How much a disagreement counts by how many places of the label order lie between: the same, the distance, or its
    square."""

    NONE = "none"
    LINEAR = "linear"
    QUADRATIC = "quadratic"


def raw_agreement(units: Units) -> float:
    """How often two workers who did the same task said the same; each task counts the same. NaN without units."""
    return float(units.alike.mean()) if len(units) else float("nan")


def cohen_kappa(first: ArrayLike, second: ArrayLike, n_labels: int, weighing: Weighing | str = Weighing.NONE) -> float:
    """Agreement of two workers beyond chance, where chance knows how often each of them gives each label.

    first, second  (n_tasks,)  their labels 0 … n_labels - 1 of the same tasks
    returns        1 for the same labels, 0 for what chance would bring; NaN without tasks, and where both give one and
                   the same label always

    Source: J. Cohen, doi:10.1177/001316446002000104; with weights doi:10.1037/h0026256.
    """
    one, other = _labels("first", first, n_labels), _labels("second", second, n_labels)
    if len(one) != len(other):
        raise ValueError(f"first and second differ in length: {len(one)}, {len(other)}")
    if not len(one):
        return float("nan")
    apart = _apart(n_labels, Weighing(weighing))
    observed = apart[one, other].mean()
    shares = [np.bincount(labels, minlength=n_labels) / len(one) for labels in (one, other)]
    expected = shares[0] @ apart @ shares[1]
    return float(1 - observed / expected) if expected > 0 else float("nan")


def fleiss_kappa(units: Units, weights: ArrayLike | None = None) -> float:
    """Agreement of many workers beyond chance, where chance knows how often each label is given by all together.

    Where all units have as many values it is Fleiss' kappa; otherwise each unit counts the same for what is observed,
    and each value for what chance would bring. `weights` (n_units,) says how often each unit counts. NaN without units
    and where all values are equal. Source: J. L. Fleiss, doi:10.1037/h0031619.
    """
    weight = np.ones(len(units)) if weights is None else np.asarray(weights, dtype=np.float64)
    code, distinct = units.codes
    counts = np.bincount(code, weight[units.unit], minlength=len(distinct))
    if not counts.sum():
        return float("nan")
    observed = weight @ units.alike / weight.sum()
    expected = ((counts / counts.sum()) ** 2).sum()
    return float((observed - expected) / (1 - expected)) if np.count_nonzero(counts) > 1 else float("nan")


@dataclass(frozen=True, eq=False)
class WorkerPairs:
    """Every two workers who did tasks both: (n_pairs,) each, by `one` and then `other`.

    shared is how many tasks they share, alike the share of those on which they say the same, kappa Cohen's, NaN where
    both always say one and the same
    """

    one: IntArray
    other: IntArray
    shared: IntArray
    alike: FloatArray
    kappa: FloatArray

    def mean_kappa(self) -> float:
        """The mean of the kappas, each as heavy as the tasks that it rests on; NaN where there is none."""
        known = np.isfinite(self.kappa)
        return float(np.average(self.kappa[known], weights=self.shared[known])) if known.any() else float("nan")


def worker_pairs(units: Units) -> WorkerPairs:
    """Raw agreement and Cohen's kappa of every two workers who did tasks both."""
    first, second = units.pairs
    code, distinct = units.codes
    n_codes = max(len(distinct), 1)
    # Within a unit workers rise, so that the first of a pair is the one with the smaller number, always.
    couple = np.stack([units.worker[first], units.worker[second]], axis=1)
    couples, of_pair, shared = np.unique(couple, axis=0, return_inverse=True, return_counts=True)
    of_pair = of_pair.reshape(-1)
    alike = np.bincount(of_pair, code[first] == code[second], minlength=len(couples)) / shared
    given = [np.unique(of_pair * n_codes + code[side], return_counts=True) for side in (first, second)]
    both, at_one, at_other = np.intersect1d(given[0][0], given[1][0], assume_unique=True, return_indices=True)
    by_chance = np.bincount(both // n_codes, given[0][1][at_one] * given[1][1][at_other], minlength=len(couples))
    expected = by_chance / shared.astype(np.float64) ** 2
    certain = by_chance == shared.astype(np.int64) ** 2
    kappa = np.divide(alike - expected, 1 - expected, out=np.full(len(couples), np.nan), where=~certain)
    return WorkerPairs(couples[:, 0], couples[:, 1], shared.astype(np.intp), alike, kappa)


def _labels(name: str, values: ArrayLike, n_labels: int) -> IntArray:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
        raise ValueError(f"{name} must be a column of whole numbers")
    if array.size and (array.min() < 0 or array.max() >= n_labels):
        raise ValueError(f"{name} holds {array.min()} … {array.max()}, outside 0 … {n_labels - 1}")
    return array.astype(np.intp)


def _apart(n_labels: int, weighing: Weighing) -> FloatArray:
    off = np.abs(np.subtract.outer(np.arange(n_labels), np.arange(n_labels))).astype(np.float64)
    return {Weighing.NONE: (off > 0).astype(np.float64), Weighing.LINEAR: off, Weighing.QUADRATIC: off**2}[weighing]
