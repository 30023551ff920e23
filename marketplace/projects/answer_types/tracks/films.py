"""How alike tracks are, and which track several come to."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.geometry.clusters import Near
from marketplace.aggregation.geometry.rectangles import meeting
from marketplace.aggregation.geometry.tracks import boxes_at, frames_between, needed_frames, track_overlap
from marketplace.projects.answer_types.base import Field
from marketplace.projects.answer_types.boxes.likeness import box_of, edges_of
from marketplace.projects.answer_types.shapes.consensus import Thing

# Frames, boxes and whether they are outside, one for each key frame.
Keys = tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]


class TrackKind:
    """Tracks are alike by their overlap in space and time; several come to the median of their edges in each frame."""

    def near(self, field: Field, things: Sequence[Thing]) -> Near:
        if len(things) < 2:
            return Near.nothing()
        keys = [_keys(thing) for thing in things]
        frames = frames_between(
            min(int(rising[0]) for rising, _, _ in keys), max(int(rising[-1]) for rising, _, _ in keys)
        )
        boxes = [boxes_at(*key, frames) for key in keys]
        # All that a track ever covers; two of which these do not meet share nothing.
        reach = np.array([[*edges[:, :2].min(axis=0), *edges[:, 2:].max(axis=0)] for _, edges, _ in keys])
        first, second = meeting(reach)
        likeness = [track_overlap(boxes[one], boxes[other]) for one, other in zip(first, second, strict=True)]
        return Near(first, second, np.array(likeness, dtype=np.float64))

    def middle(self, field: Field, things: Sequence[Thing], likeness: NDArray[np.float64]) -> Thing | None:
        keys = [_keys(thing) for thing in things]
        # A track that ends before the others is no longer there one frame later.
        ends = [int(rising[-1]) for rising, _, _ in keys]
        frames = np.unique(np.concatenate([*(rising for rising, _, _ in keys), np.array(ends) + 1]))
        frames = frames[frames <= max(ends)]
        boxes = np.stack([boxes_at(*key, frames) for key in keys])
        there = ~np.isnan(boxes[:, :, 0])
        present = 2 * there.sum(axis=0) >= len(things)
        if not present.any():
            return None
        held = np.stack([boxes_at(rising, edges, np.zeros_like(outside), np.clip(frames, rising[0], rising[-1]))
                         for rising, edges, outside in keys])  # fmt: skip
        counted = np.where(present[:, None], boxes, held)
        middle = np.nanmedian(counted, axis=0)
        hidden = np.stack([_occluded(thing, frames) for thing in things])
        occluded = 2 * np.sum(hidden & there, axis=0) > there.sum(axis=0)
        begin = int(np.argmax(present))
        frames, middle, present, occluded = (each[begin:] for each in (frames, middle, present, occluded))
        kept = _changes(present) | _changes(present & occluded)
        named = [np.isin(frames, rising) for rising, _, _ in keys]
        kept |= 2 * np.sum(named, axis=0) >= len(things)
        chosen = np.flatnonzero(needed_frames(middle, frames, kept))
        return {
            "label": things[0]["label"],
            "frames": [
                {"frame": int(frames[at]), **box_of(middle[at])}
                | ({} if present[at] else {"outside": True})
                | ({"occluded": True} if occluded[at] and present[at] else {})
                for at in chosen.tolist()
            ],
        }

    def position(self, thing: Thing) -> tuple[Any, ...]:
        return tuple(
            (key["frame"], key["y"], key["x"], key["height"], key["width"], "outside" in key, "occluded" in key)
            for key in thing["frames"]
        )


def _keys(track: Thing) -> Keys:
    frames = track["frames"]
    return (
        np.array([key["frame"] for key in frames], dtype=np.int64),
        np.array([edges_of(key) for key in frames], dtype=np.float64),
        np.array([key.get("outside", False) for key in frames], dtype=bool),
    )


def _occluded(track: Thing, frames: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether the track is occluded in each frame: as its last key frame up to there says."""
    rising = np.array([key["frame"] for key in track["frames"]])
    said = np.array([key.get("occluded", False) for key in track["frames"]], dtype=bool)
    return np.asarray(said[np.maximum(np.searchsorted(rising, frames, side="right") - 1, 0)])


def _changes(state: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Frames from which on the state is another than in the frame before."""
    return np.concatenate([[True], state[1:] != state[:-1]])
