"""A small canvas: flat shapes with smooth edges, by NumPy alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tests.crowd import png

Colour = tuple[int, int, int]
Place = tuple[float, float]
# Everything is drawn so many times as large and averaged in the end.
FINER = 2


class Canvas:
    """Places are in pixels of the finished picture, from its upper left corner."""

    def __init__(self, width: int, height: int, sky: Colour, ground: Colour | None = None) -> None:
        self.width, self.height = width, height
        share = np.linspace(0, 1, height * FINER)[:, None, None]
        first, last = np.array(sky, float), np.array(ground or sky, float)
        self._pixels = np.broadcast_to(first + (last - first) * share, (height * FINER, width * FINER, 3)).copy()

    def box(self, x: float, y: float, width: float, height: float, colour: Colour) -> None:
        """A rectangle."""
        left, top = max(0, round(x * FINER)), max(0, round(y * FINER))
        self._pixels[top : max(0, round((y + height) * FINER)), left : max(0, round((x + width) * FINER))] = colour

    def disc(self, x: float, y: float, radius: float, colour: Colour, *, tall: float = 1.0) -> None:
        """A circle around a place; `tall` times as high as wide."""
        rows, across, down = self._window(x - radius, y - radius * tall, x + radius, y + radius * tall)
        rows[(across - x) ** 2 + ((down - y) / tall) ** 2 <= radius**2] = colour

    def outline(self, points: Sequence[Place], colour: Colour) -> None:
        """A filled polygon, even-odd."""
        xs, ys = [x for x, _ in points], [y for _, y in points]
        rows, across, down = self._window(min(xs), min(ys), max(xs), max(ys))
        inside = np.zeros(rows.shape[:2], bool)
        for (x1, y1), (x2, y2) in zip(points, [*points[1:], points[0]], strict=True):
            if y1 != y2:
                crosses = (y1 > down) != (y2 > down)
                inside ^= crosses & (across < (x2 - x1) * (down - y1) / (y2 - y1) + x1)
        rows[inside] = colour

    def stroke(self, points: Sequence[Place], thick: float, colour: Colour) -> None:
        """A line with round ends through the points."""
        for (x1, y1), (x2, y2) in pairwise(points):
            half = thick / 2
            rows, across, down = self._window(
                min(x1, x2) - half, min(y1, y2) - half, max(x1, x2) + half, max(y1, y2) + half
            )
            length = max((x2 - x1) ** 2 + (y2 - y1) ** 2, 1e-9)
            along = np.clip(((across - x1) * (x2 - x1) + (down - y1) * (y2 - y1)) / length, 0, 1)
            away = (across - x1 - along * (x2 - x1)) ** 2 + (down - y1 - along * (y2 - y1)) ** 2
            rows[away <= half**2] = colour

    def data_uri(self) -> str:
        """The picture as PNG."""
        shape = (self.height, FINER, self.width, FINER, 3)
        small = self._pixels.reshape(shape).mean(axis=(1, 3))
        # In steps of four, which nobody sees and which makes the file smaller.
        return png.colour_data_uri((small.round().astype(np.uint8) & 0xFC).tobytes(), self.width)

    def _window(
        self, left: float, top: float, right: float, bottom: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """The part of the picture that holds the corners, and the places of its pixels across and down."""
        x0, x1 = max(0, int(left * FINER) - 1), max(0, int(right * FINER) + 2)
        y0, y1 = max(0, int(top * FINER) - 1), max(0, int(bottom * FINER) + 2)
        rows = self._pixels[y0:y1, x0:x1]
        across = (np.arange(x0, x0 + rows.shape[1]) + 0.5) / FINER
        down = (np.arange(y0, y0 + rows.shape[0])[:, None] + 0.5) / FINER
        return rows, np.broadcast_to(across, rows.shape[:2]), np.broadcast_to(down, rows.shape[:2])
