"""Votes on labels, for every answer type whose answers are labels."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.dawid_skene import dawid_skene
from marketplace.aggregation.majority import majority
from marketplace.aggregation.result import LabelResult
from marketplace.aggregation.running import weighted_majority
from marketplace.aggregation.votes import Votes
from marketplace.projects.answer_types.base import AnswerTable

# A worker of whom nothing is known is expected to be right twice out of three times.
STRANGER = 2 / 3
METHODS: Mapping[str, Callable[[Votes, NDArray[np.float64]], LabelResult]] = {
    "majority": lambda votes, _accuracy: majority(votes),
    "dawid_skene": lambda votes, _accuracy: dawid_skene(votes),
    "weighted_majority": weighted_majority,
}


def method_used(asked: str, methods: Sequence[str]) -> str:
    """The method asked for if it applies, else the first that does."""
    return asked if asked in methods else methods[0]


def labelled(answers: AnswerTable, declared: Sequence[Any], method: str) -> tuple[LabelResult, Votes, list[Any]]:
    """The answers' labels by one of `METHODS`, the votes that it saw, and the value of each label.

    Labels keep the order in which they are declared, by which ties break. Values that the field no longer declares, as
    answers under an earlier version may hold, follow in their sorted order.
    """
    order = [*declared, *sorted(set(answers.value) - set(declared))]
    votes, words = Votes.of(
        answers.task, answers.worker, answers.value, task_order=range(answers.n_tasks), label_order=order
    )
    accuracy = np.array([answers.accuracy.get(worker, STRANGER) for worker in words.workers], np.float64)
    return METHODS[method](votes, accuracy), votes, order
