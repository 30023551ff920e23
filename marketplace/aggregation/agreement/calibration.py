"""Whether confidence is deserved, and what error is to be expected of results whose truth nobody knows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
BINS = 10
DRAWS = 4_000
# What is claimed counts as so many known answers in each bin: with few known answers the claim is changed little.
CLAIM = 4.0


@dataclass(frozen=True, eq=False)
class Reliability:
    """Claimed and true rightness by bins of rising confidence: (n_bins,) each.

    low, high   between which confidences the bin lies; high is part of it, low only of the first
    known       how many results of known truth are in it
    claimed     their mean confidence, NaN where there are none
    right       which share of them is right, NaN where there are none
    """

    low: FloatArray
    high: FloatArray
    known: NDArray[np.intp]
    claimed: FloatArray
    right: FloatArray

    def calibration_error(self) -> float:
        """The mean distance of claimed and right, each bin as heavy as its results (ECE); NaN without any.

        Source: M. P. Naeini and others, doi:10.1609/aaai.v29i1.9602.
        """
        filled = self.known > 0
        if not filled.any():
            return float("nan")
        off = np.abs(self.claimed[filled] - self.right[filled])
        return float(np.average(off, weights=self.known[filled]))


def reliability(confidence: ArrayLike, right: ArrayLike, *, bins: int = BINS) -> Reliability:
    """The reliability table of results whose truth is known.

    confidence  (n,)  0 … 1
    right       (n,)  0 … 1: whether each is right, or how far
    bins              at most; their borders are quantiles of the confidences, so that each holds about as many results,
                      and equal confidences are never parted
    """
    claimed, true = _shares("confidence", confidence), _shares("right", right)
    if len(claimed) != len(true):
        raise ValueError(f"confidence and right differ in length: {len(claimed)}, {len(true)}")
    if bins < 1:
        raise ValueError("bins must be at least 1")
    inner = np.quantile(claimed, np.arange(1, bins) / bins, method="inverted_cdf") if len(claimed) else np.zeros(0)
    edges = np.concatenate([[0.0], np.unique(inner[(inner > 0) & (inner < 1)]), [1.0]])
    place = _bin_of(claimed, edges)
    known = np.bincount(place, minlength=len(edges) - 1)
    nothing = np.full(len(known), np.nan)
    means = [
        np.divide(np.bincount(place, values, minlength=len(known)), known, out=nothing.copy(), where=known > 0)
        for values in (claimed, true)
    ]
    return Reliability(edges[:-1], edges[1:], known, means[0], means[1])


def brier_score(confidence: ArrayLike, right: ArrayLike) -> float:
    """The mean square of what confidence is off by: 0 at best; NaN without results.

    Source: G. W. Brier, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.
    """
    claimed, true = _shares("confidence", confidence), _shares("right", right)
    return float(((claimed - true) ** 2).mean()) if len(claimed) else float("nan")


@dataclass(frozen=True)
class ExpectedError:
    """Which share of results is expected to be wrong.

    claimed is what their confidences say; calibrated what they say after those of known truth were looked at, with the
    95 % interval `low` … `high`; both claimed and without an interval where no truth is known. NaN without results.
    """

    claimed: float
    calibrated: float
    low: float
    high: float
    known: int


def expected_error(
    confidence: ArrayLike,
    table: Reliability | None = None,
    *,
    count: ArrayLike | None = None,
    claim: float = CLAIM,
    seed: int = 20_240_601,
) -> ExpectedError:
    """The expected error of results by their confidences, corrected by a table of those whose truth is known.

    confidence  (n,)  0 … 1
    count       (n,)  how many results have each, above 0; one by default

    In each bin of the table the share of right ones has a Beta prior around what the results there claim, as heavy as
    `claim` known ones, which those of known truth update. The interval is of 4,000 draws from these: it says how little
    is known from the known ones, not how far the batch is from what it is a sample of. Deterministic.
    """
    claimed = _shares("confidence", confidence)
    if claim <= 0:
        raise ValueError("claim must be above 0")
    if not len(claimed):
        return ExpectedError(float("nan"), float("nan"), float("nan"), float("nan"), 0)
    times = np.ones(len(claimed)) if count is None else np.asarray(count, dtype=np.float64)
    if times.shape != claimed.shape or times.min() <= 0:
        raise ValueError(f"count must be {len(claimed)} numbers above 0")
    plain = float(1 - np.average(claimed, weights=times))
    known = int(table.known.sum()) if table is not None else 0
    if table is None or not known:
        return ExpectedError(plain, plain, float("nan"), float("nan"), 0)
    place = _bin_of(claimed, np.concatenate([table.low[:1], table.high]))
    here = np.bincount(place, times, minlength=len(table.known))
    used = here > 0
    mean = np.bincount(place, times * claimed, minlength=len(here))[used] / here[used]
    true = np.where(table.known > 0, table.right, 0.0)[used] * table.known[used]
    # A hair above 0: a claim of certainty may turn out wrong.
    alpha = np.maximum(claim * mean + true, 1e-9)
    beta = np.maximum(claim * (1 - mean) + table.known[used] - true, 1e-9)
    share = here[used] / here.sum()
    calibrated = float(share @ (beta / (alpha + beta)))
    drawn = np.random.default_rng(seed).beta(beta, alpha, size=(DRAWS, len(share))) @ share
    low, high = np.quantile(drawn, [0.025, 0.975])
    return ExpectedError(plain, calibrated, float(low), float(high), known)


def _bin_of(values: FloatArray, edges: FloatArray) -> NDArray[np.intp]:
    """The bin of each value: the first whose upper edge is not below it."""
    return np.minimum(np.searchsorted(edges[1:], values, side="left"), len(edges) - 2)


def _shares(name: str, values: ArrayLike) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name} has {array.ndim} dimensions instead of 1")
    # Sums of probabilities may come out a rounding beyond 1.
    if array.size and not (np.all(np.isfinite(array)) and array.min() >= -1e-9 and array.max() <= 1 + 1e-9):
        raise ValueError(f"{name} must be numbers from 0 to 1")
    return np.clip(array, 0.0, 1.0)
