"""Agreement about each label, and which labels are taken for each other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.agreement.units import FloatArray, IntArray, Units


@dataclass(frozen=True, eq=False)
class LabelAgreement:
    """Agreement about each distinct value of some units: (n_codes,) each, in rising order of `value`.

    given is how many of the units' values are this one; alike how often another worker says it too where one says it;
    alpha Krippendorff's alpha of "this or another", NaN where that is always the same
    """

    value: FloatArray
    given: IntArray
    alike: FloatArray
    alpha: FloatArray


class LabelTable:
    """How often each label was given in each unit: made once, and computed for any weights of the units.

    It takes memory for each pair of unit and label that occurs, so that many labels do no harm.
    """

    def __init__(self, units: Units) -> None:
        code, self.value = units.codes
        self.n_codes = len(self.value)
        cell, times = np.unique(units.unit * max(self.n_codes, 1) + code, return_counts=True)
        self.unit, self.code = np.divmod(cell, max(self.n_codes, 1))
        size = units.size[self.unit]
        self.given = times.astype(np.float64)
        self.met = times * (times - 1.0) / (size - 1)
        self.units = units

    def at(self, weights: NDArray[np.float64] | None = None) -> LabelAgreement:
        """Agreement about each label where unit u counts `weights[u]` times, or once each."""
        weight = np.ones(len(self.units)) if weights is None else np.asarray(weights, dtype=np.float64)
        of_cell = weight[self.unit]
        given = np.bincount(self.code, of_cell * self.given, minlength=self.n_codes)
        met = np.bincount(self.code, of_cell * self.met, minlength=self.n_codes)
        total = float(weight @ self.units.size)
        nothing = np.full(self.n_codes, np.nan)
        alike = np.divide(met, given, out=nothing.copy(), where=given > 0)
        # Observed: pairs of this label with another, in both orders. By chance: the same among all values.
        observed, chance = 2 * (given - met), 2 * given * (total - given)
        alpha = 1 - np.divide(observed * (total - 1), chance, out=nothing.copy(), where=chance > 0)
        return LabelAgreement(self.value, given.astype(np.intp), alike, alpha)


def label_agreement(units: Units) -> LabelAgreement:
    """Agreement about each label that occurs in the units."""
    return LabelTable(units).at()


@dataclass(frozen=True, eq=False)
class Confusions:
    """Labels that were given to one task by two workers: (n_confusions,) each, the most frequent first, ties by value.

    one < other are values, pairs how many pairs of workers said so, share what part of all pairs that is, first the
    unit of the first such pair
    """

    one: FloatArray
    other: FloatArray
    pairs: IntArray
    share: FloatArray
    first: IntArray


def confusions(units: Units) -> Confusions:
    """Which labels are taken for each other, and how often."""
    first, second = units.pairs
    code, distinct = units.codes
    low, high = np.minimum(code[first], code[second]), np.maximum(code[first], code[second])
    apart = np.flatnonzero(low != high)
    cell, at, times = np.unique(low[apart] * max(len(distinct), 1) + high[apart], return_index=True, return_counts=True)
    order = np.lexsort((cell, -times))
    one, other = np.divmod(cell[order], max(len(distinct), 1))
    return Confusions(
        one=distinct[one],
        other=distinct[other],
        pairs=times[order].astype(np.intp),
        share=times[order] / max(len(first), 1),
        first=units.unit[first[apart[at[order]]]],
    )
