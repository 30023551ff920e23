"""YOLO as Ultralytics reads it: a text file a picture, all places as shares of its width and height; and `data.yaml`.

Source: the pages on data sets of docs.ultralytics.com (detect, segment, pose).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from marketplace.projects.answer_types.parts import Box, Keypoints, Point, Polygon, Visibility
from marketplace.results.writers.base import Items, Losses, Sink
from marketplace.results.writers.coco import SEEN
from marketplace.results.writers.pictures import Pictures, write_body
from marketplace.results.writers.raster import bounds
from marketplace.results.writers.said import (
    FIELDS_OPTION,
    LabelNumbers,
    PictureWriter,
    declared_points,
    said_parts,
)

DEFAULT = "train"
DIGITS = 8
NO_SIZE = "the size of the picture is not known, and shares of it need it"
NO_POINT = "a skeleton without a point has no box"
MORE_POINTS = "a skeleton has more points than any that is declared"


class _Yolo(PictureWriter):
    """What the three kinds have in common: the folders `images/<split>` and `labels/<split>`, and `data.yaml`."""

    name: str
    title: str

    def write(self, items: Items, out: Sink, options: Mapping[str, Any]) -> Losses:
        losses, pictures = Losses(), Pictures(items, self, options)
        labels = LabelNumbers(self, items.answer, options)
        fields = [field for field in items.answer if field["name"] in options[FIELDS_OPTION]]
        points = declared_points(fields)
        for item in items:
            picture = pictures.of(item)
            split = item.split or DEFAULT
            write_body(out, f"images/{split}", picture)
            lines = []
            for name, part in said_parts(self, item, options, losses):
                if picture.size is None:
                    losses.add(NO_SIZE, field=name, item=item.external_id)
                    continue
                line, reason = self._line(part, picture.size, max(map(len, points.values()), default=0))
                if reason:
                    losses.add(reason, field=name, item=item.external_id)
                else:
                    lines.append(f"{labels.number(part.label)} {' '.join(line)}\n")  # type: ignore[union-attr]
            with out.open(f"labels/{split}/{picture.stem}.txt") as file:
                file.write("".join(lines).encode())
        with out.open("data.yaml") as file:
            file.write(self._described(items, labels, points).encode())
        return losses

    def _line(self, part: Any, size: tuple[int, int], points: int) -> tuple[list[str], str]:
        """The numbers of a line after that of its label; or none, and why it cannot be said."""
        raise NotImplementedError

    def _described(self, items: Items, labels: LabelNumbers, points: Mapping[str, Sequence[str]]) -> str:
        """`data.yaml`. Ultralytics wants train and val: where there is no val, train stands for it."""
        splits = [split or DEFAULT for split in items.splits]
        named = {split: f"images/{split}" for split in splits}
        named.setdefault("train", named[splits[0]])
        named.setdefault("val", named["train"])
        lines = ["path: .", *(f"{split}: {folder}" for split, folder in sorted(named.items()))]
        # A JSON text is a YAML text.
        lines += ["names:", *(f"  {number}: {json.dumps(label)}" for number, label in enumerate(labels))]
        return "\n".join([*lines, ""]) if len(labels) else "\n".join([*lines[:-1], "names: {}", ""])


class YoloBoxes(_Yolo):
    """`label x y width height` of each box, x and y of its middle."""

    name = "yolo"
    title = "YOLO, detection"
    needs = frozenset((Box,))

    def _line(self, part: Box, size: tuple[int, int], points: int) -> tuple[list[str], str]:
        return _box(part.x, part.y, part.width, part.height, size), ""


class YoloOutlines(_Yolo):
    """`label x y x y …` of each outline."""

    name = "yolo_segmentation"
    title = "YOLO, segmentation"
    needs = frozenset((Polygon,))

    def _line(self, part: Polygon, size: tuple[int, int], points: int) -> tuple[list[str], str]:
        return [number for point in part.points for number in _shares(point, size)], ""


class YoloSkeletons(_Yolo):
    """`label x y width height` of the box around a skeleton, then `x y seen` of its points, 0 absent, 1 hidden, 2 seen.
    All labels have as many points as the largest skeleton; the rest is absent."""

    name = "yolo_pose"
    title = "YOLO, pose"
    needs = frozenset((Keypoints,))

    def _line(self, part: Keypoints, size: tuple[int, int], points: int) -> tuple[list[str], str]:
        present = [(x, y) for _, x, y, seen in part.points if seen != Visibility.ABSENT]
        if not present:
            return [], NO_POINT
        if len(part.points) > points:
            return [], MORE_POINTS
        line = _box(*bounds(present), size)
        for _, x, y, seen in part.points:
            line += [*(("0", "0") if seen == Visibility.ABSENT else _shares((x, y), size)), str(SEEN[seen])]
        return line + ["0"] * 3 * (points - len(part.points)), ""

    def _described(self, items: Items, labels: LabelNumbers, points: Mapping[str, Sequence[str]]) -> str:
        most = max(map(len, points.values()), default=0)
        lines = [super()._described(items, labels, points) + f"kpt_shape: [{most}, 3]", "kpt_names:"]
        lines += [f"  {number}: {json.dumps(list(points.get(label, ())))}" for number, label in enumerate(labels)]
        return "\n".join([*lines, ""])


def _box(x: float, y: float, width: float, height: float, size: tuple[int, int]) -> list[str]:
    return [*_shares((x + width / 2, y + height / 2), size), *_shares((width, height), size)]


def _shares(point: Point, size: tuple[int, int]) -> tuple[str, str]:
    return _share(point[0], size[1]), _share(point[1], size[0])


def _share(place: float, side: int) -> str:
    return f"{place / side:.{DIGITS}f}".rstrip("0").rstrip(".")


WRITERS = (YoloBoxes(), YoloOutlines(), YoloSkeletons())
