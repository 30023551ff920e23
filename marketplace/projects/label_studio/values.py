"""Reads the result of a Label Studio annotation or prediction into values of ours. Source: the task format on
labelstud.io/guide, and the example results of each tag."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from marketplace.projects.interface import ValuesInvalid
from marketplace.projects.label_studio.brush import unpacked
from marketplace.projects.label_studio.configs import Config
from marketplace.projects.label_studio.controls import SINGLE_POINT

RESULTS_MAX = 200_000
DIGITS = 2


class _Unreadable(Exception):
    """A result that cannot be a value of ours."""


def read_values(config: Config, results: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    """The values by answer field, as `clean_values` takes them. `data` is that of the item, whose text spans are of.

    Raises `ValuesInvalid` with all results that cannot be kept, each by its place.
    """
    if not isinstance(results, list) or len(results) > RESULTS_MAX:
        raise ValuesInvalid([{"field": "result", "message": f"must be a list of at most {RESULTS_MAX} results"}])
    fields = {field["name"]: field for field in config.interface["answer"]}
    values: dict[str, Any] = {}
    errors = []
    for at, result in enumerate(results):
        try:
            _read(config, fields, result, data, values)
        except _Unreadable as unreadable:
            errors.append({"field": f"result[{at}]", "message": str(unreadable)})
        except (KeyError, TypeError, IndexError):
            errors.append({"field": f"result[{at}]", "message": "does not have the form of its type"})
        except (ValueError, OverflowError) as error:
            errors.append({"field": f"result[{at}]", "message": str(error)})
    for name, value in values.items():
        if fields[name]["type"] == "transcription":
            value.sort(key=lambda one: one["start"])
    if errors:
        raise ValuesInvalid(errors)
    return values


def _read(
    config: Config, fields: Mapping[str, Any], result: Any, data: Mapping[str, Any], values: dict[str, Any]
) -> None:
    if not isinstance(result, dict):
        raise _Unreadable("must be an object")
    if result.get("type") == "relation":
        _relation(result, values)
        return
    control = result.get("from_name")
    if not isinstance(control, str) or control not in config.controls:
        raise _Unreadable(f"is of {str(control)[:80]}, which is no control that was read")
    field = fields[config.controls[control]]
    READERS[field["type"]](field, result, data, values)


def _one(value: Mapping[str, Any], key: str) -> str:
    found = value[key]
    if not isinstance(found, list) or len(found) != 1 or not isinstance(found[0], str):
        raise _Unreadable("must have one label")
    return found[0]


def _once(field: Mapping[str, Any], values: dict[str, Any], value: Any) -> None:
    if field["name"] in values:
        raise _Unreadable(f"is a second answer to {field['name']}")
    values[field["name"]] = value


def _choice(field: Any, result: Any, data: Any, values: dict[str, Any]) -> None:
    value = result["value"]
    _once(field, values, list(value["choices"]) if field["multiple"] else _one(value, "choices"))


def _taxonomy(field: Any, result: Any, data: Any, values: dict[str, Any]) -> None:
    paths = result["value"]["taxonomy"]
    if len(paths) != 1:
        raise _Unreadable("must have one path")
    _once(field, values, list(paths[0]))


def _plain(key: str) -> Callable[[Any, Any, Any, dict[str, Any]], None]:
    def read(field: Any, result: Any, data: Any, values: dict[str, Any]) -> None:
        _once(field, values, result["value"][key])

    return read


def _text(field: Any, result: Any, data: Any, values: dict[str, Any]) -> None:
    text = result["value"]["text"]
    _once(field, values, text if isinstance(text, str) else "\n".join(text))


def _preference(field: Any, result: Any, data: Any, values: dict[str, Any]) -> None:
    _once(field, values, {"preferred": result["value"]["selected"]})


def _list(field: Any, values: dict[str, Any]) -> list[Any]:
    return values.setdefault(field["name"], [])


def _pixels(percent: float, side: float) -> int | float:
    """A place in pixels; Label Studio says places as percentages of the picture."""
    place = round(percent * side / 100, DIGITS)
    return int(place) if place == int(place) else place


def _sides(result: Any) -> tuple[int, int]:
    width, height = result.get("original_width"), result.get("original_height")
    if not all(isinstance(side, int) and side > 0 for side in (width, height)):
        raise _Unreadable("must say original_width and original_height, of which its numbers are percentages")
    if result.get("image_rotation"):
        raise _Unreadable("is on a turned picture")
    return width, height


def _rectangle(value: Any, width: int, height: int) -> dict[str, Any]:
    if value.get("rotation"):
        raise _Unreadable("is a turned rectangle, and ours are upright")
    return {
        "x": _pixels(value["x"], width),
        "y": _pixels(value["y"], height),
        "width": _pixels(value["width"], width),
        "height": _pixels(value["height"], height),
    }


def _box(field: Any, result: Any, data: Any, values: dict[str, Any]) -> None:
    value = result["value"]
    _list(field, values).append({"label": _one(value, "rectanglelabels")} | _rectangle(value, *_sides(result)))


def _polygon(field: Any, result: Any, data: Any, values: dict[str, Any]) -> None:
    value = result["value"]
    width, height = _sides(result)
    points = [[_pixels(x, width), _pixels(y, height)] for x, y in value["points"]]
    _list(field, values).append({"label": _one(value, "polygonlabels"), "points": points})


def _polyline(field: Any, result: Any, data: Any, values: dict[str, Any]) -> None:
    value = result["value"]
    width, height = _sides(result)
    if value.get("closed") or any(vertex.get("isBezier") for vertex in value["vertices"]):
        raise _Unreadable("is closed or has curves, and ours are open and straight")
    points = [[_pixels(vertex["x"], width), _pixels(vertex["y"], height)] for vertex in value["vertices"]]
    _list(field, values).append({"label": _one(value, "vectorlabels"), "points": points})


def _point(field: Any, result: Any, data: Any, values: dict[str, Any]) -> None:
    value = result["value"]
    width, height = _sides(result)
    place = {"x": _pixels(value["x"], width), "y": _pixels(value["y"], height), "visibility": "visible"}
    _list(field, values).append({"label": _one(value, "keypointlabels"), "points": {SINGLE_POINT: place}})


def _mask(field: Any, result: Any, data: Any, values: dict[str, Any]) -> None:
    value = result["value"]
    width, height = _sides(result)
    if value.get("format") != "rle":
        raise _Unreadable("must have the format rle")
    line = unpacked(value["rle"], height, width).T.ravel()
    edges = np.concatenate(([0], np.flatnonzero(np.diff(line)) + 1, [line.size]))
    counts = np.diff(edges).tolist()
    found = values.setdefault(field["name"], {"height": height, "width": width, "objects": []})
    if (found["height"], found["width"]) != (height, width):
        raise _Unreadable("is of a picture of another size than the masks before it")
    one: dict[str, Any] = {"label": _one(value, "brushlabels"), "counts": [0, *counts] if line[0] else counts}
    if field["mode"] == "instance":
        one["instance"] = len(found["objects"]) + 1
    found["objects"].append(one)


def _span(field: Any, result: Any, data: Any, values: dict[str, Any]) -> None:
    value = result["value"]
    start, end = int(value["start"]), int(value["end"])
    text, said = data.get(field["of"]), value.get("text")
    if isinstance(text, str) and isinstance(said, str) and text[start:end] != said:
        # Some versions count as JavaScript does, where characters beyond U+FFFF are two.
        before = text.encode("utf-16-le")[: 2 * end].decode("utf-16-le", "ignore")
        start, end = len(before.encode("utf-16-le")[: 2 * start].decode("utf-16-le", "ignore")), len(before)
        if text[start:end] != said:
            raise _Unreadable("says another text than the item has at that place")
    found = values.setdefault(field["name"], {"spans": [], "relations": []})
    found["spans"].append({"id": str(result["id"]), "label": _one(value, "labels"), "start": start, "end": end})


def _relation(result: Any, values: dict[str, Any]) -> None:
    ends = {"from": str(result["from_id"]), "to": str(result["to_id"])}
    if result.get("direction", "right") == "left":
        ends = {"from": ends["to"], "to": ends["from"]}
    elif result.get("direction", "right") != "right":
        raise _Unreadable("has no one direction, and ours have")
    for value in values.values():
        if isinstance(value, dict) and set(ends.values()) <= {span["id"] for span in value.get("spans", ())}:
            value["relations"].append({"label": _one(result, "labels"), **ends})
            return
    raise _Unreadable("is between things that are no spans before it")


def _segment(field: Any, result: Any, data: Any, values: dict[str, Any]) -> None:
    if result.get("type") == "textarea":
        raise _Unreadable("is a text of a region, and the field has labels only")
    value = result["value"]
    one = {"label": _one(value, "labels"), "start": value["start"], "end": value["end"]}
    _list(field, values).append(one)


def _transcription(field: Any, result: Any, data: Any, values: dict[str, Any]) -> None:
    if result.get("type") == "labels":
        # It only marks the stretch, which its text says too.
        return
    value = result["value"]
    text = value["text"]
    text = text if isinstance(text, str) else "\n".join(text)
    _list(field, values).append({"start": value["start"], "end": value["end"], "text": text})


def _track(field: Any, result: Any, data: Any, values: dict[str, Any]) -> None:
    value = result["value"]
    # Percentages of a film whose size only the field can say.
    sides = [field.get(side) or result.get(f"original_{side}") for side in ("width", "height")]
    if not all(sides):
        raise _Unreadable("is in percentages of a film whose size nothing says; give width and height to the field")
    frames = []
    for key in value["sequence"]:
        # Theirs count from 1.
        one = {"frame": int(key["frame"]) - 1, **_rectangle(key, *sides)}
        frames.append(one | ({} if key.get("enabled", True) else {"outside": True}))
    _list(field, values).append({"label": _one(value, "labels"), "frames": frames})


READERS: Mapping[str, Callable[[Any, Any, Any, dict[str, Any]], None]] = {
    "choice": _choice,
    "taxonomy": _taxonomy,
    "rating": _plain("rating"),
    "number": _plain("number"),
    "text": _text,
    "preference": _preference,
    "boxes": _box,
    "polygons": _polygon,
    "polylines": _polyline,
    "keypoints": _point,
    "mask": _mask,
    "spans": _span,
    "segments": _segment,
    "transcription": _transcription,
    "tracks": _track,
}
