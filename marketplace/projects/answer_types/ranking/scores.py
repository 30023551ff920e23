"""Scores of ranked items by Bradley and Terry's model, all tasks at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.bradley_terry import bradley_terry, noisy_bradley_terry
from marketplace.aggregation.comparisons import Comparisons
from marketplace.projects.answer_types.base import AnswerTable

MODELS = {"bradley_terry": bradley_terry, "noisy_bradley_terry": noisy_bradley_terry}


@dataclass(frozen=True)
class Scores:
    """For each task the scores of its items, in their order; how they were found."""

    of_task: Mapping[int, NDArray[np.float64]]
    iterations: int
    converged: bool


def scored(
    method: str,
    answers: AnswerTable,
    items: Mapping[int, Sequence[str]],
    levels_of: Callable[[Any], Mapping[str, int]],
) -> Scores:
    """Scores by one of `MODELS`; `levels_of` says on which level of an answer's value each item is."""
    first: dict[int, int] = {}
    number: dict[tuple[int, str], int] = {}
    for task in sorted(items):
        first[task] = len(number)
        for item in items[task]:
            number[task, item] = len(number)
    workers = {worker: at for at, worker in enumerate(dict.fromkeys(answers.worker))}
    rankings = []
    for task, value in zip(answers.task, answers.value, strict=True):
        on_level: dict[int, list[int]] = {}
        for item, level in levels_of(value).items():
            on_level.setdefault(level, []).append(number[task, item])
        rankings.append([on_level[level] for level in sorted(on_level)])
    given = [workers[worker] for worker in answers.worker]
    found = MODELS[method](Comparisons.of_rankings(given, rankings, len(workers), len(number)))
    of_task = {task: found.scores[at : at + len(items[task])] for task, at in first.items()}
    return Scores(of_task, found.iterations, found.converged)
