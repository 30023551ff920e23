"""Objects of a picture brought to one layer, where a pixel belongs to one of them at most."""

from collections.abc import Iterable, Iterator

import numpy as np

from marketplace.projects.answer_types.parts import Mask, Part, Polygon
from marketplace.results.writers.base import Item, Losses
from marketplace.results.writers.raster import Pixels, filled, mask_pixels

NO_SIZE = "the size of the picture is not known, and pixels need it"
OTHER_SIZE = "a mask has another size than the picture"
COVERED = "an object lies partly under an earlier one, and a pixel can be of one only"
GONE = "an object has no pixel of its own"
TO_PIXELS = "an outline became whole pixels"


def painted(
    said: Iterable[tuple[str, Part]], size: tuple[int, int] | None, item: Item, losses: Losses
) -> Iterator[tuple[Mask | Polygon, Pixels]]:
    """Masks and outlines with the pixels that no earlier one has; (height, width). What that loses is counted."""
    taken = np.zeros(size, dtype=np.bool_) if size else None
    for name, part in said:
        if not isinstance(part, Mask | Polygon):
            continue

        def lose(reason: str, name: str = name) -> None:
            losses.add(reason, field=name, item=item.external_id)

        if taken is None or size is None:
            lose(NO_SIZE)
            continue
        if isinstance(part, Polygon):
            pixels = filled(part.points, *size)
            lose(TO_PIXELS)
        elif (part.height, part.width) == size:
            pixels = mask_pixels(part)
        else:
            lose(OTHER_SIZE)
            continue
        own = pixels & ~taken
        if not own.any():
            lose(GONE)
            continue
        if (own != pixels).any():
            lose(COVERED)
        taken |= own
        yield part, own
