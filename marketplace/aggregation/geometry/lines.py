"""Open lines: how much of their length runs along each other."""

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
# A line is looked at in so many places, so that a share of its length is known to within half a percent.
PLACES = 256


def line_likeness(one: Points, other: Points, tolerance: float, *, directed: bool = False) -> float:
    """How much two lines run along each other: the harmonic mean of the share of each one's length that lies within
    `tolerance` of the other. 0 … 1, and the same whichever comes first. With `directed` lines that run against each
    other are not alike: those whose ends are nearer crosswise.

    one, other  (n, 2), (m, 2)  n, m >= 2
    """
    if directed and against(one, other):
        return 0.0
    share = _share_near(one, other, tolerance)
    back = _share_near(other, one, tolerance) if share else 0.0
    return round(2 * share * back / (share + back), 9) if share and back else 0.0


def against(one: Points, other: Points) -> bool:
    """Whether the ends of two lines are nearer to each other when one of them is turned round."""
    straight = np.hypot(*(one[0] - other[0])) + np.hypot(*(one[-1] - other[-1]))
    crosswise = np.hypot(*(one[0] - other[-1])) + np.hypot(*(one[-1] - other[0]))
    return bool(np.round(crosswise - straight, 9) < 0)


def length(points: Points) -> float:
    """Length of a line."""
    return float(np.sum(np.hypot(*np.diff(points, axis=0).T)))


def places(points: Points, count: int = PLACES) -> Points:
    """The middles of `count` pieces of equal length into which a line is cut: (count, 2)."""
    steps = np.hypot(*np.diff(points, axis=0).T)
    at = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = (np.arange(count) + 0.5) * at[-1] / count
    return np.stack([np.interp(wanted, at, points[:, axis]) for axis in (0, 1)], axis=1)


def _share_near(line: Points, other: Points, tolerance: float) -> float:
    """The share of a line's length that lies within a distance of another line."""
    here = places(line)[:, None, :]
    start, along = other[:-1], np.diff(other, axis=0)
    squared = np.sum(along * along, axis=1)
    share = np.sum((here - start) * along, axis=2) / np.where(squared > 0, squared, 1.0)
    nearest = start + np.clip(share, 0.0, 1.0)[..., None] * along
    away = np.min(np.sum((here - nearest) ** 2, axis=2), axis=1)
    return float(np.mean(away <= (tolerance + 1e-9) ** 2))
