"""One list of objects out of those of several answers, and how well two lists agree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.geometry.clusters import Near, clusters
from marketplace.aggregation.geometry.matching import matching
from marketplace.projects.answer_types.base import AnswerTable, Field, FieldOutcome, FieldResult, ObjectSupport
from marketplace.projects.answer_types.credit import f1
from marketplace.projects.answer_types.shapes.values import label_order

Thing = Mapping[str, Any]
# The likenesses at which the support of each object is stated, as detection is usually judged.
STATED = (0.5, 0.75)


class Kind(Protocol):
    """What is particular to one kind of object. All things given have one label."""

    def near(self, field: Field, things: Sequence[Thing]) -> Near:
        """How alike the things are in pairs."""
        ...

    def middle(self, field: Field, things: Sequence[Thing], likeness: NDArray[np.float64]) -> Thing | None:
        """The one thing that several things of different answers come to, in canonical form; None if to nothing.

        They come by position, with how alike they are to each other (k, k).
        """
        ...

    def position(self, thing: Thing) -> tuple[Any, ...]:
        """What things of one label are sorted by; equal for equal things only."""
        ...


@dataclass(frozen=True)
class _Found:
    thing: Thing
    support: int
    stated: tuple[int, ...]


def agreement(kind: Kind, field: Field, key: Sequence[Thing], value: Sequence[Thing], least: float) -> float:
    """F1 of the objects that are the same: pairs of one label that are alike by `least`, each object in one pair, and
    as many pairs as can be. 1 where there is nothing to mark and nothing is marked. Without the field's `partial` 1 or
    0."""
    pairs = 0
    for label in {thing["label"] for thing in key}:
        wanted = [thing for thing in key if thing["label"] == label]
        given = [thing for thing in value if thing["label"] == label]
        pairs += len(matching(cross_likeness(kind, field, wanted, given), least))
    found = f1(pairs, len(key), len(value))
    return found if field["partial"] else float(found == 1.0)


def cross_likeness(kind: Kind, field: Field, one: Sequence[Thing], other: Sequence[Thing]) -> NDArray[np.float64]:
    """How alike things of two lists are: (len(one), len(other))."""
    near = kind.near(field, [*one, *other])
    across = (near.first < len(one)) & (near.second >= len(one))
    likeness = np.zeros((len(one), len(other)))
    likeness[near.first[across], near.second[across] - len(one)] = near.likeness[across]
    return likeness


def joined(kind: Kind, field: Field, answers: AnswerTable, least: float, method: str) -> FieldOutcome:
    """Objects of one label that are alike by `least` become one, the best supported first, with one object of each
    answer.

    Those of at least half of the answers are the result; where they are fewer than the field's `min` or more than its
    `max`, the best supported. Confidence is the share of answers that agree about the object that they agree least
    about: with one in the result the share that has it, with one that was left out the share that has it not. 1 where
    no answer marks anything.
    """
    by_task: dict[int, list[Sequence[Thing]]] = {}
    for task, value in zip(answers.task, answers.value, strict=True):
        by_task.setdefault(task, []).append(value)
    results = [_joined(kind, field, task, by_task[task], least) for task in sorted(by_task)]
    return FieldOutcome(method, results)


def _joined(kind: Kind, field: Field, task: int, values: Sequence[Sequence[Thing]], least: float) -> FieldResult:
    order = label_order(field)
    labels = {thing["label"] for value in values for thing in value}
    # Labels that only an earlier version declared come last, in their sorted order.
    place = order | {label: len(order) + at for at, label in enumerate(sorted(labels - order.keys()))}

    def position(found: _Found) -> tuple[Any, ...]:
        return place[found.thing["label"]], *kind.position(found.thing)

    objects = [found for label in labels for found in _found(kind, field, label, values, least)]
    objects.sort(key=lambda found: (-found.support, position(found)))
    supported = sum(2 * found.support >= len(values) for found in objects)
    taken = min(max(supported, field["min"]), field["max"], len(objects))
    having = [found.support / len(values) for found in objects]
    agreed = having[:taken] + [1 - share for share in having[taken:]]
    result = sorted(objects[:taken], key=position)
    support = tuple(
        ObjectSupport(found.support / len(values), *(count / len(values) for count in found.stated)) for found in result
    )
    return FieldResult(task, [dict(found.thing) for found in result], min(agreed, default=1.0), len(values), support)


def _found(kind: Kind, field: Field, label: str, values: Sequence[Sequence[Thing]], least: float) -> list[_Found]:
    """All objects of one label."""
    things = [(answer, thing) for answer, value in enumerate(values) for thing in value if thing["label"] == label]
    # By position, not by answer: the same things in answers of another order give the same clusters.
    things.sort(key=lambda entry: kind.position(entry[1]))
    near = kind.near(field, [thing for _, thing in things])
    found = []
    for members in clusters(np.array([answer for answer, _ in things], dtype=np.intp), near, least):
        members = np.sort(members)
        of_one = [things[at][1] for at in members.tolist()]
        alike = near.among(members)
        middle = kind.middle(field, of_one, alike)
        if middle is not None:
            likeness = _to_middle(kind, field, middle, of_one, alike)
            found.append(_Found(middle, len(of_one), tuple(int(np.sum(likeness >= threshold)) for threshold in STATED)))
    return found


def _to_middle(
    kind: Kind, field: Field, middle: Thing, things: Sequence[Thing], alike: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How alike the things are to the one that they came to, which may be one of them: (k,)."""
    for at, thing in enumerate(things):
        if thing == middle:
            return np.asarray(alike[at])
    return np.asarray(cross_likeness(kind, field, [middle], things)[0])
