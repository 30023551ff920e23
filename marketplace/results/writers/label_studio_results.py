"""Parts of an answer as results of Label Studio: places in percentages of the picture, each with an id."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marketplace.projects.answer_types.base import Field
from marketplace.projects.answer_types.parts import (
    Box,
    Class,
    Keypoints,
    Mask,
    Number,
    Order,
    Part,
    Polygon,
    Polyline,
    Relation,
    Segment,
    Span,
    Text,
    Track,
    Visibility,
)
from marketplace.projects.label_studio.brush import packed
from marketplace.results.writers.label_studio_config import SPEECH, about, point_label, tag_of
from marketplace.results.writers.raster import mask_pixels, short

DIGITS = 8
# Frames a second, which Label Studio wants to know and nobody says; players show frames by their numbers.
RATE = 25
NO_SIZE = "the size of the picture is not known, and percentages of it need it"
SKELETON = "a skeleton became single points"
HIDDEN = "that a point or object is hidden is not said"
RATE_ASSUMED = "the time of key frames is not known; 25 frames a second are assumed"
EQUAL = "that two are equal is not said"
STRENGTH = "how strong a preference is is not said"
SEVERAL = "several texts became one, a line each"
NO_ENDS = "a relation is between spans that are not there"
OTHER_SIZE = "a mask has another size than the picture"


@dataclass(frozen=True)
class Unsaid:
    """Something that a result does not say, or a part that became no result."""

    reason: str


Said = Iterator[dict[str, Any] | Unsaid]


def results_of(
    field: Field,
    parts: Sequence[Part],
    data: Mapping[str, Any],
    size: tuple[int, int] | None,
    shown: Sequence[Field],
) -> Said:
    """The results of one field; `size` is height and width of what it is about, `shown` the data fields."""
    tag = tag_of(field)
    assert tag is not None, "the caller leaves out fields without a tag"
    name = field["name"]
    # Of the two things that are compared the first stands for both.
    common = {"from_name": name, "to_name": about(field, shown).partition(",")[0]}
    texts = [part.text for part in parts if isinstance(part, Text)]
    if texts:
        if len(texts) > 1:
            yield Unsaid(SEVERAL)
        yield common | {"id": name, "type": "textarea", "value": {"text": ["\n".join(texts)]}}
    known = {span.id: f"{name}-{at}" for at, span in enumerate(parts) if isinstance(span, Span)}
    for at, part in enumerate(parts):
        one = common | {"id": f"{name}-{at}"}
        if isinstance(part, Class | Number | Order):
            yield from _item_result(part, tag, one)
        elif isinstance(part, Span):
            text = str(data.get(part.of, ""))[part.start : part.end]
            value = {"start": part.start, "end": part.end, "text": text, "labels": [part.label]}
            yield one | {"type": "labels", "value": value}
        elif isinstance(part, Relation):
            if not {part.head, part.tail} <= known.keys():
                yield Unsaid(NO_ENDS)
                continue
            ends = {"from_id": known[part.head], "to_id": known[part.tail]}
            yield {"type": "relation", **ends, "direction": "right", "labels": [part.label]}
        elif isinstance(part, Segment):
            yield from _segment(part, one)
        elif isinstance(part, Box | Polygon | Polyline | Keypoints | Mask | Track):
            if size is None:
                yield Unsaid(NO_SIZE)
            else:
                yield from _shape(part, one, size)


def _item_result(part: Class | Number | Order, tag: str, one: dict[str, Any]) -> Said:
    if isinstance(part, Class):
        if tag == "Taxonomy":
            yield one | {"type": "taxonomy", "value": {"taxonomy": [list(part.labels)]}}
        else:
            yield one | {"type": "choices", "value": {"choices": list(part.labels)}}
    elif isinstance(part, Number):
        kind = tag.lower()
        yield one | {"type": kind, "value": {kind: part.number}}
    elif len(part.levels) != 2:
        yield Unsaid(EQUAL)
    else:
        if part.strength is not None:
            yield Unsaid(STRENGTH)
        yield one | {"type": "pairwise", "value": {"selected": part.levels[0][0]}}


def _segment(part: Segment, one: dict[str, Any]) -> Said:
    place = {"start": part.start, "end": part.end, "channel": 0}
    control = one["from_name"] if part.label else f"{one['from_name']}_labels"
    yield one | {"from_name": control, "type": "labels", "value": place | {"labels": [part.label or SPEECH]}}
    if part.text:
        yield one | {"type": "textarea", "value": place | {"text": [part.text]}}


def _shape(
    part: Box | Polygon | Polyline | Keypoints | Mask | Track, one: dict[str, Any], size: tuple[int, int]
) -> Said:
    height, width = size
    picture = {"original_width": width, "original_height": height, "image_rotation": 0}

    def percent(place: float, side: int) -> float:
        return round(100 * place / side, DIGITS)

    def rectangle(box: Any) -> dict[str, Any]:
        return {
            "x": percent(box.x, width),
            "y": percent(box.y, height),
            "width": percent(box.width, width),
            "height": percent(box.height, height),
            "rotation": 0,
        }

    if isinstance(part, Box):
        yield one | picture | _labelled("rectanglelabels", part.label, rectangle(part))
    elif isinstance(part, Polygon):
        points = [[percent(x, width), percent(y, height)] for x, y in part.points]
        yield one | picture | _labelled("polygonlabels", part.label, {"points": points, "closed": True})
    elif isinstance(part, Polyline):
        ids = [f"{one['id']}-{at}" for at in range(len(part.points))]
        vertices = [
            {"id": own, "prevPointId": before, "x": percent(x, width), "y": percent(y, height), "isBezier": False}
            for own, before, (x, y) in zip(ids, [None, *ids], part.points, strict=False)
        ]
        yield one | picture | _labelled("vectorlabels", part.label, {"vertices": vertices, "closed": False})
    elif isinstance(part, Mask):
        if (part.height, part.width) != size:
            yield Unsaid(OTHER_SIZE)
        else:
            value = {"format": "rle", "rle": packed(mask_pixels(part))}
            yield one | picture | _labelled("brushlabels", part.label, value)
    elif isinstance(part, Keypoints):
        yield from _points(part, one | picture, percent, size)
    else:
        yield from _track(part, one, rectangle)


def _labelled(kind: str, label: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "value": value | {kind: [label]}}


def _points(part: Keypoints, one: dict[str, Any], percent: Any, size: tuple[int, int]) -> Said:
    height, width = size
    if len(part.points) > 1:
        yield Unsaid(SKELETON)
    for name, x, y, seen in part.points:
        if seen == Visibility.ABSENT:
            continue
        if seen == Visibility.OCCLUDED:
            yield Unsaid(HIDDEN)
        place = {"x": percent(x, width), "y": percent(y, height), "width": 0.5}
        yield one | {"id": f"{one['id']}-{name}"} | _labelled("keypointlabels", point_label(part.label, name), place)


def _track(part: Track, one: dict[str, Any], rectangle: Any) -> Said:
    yield Unsaid(RATE_ASSUMED)
    sequence = []
    for key in part.frames:
        if key.occluded:
            yield Unsaid(HIDDEN)
        # Theirs count from 1.
        own = {"frame": key.frame + 1, "time": short(key.frame / RATE), "enabled": not key.outside}
        sequence.append(own | rectangle(key))
    last = part.frames[-1].frame + 1
    value = {"framesCount": last, "duration": short(last / RATE), "sequence": sequence, "labels": [part.label]}
    yield one | {"type": "videorectangle", "value": value}
