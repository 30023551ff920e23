"""Pixels of things in a picture: the class of each pixel, or each thing by itself."""

from collections.abc import Iterable
from typing import Any

from marketplace.aggregation.geometry.matching import matching
from marketplace.aggregation.geometry.runs import mask_overlap
from marketplace.projects.answer_types.base import AnswerTable, Field, FieldOutcome, ValueRefused
from marketplace.projects.answer_types.declaration import COMMON, Declaration
from marketplace.projects.answer_types.mask.joining import joined_masks
from marketplace.projects.answer_types.mask.objects import MaskKind, counts_array
from marketplace.projects.answer_types.mask.reading import PIXELS_MAX, RUNS_MAX, clean_objects
from marketplace.projects.answer_types.parts import Mask as MaskPart
from marketplace.projects.answer_types.shapes.consensus import cross_likeness
from marketplace.projects.answer_types.shapes.declared import (
    OBJECTS,
    SIDE_MAX,
    read_objects,
    read_picture,
    read_threshold,
)
from marketplace.projects.answer_types.shapes.schemas import closed, labelled
from marketplace.projects.answer_types.shapes.values import keyed

OBJECTS_MAX = 1_000
MODES = ("semantic", "instance")


class Mask:
    """Values are `{height, width, objects}` with objects `{label, counts, instance?}`: COCO's uncompressed run lengths,
    down the columns, the first out of the shape. In the mode `instance` a number tells the objects of a label apart;
    in the mode `semantic` each label has one object at most.

    In one form: no empty run but the first; objects in the order of the labels, then of their runs.
    """

    name = "mask"
    methods: tuple[str, ...] = ("pixel_majority", "staple")
    correct_at = 0.8
    of = ("image",)

    def check_field(self, field: Field) -> dict[str, Any]:
        """Options: `of`, the data field with the picture; `labels` (1 to 500); `mode` (semantic or instance); `width`
        and `height` of all pictures, where they are known; `exclusive` (true): each pixel is of one object at most;
        `complete` (false): and of one at least; `min_area` (1) of an object in pixels; `min` (0) and `max` objects (as
        many as there are labels, or 50); `iou` (0.5), from which overlap on two objects are the same."""
        own = ("mode", "exclusive", "complete", "min_area", "iou")
        known = [option for option in OBJECTS if option != "partial"]
        read = Declaration(field, (*COMMON, *known, "width", "height", *own))
        mode = field.get("mode")
        if mode not in MODES:
            read.refuse("mode", f"must be {' or '.join(MODES)}")
        labels = field.get("labels")
        count = max(1, len(labels)) if isinstance(labels, list) else 1
        most, default = (count, count) if mode == "semantic" else (OBJECTS_MAX, 50)
        checked = read.common() | read_objects(read, field, of=self.of, most=most, default=default)
        del checked["partial"]
        checked |= {"mode": mode} | read_picture(read, smallest=False)
        checked["exclusive"] = read.flag("exclusive", default=True)
        checked["complete"] = read.flag("complete", default=False)
        checked["min_area"] = read.whole("min_area", 1, PIXELS_MAX, default=1)
        checked["iou"] = read_threshold(read, "iou")
        if checked.get("width", 1) * checked.get("height", 1) > PIXELS_MAX:
            read.refuse("width", f"and height must make at most {PIXELS_MAX} pixels")
        if checked["complete"] and checked["min"] == 0:
            checked["min"] = 1
        read.raise_errors()
        return checked

    def clean(self, field: Field, value: Any) -> Any:
        """The run lengths of an object may come as COCO's compressed string too. In the mode `instance` numbers are
        given to all objects or to none, which are then numbered in their order."""
        keyed("", value, ("height", "width", "objects"))
        size = {}
        for side in ("height", "width"):
            number = value[side]
            if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= SIDE_MAX:
                raise ValueRefused(f"{side} must be a whole number from 1 to {SIDE_MAX}")
            if number != field.get(side, number):
                raise ValueRefused(f"{side} must be that of the picture, {field[side]}")
            size[side] = number
        if size["height"] * size["width"] > PIXELS_MAX:
            raise ValueRefused(f"height and width must make at most {PIXELS_MAX} pixels")
        return size | {"objects": clean_objects(field, value["objects"], **size)}

    def score(self, field: Field, key: Any, value: Any) -> float:
        """Semantic: the overlap (intersection over union) of the pixels of each label, on the average of the labels
        that either has. Instance: the panoptic quality, the overlaps of the objects that match (of one label, by `iou`
        at least) over the mean number of objects (Kirillov et al. 2019, arXiv:1801.00868), over all labels together.
        1 where neither has anything, 0 where the sizes differ."""
        if (key["height"], key["width"]) != (value["height"], value["width"]):
            return 0.0
        labels = sorted({thing["label"] for mask in (key, value) for thing in mask["objects"]})
        if not labels:
            return 1.0
        kind, total = MaskKind(key["height"]), 0.0
        for label in labels:
            of_label = [[thing for thing in mask["objects"] if thing["label"] == label] for mask in (key, value)]
            if field["mode"] == "semantic":
                total += mask_overlap(*(counts_array(one[0]) for one in of_label)) if all(of_label) else 0.0
            else:
                likeness = cross_likeness(kind, field, *of_label)
                rows, columns = matching(likeness, field["iou"]).T
                total += float(likeness[rows, columns].sum())
        if field["mode"] == "semantic":
            return min(round(total / len(labels), 9), 1.0)
        return min(round(2 * total / (len(key["objects"]) + len(value["objects"])), 9), 1.0)

    def json_schema(self, field: Field) -> dict[str, Any]:
        run = {"type": "integer", "minimum": 0, "maximum": PIXELS_MAX}
        counts = {"oneOf": [{"type": "array", "items": run, "minItems": 1, "maxItems": RUNS_MAX}, {"type": "string"}]}
        number = {"instance": {"type": "integer", "minimum": 1}} if field["mode"] == "instance" else {}
        sides = {side: {"type": "integer", "minimum": 1, "maximum": SIDE_MAX} for side in ("height", "width")}
        sides |= {side: {"type": "integer", "enum": [field[side]]} for side in sides if side in field}
        objects = labelled(field, {"counts": counts, **number}, ("counts",))
        return closed({**sides, "objects": objects}, ("height", "width", "objects"))

    def parts(self, field: Field, value: Any) -> Iterable[MaskPart]:
        return [
            MaskPart(one["label"], value["height"], value["width"], tuple(one["counts"]), one.get("instance"))
            for one in value["objects"]
        ]

    def aggregate(self, field: Field, answers: AnswerTable, method: str) -> FieldOutcome:
        """Pixel by pixel, by majority or STAPLE; in the mode `instance` after the objects that are one have been found,
        as for boxes. See `joining`."""
        return joined_masks(field, answers, method if method in self.methods else self.methods[0])


ANSWER_TYPE = Mask()
