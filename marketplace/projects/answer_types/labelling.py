"""Votes on labels, for every answer type whose answers are labels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.dawid_skene import dawid_skene
from marketplace.aggregation.glad import glad
from marketplace.aggregation.known import UNKNOWN
from marketplace.aggregation.mace import mace
from marketplace.aggregation.majority import majority
from marketplace.aggregation.one_coin import one_coin
from marketplace.aggregation.ordinal import ordinal
from marketplace.aggregation.result import LabelResult
from marketplace.aggregation.running import weighted_majority
from marketplace.aggregation.votes import Votes
from marketplace.projects.answer_types.base import AnswerTable

# A worker of whom nothing is known is expected to be right twice out of three times.
STRANGER = 2 / 3
Gold = NDArray[np.intp] | None
Method = Callable[[Votes, NDArray[np.float64], Gold], LabelResult]
METHODS: Mapping[str, Method] = {
    "majority": lambda votes, _accuracy, _gold: majority(votes),
    "dawid_skene": lambda votes, _accuracy, gold: dawid_skene(votes, gold=gold),
    "weighted_majority": lambda votes, accuracy, _gold: weighted_majority(votes, accuracy),
    "one_coin": lambda votes, _accuracy, gold: one_coin(votes, gold=gold),
    "glad": lambda votes, _accuracy, gold: glad(votes, gold=gold),
    "mace": lambda votes, _accuracy, gold: mace(votes, even_classes=False, gold=gold),
}
# For labels that are points on a scale.
SCALE_METHODS: Mapping[str, Method] = {
    **METHODS,
    "ordinal": lambda votes, _accuracy, gold: ordinal(votes, gold=gold),
}


def method_used(asked: str, methods: Sequence[str]) -> str:
    """The method asked for if it applies, else the first that does."""
    return asked if asked in methods else methods[0]


def labelled(answers: AnswerTable, declared: Sequence[Any], method: str) -> tuple[LabelResult, Votes, list[Any]]:
    """The answers' labels by one of `SCALE_METHODS`, the votes that it saw, and the value of each label.

    Labels keep the order in which they are declared, by which ties break. Values that the field no longer declares, as
    answers under an earlier version may hold, follow in their sorted order. The same answers give the same result to
    the bit, whatever their order. Known values teach about the workers; methods that learn nothing leave them out.
    """
    answers = in_order(answers)
    extra = {*answers.value, *answers.known.values()} - set(declared)
    order = [*declared, *sorted(extra)]
    votes, words = Votes.of(
        answers.task, answers.worker, answers.value, task_order=range(answers.n_tasks), label_order=order
    )
    accuracy = accuracies(answers, words.workers)
    gold: Gold = None
    if answers.known:
        gold = np.full(answers.n_tasks, UNKNOWN, np.intp)
        for task, value in answers.known.items():
            gold[task] = order.index(value)
    return SCALE_METHODS[method](votes, accuracy, gold), votes, order


def accuracies(answers: AnswerTable, workers: Sequence[Any]) -> NDArray[np.float64]:
    """How often each of the workers is expected to be right (n_workers,); `STRANGER` for one who is not known."""
    return np.array([answers.accuracy.get(worker, STRANGER) for worker in workers], np.float64)


def in_order(answers: AnswerTable) -> AnswerTable:
    """The same answers by rising task and worker, so that the order in which they came makes no difference."""
    workers = sorted(set(answers.worker), key=lambda worker: (type(worker).__name__, worker))
    rank = {worker: at for at, worker in enumerate(workers)}
    places = np.lexsort(([rank[worker] for worker in answers.worker], answers.task)).tolist()
    return replace(
        answers,
        task=[answers.task[at] for at in places],
        worker=[answers.worker[at] for at in places],
        value=[answers.value[at] for at in places],
    )
