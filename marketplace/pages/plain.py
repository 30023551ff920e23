"""Values of tasks and answers as plain text: what there is without scripts, and in lists. Pure."""

import json
from typing import Any

SHORT = 120
_NOTHING: tuple[Any, ...] = (None, "", [], {})


def values_in_short(values: dict[str, Any]) -> str:
    """All values in one line, cut where it is long."""
    text = "; ".join(_text(value) for value in values.values() if value not in _NOTHING)
    return text if len(text) <= SHORT else f"{text[: SHORT - 1]}…"


def fields_in_words(fields: list[dict[str, Any]], values: dict[str, Any]) -> list[tuple[str, str]]:
    """Pairs of a field's title and its value, of those that have one; labels by their titles."""
    return [
        (str(field.get("title") or field["name"]), _text(values[field["name"]], _titles(field)))
        for field in fields
        if field["name"] in values
    ]


def answer_in_short(fields: list[dict[str, Any]], values: dict[str, Any]) -> str:
    """An answer in one line, its labels by their titles."""
    said = [(field["name"], values.get(field["name"]), _titles(field)) for field in fields]
    return values_in_short({name: _text(value, titles) for name, value, titles in said if value not in _NOTHING})


def _titles(field: dict[str, Any]) -> dict[str, str]:
    return {
        label["value"]: label.get("title") or label["value"]
        for label in field.get("labels", ())
        # A rating's are texts.
        if isinstance(label, dict)
    }


def _text(value: Any, titles: dict[str, str] | None = None) -> str:
    if isinstance(value, str):
        return (titles or {}).get(value, value)
    if isinstance(value, list) and all(isinstance(one, (str, int, float)) for one in value):
        return ", ".join(_text(one, titles) for one in value)
    return str(value) if isinstance(value, (int, float)) else json.dumps(value, ensure_ascii=False)
