"""Reads the objects of an answer and says what is wrong with them, to the person who drew them."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from marketplace.projects.answer_types.base import Field, ValueRefused
from marketplace.projects.answer_types.shapes.declared import SIDE_MAX

# Places are kept to a hundredth of a pixel: finer is noise of the pointer.
DIGITS = 2


def label_order(field: Field) -> dict[str, int]:
    """The place of each label in the declaration."""
    return {label["value"]: at for at, label in enumerate(field["labels"])}


def listed(field: Field, value: Any, things: str) -> list[Any]:
    """The value if it is a list of as many things as the field asks for. Looks at none of them."""
    if not isinstance(value, list):
        raise ValueRefused(f"must be a list of {things}")
    if not field["min"] <= len(value) <= field["max"]:
        raise ValueRefused(f"must have {field['min']} to {field['max']} {things}")
    return value


def cleaned(
    field: Field,
    value: Any,
    words: tuple[str, str],
    clean: Callable[[Field, Mapping[str, int], str, Any], dict[str, Any]],
    position: Callable[[Any], tuple[Any, ...]],
) -> list[dict[str, Any]]:
    """The objects of an answer, each read by `clean`, by their labels' order and then by `position`; none twice.

    `words` are what one and what several of them are called.
    """
    order = label_order(field)
    one, several = words
    found = [
        clean(field, order, f"{one} {number}: ", thing) for number, thing in enumerate(listed(field, value, several), 1)
    ]
    without_doubles(found, one)
    return sorted(found, key=lambda thing: (order[thing["label"]], *position(thing)))


def keyed(where: str, thing: Any, keys: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Any]:
    """The thing if it is an object with these keys and no others."""
    if not isinstance(thing, dict) or not set(keys) <= set(thing) <= {*keys, *optional}:
        *most, last = keys
        raise ValueRefused(f"{where}must have {', '.join(most)}{' and ' if most else ''}{last}, and nothing else")
    return thing


def known_label(where: str, label: Any, order: Mapping[str, int]) -> str:
    """The label if it is declared."""
    if not isinstance(label, str) or label not in order:
        raise ValueRefused(f"{where}names a label that does not exist")
    return label


def number_in(where: str, key: str, number: Any, low: float, high: float, *, digits: int = DIGITS) -> int | float:
    """The number, rounded, if it lies between two bounds, both included; no NaN, no infinity, no true or false."""
    if isinstance(number, bool) or not isinstance(number, int | float) or not low <= number <= high:
        raise ValueRefused(f"{where}{key} must be a number from {low} to {high}")
    return plain(round(number, digits))


def plain(number: float) -> int | float:
    """A whole number as an integer, so that equal numbers are written in one way."""
    return int(number) if math.floor(number) == number else number


def place_in(field: Field, where: str, x: Any, y: Any) -> tuple[int | float, int | float]:
    """A point in the picture; its right and lower border belong to it."""
    place = number_in(where, "x", x, 0, SIDE_MAX), number_in(where, "y", y, 0, SIDE_MAX)
    for number, side in zip(place, ("width", "height"), strict=True):
        if number > field.get(side, SIDE_MAX):
            raise ValueRefused(f"{where}lies outside the picture of {side} {field[side]}")
    return place


def points_in(field: Field, where: str, points: Any, least: int, most: int) -> list[list[int | float]]:
    """Points in the picture as lists of x and y. A point that only repeats the one before it is left out."""
    if not isinstance(points, list) or not all(isinstance(point, list) and len(point) == 2 for point in points[:most]):
        raise ValueRefused(f"{where}points must be a list of [x, y]")
    if len(points) > most:
        raise ValueRefused(f"{where}must have at most {most} points")
    found: list[list[int | float]] = []
    for number, (x, y) in enumerate(points, 1):
        place = list(place_in(field, f"{where}point {number}: ", x, y))
        if not found or place != found[-1]:
            found.append(place)
    if len(found) < least:
        raise ValueRefused(f"{where}must have at least {least} different points")
    return found


def large_enough(field: Field, where: str, width: float, height: float) -> None:
    """Refuse what is smaller than the field's `min_size`."""
    if min(width, height) < field["min_size"]:
        raise ValueRefused(f"{where}must be at least {field['min_size']} pixels wide and high")


def box_in(field: Field, where: str, box: Mapping[str, Any]) -> dict[str, int | float]:
    """x, y, width and height of a box that lies in the picture and is large enough."""
    cleaned = {key: number_in(where, key, box[key], 0, SIDE_MAX) for key in ("x", "y", "width", "height")}
    large_enough(field, where, cleaned["width"], cleaned["height"])
    for edge, side in (("x", "width"), ("y", "height")):
        # Rounding may push an edge that lies on the border beyond it by less than a hundredth.
        if side in field and cleaned[edge] + cleaned[side] > field[side] + 10**-DIGITS:
            raise ValueRefused(f"{where}reaches out of the picture of {side} {field[side]}")
    return cleaned


def without_doubles(things: Sequence[Any], thing: str) -> None:
    """Refuse lists that hold the same thing twice."""
    if len({repr(one) for one in things}) < len(things):
        raise ValueRefused(f"has the same {thing} twice")
