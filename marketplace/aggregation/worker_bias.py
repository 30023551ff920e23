"""Numbers from workers each with a bias and a spread of his own, fitted by expectation maximisation.

A number is its task's true value plus the worker's bias plus an error of the worker's variance. True values are
normally distributed, with mean and variance estimated; biases are normal around 0; variances have an inverse gamma
prior. The true values are what expectation maximisation integrates out. As the model of V. C. Raykar and others,
"Learning from crowds", JMLR 11 (2010), 1297–1322, section 5, with a bias added and with priors.
"""

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.numeric import NumberResult, Numbers

FloatArray = NDArray[np.float64]


def worker_bias(
    numbers: Numbers, *, strength: float = 2.0, max_iterations: int = 500, tolerance: float = 1e-7
) -> NumberResult:
    """Each task's value, the mean of its posterior, with its standard deviation; each worker's bias and variance.

    strength  > 0  for how many answers the priors count: a worker's variance is drawn towards that of all answers about
                   their tasks' means, and his bias towards 0

    Starts from the tasks' means; each step raises the posterior density of biases and variances, and it stops when that
    rises by less than `tolerance` per number. A shift of all numbers shifts all values, a change of unit scales them. A
    task without answers has no value (NaN). Where all answers agree there is nothing to learn: their value, spread 0.
    """
    if strength <= 0 or max_iterations < 1:
        raise ValueError("strength must be above 0 and max_iterations at least 1")
    task, worker = numbers.task, numbers.worker
    counts = np.bincount(task, minlength=numbers.n_tasks)
    answers = np.bincount(worker, minlength=numbers.n_workers)
    present = counts > 0
    if not len(numbers):
        return _flat(numbers, np.full(numbers.n_tasks, np.nan), counts)
    # In units in which the numbers have mean 0 and variance 1, so that limits mean the same for all.
    shift, scale = float(numbers.value.mean()), float(numbers.value.std())
    means = _by(task, numbers.value - shift, numbers.n_tasks) / np.maximum(counts, 1)
    around = numbers.value - shift - means[task]
    noise = float((around**2).sum() / max(len(numbers) - present.sum(), 1))
    if scale == 0 or noise <= (1e-9 * scale) ** 2:
        return _flat(numbers, np.where(present, means + shift, np.nan), counts)
    value, noise, means = (numbers.value - shift) / scale, noise / scale**2, means / scale

    bias, variance = np.zeros(numbers.n_workers), np.full(numbers.n_workers, noise)
    center, width = 0.0, max(float(means[present].var()), 1e-6)
    trace: list[float] = []
    converged = False
    posterior, precision = means, np.full(numbers.n_tasks, 1.0)
    while not converged and len(trace) < max_iterations:
        # E step: the true values given biases and variances.
        known = 1.0 / variance[worker]
        precision = _by(task, known, numbers.n_tasks) + 1.0 / width
        posterior = (_by(task, known * (value - bias[worker]), numbers.n_tasks) + center / width) / precision
        trace.append(_log_density(value, numbers, bias, variance, center, width, precision, noise, strength))
        converged = len(trace) > 1 and trace[-1] - trace[-2] < tolerance * len(numbers)
        if converged:
            break
        # M step: each of these raises the expected log density in turn.
        off = value - posterior[task]
        bias = _by(worker, off, numbers.n_workers) / (answers + variance * strength / noise)
        squares = _by(worker, (off - bias[worker]) ** 2 + 1.0 / precision[task], numbers.n_workers)
        variance = (squares + strength * noise) / (answers + strength)
        center = float(posterior[present].mean())
        width = max(float(((posterior[present] - center) ** 2 + 1.0 / precision[present]).mean()), 1e-9)
    return NumberResult(
        "worker_bias",
        np.where(present, posterior * scale + shift, np.nan),
        np.where(present, scale / np.sqrt(precision), np.nan),
        counts,
        bias * scale,
        variance * scale**2,
        len(trace),
        converged,
        np.array(trace),
    )


def _log_density(
    value: FloatArray, numbers: Numbers, bias: FloatArray, variance: FloatArray, center: float, width: float,
    precision: FloatArray, noise: float, strength: float,
) -> float:  # fmt: skip
    """Log density of the numbers, the true values integrated out, plus that of the priors, up to a constant."""
    task, worker = numbers.task, numbers.worker
    off = value - bias[worker] - center
    known = 1.0 / variance[worker]
    pulled = _by(task, known * off, numbers.n_tasks)
    present = np.bincount(task, minlength=numbers.n_tasks) > 0
    data = -0.5 * float(
        (np.log(2 * np.pi * variance[worker]) + known * off**2).sum()
        + np.log(width * precision[present]).sum()
        - (pulled[present] ** 2 / precision[present]).sum()
    )
    priors = -0.5 * strength * float((bias**2 / noise + np.log(variance) + noise / variance).sum())
    return data + priors


def _by(index: NDArray[np.intp], weight: FloatArray, size: int) -> FloatArray:
    return np.bincount(index, weight, minlength=size).astype(np.float64, copy=False)


def _flat(numbers: Numbers, values: FloatArray, counts: NDArray[np.intp]) -> NumberResult:
    return NumberResult(
        "worker_bias", values, np.where(np.isnan(values), np.nan, 0.0), counts,
        np.zeros(numbers.n_workers), np.zeros(numbers.n_workers),
    )  # fmt: skip
