"""Rows of an import checked against the interface, as what the tables take; wrong ones are named by row and field."""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from json.encoder import encode_basestring
from typing import Any

from marketplace.batches.models import LEVELS, OVERLAP_MAX, PRIORITY_MAX
from marketplace.batches.rows import Row
from marketplace.batches.states import Order
from marketplace.projects.answer_types.plain import text_problem
from marketplace.projects.interface import ValuesInvalid, clean_data, clean_key

EXTERNAL_ID_MAX = 200
KNOWN = frozenset({"external_id", "data", "gold", "reserved_for", "overlap", "priority", "score"})


COLUMN_MAX = 200


def columns_of(interface: Mapping[str, Any]) -> list[str]:
    """What a column of a file can be: the item's id, its data, its known answer, and what else a row may say."""
    return [
        "external_id",
        *(f"data.{field['name']}" for field in interface["data"]),
        *(f"gold.{field['name']}" for field in interface["answer"]),
        *("overlap", "priority", "score", "reserved_for"),
    ]


def mapping_errors(interface: Mapping[str, Any], mapping: Any) -> list[dict[str, str]]:
    """What is wrong with a mapping of columns (`rows.Mapping`), by what the column is to be."""
    if not isinstance(mapping, dict) or not mapping:
        return [{"field": "mapping", "message": 'must be an object as {"data.text": "body"}'}]
    known = columns_of(interface)
    return [
        {"field": f"mapping.{wanted[:100]}", "message": "is nothing that a column can be"}
        if wanted not in known
        else {"field": f"mapping.{wanted}", "message": f"must be the name of a column, of 1 to {COLUMN_MAX} characters"}
        for wanted, column in mapping.items()
        if wanted not in known or not isinstance(column, str) or not 0 < len(column) <= COLUMN_MAX
    ]


@dataclass(slots=True)
class TaskRow:
    """A checked row; `data` and `gold` are JSON texts, `level` is its place in an order that has levels."""

    number: int
    external_id: str
    data: str
    gold: str | None
    reserved_for: tuple[str, ...]
    overlap: int
    level: int


class RowErrors:
    """Errors by row and field; counts all and keeps the first `limit`."""

    def __init__(self, limit: int) -> None:
        self.found: list[dict[str, Any]] = []
        self.count = 0
        self.limit = limit

    def add(self, row: int, name: str, message: str) -> None:
        """Note what is wrong; what no answer could carry, as half a surrogate pair or NUL, is written as an escape."""
        self.count += 1
        if len(self.found) < self.limit:
            name, message = (
                text.encode(errors="backslashreplace").decode().replace("\0", "\\x00") for text in (name, message)
            )
            self.found.append({"row": row, "field": name, "message": message})

    def merge(self, other: "RowErrors") -> None:
        """Take over what another has, of rows behind those of this one or among them."""
        self.count += other.count
        self.found = sorted([*self.found, *other.found], key=lambda error: error["row"])[: self.limit]


class RowChecker:
    """What a batch asks of each row; made once for an import."""

    def __init__(self, *, interface: Mapping[str, Any], overlap: int, order: str) -> None:
        self._interface = interface
        self._overlap = overlap
        self._order = order
        # A field that is not always shown may be empty in an answer without a fault, as an optional one may.
        self._required = {
            field["name"] for field in interface["answer"] if field["required"] and "show_if" not in field
        }
        self._names = {
            field["name"]: f"{json.dumps(field['name'], ensure_ascii=False)}:" for field in interface["data"]
        }

    def checked(self, source: Iterable[Row], errors: RowErrors) -> Iterator[TaskRow]:
        """The rows that are right, ready for COPY; what is wrong with the others goes to `errors`."""
        for row in source:
            if row.problem:
                errors.add(row.number, "", row.problem)
                continue
            if row.faults:
                for name, message in row.faults:
                    errors.add(row.number, name, message)
                continue
            before = errors.count
            task = self._task(row.number, row.fields, errors)
            if errors.count == before:
                yield task

    def _task(self, number: int, fields: dict[str, Any], errors: RowErrors) -> TaskRow:
        if not fields.keys() <= KNOWN:
            for name in fields.keys() - KNOWN:
                errors.add(number, name[:100], "is not a known column")
        external_id = fields.get("external_id")
        if not isinstance(external_id, str) or not 0 < len(external_id) <= EXTERNAL_ID_MAX:
            errors.add(number, "external_id", f"must be a text of 1 to {EXTERNAL_ID_MAX} characters")
        elif problem := text_problem(external_id):
            errors.add(number, "external_id", problem)
        data = self._cleaned(clean_data, fields.get("data", {}), "data", number, errors)
        gold = fields.get("gold")
        if gold is not None:
            gold = self.key(gold, data, number, errors)
        overlap = fields.get("overlap", self._overlap)
        if isinstance(overlap, bool) or not isinstance(overlap, int) or not 1 <= overlap <= OVERLAP_MAX:
            errors.add(number, "overlap", f"must be a whole number from 1 to {OVERLAP_MAX}")
        reserved: list[str] = []
        if "reserved_for" in fields:
            reserved = _reserved(fields["reserved_for"], gold, number, errors)
        level = 0
        if "priority" in fields or "score" in fields:
            level = _level_of_row(self._order, fields, number, errors)
        return TaskRow(
            number,
            external_id,  # type: ignore[arg-type]
            self._text(data),
            None if gold is None else _dump(gold),
            tuple(dict.fromkeys(reserved)) if reserved else (),
            overlap,
            level,
        )

    def key(self, raw: Any, data: Mapping[str, Any], number: int, errors: RowErrors) -> dict[str, Any]:
        """A known answer to an item with this cleaned data, in canonical form; what is wrong goes to `errors`."""
        gold = self._cleaned(partial(clean_key, data=data), raw, "gold", number, errors)
        if gold and self._required and not self._required & gold.keys():
            # Whoever leaves an optional field empty has done nothing wrong, and would fail.
            errors.add(number, "gold", f"must give one of the required fields: {', '.join(sorted(self._required))}")
        return gold

    def _cleaned(
        self, clean: Callable[..., dict[str, Any]], raw: Any, part: str, number: int, errors: RowErrors
    ) -> dict[str, Any]:
        try:
            return clean(self._interface, raw)
        except ValuesInvalid as invalid:
            for error in invalid.errors:
                name = f"{part}.{error['field']}" if error["field"] else part
                errors.add(number, name, error["message"])
            return {}

    def _text(self, data: dict[str, Any]) -> str:
        """JSON of cleaned data. Most values are texts, which need no encoder."""
        return (
            "{"
            + ",".join(
                [
                    self._names[name] + (encode_basestring(value) if type(value) is str else _dump(value))
                    for name, value in data.items()
                ]
            )
            + "}"
        )


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _reserved(given: Any, gold: Any, number: int, errors: RowErrors) -> list[str]:
    if not isinstance(given, list) or not all(isinstance(code, str) for code in given):
        errors.add(number, "reserved_for", "must be a list of worker ids")
        return []
    if problem := next(filter(None, map(text_problem, given)), None):
        errors.add(number, "reserved_for", problem)
    elif gold is not None and given:
        errors.add(number, "reserved_for", "a gold task cannot be reserved: it would be known as such")
    return given


def _level_of_row(order: str, fields: dict[str, Any], number: int, errors: RowErrors) -> int:
    level = 0
    for name in ("priority", "score"):
        if name in fields:
            found = level_of(order, name, fields[name])
            if isinstance(found, str):
                errors.add(number, name, found)
            else:
                level = found
    return level


def level_of(order: str, name: str, value: Any) -> int | str:
    """The level that a `priority` or `score` gives a task of a batch in this order, or what is wrong with it.

    A score says how uncertain the task is: a higher one comes first.
    """
    if name == "priority":
        if order != Order.PRIORITY:
            return "is for batches in order of priority only"
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= PRIORITY_MAX:
            return f"must be a whole number from 0 to {PRIORITY_MAX}"
        return value
    if order != Order.UNCERTAINTY:
        return "is for batches in order of uncertainty only"
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        return "must be a number from 0 to 1"
    return min(LEVELS - 1, math.floor(value * LEVELS))
