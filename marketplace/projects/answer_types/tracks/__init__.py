"""Boxes around things that move through a film, each with a label."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from marketplace.projects.answer_types.base import AnswerTable, Field, FieldOutcome, ValueRefused
from marketplace.projects.answer_types.declaration import COMMON, Declaration
from marketplace.projects.answer_types.parts import KeyFrame, Track
from marketplace.projects.answer_types.shapes.consensus import agreement, joined
from marketplace.projects.answer_types.shapes.declared import (
    OBJECTS,
    PICTURE,
    read_objects,
    read_picture,
    read_threshold,
)
from marketplace.projects.answer_types.shapes.schemas import box_properties, closed, labelled
from marketplace.projects.answer_types.shapes.values import (
    box_in,
    cleaned,
    keyed,
    known_label,
    listed,
)
from marketplace.projects.answer_types.tracks.films import TrackKind

TRACKS_MAX = 200
TRACKS_DEFAULT = 50
FRAMES_MAX = 10_000_000
KEYS_MAX = 10_000
KEYS_IN_ALL = 50_000
SIDES = ("x", "y", "width", "height")
FLAGS = ("outside", "occluded")
KIND = TrackKind()


class Tracks:
    """Values are lists of `{label, frames}`; frames are key frames `{frame, x, y, width, height}` by rising frame, from
    0, with `outside: true` or `occluded: true` where that is so.

    Between two key frames the box is on the line. It is there from its first key frame to its last, but not from one
    that is outside up to the next that is not. In the order of the labels, then of the first frames.
    """

    name = "tracks"
    methods: tuple[str, ...] = ("clusters",)
    correct_at = 0.8
    of = ("video",)

    def check_field(self, field: Field) -> dict[str, Any]:
        """Options: `of`, the data field with the film; `labels` (1 to 500); `width` and `height` of all films and
        `frames`, how many they have, where they are known; `min_size` (1), the shortest side; `min` (0) and `max` (50)
        tracks; `iou` (0.5), from which overlap in space and time on two are the same; `partial` (true): credit for
        those that are right."""
        read = Declaration(field, (*COMMON, *OBJECTS, *PICTURE, "frames", "iou"))
        checked = read.common() | read_objects(read, field, of=self.of, most=TRACKS_MAX, default=TRACKS_DEFAULT)
        checked |= read_picture(read)
        if read.has("frames"):
            checked["frames"] = read.whole("frames", 1, FRAMES_MAX, default=FRAMES_MAX)
        checked["iou"] = read_threshold(read, "iou")
        read.raise_errors()
        return checked

    def clean(self, field: Field, value: Any) -> Any:
        frames = [one.get("frames") for one in listed(field, value, "tracks") if isinstance(one, dict)]
        if sum(len(given) for given in frames if isinstance(given, list)) > KEYS_IN_ALL:
            raise ValueRefused(f"must have at most {KEYS_IN_ALL} key frames in all")
        return cleaned(field, value, ("track", "tracks"), _clean_track, KIND.position)

    def score(self, field: Field, key: Any, value: Any) -> float:
        """F1 of the tracks that match: of one label, and the boxes of all frames together share `iou` of what they
        cover; as boxes do. Of more than a thousand frames a thousand are looked at, spread evenly over all tracks."""
        return agreement(KIND, field, key, value, field["iou"])

    def json_schema(self, field: Field) -> dict[str, Any]:
        frame = {"type": "integer", "minimum": 0, "maximum": field.get("frames", FRAMES_MAX) - 1}
        flags = {flag: {"type": "boolean"} for flag in FLAGS}
        key = closed({"frame": frame, **box_properties(field), **flags}, ("frame", *SIDES))
        frames = {"type": "array", "items": key, "minItems": 1, "maxItems": KEYS_MAX}
        return labelled(field, {"frames": frames}, ("frames",))

    def parts(self, field: Field, value: Any) -> Iterable[Track]:
        return [Track(one["label"], tuple(KeyFrame(**key) for key in one["frames"])) for one in value]

    def aggregate(self, field: Field, answers: AnswerTable, method: str) -> FieldOutcome:
        """By `shapes.consensus.joined`. A track of the result is there where at least half of those that came to it
        are, with the median of their edges; occluded where most of them say so."""
        return joined(KIND, field, answers, field["iou"], self.methods[0])


def _clean_track(field: Field, order: Mapping[str, int], where: str, track: Any) -> dict[str, Any]:
    keyed(where, track, ("label", "frames"))
    label = known_label(where, track["label"], order)
    given = track["frames"]
    if not isinstance(given, list) or not 1 <= len(given) <= KEYS_MAX:
        raise ValueRefused(f"{where}frames must be a list of 1 to {KEYS_MAX} key frames")
    frames = [_clean_key(field, f"{where}key frame {number}: ", key) for number, key in enumerate(given, 1)]
    _rising(where, frames)
    if frames[0].get("outside"):
        raise ValueRefused(f"{where}begins outside; let it begin where the thing is first seen")
    return {"label": label, "frames": frames}


def _clean_key(field: Field, where: str, key: Any) -> dict[str, Any]:
    keyed(where, key, ("frame", *SIDES), FLAGS)
    frame, last = key["frame"], field.get("frames", FRAMES_MAX) - 1
    if isinstance(frame, bool) or not isinstance(frame, int) or not 0 <= frame <= last:
        raise ValueRefused(f"{where}frame must be a whole number from 0 to {last}")
    cleaned: dict[str, Any] = {"frame": frame} | box_in(field, where, key)
    for flag in FLAGS:
        if not isinstance(key.get(flag, False), bool):
            raise ValueRefused(f"{where}{flag} must be true or false")
        if key.get(flag):
            cleaned[flag] = True
    return cleaned


def _rising(where: str, frames: Sequence[Mapping[str, Any]]) -> None:
    for number in range(1, len(frames)):
        if frames[number]["frame"] <= frames[number - 1]["frame"]:
            raise ValueRefused(f"{where}key frame {number + 1}: frame must be more than that of the one before")


ANSWER_TYPE = Tracks()
