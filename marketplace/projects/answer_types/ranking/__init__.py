"""An order of things, the best first."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations, pairwise
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.projects.answer_types.base import AnswerTable, Field, FieldOutcome, FieldResult, ValueRefused
from marketplace.projects.answer_types.declaration import COMMON, Declaration
from marketplace.projects.answer_types.labelling import in_order, method_used
from marketplace.projects.answer_types.labels import read_labels
from marketplace.projects.answer_types.parts import Order
from marketplace.projects.answer_types.ranking.scores import scored

ITEMS_MAX = 50
# Scores that agree to so many digits are equal.
EQUAL = 7


class Ranking:
    """Values are all items in order, the best first; with `ties` a list of lists, each of them items on a level.

    What is to be ordered in a task is shown by its data; items are the names that it has there ("A", "B", "C").
    """

    name = "ranking"
    methods: tuple[str, ...] = ("borda", "bradley_terry", "noisy_bradley_terry")
    correct_at = 0.9

    def check_field(self, field: Field) -> dict[str, Any]:
        """Options: `items` (2 to 50), `ties` (false), `partial` (true): credit for pairs in the right order."""
        read = Declaration(field, (*COMMON, "items", "ties", "partial"))
        checked = read.common() | {
            "items": read_labels(read, field, "items", least=2, most=ITEMS_MAX),
            "ties": read.flag("ties", default=False),
            "partial": read.flag("partial", default=True),
        }
        read.raise_errors()
        return checked

    def clean(self, field: Field, value: Any) -> Any:
        levels = value if field["ties"] else [value]
        if not isinstance(levels, list) or not all(isinstance(level, list) for level in levels):
            raise ValueRefused("must be a list of lists of items" if field["ties"] else "must be a list of items")
        given = [item for level in levels for item in level[: ITEMS_MAX + 1]]
        if not all(isinstance(item, str) for item in given) or not all(levels):
            raise ValueRefused("must name items by their values, and have nothing empty in it")
        declared = {item["value"]: at for at, item in enumerate(field["items"])}
        if not declared.keys() >= set(given):
            raise ValueRefused("names an item that does not exist")
        if len(given) != len(declared) or len(set(given)) != len(given):
            raise ValueRefused("must name each item once")
        return [sorted(level, key=declared.__getitem__) for level in levels] if field["ties"] else given

    def score(self, field: Field, key: Any, value: Any) -> float:
        """Kendall's tau-b of the two orders, from -1 … 1 brought to 0 … 1: 0 for the reverse order, 1 for the same.

        A half where one of them puts all on a level, which says nothing. Without `partial` 1 for the same, otherwise 0.
        """
        right, given = _levels(key), _levels(value)
        if right == given:
            return 1.0
        return (1 + _tau_b(right, given)) / 2 if field["partial"] else 0.0

    def json_schema(self, field: Field) -> dict[str, Any]:
        one = {"type": "string", "enum": [item["value"] for item in field["items"]]}
        count = len(field["items"])
        if not field["ties"]:
            return {"type": "array", "items": one, "uniqueItems": True, "minItems": count, "maxItems": count}
        level = {"type": "array", "items": one, "uniqueItems": True, "minItems": 1, "maxItems": count}
        return {"type": "array", "items": level, "minItems": 1, "maxItems": count}

    def parts(self, field: Field, value: Any) -> Iterable[Order]:
        return [Order(tuple(tuple(level) if isinstance(level, list) else (level,) for level in value))]

    def aggregate(self, field: Field, answers: AnswerTable, method: str) -> FieldOutcome:
        """By Borda: an item has a point for each item below it and half of one for each on its level, in each answer.

        By Bradley and Terry, items have the scores that make the order of all pairs most probable; the noisy form finds
        out over all tasks who does not look. Of equals the one declared first comes first; with `ties` they are on a
        level. Confidence is the share of answers that have two items as the result has them, on the average of all
        pairs; one that puts them on a level where the result does not agrees by half. Items that only answers under an
        earlier version know come last among equals, and against those that an answer does not know it says nothing.
        """
        used = method_used(method, self.methods)
        answers = in_order(answers)
        by_task: defaultdict[int, list[dict[str, int]]] = defaultdict(list)
        for task, value in zip(answers.task, answers.value, strict=True):
            by_task[task].append(_levels(value))
        declared = [item["value"] for item in field["items"]]
        items = {task: _items(ranked, declared) for task, ranked in by_task.items()}
        above = {task: _above(ranked, items[task]) for task, ranked in by_task.items()}
        found = None if used == self.methods[0] else scored(used, answers, items, _levels)
        results = []
        for task in sorted(by_task):
            scores = _borda(*above[task]) if found is None else found.of_task[task]
            levels = _ordered(scores, ties=field["ties"])
            named = [[items[task][at] for at in level] for level in levels]
            value = named if field["ties"] else [level[0] for level in named]
            results.append(FieldResult(task, value, _agreement(*above[task], levels), len(by_task[task])))
        if found is None:
            return FieldOutcome(used, results)
        return FieldOutcome(used, results, found.iterations, found.converged)


def _levels(value: Any) -> dict[str, int]:
    """On which level each item is, from 0 for the best."""
    return {item: at for at, level in enumerate(value) for item in (level if isinstance(level, list) else [level])}


def _tau_b(one: dict[str, int], other: dict[str, int]) -> float:
    """Kendall's tau-b over the items that both have. Source: Kendall (1945), doi:10.1093/biomet/33.3.239."""
    agreeing = in_one = in_other = 0
    for left, right in combinations(sorted(one.keys() & other.keys()), 2):
        first, second = _sign(one[left] - one[right]), _sign(other[left] - other[right])
        agreeing += first * second
        in_one += abs(first)
        in_other += abs(second)
    return agreeing / sqrt(in_one * in_other) if in_one and in_other else 0.0


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


def _items(ranked: list[dict[str, int]], declared: list[str]) -> list[str]:
    known = {item for levels in ranked for item in levels}
    return [item for item in declared if item in known] + sorted(known - set(declared))


def _borda(above: NDArray[np.float64], judged: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.where(judged > 0, above / np.maximum(judged, 1), 0.5).sum(axis=1))


def _ordered(scores: NDArray[np.float64], *, ties: bool) -> list[list[int]]:
    """Levels of items by falling score, the first of equals first; each item on its own unless ties are allowed."""
    order = sorted(range(len(scores)), key=lambda at: (-round(float(scores[at]), EQUAL), at))
    levels = [[order[0]]]
    for before, at in pairwise(order):
        if ties and round(float(scores[before] - scores[at]), EQUAL) == 0:
            levels[-1].append(at)
        else:
            levels.append([at])
    return levels


def _above(ranked: list[dict[str, int]], items: list[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How many answers have item i above item j (half of one on a level), and how many know both: two of (n, n)."""
    level = np.array([[levels.get(item, -1) for item in items] for levels in ranked])
    known = level >= 0
    both = known[:, :, None] & known[:, None, :]
    higher = level[:, :, None] < level[:, None, :]
    equal = level[:, :, None] == level[:, None, :]
    return ((higher + 0.5 * equal) * both).sum(axis=0), both.sum(axis=0).astype(np.float64)


def _agreement(above: NDArray[np.float64], judged: NDArray[np.float64], result: list[list[int]]) -> float:
    """The mean over all pairs of the share of answers that agree with the result."""
    place = {item: at for at, level in enumerate(result) for item in level}
    shares = []
    for left, right in combinations(sorted(place, key=place.__getitem__), 2):
        if judged[left, right]:
            share = above[left, right] / judged[left, right]
            # On a level in the result: as much as the answers are balanced.
            shares.append(share if place[left] < place[right] else 1 - abs(2 * share - 1))
    return float(np.mean(shares)) if shares else 1.0


ANSWER_TYPE = Ranking()
