"""Bootstrap: how far a figure would move if other tasks like these had been answered.

Source: B. Efron, "Bootstrap methods: another look at the jackknife", doi:10.1214/aos/1176344552; percentile intervals.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

ROUNDS = 1_000
SEED = 20_240_601


def resamples(n_units: int, *, rounds: int = ROUNDS, seed: int = SEED) -> Iterator[NDArray[np.float64]]:
    """How often each unit is drawn when as many as there are are drawn with replacement: `rounds` arrays (n_units,).

    The same for the same arguments. Tasks are drawn and not answers, because answers to one task hang together.
    """
    rng = np.random.default_rng(seed)
    for _ in range(rounds):
        yield np.bincount(rng.integers(0, n_units, n_units), minlength=n_units).astype(np.float64)


def interval(
    statistic: Callable[[NDArray[np.float64]], float | NDArray[np.float64]],
    n_units: int,
    *,
    rounds: int = ROUNDS,
    seed: int = SEED,
    coverage: float = 0.95,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Low and high end of the interval of a statistic, which takes how often each unit counts.

    returns  two arrays of the statistic's shape; draws in which the statistic is NaN are left out, and where fewer than
             half of them are left, or there are fewer than two units, both ends are NaN

    Raises `ValueError` for a coverage that is not between 0 and 1.
    """
    if not 0 < coverage < 1:
        raise ValueError("coverage must be between 0 and 1")
    if rounds < 1:
        raise ValueError("rounds must be at least 1")
    if n_units < 2:
        shape = np.shape(statistic(np.ones(n_units)))
        return np.full(shape, np.nan), np.full(shape, np.nan)
    drawn = np.array([statistic(weights) for weights in resamples(n_units, rounds=rounds, seed=seed)])
    return spread_of(drawn, coverage)


def spread_of(drawn: NDArray[np.float64], coverage: float = 0.95) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Low and high end of what was drawn (rounds, …), by the rule of `interval`."""
    known = np.isfinite(drawn)
    enough = known.sum(axis=0) * 2 >= len(drawn)
    tail = (1 - coverage) / 2
    # A column without a number has no quantile; a number in its place keeps NumPy from warning of it.
    filled = np.where(enough, drawn, 0.0)
    low, high = np.nanquantile(filled, [tail, 1 - tail], axis=0)
    return np.where(enough, low, np.nan), np.where(enough, high, np.nan)
