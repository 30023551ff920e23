"""Boxes around things in a picture, each with a label."""

import math
from collections.abc import Mapping
from typing import Any

from marketplace.projects.answer_types.base import AnswerTable, Field, FieldOutcome, ValueRefused
from marketplace.projects.answer_types.box_clusters import clustered
from marketplace.projects.answer_types.box_matching import matched
from marketplace.projects.answer_types.credit import f1
from marketplace.projects.answer_types.declaration import COMMON, NAME, Declaration
from marketplace.projects.answer_types.labels import read_labels

BOXES_MAX = 100
BOXES_DEFAULT = 50
SIDE_MAX = 100_000
# Boxes are kept to a hundredth of a pixel: finer is noise of the pointer.
DIGITS = 2
KEYS = ("label", "x", "y", "width", "height")


class Boxes:
    """Values are lists of `{label, x, y, width, height}`: pixels of the picture, x and y of the upper left corner.

    In the order of the labels, then of y, x, height and width, so that the same boxes are the same value.
    """

    name = "boxes"
    methods: tuple[str, ...] = ("clusters",)
    correct_at = 0.8
    # Types of data that the field's `of` may name.
    of = ("image",)

    def check_field(self, field: Field) -> dict[str, Any]:
        """Options: `of`, the data field with the picture; `labels` (1 to 500); `width` and `height` of all pictures,
        where they are known; `min_size` (1), the shortest side; `min` (0) and `max` (50) boxes; `iou` (0.5), from which
        overlap on two boxes are the same; `partial` (true): credit for the boxes that are right."""
        read = Declaration(
            field, (*COMMON, "of", "labels", "width", "height", "min_size", "min", "max", "iou", "partial")
        )
        checked = read.common() | {"of": field.get("of"), "labels": read_labels(read, field, "labels", least=1)}
        if not isinstance(checked["of"], str) or not NAME.fullmatch(checked["of"]):
            read.refuse("of", "must be the name of a data field of type image")
        for side in ("width", "height"):
            if read.has(side):
                checked[side] = read.whole(side, 1, SIDE_MAX, default=SIDE_MAX)
        shortest = min(checked.get("width", SIDE_MAX), checked.get("height", SIDE_MAX))
        checked["min_size"] = read.whole("min_size", 1, shortest, default=1)
        checked["min"] = read.whole("min", 0, BOXES_MAX, default=0)
        checked["max"] = read.whole("max", 1, BOXES_MAX, default=max(BOXES_DEFAULT, checked["min"]))
        if checked["min"] > checked["max"]:
            read.refuse("min", "must not exceed max")
        checked["iou"] = read.number("iou") if read.has("iou") else 0.5
        if checked["iou"] is not None and not 0.1 <= checked["iou"] <= 0.95:
            read.refuse("iou", "must be from 0.1 to 0.95")
        checked["partial"] = read.flag("partial", default=True)
        read.raise_errors()
        return checked

    def clean(self, field: Field, value: Any) -> Any:
        if not isinstance(value, list):
            raise ValueRefused("must be a list of boxes")
        if not field["min"] <= len(value) <= field["max"]:
            raise ValueRefused(f"must have {field['min']} to {field['max']} boxes")
        order = {label["value"]: at for at, label in enumerate(field["labels"])}
        boxes = [_clean_box(field, order, f"box {number}: ", box) for number, box in enumerate(value, 1)]
        if len({tuple(box.values()) for box in boxes}) < len(boxes):
            raise ValueRefused("has the same box twice")
        return sorted(boxes, key=lambda box: (order[box["label"]], box["y"], box["x"], box["height"], box["width"]))

    def score(self, field: Field, key: Any, value: Any) -> float:
        """F1 of the boxes that match: pairs of equal label whose overlap is at least `iou`, each box in one pair, and
        as many pairs as can be. 1 where there is nothing to mark and nothing is marked. Without `partial` 1 or 0."""
        found = f1(matched(key, value, field["iou"]), len(key), len(value))
        return found if field["partial"] else float(found == 1.0)

    def json_schema(self, field: Field) -> dict[str, Any]:
        place = {"type": "number", "minimum": 0}
        side = {"type": "number", "minimum": field["min_size"]}
        properties = {
            "label": {"type": "string", "enum": [label["value"] for label in field["labels"]]},
            "x": place | {"maximum": field.get("width", SIDE_MAX)},
            "y": place | {"maximum": field.get("height", SIDE_MAX)},
            "width": side | {"maximum": field.get("width", SIDE_MAX)},
            "height": side | {"maximum": field.get("height", SIDE_MAX)},
        }
        box = {"type": "object", "properties": properties, "required": list(KEYS), "additionalProperties": False}
        return {"type": "array", "items": box, "minItems": field["min"], "maxItems": field["max"]}

    def aggregate(self, field: Field, answers: AnswerTable, method: str) -> FieldOutcome:
        """Boxes of one label that overlap by `iou` become one, the best supported first, with one box of each answer.

        Those of at least half of the answers are the result, each with the median of its edges; where they are fewer
        than `min` or more than `max`, the best supported. Confidence is the share of answers that agree about the box
        that they agree least about: with one in the result the share that has it, with one that was left out the share
        that has it not. 1 where no answer marks anything.
        """
        order = {label["value"]: at for at, label in enumerate(field["labels"])}
        by_task: dict[int, list[list[dict[str, Any]]]] = {}
        for task, value in zip(answers.task, answers.value, strict=True):
            by_task.setdefault(task, []).append(value)
        return FieldOutcome(self.methods[0], [clustered(task, by_task[task], field, order) for task in sorted(by_task)])


def _clean_box(field: Field, order: Mapping[str, int], where: str, box: Any) -> dict[str, Any]:
    if not isinstance(box, dict) or set(box) != set(KEYS):
        raise ValueRefused(f"{where}must have label, x, y, width and height, and nothing else")
    if not isinstance(box["label"], str) or box["label"] not in order:
        raise ValueRefused(f"{where}names a label that does not exist")
    cleaned: dict[str, Any] = {"label": box["label"]}
    for key in KEYS[1:]:
        number = box[key]
        if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number <= SIDE_MAX:
            raise ValueRefused(f"{where}{key} must be a number from 0 to {SIDE_MAX}")
        number = round(number, DIGITS)
        cleaned[key] = int(number) if math.floor(number) == number else number
    if min(cleaned["width"], cleaned["height"]) < field["min_size"]:
        raise ValueRefused(f"{where}must be at least {field['min_size']} pixels wide and high")
    for edge, side in (("x", "width"), ("y", "height")):
        # Rounding may push an edge that lies on the border beyond it by less than a hundredth.
        if side in field and cleaned[edge] + cleaned[side] > field[side] + 10**-DIGITS:
            raise ValueRefused(f"{where}reaches out of the picture of {side} {field[side]}")
    return cleaned


ANSWER_TYPE = Boxes()
