"""COCO: objects with boxes, outlines and pixels (`instances_*.json`), and skeletons (`person_keypoints_*.json`).

Source: the format of data on cocodataset.org. Annotations come first in a file and pictures after them, so that one
walk through the items is enough.
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryFile
from typing import Any, BinaryIO

from marketplace.projects.answer_types.base import Field
from marketplace.projects.answer_types.parts import Box, Keypoints, Mask, Part, Polygon, Visibility
from marketplace.results.writers.base import Item, Items, Losses, Sink
from marketplace.results.writers.pictures import Picture, Pictures, write_body
from marketplace.results.writers.raster import area, bounds, mask_pixels, pixel_bounds, short
from marketplace.results.writers.said import (
    FIELDS_OPTION,
    LabelNumbers,
    PictureWriter,
    declared_skeletons,
    said_parts,
)

DEFAULT = "default"
SEEN = {Visibility.ABSENT: 0, Visibility.OCCLUDED: 1, Visibility.VISIBLE: 2}
SIZE_UNKNOWN = "the size of the picture is not known; width and height are left out"


class CocoFile:
    """One file while it is written: a list of annotations, then the pictures, then the categories."""

    def __init__(self, file: BinaryIO, pictures: BinaryIO) -> None:
        self._file = file
        self._pictures = pictures
        self._annotations = 0
        self._images = 0
        file.write(b'{"annotations":[')

    def add_image(self, image: Mapping[str, Any]) -> None:
        self._pictures.write((b",\n" if self._images else b"\n") + json_bytes(image))
        self._images += 1

    def add_annotation(self, annotation: Mapping[str, Any]) -> None:
        self._file.write((b",\n" if self._annotations else b"\n") + json_bytes(annotation))
        self._annotations += 1

    def end(self, categories: Sequence[Mapping[str, Any]], name: str) -> None:
        self._file.write(b'],\n"images":[')
        self._pictures.seek(0)
        shutil.copyfileobj(self._pictures, self._file)
        self._file.write(b'],\n"categories":' + json_bytes(categories))
        self._file.write(b',\n"info":' + json_bytes({"description": name}) + b',"licenses":[]}\n')


@contextmanager
def coco_files(items: Items, out: Sink, kind: str) -> Iterator[dict[str, CocoFile]]:
    """A file for each split, by the split's name."""
    with ExitStack() as stack:
        yield {
            split: CocoFile(
                stack.enter_context(out.open(f"annotations/{kind}_{split or DEFAULT}.json")),
                stack.enter_context(TemporaryFile()),
            )
            for split in items.splits
        }


def image_of(item: Item, picture: Picture, losses: Losses) -> dict[str, Any]:
    """The entry of a picture; its number is the item's from 1 on."""
    image: dict[str, Any] = {"id": item.number + 1, "file_name": picture.name, "external_id": item.external_id}
    if picture.size:
        image |= {"height": picture.size[0], "width": picture.size[1]}
    else:
        losses.add(SIZE_UNKNOWN, item=item.external_id)
    return image | ({"coco_url": picture.url} if picture.url else {})


class _Coco(PictureWriter):
    """What both kinds of files have in common."""

    kind: str
    name: str
    title: str

    def write(self, items: Items, out: Sink, options: Mapping[str, Any]) -> Losses:
        losses, pictures = Losses(), Pictures(items, self, options)
        labels = LabelNumbers(self, items.answer, options)
        count = 0
        points: dict[str, list[str]] = {}
        with coco_files(items, out, self.kind) as files:
            for item in items:
                picture = pictures.of(item)
                write_body(out, f"images/{item.split or DEFAULT}", picture)
                files[item.split].add_image(image_of(item, picture, losses))
                for name, part in said_parts(self, item, options, losses):
                    count += 1
                    if isinstance(part, Keypoints):
                        points.setdefault(part.label, [point[0] for point in part.points])
                    annotation = {"id": count, "image_id": item.number + 1, **self._said(part, labels)}
                    if name in item.confidence:
                        annotation["score"] = round(item.confidence[name], 6)
                    files[item.split].add_annotation(annotation)
            fields = [field for field in items.answer if field["name"] in options[FIELDS_OPTION]]
            categories = self._categories(labels, fields, points)
            for file in files.values():
                file.end(categories, items.name)
        return losses

    def _said(self, part: Any, labels: LabelNumbers) -> dict[str, Any]:
        raise NotImplementedError

    def _categories(
        self, labels: LabelNumbers, fields: Sequence[Field], points: Mapping[str, list[str]]
    ) -> list[dict[str, Any]]:
        """`points` are the names of points that were met, by label: skeletons that are no longer declared have them."""
        return [{"id": number + 1, "name": label, "supercategory": ""} for number, label in enumerate(labels)]


class CocoInstances(_Coco):
    """Boxes as `bbox` alone, outlines as polygons, masks as uncompressed run lengths. A mask that does not tell objects
    apart is a crowd, as COCO calls it."""

    name = "coco"
    title = "COCO, detection and segmentation"
    kind = "instances"
    needs = frozenset((Box, Polygon, Mask))

    def _said(self, part: Part, labels: LabelNumbers) -> dict[str, Any]:
        if isinstance(part, Box):
            said: dict[str, Any] = {
                "segmentation": [],
                "area": short(part.width * part.height),
                "bbox": [part.x, part.y, part.width, part.height],
                "iscrowd": 0,
            }
        elif isinstance(part, Polygon):
            said = {
                "segmentation": [[number for point in part.points for number in point]],
                "area": area(part.points),
                "bbox": list(bounds(part.points)),
                "iscrowd": 0,
            }
        else:
            assert isinstance(part, Mask)
            said = {
                "segmentation": {"counts": list(part.counts), "size": [part.height, part.width]},
                "area": sum(part.counts[1::2]),
                "bbox": list(pixel_bounds(mask_pixels(part))),
                "iscrowd": int(part.instance is None),
            }
        return {"category_id": labels.number(part.label) + 1, **said}


class CocoKeypoints(_Coco):
    """Skeletons; the box of one is the smallest around its points."""

    name = "coco_keypoints"
    title = "COCO, keypoints"
    kind = "person_keypoints"
    needs = frozenset((Keypoints,))

    def _said(self, part: Keypoints, labels: LabelNumbers) -> dict[str, Any]:
        present = [(x, y) for _, x, y, seen in part.points if seen != Visibility.ABSENT]
        box = bounds(present) if present else (0, 0, 0, 0)
        return {
            "category_id": labels.number(part.label) + 1,
            "keypoints": [number for _, x, y, seen in part.points for number in (x, y, SEEN[seen])],
            "num_keypoints": len(present),
            "segmentation": [],
            "area": short(box[2] * box[3]),
            "bbox": list(box),
            "iscrowd": 0,
        }

    def _categories(
        self, labels: LabelNumbers, fields: Sequence[Field], points: Mapping[str, list[str]]
    ) -> list[dict[str, Any]]:
        skeletons = declared_skeletons(fields)
        categories = super()._categories(labels, fields, points)
        for category in categories:
            names, edges = skeletons.get(category["name"], (points.get(category["name"], []), []))
            category["keypoints"] = names
            category["skeleton"] = [[names.index(one) + 1, names.index(other) + 1] for one, other in edges]
        return categories


def json_bytes(value: Any) -> bytes:
    """Compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


WRITERS = (CocoInstances(), CocoKeypoints())
