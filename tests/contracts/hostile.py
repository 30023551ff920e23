"""Texts that want to run where somebody else looks at them (R30), and the work and the people that are made of them.

In `hostile.json`, by what they are. What would run calls `hit()`; what would load or lead goes to evil.example.
"""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from marketplace.projects.answer_types.plain import text_problem
from marketplace.projects.data_types import DATA_TYPES, ValueRefused
from marketplace.projects.interface import InterfaceInvalid, check_interface

CORPUS: dict[str, list[str]] = json.loads(Path(__file__).with_name("hostile.json").read_text())
TEXTS = [text for kind in CORPUS.values() for text in kind]
# What could be kept and shown again: the database takes no NUL.
KEPT = [text for text in TEXTS if text_problem(text) is None and not text.isspace()]


def guides_of(text: str) -> dict[str, Any]:
    """All that is said of a label, in the text's words."""
    return {
        "title": text, "definition": text, "includes": [text], "excludes": [text], "examples": [text],
        "counter_examples": [text],
    }  # fmt: skip


def _taken(interface: dict[str, Any]) -> bool:
    try:
        check_interface(interface)
    except InterfaceInvalid:
        return False
    return True


def interface_of(texts: list[str]) -> dict[str, Any]:
    """An interface in which every word is one of the texts: a text and a Markdown of each, and a label."""
    fits = [text for text in texts if _taken(_asks([text]))]
    data = [
        {"name": f"{kind}{at}", "type": kind, "title": text[:200], "required": False}
        for at, text in enumerate(fits)
        for kind in ("text", "markdown")
    ]
    media = [{"name": f"media{at}", "type": kind, "required": False} for at, kind in enumerate(("image", "url"))]
    return {"data": [*data[:98], *media], "answer": _asks(fits)["answer"]}


def _asks(texts: list[str]) -> dict[str, Any]:
    title = texts[0][:200]
    labels = [{"value": f"{text[:185]} {at}", **guides_of(text)} for at, text in enumerate(texts)]
    tree = [{"value": "root", "children": labels}, {"value": "-"}]
    ranked = [
        *({"value": f"{text[:185]} {at}", "title": text[:200]} for at, text in enumerate(texts[:3])),
        {"value": "-"},
    ]
    return {
        "data": [],
        "answer": [
            {
                "name": "label",
                "type": "choice",
                "title": title,
                "help": texts[-1],
                "labels": [*labels, {"value": "none"}],
            },
            {"name": "tree", "type": "taxonomy", "title": title, "required": False, "tree": tree},
            {"name": "order", "type": "ranking", "title": title, "required": False, "items": ranked},
            {"name": "said", "type": "text", "title": title, "required": False, "max_length": 5_000},
        ],
    }


def row_of(interface: dict[str, Any], texts: list[str], number: int) -> dict[str, Any]:
    """A row that shows each text in the field that has its number."""
    kept = [text for text in texts if text_problem(text) is None and not text.isspace()]
    data: dict[str, Any] = {}
    for field in interface["data"]:
        kind, at = field["type"], int(field["name"].lstrip("abcdefghijklmnopqrstuvwxyz"))
        if kind in ("text", "markdown") and at < len(kept):
            data[field["name"]] = kept[at]
        elif kind in ("image", "url") and (link := next(_links(kind, texts), None)):
            data[field["name"]] = link
    return {"external_id": f"{number} {kept[0]}"[:200], "data": data}


def _links(kind: str, texts: list[str]) -> Iterator[str]:
    for text in texts:
        try:
            DATA_TYPES[kind](text)
        except ValueRefused:
            continue
        yield text


def packs(size: int = 24) -> list[list[str]]:
    """The texts that can be kept, so many together."""
    return [KEPT[at : at + size] for at in range(0, len(KEPT), size)]


# --- what a page must not hold -----------------------------------------------------------------------------------

LEADS = re.compile(r"https?://|mailto:|/|#|\?|\.?[\w-]+/", re.IGNORECASE)
NEVER = {"iframe", "object", "embed", "applet", "base", "frame", "frameset", "portal", "style", "marquee", "isindex"}
ADDRESSES = {"href", "src", "action", "formaction", "xlink:href", "data", "poster", "srcset", "background", "ping"}


class Faults(HTMLParser):
    """Reads a page and notes whatever runs, styles, loads or leads where the page itself would not."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name.lower(): (value or "").strip() for name, value in attrs}
        if tag in NEVER or (tag == "meta" and "http-equiv" in given):
            self.found.append(f"<{tag}>")
        for name, value in given.items():
            if name.startswith(("on", "hx-on", "data-hx-on")) or name in ("style", "srcdoc"):
                self.found.append(f"<{tag} {name}>")
            picture = tag == "img" and value.lower().startswith("data:image/")
            if name in ADDRESSES and value and not picture and not LEADS.match(value):
                self.found.append(f"<{tag} {name}={value[:60]}>")
            if name in ("action", "formaction") and value.startswith(("http", "//")):
                self.found.append(f"<{tag} {name}={value[:60]}>")
        if tag in ("script", "link") and "evil.example" in str(given):
            self.found.append(f"<{tag} {given}>")
        if tag == "script" and "src" not in given and given.get("type") not in ("importmap", "application/json"):
            self.found.append("<script> with words")


def faults_of(page: str) -> list[str]:
    """What a page holds that it must not."""
    reader = Faults()
    reader.feed(page)
    return reader.found
