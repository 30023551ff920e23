"""Controls of a labelling config, each as answer fields of ours. Source: the tags on labelstud.io/tags."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from xml.etree.ElementTree import Element

# A point that stands for itself is a skeleton of one.
SINGLE_POINT = "point"


class Refused(Exception):
    """A control that cannot become a field of ours."""


@dataclass
class Reading:
    """What is known while a config is read: data fields and objects by name, controls by tag, and fields so far."""

    data: dict[str, dict[str, Any]] = field(default_factory=dict)
    objects: dict[str, str] = field(default_factory=dict)
    elements: dict[str, list[Element]] = field(default_factory=dict)
    answer: list[dict[str, Any]] = field(default_factory=list)
    controls: dict[str, str] = field(default_factory=dict)

    @cached_property
    def relations(self) -> list[dict[str, str]]:
        """What can be said between spans; the same for all controls, so asked for after all elements are known."""
        return [
            {"value": one.get("value", ""), "title": one.get("value", "")}
            for group in self.elements.get("Relations", [])
            for one in group
            if one.tag == "Relation"
        ]

    def field_of(self, element: Element, kind: str, **options: Any) -> dict[str, Any]:
        """The field of a control, whose results it takes."""
        name = element.get("name", "")
        self.controls[name] = name
        return {"name": name, "type": kind, "required": flag(element, "required"), **options}

    def about(self, element: Element, *types: str) -> str:
        """The data field that the control is about."""
        target = element.get("toName", "")
        name = self.objects.get(target)
        if name is None:
            raise Refused(f"is about {target or 'nothing'}, which shows no value of the task")
        if types and self.data[name]["type"] not in types:
            raise Refused(f"is about {self.data[name]['type']}, and is read only for {' or '.join(types)}")
        return name


Fields = Iterable[dict[str, Any]]


def flag(element: Element, option: str) -> bool:
    """An option that is true or false; false if absent."""
    return element.get(option, "").lower() == "true"


def labels_of(element: Element, tag: str = "Label") -> list[dict[str, str]]:
    """The labels under a control; the alias, where there is one, is what results say."""
    if element.get("value", "").startswith("$"):
        raise Refused("takes its labels from each task, and ours are the same for all")
    found = []
    for one in element:
        if one.tag != tag:
            continue
        if len(one):
            raise Refused("has labels within labels")
        value = one.get("value", "")
        if value.startswith("$"):
            raise Refused("takes its labels from each task, and ours are the same for all")
        label = {"value": one.get("alias") or value, "title": value}
        if hint := one.get("hint"):
            label["definition"] = hint
        if len(hotkey := one.get("hotkey", "")) == 1:
            label["hotkey"] = hotkey
        found.append(label)
    return found


def _choices(element: Element, reading: Reading) -> Fields:
    _refuse_per_region(element)
    reading.about(element)
    multiple = element.get("choice") == "multiple"
    yield reading.field_of(element, "choice", labels=labels_of(element, "Choice"), multiple=multiple)


def _taxonomy(element: Element, reading: Reading) -> Fields:
    _refuse_per_region(element)
    reading.about(element)
    if element.get("value") or element.get("apiUrl"):
        raise Refused("takes its tree from elsewhere, and ours is the same for all tasks")
    leaf_only = flag(element, "leafsOnly")
    yield reading.field_of(element, "taxonomy", tree=_tree(element), leaf_only=leaf_only)


def _tree(element: Element) -> list[dict[str, Any]]:
    nodes = []
    for one in element:
        if one.tag == "Choice":
            value = one.get("value", "")
            node: dict[str, Any] = {"value": one.get("alias") or value, "title": value}
            nodes.append(node | ({"children": _tree(one)} if len(one) else {}))
    return nodes


def _rating(element: Element, reading: Reading) -> Fields:
    _refuse_per_region(element)
    reading.about(element)
    yield reading.field_of(element, "rating", points=int(_number(element, "maxRating", 5)))


def _number_field(element: Element, reading: Reading) -> Fields:
    _refuse_per_region(element)
    reading.about(element)
    options: dict[str, Any] = {}
    for option, ours in (("min", "minimum"), ("max", "maximum")):
        if element.get(option):
            options[ours] = _number(element, option, 0)
    step = _number(element, "step", 0.5)
    yield reading.field_of(element, "number", integer=step >= 1 and step == math.floor(step), **options)


def _text_area(element: Element, reading: Reading) -> Fields:
    if flag(element, "perRegion"):
        of = reading.about(element, "audio", "video")
        yield reading.field_of(element, "transcription", of=of)
        return
    reading.about(element)
    yield reading.field_of(element, "text")


def _pairwise(element: Element, reading: Reading) -> Fields:
    targets = [target.strip() for target in element.get("toName", "").split(",")]
    names = [reading.objects.get(target) for target in targets]
    if len(names) != 2 or None in names:
        raise Refused("must be about two things that tasks show")
    yield reading.field_of(element, "preference", left=names[0], right=names[1])


def _shapes(kind: str) -> Callable[[Element, Reading], Fields]:
    def read(element: Element, reading: Reading) -> Fields:
        of = reading.about(element, "image")
        yield reading.field_of(element, kind, of=of, labels=labels_of(element))

    return read


def _keypoints(element: Element, reading: Reading) -> Fields:
    of = reading.about(element, "image")
    labels = labels_of(element)
    skeletons = {label["value"]: {"points": [SINGLE_POINT], "edges": []} for label in labels}
    yield reading.field_of(element, "keypoints", of=of, labels=labels, skeletons=skeletons)


def _brush(element: Element, reading: Reading) -> Fields:
    of = reading.about(element, "image")
    # People may paint over what they painted before.
    yield reading.field_of(element, "mask", of=of, labels=labels_of(element), mode="instance", exclusive=False)


def _labels(element: Element, reading: Reading) -> Fields:
    """Spans of a text, segments of a sound, or the labels of the boxes of a film, which are read with those."""
    of = reading.about(element)
    kind = reading.data[of]["type"]
    labels = labels_of(element)
    if kind == "text":
        relations = reading.relations
        more = {"relations": relations} if relations else {}
        yield reading.field_of(element, "spans", of=of, labels=labels, overlap=True, **more)
    elif kind == "video" and any(reading.objects.get(one.get("toName", "")) == of for one in _boxes(reading)):
        return
    elif kind in ("audio", "video"):
        texts = _texts_of_regions(element, reading)
        if len(labels) == 1 and texts:
            # One label only marks where something is said; the text says the rest.
            reading.controls[element.get("name", "")] = texts[0].get("name", "")
            return
        yield reading.field_of(element, "segments", of=of, labels=labels)
    else:
        raise Refused(f"labels parts of {kind}; give the tag that has shape and labels in one, as RectangleLabels")


def _boxes(reading: Reading) -> list[Element]:
    return reading.elements.get("VideoRectangle", [])


def _texts_of_regions(element: Element, reading: Reading) -> list[Element]:
    texts = reading.elements.get("TextArea", [])
    return [one for one in texts if flag(one, "perRegion") and one.get("toName") == element.get("toName")]


def _video_rectangle(element: Element, reading: Reading) -> Fields:
    of = reading.about(element, "video")
    labels = [one for one in reading.elements.get("Labels", []) if one.get("toName") == element.get("toName")]
    if len(labels) != 1:
        raise Refused("must have one Labels tag about the same video")
    found = reading.field_of(element, "tracks", of=of, labels=labels_of(labels[0]))
    reading.controls[labels[0].get("name", "")] = found["name"]
    yield found


def _relations(element: Element, reading: Reading) -> Fields:
    labels = reading.elements.get("Labels", [])
    texts = [one for one in labels if reading.data.get(reading.objects.get(one.get("toName", ""), ""), {}).get("type")
             == "text"]  # fmt: skip
    if not texts:
        raise Refused("are read between spans of text only")
    return ()


def _refuse_per_region(element: Element) -> None:
    if flag(element, "perRegion"):
        raise Refused("asks about each region, and our fields are about the whole item")


def _number(element: Element, option: str, default: float) -> float:
    try:
        number = float(element.get(option) or default)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Refused(f"must have a number as {option}")
    return int(number) if number == int(number) else number


CONTROLS: Mapping[str, Callable[[Element, Reading], Fields]] = {
    "Choices": _choices,
    "Taxonomy": _taxonomy,
    "Rating": _rating,
    "Number": _number_field,
    "TextArea": _text_area,
    "Pairwise": _pairwise,
    "RectangleLabels": _shapes("boxes"),
    "PolygonLabels": _shapes("polygons"),
    "VectorLabels": _shapes("polylines"),
    "KeyPointLabels": _keypoints,
    "BrushLabels": _brush,
    "Labels": _labels,
    "VideoRectangle": _video_rectangle,
    "Relations": _relations,
}
