"""The answer that is nearest to all the others, where those who are usually near count for more."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.text.alignment import distance

Tokens = tuple[Hashable, ...]
FloatArray = NDArray[np.float64]
# Weights never fall to 0: two answers of people who are always wrong still have a nearer one.
WEIGHT_MIN = 0.01
# How near a worker's answers are is smoothed as if this many more had been as near as his weight says at the start.
PRIOR_ANSWERS = 2.0
DIGITS = 12
ROUNDS_MAX = 50


@dataclass(frozen=True)
class Answers:
    """Sequences as answers: `tokens[i]` is what `worker[i]` gave to `task[i]`.

    task    (n_answers,)  0 … n_tasks - 1
    worker  (n_answers,)  0 … n_workers - 1
    weight  (n_workers,)  how near to the right text each worker is expected to be, 0 … 1

    Raises `ValueError` for what does not fit.
    """

    task: Sequence[int]
    worker: Sequence[int]
    tokens: Sequence[Tokens]
    n_tasks: int
    weight: FloatArray

    def __post_init__(self) -> None:
        if not len(self.task) == len(self.worker) == len(self.tokens):
            raise ValueError(
                f"task, worker and tokens differ in length: {len(self.task)}, {len(self.worker)}, {len(self.tokens)}"
            )
        if any(not 0 <= task < self.n_tasks for task in self.task):
            raise ValueError(f"task holds a number outside 0 … {self.n_tasks - 1}")
        if any(not 0 <= worker < len(self.weight) for worker in self.worker):
            raise ValueError(f"worker holds a number outside 0 … {len(self.weight) - 1}")
        if not np.all((self.weight >= 0) & (self.weight <= 1)):
            raise ValueError("weight holds a number outside 0 … 1")

    def by_task(self) -> list[list[int]]:
        """The answers of each task as numbers, sorted by their tokens, then by the weight of who gave them.

        So nothing depends on the order in which answers came.
        """
        rows: list[list[int]] = [[] for _ in range(self.n_tasks)]
        for at, task in enumerate(self.task):
            rows[task].append(at)
        return [sorted(row, key=lambda at: (self.tokens[at], self.weight[self.worker[at]])) for row in rows]


@dataclass(frozen=True, eq=False)
class TextResult:
    """One sequence for each task, with how sure the method is of it.

    tokens      by task; None where a task has no answers
    confidence  (n_tasks,)    0 … 1; 0 where there are no answers
    n_answers   (n_tasks,)    how many answers the task had
    weight      (n_workers,)  what each worker's answers counted for, 0 … 1
    origin      by task, the number of the answer that the result is, or was built upon; None without answers
    sources     by task, for each token of the result the place in the answer of `origin` that it took, or None for a
                token that this answer does not have
    """

    method: str
    tokens: list[Tokens | None]
    confidence: FloatArray
    n_answers: NDArray[np.intp]
    weight: FloatArray
    origin: list[int | None]
    sources: list[list[int | None]]
    iterations: int = 0
    converged: bool = True


def medoid(answers: Answers, *, fixed: bool = False) -> TextResult:
    """Of each task's answers the one with the least weighted distance to all of them.

    The distance is `alignment.distance`: with words as tokens a word error rate over the longer text. Workers' weights
    are first those given; then each becomes the mean of 1 - distance between his answers and those chosen, smoothed by
    `PRIOR_ANSWERS` more at his first weight, until no choice changes (at most 50 rounds). With `fixed` they stay.

    Confidence is the weighted mean of 1 - distance of the answers to the one chosen, its own included; so a single
    answer has 1. Of equals the one that more answers are, then the one that comes first in sorted order.
    """
    rows = answers.by_task()
    tables = [_distances([answers.tokens[at] for at in row]) for row in rows]
    weight = np.clip(answers.weight, WEIGHT_MIN, 1.0)
    chosen = _nearest(answers, rows, tables, weight)
    rounds, converged = 0, True
    while not fixed:
        rounds += 1
        weight = _weights(answers, rows, tables, chosen)
        before, chosen = chosen, _nearest(answers, rows, tables, weight)
        converged = chosen == before
        if converged or rounds == ROUNDS_MAX:
            break
    origin = [row[at] if row else None for row, at in zip(rows, chosen, strict=True)]
    tokens = [None if at is None else answers.tokens[at] for at in origin]
    return TextResult(
        "medoid",
        tokens,
        np.array([_nearness(answers, *found, weight) for found in zip(rows, tables, chosen, strict=True)]),
        np.array([len(row) for row in rows], np.intp),
        weight,
        origin,
        [list(range(len(found or ()))) for found in tokens],
        rounds,
        converged,
    )


def weighted_mean(values: Iterable[float], weights: Iterable[float]) -> float:
    """The mean, the same to the bit in whatever order the values come; 0 for none."""
    pairs = list(zip(values, weights, strict=True))
    total = fsum(weight for _, weight in pairs)
    return min(1.0, round(fsum(value * weight for value, weight in pairs) / total, DIGITS)) if total else 0.0


def _distances(texts: Sequence[Tokens]) -> FloatArray:
    """Distances of all pairs: (n, n). Equal texts are compared once."""
    distinct: dict[Any, int] = {}
    number = np.array([distinct.setdefault(text, len(distinct)) for text in texts], np.intp)
    words = list(distinct)
    table = np.zeros((len(words), len(words)))
    for one in range(len(words)):
        for other in range(one):
            table[one, other] = table[other, one] = distance(words[one], words[other])
    return table[np.ix_(number, number)]


def _nearest(answers: Answers, rows: list[list[int]], tables: list[FloatArray], weight: FloatArray) -> list[int]:
    chosen = []
    for row, table in zip(rows, tables, strict=True):
        of_row = [float(weight[answers.worker[at]]) for at in row]
        cost = [
            (round(fsum(map(float.__mul__, distances, of_row)), DIGITS), -distances.count(0.0), at)
            for at, distances in enumerate(table.tolist())
        ]
        chosen.append(min(cost)[2] if cost else 0)
    return chosen


def _weights(answers: Answers, rows: list[list[int]], tables: list[FloatArray], chosen: list[int]) -> FloatArray:
    near: list[list[float]] = [[] for _ in answers.weight]
    for row, table, at in zip(rows, tables, chosen, strict=True):
        for other, answer in enumerate(row):
            near[answers.worker[answer]].append(1.0 - float(table[at, other]))
    first = answers.weight.tolist()
    smoothed = [
        round((fsum(own) + PRIOR_ANSWERS * before) / (len(own) + PRIOR_ANSWERS), DIGITS)
        for own, before in zip(near, first, strict=True)
    ]
    return np.clip(np.array(smoothed), WEIGHT_MIN, 1.0)


def _nearness(answers: Answers, row: list[int], table: FloatArray, at: int, weight: FloatArray) -> float:
    if not row:
        return 0.0
    return weighted_mean((1.0 - table[at]).tolist(), [float(weight[answers.worker[answer]]) for answer in row])
