"""Boxes in space around things of a point cloud, each with a label."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.geometry.clusters import Near
from marketplace.aggregation.geometry.cuboids import cuboid_overlap, ground, middle_cuboid
from marketplace.aggregation.geometry.polygons import bounds
from marketplace.aggregation.geometry.rectangles import meeting
from marketplace.projects.answer_types.base import AnswerTable, Field, FieldOutcome
from marketplace.projects.answer_types.declaration import COMMON, Declaration
from marketplace.projects.answer_types.parts import Cuboid
from marketplace.projects.answer_types.shapes.consensus import Thing, agreement, joined
from marketplace.projects.answer_types.shapes.declared import OBJECTS, read_objects, read_threshold
from marketplace.projects.answer_types.shapes.schemas import labelled
from marketplace.projects.answer_types.shapes.values import (
    cleaned,
    keyed,
    known_label,
    number_in,
    plain,
)

CUBOIDS_MAX = 500
CUBOIDS_DEFAULT = 100
PLACE_MAX = 100_000
SIDE_MIN, SIDE_MAX = 0.01, 1_000
# Metres are kept to a millimetre, angles to a ten-thousandth of a radian: both finer than any scanner.
DIGITS, YAW_DIGITS = 3, 4
PLACE, SIDES = ("x", "y", "z"), ("length", "width", "height")
KEYS = (*PLACE, *SIDES, "yaw")


class CuboidKind:
    """Cuboids are alike by the space that they share; several come to the median of their places and sides."""

    def near(self, field: Field, things: Sequence[Thing]) -> Near:
        if not things:
            return Near.nothing()
        cuboids = _numbers(things)
        first, second = meeting(np.array([bounds(ground(cuboid)) for cuboid in cuboids]))
        likeness = [cuboid_overlap(cuboids[one], cuboids[other]) for one, other in zip(first, second, strict=True)]
        return Near(first, second, np.array(likeness, dtype=np.float64))

    def middle(self, field: Field, things: Sequence[Thing], likeness: NDArray[np.float64]) -> Thing:
        *rest, yaw = middle_cuboid(_numbers(things)).tolist()
        cuboid = {key: plain(round(number, DIGITS)) for key, number in zip(KEYS[:-1], rest, strict=True)}
        return {"label": things[0]["label"], **cuboid, "yaw": plain(round(yaw, YAW_DIGITS))}

    def position(self, thing: Thing) -> tuple[Any, ...]:
        return tuple(thing[key] for key in KEYS)


KIND = CuboidKind()


class Cuboids:
    """Values are lists of `{label, x, y, z, length, width, height, yaw}`: the middle and the sides in metres, turned by
    yaw radians from the x axis towards the y axis. Yaw lies above -π and up to π.

    In the order of the labels, then of the numbers.
    """

    name = "cuboids"
    methods: tuple[str, ...] = ("clusters",)
    correct_at = 0.8
    # A point cloud is named by its URL; cuboids may be drawn over pictures or films of the same scene too.
    of = ("url", "image", "video")

    def check_field(self, field: Field) -> dict[str, Any]:
        """Options: `of`, the data field with the scene; `labels` (1 to 500); `min` (0) and `max` (100) cuboids; `iou`
        (0.5), from which share of common space on two are the same; `partial` (true): credit for those that are
        right."""
        read = Declaration(field, (*COMMON, *OBJECTS, "iou"))
        checked = read.common() | read_objects(read, field, of=self.of, most=CUBOIDS_MAX, default=CUBOIDS_DEFAULT)
        checked["iou"] = read_threshold(read, "iou")
        read.raise_errors()
        return checked

    def clean(self, field: Field, value: Any) -> Any:
        return cleaned(field, value, ("cuboid", "cuboids"), _clean_cuboid, KIND.position)

    def score(self, field: Field, key: Any, value: Any) -> float:
        """F1 of the cuboids that match: of one label with `iou` of their space in common, as boxes do. Half a turn
        makes no difference."""
        return agreement(KIND, field, key, value, field["iou"])

    def json_schema(self, field: Field) -> dict[str, Any]:
        place = {"type": "number", "minimum": -PLACE_MAX, "maximum": PLACE_MAX}
        side = {"type": "number", "minimum": SIDE_MIN, "maximum": SIDE_MAX}
        yaw = {"type": "number", "minimum": -PLACE_MAX, "maximum": PLACE_MAX}
        return labelled(field, dict.fromkeys(PLACE, place) | dict.fromkeys(SIDES, side) | {"yaw": yaw}, KEYS)

    def parts(self, field: Field, value: Any) -> Iterable[Cuboid]:
        return [Cuboid(**one) for one in value]

    def aggregate(self, field: Field, answers: AnswerTable, method: str) -> FieldOutcome:
        """By `shapes.consensus.joined`; a cuboid of the result has the median of the places and sides of those that
        came to it, and the yaw among theirs that is least far from all."""
        return joined(KIND, field, answers, field["iou"], self.methods[0])


def _numbers(things: Sequence[Thing]) -> NDArray[np.float64]:
    return np.array([[thing[key] for key in KEYS] for thing in things], dtype=np.float64)


def _clean_cuboid(_field: Field, order: Mapping[str, int], where: str, cuboid: Any) -> dict[str, Any]:
    keyed(where, cuboid, ("label", *KEYS))
    cleaned: dict[str, Any] = {"label": known_label(where, cuboid["label"], order)}
    for key in PLACE:
        cleaned[key] = number_in(where, key, cuboid[key], -PLACE_MAX, PLACE_MAX, digits=DIGITS)
    for key in SIDES:
        cleaned[key] = number_in(where, key, cuboid[key], SIDE_MIN, SIDE_MAX, digits=DIGITS)
    yaw = number_in(where, "yaw", cuboid["yaw"], -PLACE_MAX, PLACE_MAX, digits=10)
    turned = round(math.remainder(yaw, math.tau), YAW_DIGITS)
    return cleaned | {"yaw": plain(abs(turned) if abs(turned) == round(math.pi, YAW_DIGITS) else turned)}


ANSWER_TYPE = Cuboids()
