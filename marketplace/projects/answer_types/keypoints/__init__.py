"""Skeletons of named points in a picture, each point visible, occluded or absent."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.geometry.clusters import Near
from marketplace.aggregation.geometry.points import skeleton_likeness
from marketplace.projects.answer_types.base import AnswerTable, Field, FieldOutcome, ValueRefused
from marketplace.projects.answer_types.declaration import COMMON, Declaration
from marketplace.projects.answer_types.keypoints.skeletons import SPREAD_DEFAULT, read_skeletons
from marketplace.projects.answer_types.parts import Keypoints as KeypointsPart
from marketplace.projects.answer_types.parts import Visibility
from marketplace.projects.answer_types.shapes.consensus import Thing, agreement, joined
from marketplace.projects.answer_types.shapes.declared import OBJECTS, read_objects, read_picture, read_threshold
from marketplace.projects.answer_types.shapes.schemas import closed, labelled, place
from marketplace.projects.answer_types.shapes.values import (
    DIGITS,
    cleaned,
    keyed,
    known_label,
    place_in,
    plain,
)

SKELETONS_MAX = 200
SKELETONS_DEFAULT = 50
SEEN = (Visibility.VISIBLE, Visibility.OCCLUDED)
ABSENT = {"visibility": "absent"}


class SkeletonKind:
    """Skeletons are alike by the places of their points; several come to the median place of each point."""

    def near(self, field: Field, things: Sequence[Thing]) -> Near:
        if not things:
            return Near.nothing()
        names = _names(field, things)
        places = np.array([[_place(thing, name) for name in names] for thing in things])
        known = field["skeletons"].get(things[0]["label"], {}).get("spread", {})
        spread = np.array([known.get(name, SPREAD_DEFAULT) for name in names])
        firsts, seconds, found = [], [], []
        for at in range(len(things) - 1):
            likeness = skeleton_likeness(places[at], places[at + 1 :], spread)
            alike = np.flatnonzero(likeness > 0)
            firsts.append(np.full(len(alike), at, dtype=np.intp))
            seconds.append(alike + at + 1)
            found.append(likeness[alike])
        if not firsts:
            return Near.nothing()
        return Near(np.concatenate(firsts), np.concatenate(seconds), np.concatenate(found))

    def middle(self, field: Field, things: Sequence[Thing], likeness: NDArray[np.float64]) -> Thing | None:
        points = {name: _middle_point(things, name) for name in _names(field, things)}
        if all(point == ABSENT for point in points.values()):
            return None
        return {"label": things[0]["label"], "points": points}

    def position(self, thing: Thing) -> tuple[Any, ...]:
        return tuple(
            (name, point.get("y", -1), point.get("x", -1), point["visibility"])
            for name, point in sorted(thing["points"].items())
        )


KIND = SkeletonKind()


class Keypoints:
    """Values are lists of `{label, points}`; points are by name `{x, y, visibility}` in pixels of the picture, where
    visibility is visible or occluded, or only `{visibility: "absent"}`.

    Every point of the skeleton is there, in its declared order; one that the answer leaves out is absent.
    """

    name = "keypoints"
    methods: tuple[str, ...] = ("clusters",)
    correct_at = 0.8
    of = ("image",)

    def check_field(self, field: Field) -> dict[str, Any]:
        """Options: `of`, the data field with the picture; `labels` (1 to 500); `skeletons`, for each label the names
        of its points and its edges; `width` and `height` of all pictures, where they are known; `min` (0) and `max`
        (50) skeletons; `oks` (0.5), from which likeness on two are the same; `partial` (true): credit for those that
        are right."""
        read = Declaration(field, (*COMMON, *OBJECTS, "width", "height", "skeletons", "oks"))
        checked = read.common() | read_objects(read, field, of=self.of, most=SKELETONS_MAX, default=SKELETONS_DEFAULT)
        checked["skeletons"] = read_skeletons(read, field, [label["value"] for label in checked["labels"]])
        checked |= read_picture(read, smallest=False) | {"oks": read_threshold(read, "oks")}
        read.raise_errors()
        return checked

    def clean(self, field: Field, value: Any) -> Any:
        return cleaned(field, value, ("skeleton", "skeletons"), _clean_skeleton, KIND.position)

    def score(self, field: Field, key: Any, value: Any) -> float:
        """F1 of the skeletons that match: of one label and alike by `oks` (see `geometry.points`), as boxes do. Whether
        a point is visible or occluded makes no difference, whether it is absent does."""
        return agreement(KIND, field, key, value, field["oks"])

    def json_schema(self, field: Field) -> dict[str, Any]:
        seen = closed(
            {
                "x": place(field, "width"),
                "y": place(field, "height"),
                "visibility": {"type": "string", "enum": [str(one) for one in SEEN]},
            },
            ("x", "y", "visibility"),
        )
        absent = closed({"visibility": {"type": "string", "enum": [str(Visibility.ABSENT)]}}, ("visibility",))
        names = dict.fromkeys(name for skeleton in field["skeletons"].values() for name in skeleton["points"])
        points = closed({name: {"oneOf": [seen, absent]} for name in names}, ())
        return labelled(field, {"points": points}, ("points",))

    def parts(self, field: Field, value: Any) -> Iterable[KeypointsPart]:
        return [
            KeypointsPart(
                one["label"],
                tuple(
                    (name, point.get("x", 0), point.get("y", 0), Visibility(point["visibility"]))
                    for name, point in ((name, one["points"].get(name, ABSENT)) for name in _names(field, [one]))
                ),
            )
            for one in value
        ]

    def aggregate(self, field: Field, answers: AnswerTable, method: str) -> FieldOutcome:
        """By `shapes.consensus.joined`. A point of the result is visible, occluded or absent as most of the skeletons
        that came to it say (of equals the first in this order), at the median of the places where it is not absent."""
        return joined(KIND, field, answers, field["oks"], self.methods[0])


def _names(field: Field, things: Sequence[Thing]) -> list[str]:
    """Points of the label as declared; those that only an earlier version knew follow in their sorted order."""
    declared = field["skeletons"].get(things[0]["label"], {}).get("points", [])
    return [*declared, *sorted({name for thing in things for name in thing["points"]} - set(declared))]


def _place(thing: Thing, name: str) -> tuple[float, float]:
    point = thing["points"].get(name, ABSENT)
    return point.get("x", np.nan), point.get("y", np.nan)


def _middle_point(things: Sequence[Thing], name: str) -> dict[str, Any]:
    said = [thing["points"].get(name, ABSENT) for thing in things]
    count = Counter(point["visibility"] for point in said)
    most = max(Visibility, key=lambda visibility: count[visibility])  # the first of equals
    if most == Visibility.ABSENT:
        return dict(ABSENT)
    x, y = np.median([(point["x"], point["y"]) for point in said if point["visibility"] != "absent"], axis=0).tolist()
    return {"x": plain(round(x, DIGITS)), "y": plain(round(y, DIGITS)), "visibility": str(most)}


def _clean_skeleton(field: Field, order: Mapping[str, int], where: str, skeleton: Any) -> dict[str, Any]:
    keyed(where, skeleton, ("label", "points"))
    label = known_label(where, skeleton["label"], order)
    points = skeleton["points"]
    names = field["skeletons"][label]["points"]
    if not isinstance(points, dict) or not points.keys() <= set(names):
        raise ValueRefused(f"{where}points must be an object by names of points that the label has")
    cleaned = {name: _clean_point(field, f"{where}{name}: ", points.get(name, ABSENT)) for name in names}
    if all(point == ABSENT for point in cleaned.values()):
        raise ValueRefused(f"{where}must have at least one point that is not absent")
    return {"label": label, "points": cleaned}


def _clean_point(field: Field, where: str, point: Any) -> dict[str, Any]:
    if not isinstance(point, dict) or point.get("visibility") not in list(Visibility):
        raise ValueRefused(f"{where}visibility must be visible, occluded or absent")
    if point["visibility"] == Visibility.ABSENT:
        if set(point) != {"visibility"}:
            raise ValueRefused(f"{where}a point that is absent has no place")
        return dict(ABSENT)
    keyed(where, point, ("x", "y", "visibility"))
    x, y = place_in(field, where, point["x"], point["y"])
    return {"x": x, "y": y, "visibility": str(point["visibility"])}


ANSWER_TYPE = Keypoints()
