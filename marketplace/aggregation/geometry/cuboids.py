"""Boxes in space that stand upright, turned around the upright axis."""

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.geometry.polygons import shared_area


def ground(cuboid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Corners of what a cuboid covers on the ground: (4, 2).

    cuboid  (7,)  x, y, z of its middle, length, width, height, yaw; at yaw 0 the length lies along x and the width
                  along y; yaw turns x towards y
    """
    x, y, _, length, width, _, yaw = cuboid
    ahead = np.array([np.cos(yaw), np.sin(yaw)]) * length / 2
    aside = np.array([-np.sin(yaw), np.cos(yaw)]) * width / 2
    return np.array([x, y]) + np.array([ahead + aside, aside - ahead, -ahead - aside, ahead - aside])


def cuboid_overlap(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Intersection over union of two cuboids by volume: 0 … 1, rounded to nine digits. Turned by half a turn a cuboid
    fills the same space."""
    high = min(one[2] + one[5] / 2, other[2] + other[5] / 2) - max(one[2] - one[5] / 2, other[2] - other[5] / 2)
    if high <= 0:
        return 0.0
    shared = float(high) * shared_area(ground(one), ground(other))
    united = float(np.prod(one[3:6]) + np.prod(other[3:6])) - shared
    return round(min(max(shared / united, 0.0), 1.0), 9) if united > 0 else 0.0


def middle_cuboid(cuboids: NDArray[np.float64]) -> NDArray[np.float64]:
    """One cuboid out of several of one thing: the median of each number, where each is first said in the same way.

    The yaw is that of the cuboids which is least far from all (of equals the least), around the circle. One that lies
    across it by more than an eighth of a turn has its length and width exchanged, as it names them the other way.

    cuboids  (n, 7)
    """
    yaw = cuboids[:, 6]
    apart = np.abs(np.angle(np.exp(1j * (yaw[:, None] - yaw[None, :]))))
    far = np.round(np.sort(apart, axis=1).sum(axis=1), 9)
    chosen = yaw[np.lexsort((yaw, far))[0]]
    across = np.abs(np.sin(yaw - chosen)) > np.sqrt(0.5)
    said = cuboids.copy()
    said[across, 3], said[across, 4] = cuboids[across, 4], cuboids[across, 3]
    return np.append(np.median(said[:, :6], axis=0), chosen)
