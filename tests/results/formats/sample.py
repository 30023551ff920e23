"""A small data set that has every kind of shape, and folders to write it to."""

import base64
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from marketplace.projects.answer_types.parts import (
    Box,
    Class,
    Cuboid,
    Keypoints,
    Mask,
    Number,
    Order,
    Polygon,
    Polyline,
    Relation,
    Segment,
    Span,
    Text,
    Track,
    Visibility,
)
from marketplace.results.writers.base import Item, Items, Losses, Writer
from marketplace.results.writers.png import color_png
from marketplace.results.writers.raster import run_lengths

KINDS = {
    "choice": (Class,), "taxonomy": (Class,), "rating": (Number,), "text": (Text,), "number": (Number,),
    "ranking": (Order,), "preference": (Order,), "boxes": (Box,), "polygons": (Polygon,), "polylines": (Polyline,),
    "keypoints": (Keypoints,), "mask": (Mask,), "spans": (Span, Relation), "transcription": (Segment,),
    "segments": (Segment,), "tracks": (Track,), "cuboids": (Cuboid,),
}  # fmt: skip


class Folder:
    """A sink that keeps the files in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.names: set[str] = set()

    @contextmanager
    def open(self, path: str, *, compress: bool = True) -> Iterator[BinaryIO]:
        if path in self.names or path.startswith("/") or ".." in path.split("/"):
            raise ValueError(path)
        self.names.add(path)
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            yield file


def written(writer: Writer, items: Items, root: Path, **options: Any) -> Losses:
    """Write the items below the folder."""
    checked = writer.check_options(options, data=items.data, answer=items.answer)
    assert writer.check_options(checked, data=items.data, answer=items.answer) == checked
    return writer.write(items, Folder(root), checked)


def items_of(
    data: Iterable[dict[str, Any]],
    answer: Iterable[dict[str, Any]],
    items: Iterable[Item],
    splits: Iterable[str] = ("",),
) -> Items:
    """A data set of these items."""
    known = list(items)
    return Items(tuple(data), tuple(answer), lambda: iter(known), tuple(splits), "streets")


def picture_url(height: int, width: int) -> str:
    """A picture of that size, carried by the data."""
    body = color_png(np.full((height, width, 3), 200, dtype=np.uint8))
    return "data:image/png;base64," + base64.b64encode(body).decode()


def mask_of(label: str, pixels: Any, instance: int | None = None) -> Mask:
    """The mask of these pixels."""
    pixels = np.asarray(pixels, dtype=bool)
    return Mask(label, *pixels.shape, tuple(run_lengths(pixels.T.ravel())), instance)


def labels(*values: str) -> list[dict[str, str]]:
    """Labels as a field declares them."""
    return [{"value": value, "title": value} for value in values]


IMAGE = {"name": "photo", "type": "image", "title": "Photo", "required": True}


def field(name: str, kind: str, **more: Any) -> dict[str, Any]:
    """A declared answer field."""
    return {"name": name, "type": kind, "title": name, "required": False, **more}


HEIGHT, WIDTH = 40, 60
BIG = np.zeros((HEIGHT, WIDTH), dtype=bool)
BIG[5:20, 10:30] = True
SMALL = np.zeros((HEIGHT, WIDTH), dtype=bool)
SMALL[15:25, 25:35] = True
SMALL[18:21, 31:33] = False
OUTLINE = ((1.0, 30.0), (11.0, 30.0), (11.0, 36.0), (6.0, 38.5), (1.0, 36.0))
PERSON = Keypoints(
    "person",
    (
        ("nose", 12.5, 7.25, Visibility.VISIBLE),
        ("hand", 20.0, 15.0, Visibility.OCCLUDED),
        ("foot", 0.0, 0.0, Visibility.ABSENT),
    ),
)
SHAPES = [
    field("boxes", "boxes", labels=labels("car", "tree"), width=WIDTH, height=HEIGHT),
    field("outlines", "polygons", labels=labels("house", "tree")),
    field("lines", "polylines", labels=labels("lane")),
    field("people", "keypoints", labels=labels("person"), skeletons={
        "person": {"points": ["nose", "hand", "foot"], "edges": [["nose", "hand"], ["hand", "foot"]]},
    }),
    field("pixels", "mask", labels=labels("sky", "road")),
    field("weather", "choice", labels=labels("sun", "rain"), multiple=False),
]  # fmt: skip


def told(losses: Losses) -> dict[tuple[str, str], int]:
    """How often each loss was counted, by field and reason."""
    return {(loss["field"], loss["reason"]): loss["count"] for loss in losses.told()}
