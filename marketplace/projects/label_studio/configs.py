"""Reads a labelling config of Label Studio into an interface of ours."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any
from xml.etree import ElementTree

from defusedxml.ElementTree import fromstring

from marketplace.projects.answer_types.declaration import NAME
from marketplace.projects.errors import InterfaceRefused
from marketplace.projects.interface import FIELDS_MAX, InterfaceInvalid, check_interface
from marketplace.projects.label_studio.controls import CONTROLS, Reading, Refused, flag

Element = ElementTree.Element

CONFIG_BYTES_MAX = 1024 * 1024
DEPTH_MAX = 50
TAGS_MAX = 10_000
# Tags of data that we show, with the type of ours.
OBJECTS = {"Text": "text", "Image": "image", "Audio": "audio", "AudioPlus": "audio", "Video": "video", "Table": "table"}
# Tags that only arrange the page. What they say is no part of the answers.
LAYOUT = frozenset(["View", "Style", "Header", "Collapse", "Panel", "Filter", "Shortcut"])
# Tags that are read together with another one.
INNER = frozenset(["Label", "Choice", "Relation", "Labels", "Relations"])


@dataclass(frozen=True)
class Config:
    """A labelling config that was read.

    interface   as `check_interface` takes it
    controls    the answer field that each control's results belong to, by the control's name
    """

    interface: dict[str, Any]
    controls: Mapping[str, str]


def interface_of(text: str) -> Config:
    """The same as `read_config`, with the interface in its normal form. Raises `InterfaceRefused`, whose errors name
    tags, or the fields that would come of them."""
    try:
        config = read_config(text)
        return Config(check_interface(config.interface), config.controls)
    except InterfaceInvalid as invalid:
        raise InterfaceRefused("The labelling config has errors.", errors=invalid.errors) from invalid


def read_config(text: str) -> Config:
    """The interface of a labelling config. Raises `InterfaceInvalid`, which names each tag that has no type of ours and
    each option that cannot be kept."""
    root = _parsed(text)
    reading = Reading()
    errors: list[dict[str, str]] = []
    found = list(islice(_walk(root, None, 0), TAGS_MAX + 1))
    if len(found) > TAGS_MAX:
        raise InterfaceInvalid([{"field": "", "message": f"must have at most {TAGS_MAX} tags"}])
    # Some controls look at all others, which would take long for many.
    if sum(element.tag in CONTROLS for element, _ in found) > FIELDS_MAX:
        raise InterfaceInvalid([{"field": "", "message": f"must have at most {FIELDS_MAX} controls"}])
    for element, _ in found:
        if element.tag in OBJECTS and element.get("value"):
            _read_object(element, reading, errors)
        elif element.tag in INNER or element.tag in CONTROLS:
            reading.elements.setdefault(element.tag, []).append(element)
    for element, shown_when in found:
        if element.tag in LAYOUT or element.tag in ("Label", "Choice", "Relation"):
            continue
        if element.tag in OBJECTS and element.get("value"):
            continue
        read = CONTROLS.get(element.tag)
        if read is None:
            errors.append(_error(element, "has no answer type of ours"))
            continue
        try:
            fields = list(read(element, reading))
            condition = _condition(element, shown_when, reading)
        except Refused as refused:
            errors.append(_error(element, str(refused)))
            continue
        for field in fields:
            if any(field["name"] == other["name"] for other in reading.answer):
                errors.append(_error(element, "has the name of another control"))
            elif not NAME.fullmatch(field["name"]):
                errors.append(_error(element, "must have a name of letters, digits and underscores"))
            reading.answer.append(field | condition)
    if not errors and not reading.answer:
        errors.append({"field": "", "message": "has no control that asks for an answer"})
    if errors:
        raise InterfaceInvalid(errors)
    return Config({"data": list(reading.data.values()), "answer": reading.answer}, reading.controls)


def _parsed(text: str) -> Element:
    if len(text.encode(errors="replace")) > CONFIG_BYTES_MAX:
        raise InterfaceInvalid([{"field": "", "message": f"must have at most {CONFIG_BYTES_MAX} bytes"}])
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise InterfaceInvalid([{"field": "", "message": "must not have a DOCTYPE"}])
    try:
        return fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise InterfaceInvalid([{"field": "", "message": f"is not XML: {error}"}]) from None


def _walk(element: Element, shown_when: Element | None, depth: int) -> Iterator[tuple[Element, Element | None]]:
    """All elements in order, each with the nearest view around it, or itself, that has a condition."""
    if depth > DEPTH_MAX:
        raise InterfaceInvalid([_error(element, f"is more than {DEPTH_MAX} tags deep")])
    shown_when = element if element.get("visibleWhen") else shown_when
    yield element, shown_when
    for child in element:
        yield from _walk(child, shown_when, depth + 1)


def _read_object(element: Element, reading: Reading, errors: list[dict[str, str]]) -> None:
    value = element.get("value", "")
    name = value.removeprefix("$")
    if not value.startswith("$"):
        # A text that is the same for all items explains, and asks nothing.
        return
    if not NAME.fullmatch(name):
        errors.append(_error(element, f"must show one value of the task by a plain name, not {value[:80]}"))
        return
    kind = OBJECTS[element.tag]
    if element.tag == "Text" and element.get("valueType") == "url":
        errors.append(_error(element, "shows text from a URL, which is not fetched"))
        return
    if reading.data.setdefault(name, {"name": name, "type": kind})["type"] != kind:
        errors.append(_error(element, f"shows {name} in another way than a tag before it"))
    reading.objects[element.get("name", name)] = name


def _condition(element: Element, shown_when: Element | None, reading: Reading) -> dict[str, Any]:
    """`show_if` of the fields of a control."""
    if shown_when is None:
        return {}
    kind, named = shown_when.get("visibleWhen"), shown_when.get("whenTagName", "")
    field = next((one for one in reading.answer if one["name"] == reading.controls.get(named)), None)
    if kind != "choice-selected" or field is None or shown_when.get("whenLabelValue"):
        raise Refused(f"is shown when {kind}, and only a choice before it can be such a condition")
    if flag(element, "perRegion"):
        return {}
    wanted = [value for value in shown_when.get("whenChoiceValue", "").split(",") if value]
    if not wanted:
        return {"show_if": {"field": field["name"], "answered": True}}
    if len(wanted) == 1:
        return {"show_if": {"field": field["name"], "is": [wanted[0]] if field.get("multiple") else wanted[0]}}
    return {"show_if": {"field": field["name"], "any_of": wanted}}


def _error(element: Element, message: str) -> dict[str, str]:
    name = element.get("name")
    return {"field": f"{element.tag} {name}"[:200] if name else str(element.tag)[:200], "message": message}
