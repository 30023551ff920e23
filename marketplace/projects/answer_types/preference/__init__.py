"""Which of two things is better, and by how much."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from marketplace.projects.answer_types.base import AnswerTable, Field, FieldOutcome, FieldResult, ValueRefused
from marketplace.projects.answer_types.declaration import COMMON, NAME, Declaration
from marketplace.projects.answer_types.labelling import METHODS, labelled, method_used
from marketplace.projects.answer_types.marking import in_order
from marketplace.projects.answer_types.parts import Order

STRENGTHS_MAX = 5
LEFT, RIGHT, EQUAL = "left", "right", "equal"
# Of what is right about the side, how much the strength decides.
STRENGTH_SHARE = 0.5


class Preference:
    """Values are `{"preferred": "left" | "right" | "equal", "strength": 1 … strengths}`.

    There is no `strength` where there is one only, or for equal.
    """

    name = "preference"
    methods: tuple[str, ...] = tuple(METHODS)
    # On the right side, whatever the strength; see `score`.
    correct_at = 0.55
    # Options that name a data field of any type.
    compares = ("left", "right")

    def check_field(self, field: Field) -> dict[str, Any]:
        """Options: `left` and `right`, the data fields that hold what is compared; `strengths` (1 to 5, else 1);
        `equal` (false): whether neither may be better; `partial` (true): credit for what is nearly right."""
        read = Declaration(field, (*COMMON, "left", "right", "strengths", "equal", "partial"))
        checked = read.common()
        for side in self.compares:
            checked[side] = field.get(side)
            if not isinstance(checked[side], str) or not NAME.fullmatch(checked[side]):
                read.refuse(side, "must be the name of a data field")
        if checked["left"] == checked["right"] and not read.errors:
            read.refuse("right", "must be another data field than left")
        checked["strengths"] = read.whole("strengths", 1, STRENGTHS_MAX, default=1)
        checked["equal"] = read.flag("equal", default=False)
        checked["partial"] = read.flag("partial", default=True)
        read.raise_errors()
        return checked

    def clean(self, field: Field, value: Any) -> Any:
        if not isinstance(value, dict) or not value.keys() <= {"preferred", "strength"}:
            raise ValueRefused("must have preferred and, where there are several, strength, and nothing else")
        preferred, strength = value.get("preferred"), value.get("strength")
        sides = _sides(field)
        if not isinstance(preferred, str) or preferred not in sides:
            raise ValueRefused(f"preferred must be {' or '.join(sides)}")
        if preferred == EQUAL or field["strengths"] == 1:
            # A client may say 1 where there is one strength only.
            if strength is not None and (preferred == EQUAL or strength != 1 or isinstance(strength, bool)):
                raise ValueRefused("strength must be absent where nothing is preferred, or there is only one")
            return {"preferred": preferred}
        if isinstance(strength, bool) or not isinstance(strength, int | float) or strength not in _strengths(field):
            raise ValueRefused(f"strength must be a whole number from 1 to {field['strengths']}")
        return {"preferred": preferred, "strength": int(strength)}

    def score(self, field: Field, key: Any, value: Any) -> float:
        """1 for the same, 0 for the other side. On the right side a wrong strength costs up to a half; equal where a
        side is right, or a side where equal is right, gets a half at strength 1 and less the stronger. Without
        `partial` 1 for the right side, whatever the strength, otherwise 0."""
        one, other = key["preferred"], value["preferred"]
        if not field["partial"]:
            return float(one == other)
        if EQUAL not in (one, other) and one != other:
            return 0.0
        off = abs(_strength(key) - _strength(value)) / field["strengths"]
        if one == other:
            return 1 - STRENGTH_SHARE * off
        return STRENGTH_SHARE * (1 - off + 1 / field["strengths"])

    def json_schema(self, field: Field) -> dict[str, Any]:
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {"preferred": {"type": "string", "enum": _sides(field)}},
            "required": ["preferred"],
            "additionalProperties": False,
        }
        if field["strengths"] > 1:
            schema["properties"]["strength"] = {"type": "integer", "minimum": 1, "maximum": field["strengths"]}
            schema["if"] = {"properties": {"preferred": {"const": EQUAL}}}
            schema["then"] = {"properties": {"strength": False}}
            schema["else"] = {"required": ["strength"]}
        return schema

    def parts(self, field: Field, value: Any) -> Iterable[Order]:
        sides = {LEFT: ((LEFT,), (RIGHT,)), RIGHT: ((RIGHT,), (LEFT,)), EQUAL: ((LEFT, RIGHT),)}
        return [Order(sides[value["preferred"]], value.get("strength"))]

    def check_wanted(self, field: Field, wanted: Any) -> Any:
        """A condition names a side, or equal."""
        if wanted not in _sides(field):
            raise ValueRefused(f"must be {' or '.join(_sides(field))}")
        return wanted

    def meets(self, field: Field, wanted: Any, value: Any) -> bool:
        """A side is met by each strength of it."""
        return bool(value["preferred"] == wanted)

    def wanted_schema(self, field: Field, wanted: Any) -> dict[str, Any]:
        """Values of that side."""
        return {"properties": {"preferred": {"const": wanted}}, "required": ["preferred"]}

    def aggregate(self, field: Field, answers: AnswerTable, method: str) -> FieldOutcome:
        """The most probable side by votes; of equals left, then right, then equal. The strength is the lower median of
        those who are on that side; where nobody is, that of the known value, or 1. Confidence is the side's
        probability."""
        used = method_used(method, self.methods)
        rows = in_order(answers)
        task = [answers.task[at] for at in rows]
        given = [answers.value[at]["preferred"] for at in rows]
        known = {task: key["preferred"] for task, key in answers.known.items()}
        workers = [answers.worker[at] for at in rows]
        table = AnswerTable(task, workers, given, answers.n_tasks, answers.accuracy, known)
        result, _, order = labelled(table, [LEFT, RIGHT, EQUAL], used)
        strengths: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
        for at in rows:
            strengths[answers.task[at], answers.value[at]["preferred"]].append(answers.value[at].get("strength", 1))
        results = []
        for found in np.flatnonzero(result.n_votes).tolist():
            side = order[result.labels[found]]
            value: dict[str, Any] = {"preferred": side}
            if field["strengths"] > 1 and side != EQUAL:
                # A method may prefer a side that nobody of this task is on.
                key = answers.known.get(found, {})
                unsaid = key.get("strength", 1) if key.get("preferred") == side else 1
                on_side = sorted(strengths[found, side]) or [unsaid]
                value["strength"] = min(on_side[(len(on_side) - 1) // 2], field["strengths"])
            results.append(FieldResult(found, value, float(result.confidence[found]), int(result.n_votes[found])))
        return FieldOutcome(used, results, result.iterations, result.converged)


def _sides(field: Field) -> list[str]:
    return [LEFT, RIGHT, EQUAL] if field["equal"] else [LEFT, RIGHT]


def _strengths(field: Field) -> range:
    return range(1, field["strengths"] + 1)


def _strength(value: Any) -> int:
    return 0 if value["preferred"] == EQUAL else int(value.get("strength", 1))


ANSWER_TYPE = Preference()
