"""A point on a scale, as Likert's."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from marketplace.aggregation.ordinal import OrdinalResult
from marketplace.projects.answer_types.base import AnswerTable, Field, FieldOutcome, FieldResult, ValueRefused
from marketplace.projects.answer_types.credit import falling
from marketplace.projects.answer_types.declaration import COMMON, Declaration
from marketplace.projects.answer_types.labelling import SCALE_METHODS, labelled, method_used
from marketplace.projects.answer_types.medians import task_medians
from marketplace.projects.answer_types.parts import Number

POINTS_DEFAULT = 5
# From this many points on, the neighbour of the right one counts for half: there, careful people differ by one.
NEIGHBOUR_FROM = 5


class Rating:
    """Values are whole numbers from 1 to `points`."""

    name = "rating"
    methods: tuple[str, ...] = tuple(SCALE_METHODS)
    correct_at = 1.0

    def check_field(self, field: Field) -> dict[str, Any]:
        """Options: `points` (2 to 11, else 5) and `labels`, one text for each point; `tolerance`, by how many points
        one may be off; `partial`, and with it `zero_at` (points - 1), by how many points off nothing counts."""
        read = Declaration(field, (*COMMON, "points", "labels", "tolerance", "partial", "zero_at"))
        checked = read.common() | {"points": read.whole("points", 2, 11, default=POINTS_DEFAULT)}
        checked |= _verdict_options(read, checked["points"] - 1)
        if read.has("labels"):
            checked["labels"] = read.texts("labels")
            if len(checked["labels"]) != checked["points"] and not read.errors:
                read.refuse("labels", f"must be {checked['points']} texts, one for each point")
        read.raise_errors()
        return checked

    def clean(self, field: Field, value: Any) -> Any:
        # A client may well send 4.0 where it means 4; JSON does not tell them apart.
        if isinstance(value, bool) or not isinstance(value, int | float) or value not in range(1, field["points"] + 1):
            raise ValueRefused(f"must be a whole number from 1 to {field['points']}")
        return int(value)

    def score(self, field: Field, key: Any, value: Any) -> float:
        """1 within the tolerance; beyond it 0, or with `partial` the less the farther away. A field that says neither
        gives a half for the neighbour of the right point on scales of 5 points and more."""
        off = abs(key - value)
        if "partial" not in field and "tolerance" not in field:
            return falling(off, 0, 2 if field["points"] >= NEIGHBOUR_FROM else 1)
        return falling(off, field.get("tolerance", 0), field.get("zero_at", 0))

    def json_schema(self, field: Field) -> dict[str, Any]:
        return {"type": "integer", "minimum": 1, "maximum": field["points"]}

    def parts(self, field: Field, value: Any) -> Iterable[Number]:
        return [Number(value, scale=field["points"])]

    def aggregate(self, field: Field, answers: AnswerTable, method: str) -> FieldOutcome:
        """The most probable point. Of equals, the one nearest to the median of the answers, and of those the lower.

        By `ordinal`, the median of the posterior, which is least far from the right point on average.
        """
        used = method_used(method, self.methods)
        result, votes, points = labelled(answers, range(1, field["points"] + 1), used)
        low, high, counts = task_medians(votes.task, np.array(points, np.float64)[votes.label], answers.n_tasks)
        distance = np.abs(np.array(points) - ((low + high) / 2)[:, None])
        top = result.posteriors == result.confidence[:, None]
        chosen = np.where(top, distance, np.inf).argmin(axis=1)
        if isinstance(result, OrdinalResult):
            chosen = result.medians
        results = [
            FieldResult(
                task, int(points[chosen[task]]), float(result.posteriors[task, chosen[task]]), int(counts[task])
            )
            for task in np.flatnonzero(counts).tolist()
        ]
        return FieldOutcome(used, results, result.iterations, result.converged)


def _verdict_options(read: Declaration, farthest: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if read.has("tolerance"):
        found["tolerance"] = read.whole("tolerance", 0, farthest - 1, default=0)
    if read.has("partial"):
        found["partial"] = read.flag("partial", default=False)
    if found.get("partial"):
        found["zero_at"] = read.whole("zero_at", found.get("tolerance", 0) + 1, farthest, default=farthest)
    elif read.has("zero_at"):
        read.refuse("zero_at", "is only for partial: true")
    return found


ANSWER_TYPE = Rating()
