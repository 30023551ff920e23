"""How right results are by how many answers they rest on, on recorded crowds: `python -m tests.benchmarks.overlap DIR`.

Of each task so many of its answers are drawn, `DRAWS` times anew, and brought together by the product's methods. What
the crowd's other answers were is not looked at, so each row is what that overlap would have given.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from marketplace.aggregation.dawid_skene import dawid_skene
from marketplace.aggregation.majority import majority
from marketplace.aggregation.numeric import Numbers, trimmed_mean
from marketplace.aggregation.votes import Votes
from marketplace.aggregation.worker_bias import worker_bias
from tests.benchmarks.label_accuracy import rows_of

DRAWS = 20
LABEL_METHODS = {"majority": majority, "dawid_skene": dawid_skene}
NUMBER_METHODS = {
    "median": lambda numbers: trimmed_mean(numbers, trim=0.5),
    "trimmed_mean": trimmed_mean,
    "worker_bias": worker_bias,
}
Row = tuple[str, str, str]


def drawn(rows: Sequence[Row], overlap: int, seed: int) -> list[Row]:
    """`overlap` answers of each task, chosen by chance."""
    by_task: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_task[row[0]].append(row)
    chance = Random(f"overlap {overlap} {seed}")
    return [row for answers in by_task.values() for row in chance.sample(answers, min(overlap, len(answers)))]


def of_labels(crowds: Path, overlaps: Sequence[int] = (1, 2, 3), draws: int = DRAWS) -> dict[int, dict[str, float]]:
    """The share of tasks of `product-matching` whose result is right, by overlap and method."""
    rows, truth = rows_of(crowds / "product-matching", "label")
    found: dict[int, dict[str, float]] = {}
    for overlap in overlaps:
        shares: dict[str, list[float]] = defaultdict(list)
        for seed in range(draws):
            votes, words = Votes.of(*zip(*drawn(rows, overlap, seed), strict=True))
            right = np.array([words.labels.index(truth[task]) for task in words.tasks])
            for name, method in LABEL_METHODS.items():
                shares[name].append(float((method(votes).labels == right).mean()))
        found[overlap] = {name: round(float(np.mean(of)), 3) for name, of in shares.items()}
    return found


def of_numbers(
    crowds: Path, overlaps: Sequence[int] = (1, 2, 3, 5, 10), draws: int = DRAWS
) -> dict[int, dict[str, float]]:
    """The root mean square error of results of `emotion` (−100 to 100), by overlap and method."""
    rows, truth = rows_of(crowds / "emotion", "score")
    found: dict[int, dict[str, float]] = {}
    for overlap in overlaps:
        errors: dict[str, list[float]] = defaultdict(list)
        for seed in range(draws):
            chosen = drawn(rows, overlap, seed)
            votes, words = Votes.of([row[0] for row in chosen], [row[1] for row in chosen], [0] * len(chosen))
            values = np.array([float(row[2]) for row in chosen])
            numbers = Numbers(votes.task, votes.worker, values, votes.n_tasks, votes.n_workers)
            right = np.array([float(truth[task]) for task in words.tasks])
            for name, method in NUMBER_METHODS.items():
                errors[name].append(float(np.sqrt(np.mean((method(numbers).values - right) ** 2))))
        found[overlap] = {name: round(float(np.mean(of)), 1) for name, of in errors.items()}
    return found


def main(argv: Sequence[str]) -> int:
    """Print both as one JSON object."""
    crowds = Path(argv[0])
    result: dict[str, Any] = {"product-matching": of_labels(crowds), "emotion": of_numbers(crowds)}
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
