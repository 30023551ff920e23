"""JSON Schema of what types of labelled objects share."""

from collections.abc import Sequence
from typing import Any

from marketplace.projects.answer_types.base import Field
from marketplace.projects.answer_types.shapes.declared import SIDE_MAX

Schema = dict[str, Any]


def closed(properties: Schema, required: Sequence[str]) -> Schema:
    """An object with these properties and no others."""
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def labelled(field: Field, properties: Schema, required: Sequence[str]) -> Schema:
    """A list of objects with one of the field's labels, as many as the field asks for."""
    label = {"type": "string", "enum": [label["value"] for label in field["labels"]]}
    one = closed({"label": label, **properties}, ["label", *required])
    return {"type": "array", "items": one, "minItems": field["min"], "maxItems": field["max"]}


def place(field: Field, side: str) -> Schema:
    """A number within the `width` or the `height` of the picture."""
    return {"type": "number", "minimum": 0, "maximum": field.get(side, SIDE_MAX)}


def box_properties(field: Field) -> Schema:
    """x, y, width and height of a box in the picture."""
    least = {"minimum": field["min_size"]}
    return {
        "x": place(field, "width"),
        "y": place(field, "height"),
        "width": place(field, "width") | least,
        "height": place(field, "height") | least,
    }


def points_schema(field: Field, *, least: int, most: int) -> Schema:
    """A list of labelled objects made of points [x, y]."""
    ends = [place(field, "width"), place(field, "height")]
    point = {"type": "array", "prefixItems": ends, "items": False, "minItems": 2}
    return labelled(
        field, {"points": {"type": "array", "items": point, "minItems": least, "maxItems": most}}, ["points"]
    )
