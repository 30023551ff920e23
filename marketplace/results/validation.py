"""Looks at a data set before it is written: is every item labelled, inside its picture, and not told by its own name?

Counted page by page while items are gathered, so that nothing has to be read again.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from marketplace.projects.answer_types import parts
from marketplace.projects.answer_types.base import Field
from marketplace.projects.answer_types.parts import Part
from marketplace.results.writers.base import Item

EXAMPLES = 5
LABELS_MAX = 1_000
OTHERS = "…"
PATH_MARK = " > "
# From which share of the items on it matters that names tell answers more often than by chance.
TOLD_SHARE = 0.01
_WORD = re.compile(r"[^\W_]+")
# Of other data fields the content is what was judged, and no metadata.
_NAMED_BY_URL = ("image", "audio", "video", "url")


def label_of(part: Part) -> str:
    """The label of a part; empty where it has none."""
    if isinstance(part, parts.Class):
        return PATH_MARK.join(part.labels) if part.path else ""
    return getattr(part, "label", "")


def labels_of(found: Sequence[Part]) -> list[str]:
    """All labels of the parts, with repeats."""
    labels: list[str] = []
    for part in found:
        if isinstance(part, parts.Class) and not part.path:
            labels += part.labels
        elif label := label_of(part):
            labels.append(label)
    return labels


def stratum_of(item: Item, field: str | None) -> str:
    """By what an item is spread over the splits: the labels of the field, each once, in the order of their names."""
    return "\0".join(sorted(set(labels_of(item.parts[field])))) if field and field in item.parts else ""


class Tally:
    """What was counted so far; `told()` is plain JSON, from which `Tally(told)` goes on."""

    def __init__(self, told: Mapping[str, Any], *, data: Sequence[Field], answer: Sequence[Field]) -> None:
        self._data, self._answer = data, answer
        self._of: dict[str, dict[str, Any]] = {
            field["name"]: {
                "labelled": 0, "missing": [], "labels": {}, "outside": 0, "outside_items": [],
                "told": 0, "other": 0, "told_items": [],
                **told.get(field["name"], {}),
            }
            for field in answer
        }  # fmt: skip
        self._words = {
            field["name"]: {label["value"]: _words(label["value"]) for label in field.get("labels", ())}
            for field in answer
        }

    def told(self) -> dict[str, Any]:
        """What was counted, by answer field."""
        return self._of

    def see(self, item: Item) -> None:
        """Count one item more."""
        named = None
        for field in self._answer:
            name, counts = field["name"], self._of[field["name"]]
            if name not in item.values:
                _example(counts["missing"], item)
                continue
            counts["labelled"] += 1
            found = item.parts[name]
            labels = labels_of(found)
            for label in labels:
                known = counts["labels"]
                label = label if label in known or len(known) < LABELS_MAX else OTHERS
                known[label] = known.get(label, 0) + 1
            if any(is_outside(part, field, item.data) for part in found):
                counts["outside"] += 1
                _example(counts["outside_items"], item)
            if words := self._words[name]:
                if named is None:
                    named = f" {' '.join(_named_by(item, self._data))} "
                shown = {label for label, said in words.items() if said and said in named}
                if shown & set(labels):
                    counts["told"] += 1
                    _example(counts["told_items"], item)
                elif shown:
                    counts["other"] += 1


def report(
    tally: Tally,
    *,
    items: int,
    tasks: int,
    unlabelled: Sequence[str],
    splits: Mapping[str, Mapping[str, int]] | None,
    crossing: Sequence[tuple[str, str]] | None,
    groups: int = 0,
) -> dict[str, Any]:
    """The report: `checks`, each with `ok`, a sentence, a count and some items; the labels of each field; the splits.

    tasks       how many the batch has, and `unlabelled` the ids of some that have no result
    splits      by name: labels of the field by which the split is stratified, with their numbers
    crossing    pairs of near-duplicates in different splits, and `groups` how many groups of them there are
    """
    checks = [_all_labelled(tally, items, tasks, unlabelled)]
    counted = tally.told()
    outside = [(name, of) for name, of in counted.items() if of["outside"]]
    checks.append(
        _check(
            "inside",
            not outside,
            "All shapes, spans and segments are inside what they are about."
            if not outside
            else "Some results reach out of their picture, text or recording.",
            sum(of["outside"] for _, of in outside),
            [item for _, of in outside for item in of["outside_items"]],
        )
    )
    checks.append(_labels_seen(tally, splits))
    told = [(name, of) for name, of in counted.items() if _tells(of)]
    checks.append(
        _check(
            "untold",
            not told,
            "No answer shows in an external id, a file name or a table."
            if not told
            else "Names tell answers: a model could read them there. Rename the items or leave the names out.",
            sum(of["told"] for _, of in told),
            [item for _, of in told for item in of["told_items"]],
        )
    )
    if crossing is not None:
        checks.append(
            _check(
                "apart",
                not crossing,
                f"No near-duplicates are in different splits; {groups} groups of them stay together."
                if not crossing
                else "Near-duplicates are in different splits.",
                len(crossing),
                [" = ".join(pair) for pair in crossing],
            )
        )
    return {
        "ok": all(check["ok"] for check in checks),
        "checks": checks,
        "labels": {name: dict(sorted(of["labels"].items())) for name, of in counted.items() if of["labels"]},
        "splits": None if splits is None else {name: dict(sorted(labels.items())) for name, labels in splits.items()},
    }


def is_outside(part: Part, field: Field, data: Mapping[str, Any]) -> bool:
    """Whether the part reaches out of what it is about; what is not known of that holds everything."""
    if isinstance(part, parts.Span):
        return not 0 <= part.start < part.end <= len(data.get(part.of, ""))
    if isinstance(part, parts.Segment):
        return not 0 <= part.start <= part.end
    width, height = field.get("width"), field.get("height")
    if isinstance(part, parts.Mask):
        return (
            sum(part.counts) != part.width * part.height
            or (width is not None and part.width != width)
            or (height is not None and part.height != height)
        )
    return any(
        x < 0 or y < 0 or (width is not None and x > width) or (height is not None and y > height)
        for x, y in _corners(part)
    )


def _corners(part: Part) -> Iterator[tuple[float, float]]:
    if isinstance(part, parts.Box):
        yield part.x, part.y
        yield round(part.x + part.width, 2), round(part.y + part.height, 2)
    elif isinstance(part, parts.Polygon | parts.Polyline):
        yield from part.points
    elif isinstance(part, parts.Keypoints):
        yield from ((x, y) for _, x, y, _ in part.points)
    elif isinstance(part, parts.Track):
        for frame in part.frames:
            yield frame.x, frame.y
            yield round(frame.x + frame.width, 2), round(frame.y + frame.height, 2)


def _all_labelled(tally: Tally, items: int, tasks: int, unlabelled: Sequence[str]) -> dict[str, Any]:
    missing, some = max(0, tasks - items), list(unlabelled)
    for field in tally._answer:
        of = tally.told()[field["name"]]
        # A field that is asked for under a condition may be absent.
        if field["required"] and not field.get("show_if"):
            missing += items - of["labelled"]
            some += of["missing"]
    message = "Every task of the batch has a result in every required field."
    if missing:
        message = "Some tasks have no result, or none in a required field; those without any are not in the data set."
    return _check("labelled", not missing, message, missing, some)


def _labels_seen(tally: Tally, splits: Mapping[str, Mapping[str, int]] | None) -> dict[str, Any]:
    never = [
        f"{field['name']}: {label['value']}"
        for field in tally._answer
        for label in field.get("labels", ())
        if label["value"] not in tally.told()[field["name"]]["labels"]
    ]
    everywhere = {label for labels in (splits or {}).values() for label in labels}
    absent = [
        f"{split}: {label}" for split, labels in (splits or {}).items() for label in sorted(everywhere - set(labels))
    ]
    message = "Every label occurs, and in every split." if splits else "Every label occurs."
    if never or absent:
        message = "Some labels do not occur, or not in every split."
    return _check("distribution", not never and not absent, message, len(never) + len(absent), never + absent)


def _tells(of: Mapping[str, Any]) -> bool:
    """Whether names tell answers: more often, by one item in a hundred, than labels written at random would."""
    counted = sum(of["labels"].values())
    chance = sum((count / counted) ** 2 for count in of["labels"].values()) if counted else 0.0
    beyond = of["told"] - chance * (of["told"] + of["other"])
    return bool(beyond >= max(1, TOLD_SHARE * of["labelled"]))


def _check(name: str, ok: bool, message: str, count: int, items: Sequence[str]) -> dict[str, Any]:
    return {"check": name, "ok": ok, "message": message, "count": count, "items": list(items)[:EXAMPLES]}


def _example(known: list[str], item: Item) -> None:
    if len(known) < EXAMPLES:
        known.append(item.external_id)


def _words(text: str) -> str:
    found = _WORD.findall(text.casefold())
    return f" {' '.join(found)} " if found else ""


def _named_by(item: Item, data: Sequence[Field]) -> Iterator[str]:
    """The words by which an item is named: its external id, the paths of its URLs, the cells of its tables."""
    yield from _WORD.findall(item.external_id.casefold())
    for field in data:
        value = item.data.get(field["name"])
        if value is None:
            continue
        if field["type"] in _NAMED_BY_URL:
            if not value.startswith("data:"):
                yield from _WORD.findall(unquote(urlsplit(value).path).casefold())
        elif field["type"] == "table":
            for row in value if isinstance(value, list) else [value]:
                for cell in row.values():
                    yield from _WORD.findall(str(cell).casefold())
