"""Rows of an import as values: read from JSONL or CSV, checked against the interface, wrong ones named by number."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from marketplace.batches.models import OVERLAP_MAX
from marketplace.projects.answer_types.plain import text_problem
from marketplace.projects.interface import ValuesInvalid, clean_data, clean_key

ROW_BYTES_MAX = 1024 * 1024
EXTERNAL_ID_MAX = 200
KNOWN = {"external_id", "data", "gold", "reserved_for", "overlap"}


@dataclass(frozen=True)
class Row:
    """A row as read: its number in the file (from 1, without the header) and its fields, or why it is unreadable."""

    number: int
    fields: dict[str, Any] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True)
class TaskRow:
    """A checked row; `data` and `gold` are JSON texts ready for COPY."""

    number: int
    external_id: str
    data: str
    gold: str | None
    reserved_for: tuple[str, ...]
    overlap: int


class RowErrors:
    """Errors by row and field; counts all and keeps the first `limit`."""

    def __init__(self, limit: int) -> None:
        self.found: list[dict[str, Any]] = []
        self.count = 0
        self._limit = limit

    def add(self, row: int, name: str, message: str) -> None:
        """Note what is wrong; what no answer could carry, as half a surrogate pair, is written as an escape."""
        self.count += 1
        if len(self.found) < self._limit:
            name, message = (text.encode(errors="backslashreplace").decode() for text in (name, message))
            self.found.append({"row": row, "field": name, "message": message})


def read_jsonl(body: BinaryIO) -> Iterator[Row]:
    """One JSON object a line; empty lines are passed over. Never raises for content: a bad line becomes a bad row."""
    number = 0
    while line := body.readline(ROW_BYTES_MAX + 1):
        number += 1
        if len(line) > ROW_BYTES_MAX and not line.endswith(b"\n"):
            yield Row(number, problem=f"the line is longer than {ROW_BYTES_MAX} bytes")
            while line and not line.endswith(b"\n"):
                line = body.readline(ROW_BYTES_MAX)
            continue
        if not line.strip():
            continue
        try:
            fields = json.loads(line, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            yield Row(number, problem=f"is not JSON: {error}")
            continue
        yield Row(number, fields) if isinstance(fields, dict) else Row(number, problem="is not a JSON object")


def read_csv(body: BinaryIO, *, json_fields: frozenset[str]) -> Iterator[Row]:
    """A CSV with a header: external_id, data.<field>, gold.<field>, reserved_for (separated by spaces), overlap.

    Cells of `json_fields` (as `data.left`, `gold.labels`) hold JSON; an empty cell means that the value is absent.
    """
    reader = csv.reader(io.TextIOWrapper(body, encoding="utf-8-sig", newline="", errors="strict"))
    number = 0
    try:
        header = next(reader, [])
        if len(set(header)) != len(header):
            yield Row(0, problem="the header names a column twice")
            return
        for cells in reader:
            number += 1
            if not any(cells):
                continue
            if len(cells) != len(header):
                yield Row(number, problem=f"has {len(cells)} cells, the header has {len(header)}")
                continue
            yield _from_cells(number, dict(zip(header, cells, strict=True)), json_fields)
    except (csv.Error, UnicodeDecodeError) as error:
        yield Row(number + 1, problem=f"is not readable as CSV in UTF-8: {error}")


def checked_rows(
    source: Iterator[Row], *, interface: dict[str, Any], overlap: int, errors: RowErrors
) -> Iterator[TaskRow]:
    """The rows that are right, ready for COPY; what is wrong with the others goes to `errors`."""
    for row in source:
        if row.problem:
            errors.add(row.number, "", row.problem)
            continue
        before = errors.count
        for name in row.fields.keys() - KNOWN:
            errors.add(row.number, name[:100], "is not a known column")
        external_id = row.fields.get("external_id")
        if not isinstance(external_id, str) or not 0 < len(external_id) <= EXTERNAL_ID_MAX:
            errors.add(row.number, "external_id", f"must be a text of 1 to {EXTERNAL_ID_MAX} characters")
        elif problem := text_problem(external_id):
            errors.add(row.number, "external_id", problem)
        data = _cleaned(clean_data, interface, row.fields.get("data", {}), "data", row.number, errors)
        gold = row.fields.get("gold")
        if gold is not None:
            gold = _cleaned(clean_key, interface, gold, "gold", row.number, errors)
        wanted = row.fields.get("overlap", overlap)
        if isinstance(wanted, bool) or not isinstance(wanted, int) or not 1 <= wanted <= OVERLAP_MAX:
            errors.add(row.number, "overlap", f"must be a whole number from 1 to {OVERLAP_MAX}")
        reserved = row.fields.get("reserved_for", [])
        if not isinstance(reserved, list) or not all(isinstance(code, str) for code in reserved):
            errors.add(row.number, "reserved_for", "must be a list of worker ids")
        elif problem := next(filter(None, map(text_problem, reserved)), None):
            errors.add(row.number, "reserved_for", problem)
        elif gold is not None and reserved:
            errors.add(row.number, "reserved_for", "a gold task cannot be reserved: it would be known as such")
        if errors.count == before:
            yield TaskRow(
                row.number,
                external_id,  # type: ignore[arg-type]
                json.dumps(data, ensure_ascii=False, separators=(",", ":")),
                None if gold is None else json.dumps(gold, ensure_ascii=False, separators=(",", ":")),
                tuple(dict.fromkeys(reserved)),
                wanted,
            )


def _cleaned(clean: Any, interface: dict[str, Any], raw: Any, part: str, number: int, errors: RowErrors) -> Any:
    try:
        return clean(interface, raw)
    except ValuesInvalid as invalid:
        for error in invalid.errors:
            name = f"{part}.{error['field']}" if error["field"] else part
            errors.add(number, name, error["message"])
        return {}


def _from_cells(number: int, cells: dict[str, str], json_fields: frozenset[str]) -> Row:
    fields: dict[str, Any] = {"data": {}}
    for name, text in cells.items():
        part, _, inner = name.partition(".")
        if text == "" and name != "external_id":
            continue
        if inner and part in ("data", "gold"):
            value: Any = text
            if name in json_fields:
                try:
                    value = json.loads(text, parse_constant=_refuse_constant)
                except (ValueError, RecursionError):
                    return Row(number, problem=f"the cell {name} does not hold JSON")
            fields.setdefault(part, {})[inner] = value
        elif name == "reserved_for":
            fields[name] = text.split()
        elif name == "overlap":
            fields[name] = int(text) if text.isdecimal() and len(text) < 10 else text
        else:
            fields[name] = text
    return Row(number, fields)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")
