"""What a batch's interface asks, for people: its questions with the definitions of their labels, and a sample of its
data without the player."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marketplace.projects.answer_types.labels import label_title, title_of

LABELLED = ("labels", "tree", "relations")
DEPTH = 3


@dataclass(frozen=True)
class LabelGuide:
    """One label with what tells when it is meant; `depth` is how far it stands in a tree."""

    title: str
    depth: int
    hotkey: str
    definition: str
    includes: tuple[str, ...]
    excludes: tuple[str, ...]
    examples: tuple[str, ...]
    counter_examples: tuple[str, ...]
    more: int = 0

    @property
    def says(self) -> bool:
        """Whether there is more to it than its name."""
        return bool(self.definition or self.includes or self.excludes or self.examples or self.counter_examples)


@dataclass(frozen=True)
class Question:
    """One answer field."""

    title: str
    type: str
    help: str
    required: bool
    labels: tuple[LabelGuide, ...]


@dataclass(frozen=True)
class Shown:
    """One field of the data: `value` is a text, an address, or the rows of a table under `columns`."""

    title: str
    type: str
    value: Any
    columns: tuple[str, ...] = ()


def guide_of(interface: Mapping[str, Any]) -> list[Question]:
    """The questions in their order. Of trees the upper levels."""
    return [
        Question(
            title=field["title"],
            type=field["type"],
            help=field.get("help", ""),
            required=field["required"],
            labels=tuple(guide for name in LABELLED for guide in _guides(field.get(name) or (), 0)),
        )
        for field in interface["answer"]
    ]


def plain_sample(interface: Mapping[str, Any], data: Mapping[str, Any]) -> list[Shown]:
    """The data of a task in the order in which it is shown, for whoever has no scripts."""
    return [_shown(field, data[field["name"]]) for field in interface["data"] if field["name"] in data]


def _guides(labels: Sequence[Any], depth: int) -> list[LabelGuide]:
    found = []
    for label in labels:
        if isinstance(label, str):
            label = {"value": label}
        children = label.get("children") or ()
        deeper = depth + 1 < DEPTH
        found.append(
            LabelGuide(
                title=label_title(label),
                depth=depth,
                hotkey=label.get("hotkey", ""),
                definition=label.get("definition", ""),
                includes=tuple(label.get("includes", ())),
                excludes=tuple(label.get("excludes", ())),
                examples=tuple(label.get("examples", ())),
                counter_examples=tuple(label.get("counter_examples", ())),
                more=0 if deeper else len(children),
            )
        )
        if deeper:
            found += _guides(children, depth + 1)
    return found


def _shown(field: Mapping[str, Any], value: Any) -> Shown:
    title = title_of(field)
    if field["type"] != "table":
        return Shown(title, field["type"], value)
    table = value if isinstance(value, list) else [value]
    columns = tuple(dict.fromkeys(name for row in table for name in row))
    return Shown(title, "table", [[row.get(name, "") for name in columns] for row in table], columns)
