"""COCO panoptic segmentation: a PNG a picture, whose colours number the segments, and `panoptic_*.json` about them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from marketplace.projects.answer_types.parts import Mask, Polygon
from marketplace.results.writers.base import Items, Losses, Sink
from marketplace.results.writers.coco import DEFAULT, coco_files, image_of
from marketplace.results.writers.layers import painted
from marketplace.results.writers.pictures import Pictures, write_body
from marketplace.results.writers.png import color_png
from marketplace.results.writers.raster import pixel_bounds
from marketplace.results.writers.said import LabelNumbers, PictureWriter, said_parts


class CocoPanoptic(PictureWriter):
    """A segment is an object; a class of pixels that are not told apart is "stuff". The colour of segment n is
    n = red + 256 green + 65,536 blue, 0 for what nobody marked."""

    name = "coco_panoptic"
    title = "COCO, panoptic segmentation"
    needs = frozenset((Mask, Polygon))

    def write(self, items: Items, out: Sink, options: Mapping[str, Any]) -> Losses:
        losses, pictures = Losses(), Pictures(items, self, options)
        labels = LabelNumbers(self, items.answer, options)
        stuff: dict[str, bool] = {}
        with coco_files(items, out, "panoptic") as files:
            for item in items:
                picture = pictures.of(item)
                split = item.split or DEFAULT
                write_body(out, f"images/{split}", picture)
                files[item.split].add_image(image_of(item, picture, losses))
                segments: list[dict[str, Any]] = []
                numbers = np.zeros(picture.size or (0, 0), dtype=np.uint32)
                for part, pixels in painted(said_parts(self, item, options, losses), picture.size, item, losses):
                    whole_class = isinstance(part, Mask) and part.instance is None
                    stuff[part.label] = stuff.get(part.label, True) and whole_class
                    number = len(segments) + 1
                    numbers[pixels] = number
                    segments.append(
                        {
                            "id": number,
                            "category_id": labels.number(part.label) + 1,
                            "area": int(np.count_nonzero(pixels)),
                            "bbox": list(pixel_bounds(pixels)),
                            "iscrowd": 0,
                        }
                    )
                if picture.size:
                    with out.open(f"annotations/panoptic_{split}/{picture.stem}.png", compress=False) as file:
                        file.write(color_png(_colors(numbers)))
                files[item.split].add_annotation(
                    {"image_id": item.number + 1, "file_name": f"{picture.stem}.png", "segments_info": segments}
                )
            categories = [
                {"id": number + 1, "name": label, "supercategory": "", "isthing": int(not stuff.get(label, False))}
                for number, label in enumerate(labels)
            ]
            for coco_file in files.values():
                coco_file.end(categories, items.name)
        return losses


def _colors(numbers: np.ndarray[Any, np.dtype[np.uint32]]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.stack([numbers & 255, numbers >> 8 & 255, numbers >> 16 & 255], axis=-1).astype(np.uint8)


WRITERS = (CocoPanoptic(),)
