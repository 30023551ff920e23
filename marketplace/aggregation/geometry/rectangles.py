"""Upright rectangles: how much they overlap and which ones meet at all."""

import numpy as np
from numpy.typing import NDArray

Edges = NDArray[np.float64]


def overlaps(one: Edges, other: Edges) -> NDArray[np.float64]:
    """Intersection over union of rectangles pair by pair; 0 where they do not meet or have no area at all.

    one, other  (…, 4)  left, top, right, bottom; shapes that broadcast
    returns     (…)     0 … 1, rounded to nine digits so that no threshold depends on the order of the two
    """
    sides = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    shared = np.prod(np.maximum(sides, 0.0), axis=-1)
    both = np.prod(one[..., 2:] - one[..., :2], axis=-1) + np.prod(other[..., 2:] - other[..., :2], axis=-1)
    united = both - shared
    return np.round(shared / np.where(united > 0, united, 1.0), 9)


def meeting(edges: Edges) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """All pairs i < j of rectangles that share a point, touching ones included; by rising i, then j.

    edges  (n, 4)  left, top, right, bottom
    """
    order = np.argsort(edges[:, 0], kind="stable")
    ordered = edges[order]
    reach = np.searchsorted(ordered[:, 0], ordered[:, 2], side="right")
    firsts, seconds = [], []
    for at in range(len(ordered)):
        rest = ordered[at + 1 : reach[at]]
        found = np.flatnonzero((rest[:, 1] <= ordered[at, 3]) & (rest[:, 3] >= ordered[at, 1])) + at + 1
        firsts.append(np.full(len(found), order[at], dtype=np.intp))
        seconds.append(order[found])
    if not firsts:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    one, other = np.concatenate(firsts), np.concatenate(seconds)
    first, second = np.minimum(one, other), np.maximum(one, other)
    rising = np.lexsort((second, first))
    return first[rising], second[rising]
