"""Rows of an import as they are read, from JSONL or CSV, each by its number; what cannot be read is named.

A reader can stop behind any row and go on there later, in another process: `Cursor` says where.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

ROW_BYTES_MAX = 1024 * 1024
BLOCK = 64 * 1024
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(slots=True)
class Row:
    """A row as read: its number in the file (from 1, without the header) and its fields, or why it is unreadable: as a
    whole (`problem`) or at some places (`faults`, each as field and message)."""

    number: int
    fields: dict[str, Any] = field(default_factory=dict)
    problem: str = ""
    faults: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Cursor:
    """Where the next row begins: bytes before it, rows before it, and the header of a CSV. A reader moves it along.

    `left_out` counts what was read before it and is not taken, by its name in the file.
    """

    offset: int = 0
    row: int = 0
    header: list[str] | None = None
    left_out: dict[str, int] = field(default_factory=dict)

    def copy(self) -> "Cursor":
        """As it is now."""
        return replace(self, left_out=dict(self.left_out))


def read_jsonl(body: BinaryIO, at: Cursor | None = None) -> Iterator[Row]:
    """One JSON object a line; empty lines are passed over. Never raises for content: a bad line becomes a bad row.

    `body` begins where `at` says.
    """
    at = at or Cursor()
    while line := body.readline(ROW_BYTES_MAX + 1):
        at.row += 1
        at.offset += len(line)
        if len(line) > ROW_BYTES_MAX and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = body.readline(ROW_BYTES_MAX)
                at.offset += len(line)
            yield Row(at.row, {}, f"the line is longer than {ROW_BYTES_MAX} bytes")
            continue
        fields = _plain_object(line)
        if fields is not None:
            yield Row(at.row, fields)
        elif line.strip():
            yield row_of(at.row, line)


def _strict(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")


# Made once: json.loads would make a decoder for each line.
_scan: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder(parse_constant=_strict).scan_once  # type: ignore[attr-defined]


def _plain_object(line: bytes) -> dict[str, Any] | None:
    """The object of a line that holds one from its first character on, as almost all do; for the others None."""
    if line[:1] != b"{":
        return None
    try:
        text = line.decode()
        fields, end = _scan(text, 0)
    except (ValueError, StopIteration, RecursionError):
        return None
    return fields if text[end:] in ("\n", "", "\r\n") else None


def row_of(number: int, line: bytes) -> Row:
    """The row that some bytes of JSON say, or what is wrong with them."""
    try:
        fields = json.loads(line, parse_constant=_strict)
    except (ValueError, RecursionError) as error:
        return Row(number, {}, f"is not JSON: {error}")
    return Row(number, fields) if isinstance(fields, dict) else Row(number, {}, "is not a JSON object")


def read_csv(body: BinaryIO, *, json_fields: frozenset[str], at: Cursor | None = None) -> Iterator[Row]:
    """A CSV with a header: external_id, data.<field>, gold.<field>, reserved_for (separated by spaces), overlap,
    priority, score.

    Cells of `json_fields` (as `data.left`, `gold.labels`) hold JSON; an empty cell means that the value is absent.
    `body` begins where `at` says.
    """
    at = at or Cursor()
    lines = _Lines(body, at.offset)
    reader = csv.reader(lines)
    try:
        if at.header is None:
            header = next(reader, [])
            if any("\0" in name for name in header):
                yield Row(0, {}, "the header holds the character NUL")
                return
            at.header, at.offset = header, lines.offset
        header = at.header
        if len(set(header)) != len(header):
            yield Row(0, {}, "the header names a column twice")
            return
        for cells in reader:
            at.row += 1
            at.offset = lines.offset
            if not any(cells):
                continue
            if len(cells) != len(header):
                yield Row(at.row, {}, f"has {len(cells)} cells, the header has {len(header)}")
                continue
            yield _from_cells(at.row, dict(zip(header, cells, strict=True)), json_fields)
    except (csv.Error, UnicodeDecodeError) as error:
        yield Row(at.row + 1, {}, f"is not readable as CSV in UTF-8: {error}")


class _Lines:
    """The lines of a text in UTF-8, however they end; `offset` is how many bytes they took so far.

    Holds one line and one block. A line that is too long is no CSV of ours.
    """

    def __init__(self, body: BinaryIO, offset: int) -> None:
        self.offset = offset
        self._body = body
        self._first = offset == 0

    def __iter__(self) -> Iterator[str]:
        rest = b""
        while block := self._body.read(BLOCK):
            if self._first:
                block = self._begun(block)
            # Up to the last line's end; a lone CR at the end of a block may be the half of one.
            end = max(block.rfind(b"\n"), block.rfind(b"\r", 0, -1)) + 1
            if end:
                yield from self._told(rest + block[:end])
                rest = b""
            rest += block[end:]
            if len(rest) > ROW_BYTES_MAX:
                raise csv.Error(f"a line is longer than {ROW_BYTES_MAX} bytes")
        yield from self._told(rest)

    def _begun(self, block: bytes) -> bytes:
        self._first = False
        block += self._body.read(len(BYTE_ORDER_MARK))
        if block.startswith(BYTE_ORDER_MARK):
            self.offset += len(BYTE_ORDER_MARK)
            return block[len(BYTE_ORDER_MARK) :]
        return block

    def _told(self, lines: bytes) -> Iterator[str]:
        try:
            text, error = lines.decode(), None
        except UnicodeDecodeError as wrong:
            # What comes before the line that cannot be read is read, so that the error names its row.
            begun = max(lines.rfind(b"\n", 0, wrong.start), lines.rfind(b"\r", 0, wrong.start)) + 1
            text, error = lines[:begun].decode(), wrong
        for line in io.StringIO(text, newline=""):
            self.offset += len(line) if line.isascii() else len(line.encode())
            yield line
        if error:
            raise error


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
                    value = json.loads(text, parse_constant=_strict)
                except (ValueError, RecursionError):
                    return Row(number, {}, f"the cell {name} does not hold JSON")
            inside = fields.setdefault(part, {})
            if not isinstance(inside, dict):
                return Row(number, {}, f"has both a column {part} and a column {name}")
            inside[inner] = value
        elif name == "reserved_for":
            fields[name] = text.split()
        elif name in ("overlap", "priority"):
            fields[name] = int(text) if text.isdecimal() and len(text) < 10 else text
        elif name == "score":
            fields[name] = _number(text)
        else:
            fields[name] = text
    return Row(number, fields)


def _number(text: str) -> float | str:
    try:
        return text if "_" in text else float(text)
    except ValueError:
        return text
