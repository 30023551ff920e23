"""Pascal VOC 2012: boxes in XML, classes and objects of pixels in PNG, and lists of the pictures of each split.

Coordinates are those of the development kit: pixels are counted from 1, and xmax and ymax are the last ones inside.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np

from marketplace.projects.answer_types.parts import Box, Mask, Polygon
from marketplace.results.writers.base import Item, Items, Losses, Sink
from marketplace.results.writers.layers import painted
from marketplace.results.writers.markup import element
from marketplace.results.writers.mask_png import BACKGROUND, LABELS_MAX, class_layers
from marketplace.results.writers.pictures import Picture, Pictures, write_body
from marketplace.results.writers.png import label_colors, palette_png
from marketplace.results.writers.raster import short
from marketplace.results.writers.said import LabelNumbers, PictureWriter, said_parts

DEFAULT = "default"
SIZE_UNKNOWN = "the size of the picture is not known; it is written as 0"
# Object pictures have the colours of a palette too.
OBJECTS_MAX = 255
TOO_MANY_OBJECTS = "a picture of objects has room for 255 of them"
LABEL_CHANGED = "a label has a character that lists of labels cannot hold; it is written as _"


class PascalVoc(PictureWriter):
    """Boxes become objects of `Annotations/`; masks and outlines become `SegmentationClass/` and, where objects are
    told apart, `SegmentationObject/`. `labelmap.txt` says labels and colours."""

    name = "voc"
    title = "Pascal VOC 2012"
    needs = frozenset((Box, Mask, Polygon))

    def write(self, items: Items, out: Sink, options: Mapping[str, Any]) -> Losses:
        losses, pictures = Losses(), Pictures(items, self, options)
        labels = LabelNumbers(self, items.answer, options)
        colors = label_colors(256)
        with ExitStack() as stack:
            lists = {
                (folder, split): stack.enter_context(out.open(f"ImageSets/{folder}/{split or DEFAULT}.txt"))
                for folder in ("Main", "Segmentation")
                for split in items.splits
            }
            for item in items:
                picture = pictures.of(item)
                said = list(said_parts(self, item, options, losses))
                boxes = [part for _, part in said if isinstance(part, Box)]
                layers = class_layers(painted(said, picture.size, item, losses), picture.size, labels, losses, item)
                segmented = bool(layers[0].any())
                line = f"{picture.stem}\n".encode()
                write_body(out, "JPEGImages", picture)
                lists["Main", item.split].write(line)
                with out.open(f"Annotations/{picture.stem}.xml") as file:
                    file.write(_annotation(item, picture, boxes, segmented, labels, losses).encode())
                if segmented:
                    lists["Segmentation", item.split].write(line)
                    with out.open(f"SegmentationClass/{picture.stem}.png", compress=False) as file:
                        file.write(palette_png(layers[0], colors))
                    if layers[1].any():
                        with out.open(f"SegmentationObject/{picture.stem}.png", compress=False) as file:
                            file.write(palette_png(_objects(layers[1], item, losses), colors))
        with out.open("labelmap.txt") as file:
            file.write(b"# label:color_rgb:parts:actions\n")
            for number, label in enumerate([BACKGROUND, *list(labels)[:LABELS_MAX]]):
                color = ",".join(map(str, colors[number]))
                file.write(f"{_listed(label)}:{color}::\n".encode())
        return losses


def _annotation(
    item: Item, picture: Picture, boxes: list[Box], segmented: bool, labels: LabelNumbers, losses: Losses
) -> str:
    if picture.size is None:
        losses.add(SIZE_UNKNOWN, item=item.external_id)
    height, width = picture.size or (0, 0)
    lines = ["<annotation>", f"\t{element('folder', item.split or DEFAULT)}", f"\t{element('filename', picture.name)}"]
    lines += ["\t<source>", f"\t\t{element('database', 'Touchstone')}", f"\t\t{element('image', item.external_id)}"]
    lines += ["\t</source>", "\t<size>", f"\t\t{element('width', width)}", f"\t\t{element('height', height)}"]
    lines += ["\t\t<depth>3</depth>", "\t</size>", f"\t{element('segmented', int(segmented))}"]
    for box in boxes:
        labels.number(box.label)
        name = _listed(box.label)
        if name != box.label:
            losses.add(LABEL_CHANGED, item=item.external_id)
        edges = {"xmin": box.x + 1, "ymin": box.y + 1, "xmax": box.x + box.width, "ymax": box.y + box.height}
        lines += ["\t<object>", f"\t\t{element('name', name)}", "\t\t<pose>Unspecified</pose>"]
        lines += ["\t\t<truncated>0</truncated>", "\t\t<difficult>0</difficult>", "\t\t<bndbox>"]
        lines += [f"\t\t\t{element(edge, short(place))}" for edge, place in edges.items()]
        lines += ["\t\t</bndbox>", "\t</object>"]
    return "\n".join([*lines, "</annotation>", ""])


def _listed(label: str) -> str:
    """The label as a line of `labelmap.txt` can hold it."""
    return "".join("_" if character in ":\r\n" else character for character in label)


def _objects(
    numbers: np.ndarray[Any, np.dtype[np.uint16]], item: Item, losses: Losses
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    beyond = int(numbers.max()) - OBJECTS_MAX
    losses.add(TOO_MANY_OBJECTS, item=item.external_id, count=max(beyond, 0))
    return np.where(numbers > OBJECTS_MAX, 0, numbers).astype(np.uint8)


WRITERS = (PascalVoc(),)
