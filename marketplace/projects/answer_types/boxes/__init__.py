"""Boxes around things in a picture, each with a label."""

from collections.abc import Iterable, Mapping
from typing import Any

from marketplace.projects.answer_types.base import AnswerTable, Field, FieldOutcome
from marketplace.projects.answer_types.boxes.likeness import BoxKind
from marketplace.projects.answer_types.declaration import COMMON, Declaration
from marketplace.projects.answer_types.parts import Box
from marketplace.projects.answer_types.shapes.consensus import agreement, joined
from marketplace.projects.answer_types.shapes.declared import (
    OBJECTS,
    PICTURE,
    read_objects,
    read_picture,
    read_threshold,
)
from marketplace.projects.answer_types.shapes.schemas import box_properties, labelled
from marketplace.projects.answer_types.shapes.values import (
    box_in,
    cleaned,
    keyed,
    known_label,
)

BOXES_MAX = 1_000
BOXES_DEFAULT = 50
KEYS = ("label", "x", "y", "width", "height")
KIND = BoxKind()


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
        read = Declaration(field, (*COMMON, *OBJECTS, *PICTURE, "iou"))
        checked = read.common() | read_objects(read, field, of=self.of, most=BOXES_MAX, default=BOXES_DEFAULT)
        checked |= read_picture(read) | {"iou": read_threshold(read, "iou")}
        read.raise_errors()
        return checked

    def clean(self, field: Field, value: Any) -> Any:
        return cleaned(field, value, ("box", "boxes"), _clean_box, KIND.position)

    def score(self, field: Field, key: Any, value: Any) -> float:
        """F1 of the boxes that match: pairs of equal label whose overlap is at least `iou`, each box in one pair, and
        as many pairs as can be. 1 where there is nothing to mark and nothing is marked. Without `partial` 1 or 0."""
        return agreement(KIND, field, key, value, field["iou"])

    def json_schema(self, field: Field) -> dict[str, Any]:
        return labelled(field, box_properties(field), KEYS[1:])

    def parts(self, field: Field, value: Any) -> Iterable[Box]:
        return [Box(**box) for box in value]

    def aggregate(self, field: Field, answers: AnswerTable, method: str) -> FieldOutcome:
        """By `shapes.consensus.joined`; a box of the result is the median of the edges of those that came to it."""
        return joined(KIND, field, answers, field["iou"], self.methods[0])


def _clean_box(field: Field, order: Mapping[str, int], where: str, box: Any) -> dict[str, Any]:
    keyed(where, box, KEYS)
    cleaned: dict[str, Any] = {"label": known_label(where, box["label"], order)}
    return cleaned | box_in(field, where, box)


ANSWER_TYPE = Boxes()
