"""Outlines of things in a picture, each with a label."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.geometry.clusters import Near, medoid
from marketplace.aggregation.geometry.polygons import bounds, crossing, polygon_overlap, signed_area
from marketplace.aggregation.geometry.rectangles import meeting
from marketplace.projects.answer_types.base import AnswerTable, Field, FieldOutcome, ValueRefused
from marketplace.projects.answer_types.declaration import COMMON, Declaration
from marketplace.projects.answer_types.parts import Polygon
from marketplace.projects.answer_types.shapes.consensus import Thing, agreement, joined
from marketplace.projects.answer_types.shapes.declared import (
    OBJECTS,
    PICTURE,
    read_objects,
    read_picture,
    read_threshold,
)
from marketplace.projects.answer_types.shapes.schemas import points_schema
from marketplace.projects.answer_types.shapes.values import (
    DIGITS,
    cleaned,
    keyed,
    known_label,
    large_enough,
    listed,
    points_in,
)

POLYGONS_MAX = 500
POLYGONS_DEFAULT = 50
POINTS_MAX = 1_000
POINTS_IN_ALL = 20_000
# Fields ask for at least as much overlap as this, so pairs that cannot reach it need not be looked at.
LIKENESS_MIN = 0.1


class PolygonKind:
    """Polygons are alike by their overlap; several come to the one among them that is most like the others."""

    def near(self, field: Field, things: Sequence[Thing]) -> Near:
        shapes = [np.array(thing["points"], dtype=np.float64) for thing in things]
        if not shapes:
            return Near.nothing()
        frames = np.array([bounds(shape) for shape in shapes])
        areas = np.array([abs(signed_area(shape)) for shape in shapes])
        first, second = meeting(frames)
        sides = np.minimum(frames[first, 2:], frames[second, 2:]) - np.maximum(frames[first, :2], frames[second, :2])
        most = np.minimum(np.prod(sides, axis=1), np.minimum(areas[first], areas[second]))
        close = most >= LIKENESS_MIN * (areas[first] + areas[second] - most)
        first, second = first[close], second[close]
        likeness = [polygon_overlap(shapes[one], shapes[other]) for one, other in zip(first, second, strict=True)]
        return Near(first, second, np.array(likeness, dtype=np.float64))

    def middle(self, field: Field, things: Sequence[Thing], likeness: NDArray[np.float64]) -> Thing:
        return things[medoid(likeness)]

    def position(self, thing: Thing) -> tuple[Any, ...]:
        return tuple((y, x) for x, y in thing["points"])


KIND = PolygonKind()


class Polygons:
    """Values are lists of `{label, points}`; points are `[x, y]` in pixels of the picture, the first not said again.

    In one form: a polygon runs clockwise as it is seen, from its uppermost point (of those the leftmost). Polygons come
    in the order of the labels, then of their points.
    """

    name = "polygons"
    methods: tuple[str, ...] = ("clusters",)
    correct_at = 0.8
    of = ("image",)

    def check_field(self, field: Field) -> dict[str, Any]:
        """Options: `of`, the data field with the picture; `labels` (1 to 500); `width` and `height` of all pictures,
        where they are known; `min_size` (1), the shortest side of the rectangle around a polygon; `min` (0) and `max`
        (50) polygons; `iou` (0.5), from which overlap on two are the same; `partial` (true): credit for those that are
        right."""
        read = Declaration(field, (*COMMON, *OBJECTS, *PICTURE, "iou"))
        checked = read.common() | read_objects(read, field, of=self.of, most=POLYGONS_MAX, default=POLYGONS_DEFAULT)
        checked |= read_picture(read) | {"iou": read_threshold(read, "iou")}
        read.raise_errors()
        return checked

    def clean(self, field: Field, value: Any) -> Any:
        """A last point that repeats the first is left out. Polygons that cross or touch themselves are refused."""
        if _points_in(listed(field, value, "polygons")) > POINTS_IN_ALL:
            raise ValueRefused(f"must have at most {POINTS_IN_ALL} points in all")
        return cleaned(field, value, ("polygon", "polygons"), _clean_polygon, KIND.position)

    def score(self, field: Field, key: Any, value: Any) -> float:
        """F1 of the polygons that match, as boxes do."""
        return agreement(KIND, field, key, value, field["iou"])

    def json_schema(self, field: Field) -> dict[str, Any]:
        return points_schema(field, least=3, most=POINTS_MAX + 1)

    def parts(self, field: Field, value: Any) -> Iterable[Polygon]:
        return [Polygon(one["label"], tuple((x, y) for x, y in one["points"])) for one in value]

    def aggregate(self, field: Field, answers: AnswerTable, method: str) -> FieldOutcome:
        """By `shapes.consensus.joined`; of the polygons that came to one, the one that overlaps the others most."""
        return joined(KIND, field, answers, field["iou"], self.methods[0])


def _points_in(shapes: Sequence[Any]) -> int:
    points = [shape.get("points") for shape in shapes if isinstance(shape, dict)]
    return sum(len(one) for one in points if isinstance(one, list))


def _clean_polygon(field: Field, order: Mapping[str, int], where: str, polygon: Any) -> dict[str, Any]:
    keyed(where, polygon, ("label", "points"))
    label = known_label(where, polygon["label"], order)
    points = points_in(field, where, polygon["points"], 3, POINTS_MAX + 1)
    if points[0] == points[-1]:
        points.pop()
    if not 3 <= len(points) <= POINTS_MAX:
        raise ValueRefused(f"{where}must have 3 to {POINTS_MAX} different points")
    exact = np.round(np.array(points, dtype=np.float64) * 10**DIGITS).astype(np.int64)
    if (found := crossing(exact)) is not None:
        one, other = found
        raise ValueRefused(
            f"{where}its sides from point {one + 1} and from point {other + 1} cross or touch; it must not meet itself"
        )
    width, height = (np.max(exact, axis=0) - np.min(exact, axis=0)) / 10**DIGITS
    large_enough(field, where, width, height)
    if signed_area(exact.astype(np.float64)) < 0:
        points.reverse()
    first = min(range(len(points)), key=lambda at: (points[at][1], points[at][0]))
    return {"label": label, "points": points[first:] + points[:first]}


ANSWER_TYPE = Polygons()
