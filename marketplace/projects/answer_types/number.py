"""A number, with bounds and a unit."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.projects.answer_types.base import AnswerTable, Field, FieldOutcome, FieldResult, ValueRefused
from marketplace.projects.answer_types.declaration import COMMON, NUMBER_MAX, Declaration
from marketplace.projects.answer_types.medians import task_medians

UNIT_MAX = 32
# Two answers differ by rounding alone when they are this close, relative to their size.
ROUNDING = 1e-9
# Without a tolerance, answers within this share of the range, or of the median, count as agreeing with it.
AGREEING_SHARE = 0.05


class Number:
    """Values are finite numbers, whole ones as integers."""

    name = "number"
    methods: tuple[str, ...] = ("median",)
    correct_at = 1.0

    def check_field(self, field: Field) -> dict[str, Any]:
        """Options: `minimum`, `maximum`, `integer`, `unit`, and `tolerance` (0), the largest error that is no error."""
        read = Declaration(field, (*COMMON, "minimum", "maximum", "integer", "unit", "tolerance"))
        checked = read.common() | {"integer": read.flag("integer", default=False)}
        for option in ("minimum", "maximum"):
            if (bound := read.number(option)) is not None:
                checked[option] = bound
        if "minimum" in checked and "maximum" in checked and not checked["minimum"] < checked["maximum"]:
            read.refuse("minimum", "must be less than maximum")
        checked["tolerance"] = read.number("tolerance") or 0
        if checked["tolerance"] < 0:
            read.refuse("tolerance", "must not be negative")
        if unit := read.text("unit", UNIT_MAX):
            checked["unit"] = unit
        read.raise_errors()
        return checked

    def clean(self, field: Field, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= NUMBER_MAX:
            raise ValueRefused(f"must be a number between -{NUMBER_MAX} and {NUMBER_MAX}")
        if math.floor(value) == value:
            value = int(value)
        elif field["integer"]:
            raise ValueRefused("must be a whole number")
        if "minimum" in field and value < field["minimum"]:
            raise ValueRefused(f"must be at least {field['minimum']}")
        if "maximum" in field and value > field["maximum"]:
            raise ValueRefused(f"must be at most {field['maximum']}")
        return value

    def score(self, field: Field, key: Any, value: Any) -> float:
        """1 within the tolerance, which includes its end; otherwise 0."""
        return float(abs(value - key) <= field["tolerance"] + ROUNDING * max(1.0, abs(key)))

    def json_schema(self, field: Field) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "integer" if field["integer"] else "number"}
        return schema | {bound: field[bound] for bound in ("minimum", "maximum") if bound in field}

    def aggregate(self, field: Field, answers: AnswerTable, method: str) -> FieldOutcome:
        """The median, which no single wild answer can move far; of an even number, the mean of the middle two.

        For `integer` fields it is the lower of the middle two. Confidence is the share of answers that agree with the
        median: lie within the tolerance, or without one within 5 % of the range from minimum to maximum, or without a
        range within 5 % of the median.
        """
        task = np.asarray(answers.task, dtype=np.intp)
        value = np.asarray(answers.value, dtype=np.float64)
        low, high, counts = task_medians(task, value, answers.n_tasks)
        median = low if field["integer"] else (low + high) / 2
        near = np.abs(value - median[task]) <= _agreeing(field, median)[task]
        agreeing = np.bincount(task, near, minlength=answers.n_tasks)
        results = [
            FieldResult(at, _canonical(median[at]), float(agreeing[at] / counts[at]), int(counts[at]))
            for at in np.flatnonzero(counts).tolist()
        ]
        return FieldOutcome(self.methods[0], results)


def _agreeing(field: Field, median: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far an answer may lie from each task's median and still agree with it."""
    size = np.abs(median)
    if field["tolerance"]:
        reach = np.full_like(median, field["tolerance"])
    elif "minimum" in field and "maximum" in field:
        reach = np.full_like(median, AGREEING_SHARE * (field["maximum"] - field["minimum"]))
    else:
        reach = AGREEING_SHARE * size
    return np.asarray(reach + ROUNDING * np.maximum(1.0, size))


def _canonical(value: float) -> int | float:
    return int(value) if math.floor(value) == value else float(value)


ANSWER_TYPE = Number()
