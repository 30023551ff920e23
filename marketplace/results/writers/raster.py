"""Between shapes and pixels: run lengths, filled outlines, and what both measure."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from marketplace.projects.answer_types.parts import Mask, Point

Pixels = NDArray[np.bool_]


def mask_pixels(mask: Mask) -> Pixels:
    """The pixels of a mask, (height, width). Raises ValueError where its runs do not make up the picture."""
    counts = np.asarray(mask.counts, dtype=np.int64)
    if counts.sum() != mask.height * mask.width or (counts < 0).any():
        raise ValueError("the runs of a mask must add up to its height times its width")
    down_columns = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return down_columns.reshape(mask.width, mask.height).T


def run_lengths(line: NDArray[np.bool_]) -> list[int]:
    """Lengths of the runs of a line of pixels, those that are off first."""
    changes = np.flatnonzero(np.diff(line)) + 1
    edges = np.concatenate(([0], changes, [line.size]))
    lengths = np.diff(edges).tolist() if line.size else []
    return [0, *lengths] if line.size and line[0] else lengths


def filled(points: Sequence[Point], height: int, width: int) -> Pixels:
    """The pixels whose middle lies inside a closed outline, by the even-odd rule; (height, width).

    Of two shapes that share an edge, each pixel on it belongs to one only.
    """
    pixels = np.zeros((height, width), dtype=np.bool_)
    crossings: dict[int, list[float]] = {}
    for (x1, y1), (x2, y2) in pairwise([*points, points[0]]):
        low, high = sorted((y1, y2))
        for row in range(max(int(np.ceil(low - 0.5)), 0), min(int(np.ceil(high - 0.5)), height)):
            crossings.setdefault(row, []).append(x1 + (row + 0.5 - y1) * (x2 - x1) / (y2 - y1))
    for row, places in crossings.items():
        places.sort()
        for start, end in zip(places[::2], places[1::2], strict=True):
            first, last = (min(max(int(np.ceil(place - 0.5)), 0), width) for place in (start, end))
            pixels[row, first:last] = True
    return pixels


def bounds(points: Sequence[Point]) -> tuple[float, float, float, float]:
    """x, y, width and height of the smallest rectangle around the points, to a hundredth as the points are."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return min(xs), min(ys), short(max(xs) - min(xs)), short(max(ys) - min(ys))


def pixel_bounds(pixels: Pixels) -> tuple[int, int, int, int]:
    """x, y, width and height of the smallest rectangle around the pixels that are on; all 0 where none is."""
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    if not rows.size:
        return 0, 0, 0, 0
    x, y = int(columns[0]), int(rows[0])
    return x, y, int(columns[-1]) - x + 1, int(rows[-1]) - y + 1


def area(points: Sequence[Point]) -> float:
    """What a simple outline encloses, in square pixels; by the shoelace formula."""
    return short(abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairwise([*points, points[0]]))) / 2)


def short(number: float) -> int | float:
    """The number to a ten-thousandth, without the noise of floating point; whole ones as integers."""
    number = round(number, 4)
    return int(number) if number == int(number) else number
