"""Differences between two versions, for people."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from marketplace.projects.changes import Change, Kind

PARTS: dict[str, str | Promise] = {
    "data": gettext_lazy("What is shown"),
    "answer": gettext_lazy("Questions"),
    "labels": gettext_lazy("labels"),
    "items": gettext_lazy("items"),
    "tree": gettext_lazy("categories"),
    "children": gettext_lazy("below"),
    "relations": gettext_lazy("relations"),
    "skeletons": gettext_lazy("skeletons"),
    "order": gettext_lazy("order"),
    "title": gettext_lazy("title"),
    "help": gettext_lazy("help"),
    "definition": gettext_lazy("definition"),
    "includes": gettext_lazy("counts as well"),
    "excludes": gettext_lazy("does not count"),
    "examples": gettext_lazy("examples"),
    "counter_examples": gettext_lazy("counter-examples"),
    "hotkey": gettext_lazy("key"),
    "colour": gettext_lazy("colour"),
    "required": gettext_lazy("required"),
    "show_if": gettext_lazy("when it is asked"),
    "type": gettext_lazy("type"),
    "of": gettext_lazy("about"),
}
KINDS: dict[str, tuple[str | Promise, str]] = {
    Kind.ADDED: (gettext_lazy("new"), "good"),
    Kind.REMOVED: (gettext_lazy("gone"), "bad"),
    Kind.CHANGED: (gettext_lazy("changed"), "warn"),
}
# Under these stand names that people gave.
NAMES_BELOW = frozenset(["data", "answer", "labels", "items", "tree", "children", "relations", "skeletons"])
TEXT_MAX = 2_000


@dataclass(frozen=True)
class Told:
    """One difference: what happened, where, and both sides as text (None where there is none)."""

    word: str
    tone: str
    place: tuple[str, ...]
    before: str | None
    after: str | None


def told(change: Change) -> Told:
    """The change in words."""
    word, tone = KINDS[change.kind]
    return Told(str(word), tone, _place(change.place), _text(change.before), _text(change.after))


def _place(place: Sequence[str]) -> tuple[str, ...]:
    words = []
    named = False
    for part in place:
        if named and part != "order":
            words.append(f"“{part}”")
            named = False
        else:
            words.append(str(PARTS.get(part, part.replace("_", " "))))
            named = part in NAMES_BELOW
    return tuple(words)


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, str | int | float):
        text = str(value)
    elif isinstance(value, list) and all(isinstance(entry, str) for entry in value):
        text = "\n".join(f"• {entry}" for entry in value)
    elif isinstance(value, Mapping) and isinstance(value.get("title"), str):
        text = "\n".join(filter(None, [value["title"], value.get("definition") or value.get("help") or ""]))
    else:
        text = json.dumps(value, ensure_ascii=False, indent=2)
    return text if len(text) <= TEXT_MAX else f"{text[:TEXT_MAX]}…"
