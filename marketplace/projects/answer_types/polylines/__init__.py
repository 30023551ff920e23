"""Open lines in a picture, each with a label."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.geometry.clusters import Near, medoid
from marketplace.aggregation.geometry.lines import length, line_likeness
from marketplace.aggregation.geometry.polygons import bounds
from marketplace.aggregation.geometry.rectangles import meeting
from marketplace.projects.answer_types.base import AnswerTable, Field, FieldOutcome, ValueRefused
from marketplace.projects.answer_types.declaration import COMMON, Declaration
from marketplace.projects.answer_types.parts import Polyline
from marketplace.projects.answer_types.shapes.consensus import Thing, agreement, joined
from marketplace.projects.answer_types.shapes.declared import (
    OBJECTS,
    SIDE_MAX,
    read_objects,
    read_picture,
    read_threshold,
)
from marketplace.projects.answer_types.shapes.schemas import points_schema
from marketplace.projects.answer_types.shapes.values import (
    cleaned,
    keyed,
    known_label,
    points_in,
)

LINES_MAX = 100
LINES_DEFAULT = 50
POINTS_MAX = 1_000
TOLERANCE_DEFAULT = 5


class LineKind:
    """Lines are alike by the length that they run along each other; several come to the one most like the others."""

    def near(self, field: Field, things: Sequence[Thing]) -> Near:
        lines = [np.array(thing["points"], dtype=np.float64) for thing in things]
        if not lines:
            return Near.nothing()
        reach = field["tolerance"] / 2
        first, second = meeting(np.array([bounds(line) for line in lines]) + np.array([-1, -1, 1, 1]) * reach)
        likeness = [
            line_likeness(lines[one], lines[other], field["tolerance"], directed=field["directed"])
            for one, other in zip(first, second, strict=True)
        ]
        return Near(first, second, np.array(likeness, dtype=np.float64))

    def middle(self, field: Field, things: Sequence[Thing], likeness: NDArray[np.float64]) -> Thing:
        return things[medoid(likeness)]

    def position(self, thing: Thing) -> tuple[Any, ...]:
        return tuple((y, x) for x, y in thing["points"])


KIND = LineKind()


class Polylines:
    """Values are lists of `{label, points}`; points are `[x, y]` in pixels of the picture. Lines may cross themselves.

    In the order of the labels, then of the points. Where the direction of a line means nothing it begins at its upper
    end (of equals the left one; a closed line so that its points come first in order).
    """

    name = "polylines"
    methods: tuple[str, ...] = ("clusters",)
    correct_at = 0.8
    of = ("image",)

    def check_field(self, field: Field) -> dict[str, Any]:
        """Options: `of`, the data field with the picture; `labels` (1 to 500); `width` and `height` of all pictures,
        where they are known; `min` (0) and `max` (50) lines; `min_length` (1) in pixels; `directed` (false): whether
        its direction is part of a line; `tolerance` (5): pixels up to which lines run along each other; `overlap`
        (0.5), from which share of their length along each other on two lines are the same; `partial` (true): credit
        for those that are right."""
        own = ("min_length", "directed", "tolerance", "overlap")
        read = Declaration(field, (*COMMON, *OBJECTS, "width", "height", *own))
        checked = read.common() | read_objects(read, field, of=self.of, most=LINES_MAX, default=LINES_DEFAULT)
        checked |= read_picture(read, smallest=False)
        checked["min_length"] = read.whole("min_length", 1, SIDE_MAX, default=1)
        checked["directed"] = read.flag("directed", default=False)
        checked["tolerance"] = read.number("tolerance") if read.has("tolerance") else TOLERANCE_DEFAULT
        if checked["tolerance"] is not None and not 0 < checked["tolerance"] <= SIDE_MAX:
            read.refuse("tolerance", f"must be above 0 and at most {SIDE_MAX}")
        checked["overlap"] = read_threshold(read, "overlap")
        read.raise_errors()
        return checked

    def clean(self, field: Field, value: Any) -> Any:
        return cleaned(field, value, ("line", "lines"), _clean_line, KIND.position)

    def score(self, field: Field, key: Any, value: Any) -> float:
        """F1 of the lines that match: of one label, with `overlap` of their length within `tolerance` of each other."""
        return agreement(KIND, field, key, value, field["overlap"])

    def json_schema(self, field: Field) -> dict[str, Any]:
        return points_schema(field, least=2, most=POINTS_MAX)

    def parts(self, field: Field, value: Any) -> Iterable[Polyline]:
        return [Polyline(one["label"], tuple((x, y) for x, y in one["points"])) for one in value]

    def aggregate(self, field: Field, answers: AnswerTable, method: str) -> FieldOutcome:
        """By `shapes.consensus.joined`; of the lines that came to one, the one that runs along the others most."""
        return joined(KIND, field, answers, field["overlap"], self.methods[0])


def _clean_line(field: Field, order: Mapping[str, int], where: str, line: Any) -> dict[str, Any]:
    keyed(where, line, ("label", "points"))
    label = known_label(where, line["label"], order)
    points = points_in(field, where, line["points"], 2, POINTS_MAX)
    if length(np.array(points, dtype=np.float64)) < field["min_length"]:
        raise ValueRefused(f"{where}must be at least {field['min_length']} pixels long")
    if not field["directed"]:
        turned = points[::-1]
        points = min(points, turned, key=lambda those: [(y, x) for x, y in those])
    return {"label": label, "points": points}


ANSWER_TYPE = Polylines()
