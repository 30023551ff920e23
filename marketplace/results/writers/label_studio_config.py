"""The labelling config of Label Studio that asks what our answer fields ask."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from marketplace.projects.answer_types.base import Field
from marketplace.projects.answer_types.parts import (
    Box,
    Class,
    Keypoints,
    Mask,
    Number,
    Order,
    Polygon,
    Polyline,
    Segment,
    Span,
    Text,
    Track,
)
from marketplace.projects.label_studio.controls import SINGLE_POINT
from marketplace.results.writers.markup import attributes
from marketplace.results.writers.said import kinds_said

NO_TAG = "Label Studio has no tag for such a field"
OBJECTS = {"text": "Text", "markdown": "Text", "url": "Text", "image": "Image", "audio": "Audio", "video": "Video",
           "table": "Table"}  # fmt: skip
SHAPES = {
    Box: "RectangleLabels",
    Polygon: "PolygonLabels",
    Polyline: "VectorLabels",
    Keypoints: "KeyPointLabels",
    Mask: "BrushLabels",
    Span: "Labels",
    Track: "VideoRectangle",
}
# What marks where something is said; the text says the rest.
SPEECH = "speech"


def tag_of(field: Field) -> str | None:
    """The tag of the control for a field; None where Label Studio has none."""
    kinds = kinds_said(field)
    for kind, tag in SHAPES.items():
        if kind in kinds:
            return tag
    if Segment in kinds and field.get("timestamps", True):
        return "Labels"
    if Text in kinds:
        return "TextArea"
    if Class in kinds:
        return "Taxonomy" if "tree" in field else "Choices"
    if Number in kinds:
        return "Rating" if "points" in field else "Number"
    return "Pairwise" if Order in kinds and "left" in field else None


def label_config(data: Sequence[Field], answer: Sequence[Field]) -> str:
    """The config as XML. Controls have the names of our fields, and what is shown the names of our data fields with
    `_data` behind."""
    lines = ["<View>"]
    for field in data:
        lines.append(f"  <{OBJECTS[field['type']]}{attributes(name=shown(field['name']), value='$' + field['name'])}/>")
    for field in answer:
        lines += [f"  {line}" for line in _control(field, data)]
    return "\n".join([*lines, "</View>", ""])


def shown(name: str) -> str:
    """The name of the tag that shows a data field."""
    return f"{name}_data"


def about(field: Field, data: Sequence[Field]) -> str:
    """The tag that a field is about: the one it names, else the first."""
    if "left" in field:
        return f"{shown(field['left'])},{shown(field['right'])}"
    return shown(field.get("of") or (data[0]["name"] if data else ""))


def point_label(label: str, point: str) -> str:
    """The label of a single point, which Label Studio has instead of skeletons."""
    return label if point == SINGLE_POINT else f"{label}: {point}"


def _control(field: Field, data: Sequence[Field]) -> Iterator[str]:
    tag = tag_of(field)
    if tag is None:
        return
    target, name = about(field, data), field["name"]
    common = {"name": name, "toName": target, "required": "true" if field.get("required") else None}
    if tag == "Choices":
        yield f"<Choices{attributes(**common, choice='multiple' if field.get('multiple') else 'single')}>"
        yield from _values("Choice", field["labels"])
        yield "</Choices>"
    elif tag == "Taxonomy":
        leafs = "true" if field.get("leaf_only", True) else "false"
        yield f"<Taxonomy{attributes(**common, maxUsages=1, leafsOnly=leafs)}>"
        yield from _tree(field["tree"])
        yield "</Taxonomy>"
    elif tag == "Rating":
        yield f"<Rating{attributes(**common, maxRating=field['points'])}/>"
    elif tag == "Number":
        bounds = {"min": field.get("minimum"), "max": field.get("maximum"), "step": 1 if field.get("integer") else None}
        yield f"<Number{attributes(**common, **bounds)}/>"
    elif tag in ("TextArea", "Pairwise"):
        yield f"<{tag}{attributes(**common)}/>"
    else:
        yield from _regions(tag, field, common)


def _regions(tag: str, field: Field, common: Mapping[str, Any]) -> Iterator[str]:
    name, target = common["name"], common["toName"]
    labels: Iterable[Mapping[str, Any]] = field.get("labels", ())
    if tag == "KeyPointLabels":
        skeletons = field.get("skeletons", {}).items()
        labels = [{"value": point_label(label, point)} for label, one in skeletons for point in one["points"]]
    if tag == "VideoRectangle":
        yield f"<VideoRectangle{attributes(**common)}/>"
        yield f"<Labels{attributes(name=f'{name}_labels', toName=target)}>"
        yield from _values("Label", labels)
        yield "</Labels>"
    elif not labels:
        yield f"<Labels{attributes(name=f'{name}_labels', toName=target)}>"
        yield from _values("Label", [{"value": SPEECH}])
        yield "</Labels>"
        yield f"<TextArea{attributes(**common, perRegion='true')}/>"
    else:
        yield f"<{tag}{attributes(**common)}>"
        yield from _values("Label", labels)
        yield f"</{tag}>"
    if field.get("relations"):
        yield "<Relations>"
        yield from _values("Relation", field["relations"])
        yield "</Relations>"


def _values(tag: str, labels: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Labels with their titles; the value is then the alias, which is what results say."""
    for label in labels:
        value, title = label["value"], label.get("title", label["value"])
        named = {"value": title, "alias": value} if title != value and tag != "Relation" else {"value": value}
        more = {} if tag == "Relation" else {"hotkey": label.get("hotkey"), "hint": label.get("definition")}
        yield f"  <{tag}{attributes(**named, **more)}/>"


def _tree(nodes: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for node in nodes:
        value, title = node["value"], node.get("title", node["value"])
        named = {"value": title, "alias": value} if title != value else {"value": value}
        children = list(_tree(node.get("children", ())))
        if children:
            yield f"  <Choice{attributes(**named)}>"
            yield from (f"  {line}" for line in children)
            yield "  </Choice>"
        else:
            yield f"  <Choice{attributes(**named)}/>"
