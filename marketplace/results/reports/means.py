"""Means over tasks, whatever their number of pairs, and figures as they are told."""

from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.agreement.units import FloatArray, Units
from marketplace.results.reports.figures import Figure


def by_unit(units: Units, unit: NDArray[np.intp], pairs: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The mean over each unit's pairs of which the figure is known, and 1 where there is such a pair, else 0."""
    known = np.isfinite(pairs)
    counts = np.bincount(unit[known], minlength=len(units))
    sums = np.bincount(unit[known], pairs[known], minlength=len(units))
    return sums / np.maximum(counts, 1), (counts > 0).astype(np.float64)


def mean_of(weights: NDArray[np.float64], sums: FloatArray, counts: FloatArray) -> float:
    """The mean of what `by_unit` returns where unit u counts `weights[u]` times; NaN where nothing is known."""
    heavy = float(weights @ counts)
    return float(weights @ (sums * counts) / heavy) if heavy else float("nan")


def known(number: Any) -> float | None:
    """A finite number, or None."""
    return float(number) if isfinite(number) else None


def figure_of(value: Any, low: Any = float("nan"), high: Any = float("nan")) -> Figure:
    """A figure with its interval; None for what is not finite."""
    return Figure(known(value), known(low), known(high))
