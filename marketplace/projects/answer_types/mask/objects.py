"""How alike masks are, and which mask several come to."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.geometry.clusters import Near
from marketplace.aggregation.geometry.pixels import Pieces, Staple, pixel_shares, staple
from marketplace.aggregation.geometry.rectangles import meeting
from marketplace.aggregation.geometry.runs import Counts, area, frame, mask_overlap
from marketplace.projects.answer_types.base import Field
from marketplace.projects.answer_types.shapes.consensus import Thing


def counts_array(thing: Thing) -> Counts:
    """Run lengths of one object."""
    return np.array(thing["counts"], dtype=np.int64)


class MaskKind:
    """Objects are alike by the pixels that they share; several come to the pixels that at least half of them have, or
    with `by_staple` to those that STAPLE finds more probable than not. `found` holds what STAPLE said each time."""

    def __init__(self, height: int, *, by_staple: bool = False) -> None:
        self.height = height
        self.by_staple = by_staple
        self.found: list[Staple] = []

    def near(self, field: Field, things: Sequence[Thing]) -> Near:
        counts = [counts_array(thing) for thing in things]
        if not counts:
            return Near.nothing()
        first, second = meeting(np.array([frame(one, self.height) for one in counts]))
        likeness = [mask_overlap(counts[one], counts[other]) for one, other in zip(first, second, strict=True)]
        return Near(first, second, np.array(likeness, dtype=np.float64))

    def middle(self, field: Field, things: Sequence[Thing], likeness: NDArray[np.float64]) -> Thing | None:
        pieces = Pieces.of([counts_array(thing) for thing in things])
        if self.by_staple:
            self.found.append(staple(pieces))
            chosen = self.found[-1].posterior >= 0.5
        else:
            chosen = pixel_shares(pieces) >= 0.5
        counts = pieces.counts(chosen)
        return {"label": things[0]["label"], "counts": counts.tolist()} if area(counts) >= field["min_area"] else None

    def position(self, thing: Thing) -> tuple[Any, ...]:
        return tuple(thing["counts"])
