"""Reads the objects of a mask and says what is wrong with them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from marketplace.aggregation.geometry.runs import Counts, area, canonical, decompressed, intervals
from marketplace.projects.answer_types.base import Field, ValueRefused
from marketplace.projects.answer_types.shapes.values import keyed, known_label, label_order, listed, without_doubles

PIXELS_MAX = 2**26
RUNS_MAX = 500_000


def clean_objects(field: Field, value: Any, *, height: int, width: int) -> list[dict[str, Any]]:
    """The objects in canonical form. Raises `ValueRefused`."""
    given = listed(field, value, "objects")
    runs = [one.get("counts") for one in given if isinstance(one, dict)]
    if sum(len(counts) for counts in runs if isinstance(counts, list | str)) > RUNS_MAX:
        raise ValueRefused(f"must have at most {RUNS_MAX} runs in all")
    order = label_order(field)
    read = [_read(field, order, f"object {number}: ", one, height * width) for number, one in enumerate(given, 1)]
    _without_overlap(field, [counts for _, counts in read], height * width)
    objects = [one | {"counts": counts.tolist()} for one, counts in read]
    objects.sort(key=lambda one: (order[one["label"]], one["counts"], one.get("instance", 0)))
    if field["mode"] == "instance":
        return _numbered(objects)
    labels = [one["label"] for one in objects]
    if len(set(labels)) < len(labels):
        raise ValueRefused("has a label twice; where only classes are asked for, all its pixels are one object")
    return objects


def _read(field: Field, order: Mapping[str, int], where: str, given: Any, pixels: int) -> tuple[dict[str, Any], Counts]:
    keyed(where, given, ("label", "counts"), ("instance",) if field["mode"] == "instance" else ())
    found: dict[str, Any] = {"label": known_label(where, given["label"], order)}
    number = given.get("instance")
    if number is not None:
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= PIXELS_MAX:
            raise ValueRefused(f"{where}instance must be a whole number from 1 to {PIXELS_MAX}")
        found["instance"] = number
    counts = _counts(where, given["counts"], pixels)
    if area(counts) == 0:
        raise ValueRefused(f"{where}has no pixels")
    if area(counts) < field["min_area"]:
        raise ValueRefused(f"{where}must have at least {field['min_area']} pixels")
    return found, counts


def _counts(where: str, given: Any, pixels: int) -> Counts:
    if isinstance(given, str):
        try:
            counts = decompressed(given)
        except ValueError as wrong:
            raise ValueRefused(f"{where}counts {wrong}") from None
    else:
        whole = isinstance(given, list) and given and all(type(run) is int and 0 <= run <= pixels for run in given)
        if not whole:
            raise ValueRefused(f"{where}counts must be a list of whole numbers from 0 to {pixels}, or COCO's string")
        counts = np.array(given, dtype=np.int64)
    if int(counts.max()) > pixels or int(counts.sum()) != pixels:
        raise ValueRefused(f"{where}counts must sum to the {pixels} pixels of the picture, height x width")
    return canonical(counts)


def _without_overlap(field: Field, masks: Sequence[Counts], pixels: int) -> None:
    """Refuse masks that give a pixel two objects, or none, where that is asked for."""
    if not masks:
        return
    pairs = [intervals(counts) for counts in masks]
    starts, ends = (np.concatenate(each) for each in zip(*pairs, strict=True))
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    if field["exclusive"] and bool(np.any(starts[1:] < ends[:-1])):
        at = int(starts[1:][starts[1:] < ends[:-1]][0])
        raise ValueRefused(f"gives two objects the same pixel, the first at {at} down the columns")
    if field["complete"] and (starts[0] > 0 or ends[-1] < pixels or bool(np.any(starts[1:] > ends[:-1]))):
        raise ValueRefused("must give each pixel of the picture to an object")


def _numbered(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With a number for each object that tells those of its label apart. Raises `ValueRefused`."""
    without_doubles([(one["label"], one["counts"]) for one in objects], "object")
    numbered = [one for one in objects if "instance" in one]
    if not numbered:
        return numbered_by_label(objects)
    if len(numbered) < len(objects):
        raise ValueRefused("must have an instance for all objects or for none")
    if len({(one["label"], one["instance"]) for one in objects}) < len(objects):
        raise ValueRefused("has an instance of a label twice")
    return objects


def numbered_by_label(objects: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The objects with the instances 1, 2, … of each label, in their order."""
    count: dict[str, int] = {}
    for one in objects:
        count[one["label"]] = count.get(one["label"], 0) + 1
    left = {label: iter(range(1, number + 1)) for label, number in count.items()}
    return [{**one, "instance": next(left[one["label"]])} for one in objects]
