"""How alike boxes are, and which box several come to."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.geometry.clusters import Near
from marketplace.aggregation.geometry.rectangles import meeting, overlaps
from marketplace.projects.answer_types.base import Field
from marketplace.projects.answer_types.shapes.consensus import Thing
from marketplace.projects.answer_types.shapes.values import DIGITS, plain


def edges_of(box: Thing) -> tuple[float, float, float, float]:
    """left, top, right, bottom."""
    return box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]


def box_of(edges: NDArray[np.float64]) -> dict[str, int | float]:
    """x, y, width and height of left, top, right, bottom."""
    left, top, right, bottom = edges.tolist()
    sides = {"x": left, "y": top, "width": right - left, "height": bottom - top}
    return {name: plain(round(number, DIGITS)) for name, number in sides.items()}


class BoxKind:
    """Boxes are alike by their overlap; several come to the median of their edges."""

    def near(self, field: Field, things: Sequence[Thing]) -> Near:
        edges = np.array([edges_of(box) for box in things], dtype=np.float64).reshape(-1, 4)
        first, second = meeting(edges)
        return Near(first, second, overlaps(edges[first], edges[second]))

    def middle(self, field: Field, things: Sequence[Thing], likeness: NDArray[np.float64]) -> Thing:
        edges = np.median(np.array([edges_of(box) for box in things], dtype=np.float64), axis=0)
        return {"label": things[0]["label"], **box_of(edges)}

    def position(self, thing: Thing) -> tuple[Any, ...]:
        return thing["y"], thing["x"], thing["height"], thing["width"]
