"""Values of tasks and answers as plain text: what there is without scripts, and in lists. Pure."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from marketplace.projects.answer_types.labels import label_title, label_titles, title_of

SHORT = 120
# Between the levels of a tree, as the player writes it.
BELOW = " › "
Field = Mapping[str, Any]
Pairs = list[tuple[str, str]]


def answer_in_short(fields: Sequence[Field], values: Mapping[str, Any]) -> str:
    """An answer in one line, in the words of the interface that asked for it; cut where it is long."""
    given = {name: value for name, value in values.items() if value is not None}
    return _line(text for _title, text in fields_in_words(fields, given))


def fields_in_words(fields: Iterable[Field], values: Mapping[str, Any], data: Mapping[str, Any] | None = None) -> Pairs:
    """Pairs of a field's title and its value, of those that have one; labels by their titles. With the task's `data`
    what was marked in a text is quoted."""
    return [
        (title_of(field), _in_words(field, values[field["name"]], data or {}))
        for field in fields
        if field["name"] in values
    ]


def _line(texts: Iterable[str]) -> str:
    text = "; ".join(text for text in texts if text)
    return text if len(text) <= SHORT else f"{text[: SHORT - 1]}…"


def _in_words(field: Field, value: Any, data: Mapping[str, Any]) -> str:
    kind = field.get("type", "")
    if kind == "spans" and isinstance(value, dict):
        return _spans(field, value, data)
    say = SAID.get(kind)
    try:
        return _text(value) if say is None else say(field, value)
    except (AttributeError, KeyError, TypeError):
        # Results can have another form than answers.
        return _text(value)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(one, (str, int, float)) for one in value):
        return ", ".join(map(_text, value))
    return str(value) if isinstance(value, (int, float)) else json.dumps(value, ensure_ascii=False)


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("no list of labels")
    return value


def _choice(field: Field, value: Any) -> str:
    titles = label_titles(field["labels"])
    names = [value] if isinstance(value, str) else _listed(value)
    return ", ".join(titles.get(one, one) for one in names)


def _rating(field: Field, value: Any) -> str:
    labels = field.get("labels") or []
    return f"{value} {labels[value - 1]}" if isinstance(value, int) and 0 < value <= len(labels) else _text(value)


def _number(field: Field, value: Any) -> str:
    return f"{value} {field['unit']}" if field.get("unit") else _text(value)


def _taxonomy(field: Field, value: Any) -> str:
    titles, level = [], field["tree"]
    for name in _listed(value):
        node = next((one for one in level if one["value"] == name), {"value": name})
        titles.append(label_title(node))
        level = node.get("children") or ()
    return BELOW.join(titles)


def _ranking(field: Field, value: Any) -> str:
    titles = label_titles(field["items"])
    levels = [[one] if isinstance(one, str) else one for one in _listed(value)]
    return ", ".join(f"{n}. {' = '.join(titles.get(one, one) for one in level)}" for n, level in enumerate(levels, 1))


def _preference(field: Field, value: Any) -> str:
    better = {"left": _("Left is better"), "right": _("Right is better"), "equal": _("Equally good")}
    said = better[value["preferred"]]
    if "strength" not in value:
        return said
    return _("%(said)s (%(n)d of %(most)d)") % {"said": said, "n": value["strength"], "most": field["strengths"]}


def _shapes(field: Field, value: Any) -> str:
    return _counted(value, field)


def _mask(field: Field, value: Any) -> str:
    return _counted(value["objects"], field)


def _segments(field: Field, value: Any) -> str:
    titles = label_titles(field["labels"])
    said = (f"{titles.get(one['label'], one['label'])} {one['start']:g}–{one['end']:g} s" for one in value)
    return ", ".join(said) or _("Nothing marked")


def _transcription(field: Field, value: Any) -> str:
    return value if isinstance(value, str) else " ".join(one["text"] for one in value) or _("Nothing is said")


def _spans(field: Field, value: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    """What was marked, quoted where the text is at hand; relations are counted."""
    spans, text = value.get("spans") or [], data.get(field.get("of", ""))
    said = _counted(spans, field)
    if spans and isinstance(text, str):
        titles = label_titles(field["labels"])
        words = ((titles.get(one["label"], one["label"]), text[one["start"] : one["end"]]) for one in spans)
        said = ", ".join(f"{title} “{quoted}”" for title, quoted in words)
    links = value.get("relations")
    return f"{said}; {_counted(links, field, 'relations')}" if links else said


def _counted(marks: Iterable[Mapping[str, Any]], field: Field, under: str = "labels") -> str:
    """How much was marked with each label, by the first of each."""
    titles = label_titles(field.get(under) or ())
    found = Counter(titles.get(one["label"], one["label"]) for one in marks)
    return ", ".join(title if n == 1 else f"{n} × {title}" for title, n in found.items()) or _("Nothing marked")


SAID: dict[str, Callable[[Field, Any], str]] = {
    "choice": _choice, "rating": _rating, "number": _number, "taxonomy": _taxonomy, "ranking": _ranking,
    "preference": _preference, "segments": _segments, "transcription": _transcription, "mask": _mask,
    **dict.fromkeys(("boxes", "polygons", "polylines", "keypoints", "cuboids", "tracks"), _shapes),
}  # fmt: skip
