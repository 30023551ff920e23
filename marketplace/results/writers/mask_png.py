"""A PNG a picture that says the class of each pixel, in a palette; and one that tells its objects apart."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from marketplace.projects.answer_types.parts import Mask, Polygon
from marketplace.results.writers.base import Items, Losses, Sink
from marketplace.results.writers.layers import painted
from marketplace.results.writers.pictures import Pictures, write_body
from marketplace.results.writers.png import grey_png, label_colors, palette_png
from marketplace.results.writers.said import LabelNumbers, PictureWriter, said_parts

BACKGROUND = "background"
# A palette has 256 colours, and the first one is the background's.
LABELS_MAX = 255
OBJECTS_MAX = 2**16 - 1
TOO_MANY_LABELS = "a palette has room for 255 labels"
TOO_MANY_OBJECTS = "a picture of objects has room for 65,535"
NO_PICTURE = "the size of the picture is not known, and there is no mask of it"


class MaskPng(PictureWriter):
    """`masks/<name>.png`: 0 for the background, else the number of the label; its colours are those of Pascal VOC.
    `objects/<name>.png`, where objects are told apart: 16 bits a pixel, objects numbered from 1. `dataset_meta.json`
    names labels and colours."""

    name = "mask_png"
    title = "Mask PNG"
    needs = frozenset((Mask, Polygon))

    def write(self, items: Items, out: Sink, options: Mapping[str, Any]) -> Losses:
        losses, pictures = Losses(), Pictures(items, self, options)
        labels = LabelNumbers(self, items.answer, options)
        # The palette has all 256 colours, so that one written early fits labels that come late.
        colors = label_colors(LABELS_MAX + 1)
        for item in items:
            picture = pictures.of(item)
            folder = f"{item.split}/" if item.split else ""
            write_body(out, f"{folder}images", picture)
            if picture.size is None:
                losses.add(NO_PICTURE, item=item.external_id)
            said = said_parts(self, item, options, losses)
            layer = class_layers(painted(said, picture.size, item, losses), picture.size, labels, losses, item)
            if picture.size:
                with out.open(f"{folder}masks/{picture.stem}.png", compress=False) as file:
                    file.write(palette_png(layer[0], colors))
                if layer[1].any():
                    with out.open(f"{folder}objects/{picture.stem}.png", compress=False) as file:
                        file.write(grey_png(layer[1]))
        names = [BACKGROUND, *list(labels)[:LABELS_MAX]]
        meta = {
            "labels": names,
            "label_map": {str(number): name for number, name in enumerate(names)},
            "segmentation_colors": [list(color) for color in colors[: len(names)]],
            "background_label": "0",
        }
        for split in items.splits:
            with out.open(f"{split}/dataset_meta.json" if split else "dataset_meta.json") as file:
                file.write(json.dumps(meta, ensure_ascii=False).encode() + b"\n")
        return losses


def class_layers(
    objects: Any, size: tuple[int, int] | None, labels: LabelNumbers, losses: Losses, item: Any
) -> tuple[np.ndarray[Any, np.dtype[np.uint8]], np.ndarray[Any, np.dtype[np.uint16]]]:
    """For each pixel the number of its label from 1 on, and of its object; 0 where there is none. Pixels of a class
    whose objects are not told apart have no object. Two of (height, width)."""
    classes = np.zeros(size or (0, 0), dtype=np.uint8)
    instances = np.zeros(size or (0, 0), dtype=np.uint16)
    count = 0
    for part, pixels in objects:
        number = labels.number(part.label) + 1
        if number > LABELS_MAX:
            losses.add(TOO_MANY_LABELS, item=item.external_id)
            continue
        classes[pixels] = number
        if isinstance(part, Mask) and part.instance is None:
            continue
        if count == OBJECTS_MAX:
            losses.add(TOO_MANY_OBJECTS, item=item.external_id)
            continue
        count += 1
        instances[pixels] = count
    return classes, instances


WRITERS = (MaskPng(),)
