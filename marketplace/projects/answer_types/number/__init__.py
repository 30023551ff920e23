"""A number, with bounds and a unit."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.numeric import NumberResult, Numbers, trimmed_mean
from marketplace.aggregation.votes import Votes
from marketplace.aggregation.worker_bias import worker_bias
from marketplace.projects.answer_types.base import AnswerTable, Field, FieldOutcome, FieldResult, ValueRefused
from marketplace.projects.answer_types.credit import falling
from marketplace.projects.answer_types.declaration import COMMON, NUMBER_MAX, Declaration
from marketplace.projects.answer_types.labelling import accuracies, in_order, method_used
from marketplace.projects.answer_types.medians import task_medians
from marketplace.projects.answer_types.parts import Number as NumberPart

UNIT_MAX = 32
# Two answers differ by rounding alone when they are this close, relative to their size.
ROUNDING = 1e-9
# Without a tolerance, answers within this share of the range, or of the median, count as agreeing with it.
AGREEING_SHARE = 0.05
VERDICT = ("partial", "tolerance_share", "zero_at", "zero_at_share")
# An error of a hundred times the right number is as large as anybody can mean.
SHARE_MAX = 100


class Number:
    """Values are finite numbers, whole ones as integers."""

    name = "number"
    methods: tuple[str, ...] = ("median", "trimmed_mean", "worker_bias")
    correct_at = 1.0

    def check_field(self, field: Field) -> dict[str, Any]:
        """Options: `minimum`, `maximum`, `integer`, `unit`; what is no error: up to `tolerance` (0), or the share
        `tolerance_share` of the right number, whichever is more; with `partial`, credit that falls to nothing at an
        error of `zero_at`, or of the share `zero_at_share` of the right number."""
        read = Declaration(field, (*COMMON, "minimum", "maximum", "integer", "unit", "tolerance", *VERDICT))
        checked = read.common() | {"integer": read.flag("integer", default=False)}
        for option in ("minimum", "maximum"):
            if (bound := read.number(option)) is not None:
                checked[option] = bound
        if "minimum" in checked and "maximum" in checked and not checked["minimum"] < checked["maximum"]:
            read.refuse("minimum", "must be less than maximum")
        checked["tolerance"] = read.number("tolerance") or 0
        if checked["tolerance"] < 0:
            read.refuse("tolerance", "must not be negative")
        checked |= _verdict_options(read, checked["tolerance"])
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
        """1 within the tolerance, which includes its end; otherwise 0, or with `partial` the less the farther away."""
        free = max(field["tolerance"], field.get("tolerance_share", 0) * abs(key)) + ROUNDING * max(1.0, abs(key))
        zero_at = max(field.get("zero_at", 0), field.get("zero_at_share", 0) * abs(key)) if field.get("partial") else 0
        return falling(abs(value - key), free, zero_at)

    def json_schema(self, field: Field) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "integer" if field["integer"] else "number"}
        return schema | {bound: field[bound] for bound in ("minimum", "maximum") if bound in field}

    def parts(self, field: Field, value: Any) -> Iterable[NumberPart]:
        return [NumberPart(value)]

    def aggregate(self, field: Field, answers: AnswerTable, method: str) -> FieldOutcome:
        """The median, which no single wild answer can move far; of an even number, the mean of the middle two.

        By `trimmed_mean`, the mean of the middle half, workers weighed by how often they are right; by `worker_bias`,
        the value that is most probable when each worker has a bias and a spread of his own. Both are brought between
        minimum and maximum. For `integer` fields it is the lower of the middle two, or the nearest whole number, of two
        the lower. Confidence is the share of answers that agree with the value: lie within the tolerance, or without
        one within 5 % of the range from minimum to maximum, or without a range within 5 % of the value.
        """
        used = method_used(method, self.methods)
        task = np.asarray(answers.task, dtype=np.intp)
        value = np.asarray(answers.value, dtype=np.float64)
        low, high, counts = task_medians(task, value, answers.n_tasks)
        result: NumberResult | None = None
        if used == self.methods[0]:
            found = low if field["integer"] else (low + high) / 2
        else:
            result = _fitted(used, answers)
            found = np.clip(result.values, field.get("minimum", -NUMBER_MAX), field.get("maximum", NUMBER_MAX))
            found = np.ceil(found - 0.5) if field["integer"] else found
        near = np.abs(value - found[task]) <= _agreeing(field, found)[task]
        agreeing = np.bincount(task, near, minlength=answers.n_tasks)
        results = [
            FieldResult(at, _canonical(found[at]), float(agreeing[at] / counts[at]), int(counts[at]))
            for at in np.flatnonzero(counts).tolist()
        ]
        if result is None:
            return FieldOutcome(used, results)
        return FieldOutcome(used, results, result.iterations, result.converged)


def _fitted(method: str, answers: AnswerTable) -> NumberResult:
    answers = in_order(answers)
    votes, words = Votes.of(answers.task, answers.worker, answers.task, task_order=range(answers.n_tasks))
    numbers = Numbers(votes.task, votes.worker, np.asarray(answers.value, np.float64), votes.n_tasks, votes.n_workers)
    if method == "worker_bias":
        return worker_bias(numbers)
    return trimmed_mean(numbers, weight=accuracies(answers, words.workers))


def _verdict_options(read: Declaration, tolerance: float) -> dict[str, Any]:
    """What of `VERDICT` is declared, each option only where it is, so that older declarations stay as they are."""
    found = {name: value for name in VERDICT[1:] if (value := read.number(name)) is not None}
    share, zero_at, zero_share = (found.get(name) for name in VERDICT[1:])
    if share is not None and not 0 < share <= 1:
        read.refuse("tolerance_share", "must be above 0 and at most 1")
    if zero_at is not None and zero_at <= tolerance:
        read.refuse("zero_at", "must be more than tolerance")
    if zero_share is not None and not (share or 0) < zero_share <= SHARE_MAX:
        read.refuse("zero_at_share", f"must be more than tolerance_share and at most {SHARE_MAX}")
    if read.has("partial"):
        found["partial"] = read.flag("partial", default=False)
    if found.get("partial") and zero_at is None and zero_share is None:
        read.refuse("zero_at", "is required with partial: true; or zero_at_share")
    if not found.get("partial"):
        for name in VERDICT[2:]:
            if name in found:
                read.refuse(name, "is only for partial: true")
    return found


def _agreeing(field: Field, median: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far an answer may lie from each task's value and still agree with it."""
    size = np.abs(median)
    if field["tolerance"] or field.get("tolerance_share"):
        reach = np.maximum(field["tolerance"], field.get("tolerance_share", 0) * size)
    elif "minimum" in field and "maximum" in field:
        reach = np.full_like(median, AGREEING_SHARE * (field["maximum"] - field["minimum"]))
    else:
        reach = AGREEING_SHARE * size
    return np.asarray(reach + ROUNDING * np.maximum(1.0, size))


def _canonical(value: float) -> int | float:
    return int(value) if math.floor(value) == value else float(value)


ANSWER_TYPE = Number()
