"""Labels as a requester declares them: a value, a title, and what tells people when it is meant."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from marketplace.projects.answer_types.base import Field
from marketplace.projects.answer_types.declaration import HELP_MAX, TITLE_MAX, Declaration

LABELS_MAX = 500
VALUE_MAX = 200
# As many as the pages have colours for labels (`--label-1` … in tokens.css), each seen well in both schemes.
COLOURS = 8
# Of the labels that a value could be, a refusal names so many, in so many characters.
NAMED_MAX, NAMED_LENGTH = 10, 300
GUIDES = ("includes", "excludes", "examples", "counter_examples")


def is_single_label(declared: Field) -> bool:
    """Whether answers to the field are one label each."""
    return bool(declared["type"] == "choice" and not declared.get("multiple"))


def label_field(fields: Iterable[Field]) -> str | None:
    """The first field with one label out of several, if there is any: what labels are counted by."""
    return next((declared["name"] for declared in fields if is_single_label(declared)), None)


def title_of(declared: Mapping[str, Any]) -> str:
    """What a field is called."""
    return str(declared.get("title") or declared["name"])


def label_title(label: Mapping[str, Any]) -> str:
    """What a label, an item or a node of a tree is called."""
    return str(label.get("title") or label["value"])


def label_titles(labels: Iterable[Any]) -> dict[str, str]:
    """The titles of labels by their values; whatever is no label is left out."""
    return {label["value"]: label_title(label) for label in labels if isinstance(label, Mapping)}


def titles_of(declared: Mapping[str, Any]) -> dict[str, str]:
    """The titles of a field's labels by their values, as answers and figures have these."""
    if declared["type"] == "rating":
        return {str(place): f"{place} · {title}" for place, title in enumerate(declared.get("labels", ()), 1)}
    return label_titles(declared.get("labels", ()))


def values_in_words(labels: Sequence[Field]) -> str:
    """The values of the first labels, and how many more there are; for people whose value is none of them."""
    named: list[str] = []
    for label in labels[:NAMED_MAX]:
        if named and sum(map(len, named)) + len(label["value"]) > NAMED_LENGTH:
            break
        named.append(label["value"])
    more = len(labels) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def read_labels(
    read: Declaration, field: Field, option: str, *, least: int, most: int = LABELS_MAX
) -> list[dict[str, Any]]:
    """The labels under an option, each with the guidance that it has; what is wrong is noted in `read`."""
    raw = field.get(option)
    if not isinstance(raw, list) or not least <= len(raw) <= most:
        read.refuse(option, f"must be a list of {least} to {most} {option}")
        return []
    labels = []
    values: set[str] = set()
    hotkeys: set[str] = set()
    for at, entry in enumerate(raw):
        if not isinstance(entry, Mapping):
            read.refuse(f"{option}[{at}]", "must be an object")
            continue
        inner = Declaration(
            entry, ("value", "title", "definition", *GUIDES, "hotkey", "colour"), path=f"{option}[{at}]."
        )
        labels.append(_label(inner, values, hotkeys))
        read.errors += inner.errors
    return labels


def _label(read: Declaration, values: set[str], hotkeys: set[str]) -> dict[str, Any]:
    value = read.text("value", VALUE_MAX, required=True)
    if value and value in values:
        read.refuse("value", "is the value of another label too")
    values.add(value)
    label: dict[str, Any] = {"value": value, "title": read.text("title", TITLE_MAX) or value}
    if definition := read.text("definition", HELP_MAX):
        label["definition"] = definition
    for guide in GUIDES:
        if texts := read.texts(guide):
            label[guide] = texts
    if hotkey := read.text("hotkey", TITLE_MAX):
        if len(hotkey) != 1 or not hotkey.isprintable():
            read.refuse("hotkey", "must be one visible character")
        elif hotkey.casefold() in hotkeys:
            read.refuse("hotkey", "is the hotkey of another label too")
        hotkeys.add(hotkey.casefold())
        label["hotkey"] = hotkey
    if read.has("colour"):
        label["colour"] = read.whole("colour", 1, COLOURS, default=1)
    return label
