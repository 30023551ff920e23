"""What is different between two versions, for people: field by field, label by label, line by line. No tables."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Any

# Lists whose entries have a name of their own, by which one is found again wherever it stands.
NAMED = {"data": "name", "answer": "name", "labels": "value", "items": "value", "tree": "value", "children": "value",
         "relations": "value"}  # fmt: skip
# Comparing more lines than this one by one could take long; they are shown one after the other.
LINES_MAX = 2_000
CONTEXT = 3
ORDER = "order"
# What of a label says what is meant by it.
MEANING = ("title", "definition", "includes", "excludes")


class Kind(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True)
class Change:
    """One difference. `place` leads there by names: ("answer", "label", "labels", "cat", "definition")."""

    kind: Kind
    place: tuple[str, ...]
    before: Any
    after: Any


class What(StrEnum):
    GONE = "gone"
    CHANGED = "changed"


@dataclass(frozen=True)
class Affected:
    """A question (`label` is None) or a label of it that is gone, or is asked or called otherwise since."""

    field: str
    label: str | None
    what: What


@dataclass(frozen=True)
class Line:
    """A line of instructions; `kind` is None where both have it, and `text` None where equal lines are left out."""

    kind: Kind | None
    text: str | None


def interface_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Differences between two interfaces in normal form, in the order of the later one; what is gone comes last."""
    return list(_changes((), before, after))


def instruction_changes(before: str, after: str) -> list[Line]:
    """Both texts line by line, with up to `CONTEXT` equal lines around what is different; nothing for equal texts."""
    if before == after:
        return []
    old, new = before.splitlines(), after.splitlines()
    if old == new:  # Only the ends of lines differ.
        return [Line(Kind.REMOVED, before), Line(Kind.ADDED, after)]
    if max(len(old), len(new)) > LINES_MAX:
        return [*(Line(Kind.REMOVED, line) for line in old), *(Line(Kind.ADDED, line) for line in new)]
    found: list[Line] = []
    at = 0
    for group in SequenceMatcher(None, old, new).get_grouped_opcodes(CONTEXT):
        if group[0][1] > at:
            found.append(Line(None, None))
        for what, i1, i2, j1, j2 in group:
            if what == "equal":
                found += [Line(None, line) for line in old[i1:i2]]
            else:
                found += [Line(Kind.REMOVED, line) for line in old[i1:i2]]
                found += [Line(Kind.ADDED, line) for line in new[j1:j2]]
        at = group[-1][2]
    if at < len(old):
        found.append(Line(None, None))
    return found


def affected(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Affected]:
    """What answers under the earlier interface may say that the later one has no more, or means otherwise: each once,
    in the order of the changes. Of a question that is gone or another one its labels are not told."""
    found: dict[Affected, None] = {}
    for change in interface_changes(before, after):
        if (one := _affected(change)) is not None:
            found[one] = None
    whole = {one.field for one in found if one.label is None}
    return [one for one in found if one.label is None or one.field not in whole]


def _affected(change: Change) -> Affected | None:
    if change.place[:1] != ("answer",) or len(change.place) < 2:
        return None
    field, rest = change.place[1], change.place[2:]
    if not rest:
        return Affected(field, None, What.GONE) if change.kind == Kind.REMOVED else None
    if rest[0] in ("type", "points"):
        return Affected(field, None, What.CHANGED)
    if rest[0] not in ("labels", "items", "tree"):
        return None
    label = None
    while len(rest) > 1 and rest[0] in ("labels", "items", "tree", "children"):
        label, rest = rest[1], rest[2:]
    if label is None:
        return None
    if not rest:
        return Affected(field, label, What.GONE) if change.kind == Kind.REMOVED else None
    return Affected(field, label, What.CHANGED) if rest[0] in MEANING else None


def _changes(place: tuple[str, ...], before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for key in [*after, *(key for key in before if key not in after)]:
        here, old, new = (*place, key), before.get(key), after.get(key)
        if old == new:
            continue
        if key in NAMED and _named(old, NAMED[key]) and _named(new, NAMED[key]):
            yield from _entries(here, NAMED[key], old or [], new or [])
        elif isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _changes(here, old, new)
        elif old is None:
            yield Change(Kind.ADDED, here, None, new)
        elif new is None:
            yield Change(Kind.REMOVED, here, old, None)
        else:
            yield Change(Kind.CHANGED, here, old, new)


def _entries(
    place: tuple[str, ...], name: str, before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
) -> Iterator[Change]:
    old, new = ({entry[name]: entry for entry in entries} for entries in (before, after))
    for key, entry in new.items():
        if key in old:
            yield from _changes((*place, key), old[key], entry)
        else:
            yield Change(Kind.ADDED, (*place, key), None, entry)
    for key, entry in old.items():
        if key not in new:
            yield Change(Kind.REMOVED, (*place, key), entry, None)
    kept = [key for key in old if key in new], [key for key in new if key in old]
    if kept[0] != kept[1]:
        yield Change(Kind.CHANGED, (*place, ORDER), *kept)


def _named(entries: Any, name: str) -> bool:
    """Whether these are entries with names, or none at all."""
    return entries is None or (
        isinstance(entries, list) and all(isinstance(entry, Mapping) and name in entry for entry in entries)
    )
