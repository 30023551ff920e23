"""Options that fields for labelled objects share."""

from typing import Any

from marketplace.projects.answer_types.base import Field
from marketplace.projects.answer_types.declaration import NAME, Declaration
from marketplace.projects.answer_types.labels import read_labels

SIDE_MAX = 100_000
OBJECTS = ("of", "labels", "min", "max", "partial")
PICTURE = ("width", "height", "min_size")


def read_objects(read: Declaration, field: Field, *, of: tuple[str, ...], most: int, default: int) -> dict[str, Any]:
    """`of`, `labels`, and how many objects there may be: `min` (0) and `max`; and `partial` (true)."""
    checked: dict[str, Any] = {"of": field.get("of"), "labels": read_labels(read, field, "labels", least=1)}
    if not isinstance(checked["of"], str) or not NAME.fullmatch(checked["of"]):
        read.refuse("of", f"must be the name of a data field of type {' or '.join(of)}")
    checked["min"] = read.whole("min", 0, most, default=0)
    checked["max"] = read.whole("max", 1, most, default=max(default, checked["min"]))
    if checked["min"] > checked["max"]:
        read.refuse("min", "must not exceed max")
    checked["partial"] = read.flag("partial", default=True)
    return checked


def read_picture(read: Declaration, *, smallest: bool = True) -> dict[str, Any]:
    """`width` and `height` of all pictures where they are known, and `min_size` (1), the shortest side of an object."""
    checked: dict[str, Any] = {}
    for side in ("width", "height"):
        if read.has(side):
            checked[side] = read.whole(side, 1, SIDE_MAX, default=SIDE_MAX)
    if smallest:
        shortest = min(checked.get("width", SIDE_MAX), checked.get("height", SIDE_MAX))
        checked["min_size"] = read.whole("min_size", 1, shortest, default=1)
    return checked


def read_threshold(read: Declaration, option: str) -> int | float | None:
    """From how much likeness on two objects are the same: 0.1 to 0.95, by default 0.5."""
    value = read.number(option) if read.has(option) else 0.5
    if value is not None and not 0.1 <= value <= 0.95:
        read.refuse(option, "must be from 0.1 to 0.95")
    return value
