"""Votes on labels, for every answer type whose answers are labels."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from marketplace.aggregation.dawid_skene import dawid_skene
from marketplace.aggregation.majority import majority
from marketplace.aggregation.result import LabelResult
from marketplace.aggregation.votes import Votes
from marketplace.projects.answer_types.base import AnswerTable

METHODS: Mapping[str, Callable[[Votes], LabelResult]] = {"majority": majority, "dawid_skene": dawid_skene}


def method_used(asked: str, methods: Sequence[str]) -> str:
    """The method asked for if it applies, else the first that does."""
    return asked if asked in methods else methods[0]


def label_votes(answers: AnswerTable, declared: Sequence[Any]) -> tuple[Votes, list[Any]]:
    """The answers as votes, with the value of each label.

    Labels keep the order in which they are declared, by which ties break. Values that the field no longer declares, as
    answers under an earlier version may hold, follow in their sorted order.
    """
    order = [*declared, *sorted(set(answers.value) - set(declared))]
    votes, _ = Votes.of(
        answers.task, answers.worker, answers.value, task_order=range(answers.n_tasks), label_order=order
    )
    return votes, order
