"""Boxes that move through a film: where they are in each frame, and how alike two are."""

import numpy as np
from numpy.typing import NDArray

# Longer stretches of film are compared in so many frames, evenly spread.
FRAMES_LOOKED_AT = 1_000


def boxes_at(
    frames: NDArray[np.int64], boxes: NDArray[np.float64], outside: NDArray[np.bool_], wanted: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Where a track is in the frames wanted: on the line between its key frames.

    It is not there before its first key frame and after its last, nor from one that is outside up to the next that is
    not. On the way to a key frame that is outside it stays on the line to it.

    frames   (n,)    key frames, rising
    boxes    (n, 4)  left, top, right, bottom
    outside  (n,)
    returns  (len(wanted), 4)  NaN where it is not there
    """
    found = np.stack([np.interp(wanted, frames, boxes[:, edge]) for edge in range(4)], axis=1)
    key = np.searchsorted(frames, wanted, side="right") - 1
    absent = (key < 0) | (wanted > frames[-1]) | outside[np.maximum(key, 0)]
    found[absent] = np.nan
    return found


def frames_between(first: int, last: int) -> NDArray[np.int64]:
    """All frames of a stretch, or a thousand of them, evenly spread with both ends, where there are more."""
    if last - first < FRAMES_LOOKED_AT:
        return np.arange(first, last + 1)
    return np.linspace(first, last, FRAMES_LOOKED_AT).round().astype(np.int64)


def track_overlap(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Intersection over union of two tracks as bodies in space and time: shared areas of all frames over united ones.

    one, other  (n_frames, 4)  boxes in the same frames; NaN where there is none
    returns     0 … 1, rounded to nine digits; 0 where neither is there
    Source: Yang, Fan and Xu (2019), arXiv:1905.04804.
    """
    has, other_has = ~np.isnan(one[:, 0]), ~np.isnan(other[:, 0])
    both = has & other_has
    sides = np.minimum(one[both, 2:], other[both, 2:]) - np.maximum(one[both, :2], other[both, :2])
    shared = float(np.sum(np.prod(np.maximum(sides, 0.0), axis=1)))
    areas = [float(np.sum(np.prod(track[seen, 2:] - track[seen, :2], axis=1)))
             for track, seen in ((one, has), (other, other_has))]  # fmt: skip
    united = areas[0] + areas[1] - shared
    return round(min(shared / united, 1.0), 9) if united > 0 else 0.0


def needed_frames(boxes: NDArray[np.float64], frames: NDArray[np.int64], kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which key frames a track cannot do without: those marked as kept, and those off the line between their
    neighbours by a hundredth or more.

    One walk from the first frame: a frame is dropped while all since the last kept one lie on the line to the next.
    """
    needed = kept.copy()
    needed[[0, -1]] = True
    last = 0
    for at in range(1, len(frames) - 1):
        if not needed[at]:
            between = slice(last + 1, at + 1)
            share = ((frames[between] - frames[last]) / (frames[at + 1] - frames[last]))[:, None]
            line = boxes[last] + share * (boxes[at + 1] - boxes[last])
            needed[at] = bool(np.any(np.abs(line - boxes[between]) >= 0.01))
        if needed[at]:
            last = at
    return needed
