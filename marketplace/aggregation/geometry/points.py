"""Skeletons of named points: how alike two are."""

import numpy as np
from numpy.typing import NDArray

# No object is taken as smaller than this, in pixels: the hand that marks a point shakes as much on small ones.
SMALLEST = 10.0


def skeleton_likeness(
    one: NDArray[np.float64], other: NDArray[np.float64], spread: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How alike skeletons are, in the manner of COCO's object keypoint similarity, the same whichever comes first.

    The mean over all points that either has of exp(-d² / (2 s² k²)), where d is the distance between the two places, k
    the spread of the point (twice COCO's sigma) and s² the mean area of the rectangles around both skeletons, at least
    10 x 10. A point that only one of them has counts as 0. COCO itself has only the key's points and its area.

    one, other  (…, n_points, 2)  pixels; NaN where a point is absent; shapes that broadcast
    spread      (n_points,)       above 0
    returns     (…)               0 … 1, rounded to nine digits; 0 where neither has a point
    Source: https://cocodataset.org/#keypoints-eval
    """
    has, other_has = ~np.isnan(one[..., 0]), ~np.isnan(other[..., 0])
    size = np.maximum((_area(one) + _area(other)) / 2, SMALLEST**2)[..., None]
    squared = np.sum((np.nan_to_num(one) - np.nan_to_num(other)) ** 2, axis=-1)
    close = np.where(has & other_has, np.exp(-squared / (2 * size * spread**2)), 0.0)
    counted = np.sum(has | other_has, axis=-1)
    return np.round(np.sum(close, axis=-1) / np.maximum(counted, 1), 9)


def _area(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Area of the rectangle around the points that are there; 0 where there is none."""
    absent = np.isnan(points)
    low = np.min(np.where(absent, np.inf, points), axis=-2)
    high = np.max(np.where(absent, -np.inf, points), axis=-2)
    return np.prod(np.where(high >= low, high - np.where(np.isinf(low), 0.0, low), 0.0), axis=-1)
