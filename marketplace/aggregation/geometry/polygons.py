"""Polygons: whether they are simple, their area, and the area that two share."""

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
# So many numbers are worked on at once; it bounds the memory, not the size of polygons.
AT_ONCE = 2**20
SIDES_AT_ONCE = 2**17


def signed_area(points: Points) -> float:
    """Area of a polygon; above 0 where its points run from the x axis to the y axis: clockwise on a picture.

    points  (n, 2)
    Source: the shoelace formula, about the first point so that far places cost no digits.
    """
    x, y = (points - points[0]).T
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) / 2)


def crossing(points: NDArray[np.int64]) -> tuple[int, int] | None:
    """Two sides of a closed polygon that cross, touch or fold back on each other, or None where it is simple.

    Exact: points are whole numbers up to 2**30. Side i goes from point i to the next; the pair that is found is the
    least by its sides. No two points that follow each other may be the same, the last and the first included.

    points  (n, 2)  n >= 3
    """
    start, end = points, np.roll(points, -1, axis=0)
    low, high = np.minimum(start, end), np.maximum(start, end)
    order = np.argsort(low[:, 0], kind="stable")
    # After each side, by their left ends, come the others whose left ends it reaches.
    others = np.searchsorted(low[order, 0], high[order, 0], side="right") - np.arange(len(points)) - 1
    step = max(1, SIDES_AT_ONCE // len(points))
    found: list[tuple[int, int]] = []
    for at in range(0, len(points), step):
        count = others[at : at + step]
        place = np.repeat(np.arange(at, at + len(count)), count)
        mate = place + 1 + np.arange(len(place)) - np.repeat(np.cumsum(count) - count, count)
        side, other = order[place], order[mate]
        close = (low[other, 1] <= high[side, 1]) & (high[other, 1] >= low[side, 1])
        side, other = side[close], other[close]
        meet = _meet(start, end, side, other)
        first, second = np.minimum(side, other)[meet], np.maximum(side, other)[meet]
        if len(first):
            least = np.lexsort((second, first))[0]
            found.append((int(first[least]), int(second[least])))
    return min(found, default=None)


def _meet(
    start: NDArray[np.int64], end: NDArray[np.int64], side: NDArray[np.intp], other: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Whether each side meets the other, whose bounds meet its own, where it may not."""
    count = len(start)
    first, last = start[side], end[side]
    starts, ends = start[other], end[other]
    along, to = last - first, ends - starts
    of_start, of_end = _turn(along, starts - first), _turn(along, ends - first)
    of_first, of_last = _turn(to, first - starts), _turn(to, last - starts)
    # Bounds that meet and ends that lie on no one side of each other: exact also where all lie on one line.
    meet = (np.sign(of_start) * np.sign(of_end) <= 0) & (np.sign(of_first) * np.sign(of_last) <= 0)
    # Neighbours share a point. They may not lie on each other beyond it.
    back = (to * along).sum(axis=-1) < 0
    after, before = other == (side + 1) % count, other == (side - 1) % count
    return np.where(after, (of_end == 0) & back, np.where(before, (of_start == 0) & back, meet))


def _turn(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    return one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0]


def shared_area(one: Points, other: Points) -> float:
    """The area that two simple polygons share, which need not be convex. Holes are not known.

    The plane is cut into upright strips at every point and crossing. Within a strip no sides cross, so that what both
    cover there has the length that it has in the middle of the strip, times its width.

    one, other  (n, 2), (m, 2)
    """
    sides = [_rising(one), _rising(other)]
    left = max(one[:, 0].min(), other[:, 0].min())
    right = min(one[:, 0].max(), other[:, 0].max())
    if left >= right or max(one[:, 1].min(), other[:, 1].min()) >= min(one[:, 1].max(), other[:, 1].max()):
        return 0.0
    inside = [side[(side[:, 2] > left) & (side[:, 0] < right)] for side in sides]
    cuts = np.concatenate([one[:, 0], other[:, 0], _crossings(*inside), [left, right]])
    cuts = np.unique(cuts[(cuts >= left) & (cuts <= right)])
    middle, width = (cuts[1:] + cuts[:-1]) / 2, np.diff(cuts)
    every = np.concatenate(inside)
    mine = np.arange(len(every)) < len(inside[0])
    step = max(1, AT_ONCE // len(every))
    parts = [width[at : at + step] * _both(every, mine, middle[at : at + step]) for at in range(0, len(middle), step)]
    return float(np.sum(np.concatenate(parts))) if parts else 0.0


def polygon_overlap(one: Points, other: Points) -> float:
    """Intersection over union of two simple polygons: 0 … 1, rounded to nine digits."""
    shared = shared_area(one, other)
    united = abs(signed_area(one)) + abs(signed_area(other)) - shared
    return round(min(max(shared / united, 0.0), 1.0), 9) if united > 0 else 0.0


def bounds(points: Points) -> NDArray[np.float64]:
    """left, top, right and bottom of some points: (4,)."""
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def _rising(points: Points) -> NDArray[np.float64]:
    """Sides as (left x, its y, right x, its y), without those that stand upright, which bound no strip: (k, 4)."""
    ends = np.roll(points, -1, axis=0)
    swap = (points[:, 0] > ends[:, 0])[:, None]
    sides = np.hstack([np.where(swap, ends, points), np.where(swap, points, ends)])
    return sides[sides[:, 0] < sides[:, 2]]


def _crossings(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """x of every point in which a side of the one meets a side of the other."""
    found = [np.zeros(0)]
    step = max(1, AT_ONCE // max(1, len(other)))
    along_other = other[None, :, 2:] - other[None, :, :2]
    for at in range(0, len(one), step):
        sides = one[at : at + step]
        along = (sides[:, 2:] - sides[:, :2])[:, None, :]
        apart = other[None, :, :2] - sides[:, None, :2]
        turn = along[..., 0] * along_other[..., 1] - along[..., 1] * along_other[..., 0]
        safe = np.where(turn == 0, 1.0, turn)
        share = (apart[..., 0] * along_other[..., 1] - apart[..., 1] * along_other[..., 0]) / safe
        share_other = (apart[..., 0] * along[..., 1] - apart[..., 1] * along[..., 0]) / safe
        meet = (turn != 0) & (share >= 0) & (share <= 1) & (share_other >= 0) & (share_other <= 1)
        rows, columns = np.nonzero(meet)
        found.append(sides[rows, 0] + share[rows, columns] * along[rows, 0, 0])
    return np.concatenate(found)


def _both(sides: NDArray[np.float64], mine: NDArray[np.bool_], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The length of each upright line at x that lies in both polygons: within, by the even number of sides above."""
    slope = (sides[:, 3] - sides[:, 1]) / (sides[:, 2] - sides[:, 0])
    y = sides[:, 1] + (x[:, None] - sides[:, 0]) * slope
    met = (sides[:, 0] < x[:, None]) & (x[:, None] < sides[:, 2])
    order = np.argsort(np.where(met, y, np.inf), axis=1, kind="stable")
    height = np.take_along_axis(np.where(met, y, 0.0), order, axis=1)
    counted, of_mine = np.take_along_axis(met, order, axis=1), mine[order]
    in_mine = np.cumsum(counted & of_mine, axis=1) % 2
    in_other = np.cumsum(counted & ~of_mine, axis=1) % 2
    within = (in_mine & in_other)[:, :-1].astype(bool) & counted[:, 1:]
    return np.asarray(np.sum(np.where(within, np.diff(height, axis=1), 0.0), axis=1))
