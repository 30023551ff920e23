"""How right every aggregation method is on recorded crowds, beside the figures that their README states."""

import csv
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.dawid_skene import dawid_skene
from marketplace.aggregation.glad import glad
from marketplace.aggregation.incremental import Incremental
from marketplace.aggregation.mace import mace
from marketplace.aggregation.majority import majority
from marketplace.aggregation.numeric import NumberResult, Numbers, trimmed_mean
from marketplace.aggregation.one_coin import one_coin
from marketplace.aggregation.result import LabelResult
from marketplace.aggregation.votes import Votes
from marketplace.aggregation.weighted import agreement_weighted
from marketplace.aggregation.worker_bias import worker_bias

LABELS: Mapping[str, Callable[[Votes], LabelResult]] = {
    "majority": majority,
    "agreement_weighted": agreement_weighted,
    "dawid_skene": dawid_skene,
    "one_coin": one_coin,
    "glad": glad,
    "mace": lambda votes: mace(votes, even_classes=False),
    "mace_even_classes": mace,
}
NUMBERS: Mapping[str, Callable[[Numbers], NumberResult]] = {
    "mean": lambda numbers: trimmed_mean(numbers, trim=0),
    "median": lambda numbers: trimmed_mean(numbers, trim=0.5),
    "trimmed_mean_0.1": lambda numbers: trimmed_mean(numbers, trim=0.1),
    "trimmed_mean": trimmed_mean,
    "worker_bias": worker_bias,
}
# How the README calls the methods whose accuracy it states.
STATED = {
    "majority": "majority vote",
    "dawid_skene": "Dawid.Skene",
    "one_coin": "one-coin",
    "glad": "GLAD",
    "mace": "MACE",
}


def rows_of(folder: Path, value: str) -> tuple[list[tuple[str, str, str]], dict[str, str]]:
    """The answers (task, worker, value) and the truth by task of a recorded crowd."""
    with open(folder / "answers.csv", newline="") as file:
        rows = [(row["external_id"], row["worker"], row[value]) for row in csv.DictReader(file)]
    with open(folder / "truth.csv", newline="") as file:
        return rows, {row["external_id"]: row[value] for row in csv.DictReader(file)}


def stated(crowds: Path) -> dict[str, float]:
    """The accuracies on `product-matching` that the README of the crowds states, by method."""
    readme = crowds / "README.md"
    text = readme.read_text() if readme.exists() else ""
    found = {name: re.search(rf"{called} (0\.\d+)", text) for name, called in STATED.items()}
    return {name: float(match[1]) for name, match in found.items() if match}


def of_labels(crowds: Path) -> dict[str, Any]:
    """Accuracy and seconds of each method on `product-matching`; also answer by answer, and what one takes."""
    rows, truth = rows_of(crowds / "product-matching", "label")
    votes, words = Votes.of(*zip(*rows, strict=True))
    right = np.array([words.labels.index(truth[task]) for task in words.tasks])
    figures, results = stated(crowds), {}
    for name, method in LABELS.items():
        started = time.perf_counter()
        found = method(votes)
        results[name] = {
            "accuracy": round(float((found.labels == right).mean()), 4),
            "stated": figures.get(name),
            "seconds": round(time.perf_counter() - started, 4),
            "iterations": found.iterations,
            "converged": found.converged,
        }
    return results | {"incremental": _one_by_one(votes, right)}


def _one_by_one(votes: Votes, right: NDArray[Any]) -> dict[str, Any]:
    following, taken = Incremental(votes.n_labels), []
    for task, worker, label in zip(votes.task.tolist(), votes.worker.tolist(), votes.label.tolist(), strict=True):
        started = time.perf_counter()
        following.add(task, worker, label)
        taken.append(time.perf_counter() - started)
    found = np.array([following.posterior(task).argmax() for task in range(votes.n_tasks)])
    following.refit()
    refitted = np.array([following.posterior(task).argmax() for task in range(votes.n_tasks)])
    return {
        "accuracy": round(float((found == right).mean()), 4),
        "answer_ms_p50": round(1000 * float(np.percentile(taken, 50)), 4),
        "answer_ms_p99": round(1000 * float(np.percentile(taken, 99)), 4),
        "refit_accuracy": round(float((refitted == right).mean()), 4),
        "equal_to_refit": round(float((found == refitted).mean()), 4),
    }


def of_numbers(crowds: Path) -> dict[str, Any]:
    """Mean absolute error and root of the mean squared error of each method on `emotion`."""
    rows, truth = rows_of(crowds / "emotion", "score")
    votes, words = Votes.of([row[0] for row in rows], [row[1] for row in rows], [0] * len(rows))
    value = np.array([float(row[2]) for row in rows])
    numbers = Numbers(votes.task, votes.worker, value, votes.n_tasks, votes.n_workers)
    right = np.array([float(truth[task]) for task in words.tasks])
    results = {}
    for name, method in NUMBERS.items():
        started = time.perf_counter()
        off = method(numbers).values - right
        results[name] = {
            "mae": round(float(np.abs(off).mean()), 3),
            "rmse": round(float(np.sqrt((off**2).mean())), 3),
            "seconds": round(time.perf_counter() - started, 4),
        }
    return results
