"""Rows of an import as they are read, from JSONL or CSV, each by its number; what cannot be read is named.

A reader can stop behind any row and go on there later, in another process: `Cursor` says where.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import IO, Any, BinaryIO

ROW_BYTES_MAX = 1024 * 1024
# An interface has up to 100 fields of data and as many of answers; five columns are of the task itself.
COLUMNS_MAX = 205
BLOCK = 64 * 1024
# They are passed over, but not for as long as somebody likes.
EMPTY_MAX = 1_000_000
COLUMN_SHOWN = 100
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


# Which column of a file is what, by what it is: `{"external_id": "id", "data.text": "body"}`.
Mapping = dict[str, str]


def read_jsonl(body: BinaryIO, at: Cursor | None = None, *, mapping: Mapping | None = None) -> Iterator[Row]:
    """One JSON object a line; empty lines are passed over. Never raises for content: a bad line becomes a bad row.

    `body` begins where `at` says. With `mapping`, only the columns that it names are taken. Without one, a column
    `data.text` is what it is in a CSV: tables become lines of JSON with their columns as they were.
    """
    found = _lines_of(body, at or Cursor())
    if mapping is None:
        return map(_nested, found)
    return (row if row.problem else _mapped(row, mapping) for row in found)


def _nested(row: Row) -> Row:
    flat = [name for name in row.fields if name.startswith(("data.", "gold.")) and len(name) > 5]
    if not flat:
        return row
    fields = {name: value for name, value in row.fields.items() if name not in flat}
    for name in flat:
        part, _, inner = name.partition(".")
        if part in row.fields:
            return Row(row.number, {}, f"has both a column {part} and a column {name}")
        fields.setdefault(part, {})[inner] = row.fields[name]
    return replace(row, fields=fields)


def _mapped(row: Row, mapping: Mapping) -> Row:
    fields: dict[str, Any] = {}
    for wanted, column in mapping.items():
        value = looked_up(row.fields, column)
        if value is None:
            continue
        part, _, inner = wanted.partition(".")
        if inner:
            fields.setdefault(part, {})[inner] = value
        elif wanted == "external_id" and isinstance(value, int) and not isinstance(value, bool):
            fields[wanted] = str(value)
        else:
            fields[wanted] = value
    return Row(row.number, _numbered(row.number, fields, mapping))


def looked_up(fields: dict[str, Any], column: str) -> Any:
    """A column of an object: by its whole name, or by the way into objects within it, as `data.text`; else None."""
    if column in fields:
        return fields[column]
    first, _, rest = column.partition(".")
    inside = fields.get(first)
    return looked_up(inside, rest) if rest and isinstance(inside, dict) else None


def _numbered(number: int, fields: dict[str, Any], mapping: Mapping) -> dict[str, Any]:
    """A file without a column of ids has its rows' numbers for them."""
    return fields if "external_id" in mapping else {"external_id": f"row-{number}", **fields}


def _lines_of(body: BinaryIO, at: Cursor) -> Iterator[Row]:
    empty = 0
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
        else:
            empty += 1
            if empty > EMPTY_MAX:
                yield Row(at.row, {}, f"the file has more than {EMPTY_MAX} empty lines")
                return


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
    return fields if text[end:] in ("\n", "", "\r\n") and _names_once(fields, text) else None


def _names_once(fields: dict[str, Any], text: str) -> bool:
    """Whether no name can be in an object twice, seen without reading the line again: where no space stands before a
    colon, each name is followed by one at once, and there are as many of those as names that were kept."""
    if " :" in text or "\t:" in text or "\r:" in text:
        return False
    names = len(fields)
    for inner in fields.values():
        if type(inner) is dict:
            names += len(inner)
    return text.count('":') == names


def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object in which two readers see the same."""
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"names {name[:100]!r} twice")
            seen.add(name)
    return found


def row_of(number: int, line: bytes) -> Row:
    """The row that some bytes of JSON say, or what is wrong with them."""
    try:
        # Bytes the decoder would take in UTF-16 and UTF-32 too, whose lines end elsewhere.
        text = line.decode("utf-8-sig")
        fields = json.loads(text, parse_constant=_strict, object_pairs_hook=each_once)
    except (ValueError, RecursionError) as error:
        return Row(number, {}, f"is not JSON: {error}")
    return Row(number, fields) if isinstance(fields, dict) else Row(number, {}, "is not a JSON object")


def read_csv(
    body: BinaryIO, *, json_fields: frozenset[str], at: Cursor | None = None, mapping: Mapping | None = None
) -> Iterator[Row]:
    """A CSV with a header: external_id, data.<field>, gold.<field>, reserved_for (separated by spaces), overlap,
    priority, score.

    Cells of `json_fields` (as `data.left`, `gold.labels`) hold JSON; an empty cell means that the value is absent.
    `body` begins where `at` says. With `mapping`, only the columns that it names are taken, as what it says.
    """
    at = at or Cursor()
    lines = Lines(body, at.offset)
    reader = csv.reader(lines, strict=True)
    try:
        if at.header is None:
            header = next(reader, [])
            if any("\0" in name for name in header):
                yield Row(0, {}, "the header holds the character NUL")
                return
            at.header, at.offset = header, lines.begin_row()
        header = at.header
        if len(header) > COLUMNS_MAX:
            yield Row(0, {}, f"the header has {len(header)} columns; at most {COLUMNS_MAX} are read")
            return
        if len(set(header)) != len(header):
            yield Row(0, {}, "the header names a column twice")
            return
        missing = next((column for column in (mapping or {}).values() if column not in header), None)
        if missing is not None:
            yield Row(0, {}, f"there is no column {missing[:COLUMN_SHOWN]!r}")
            return
        for cells in reader:
            at.row += 1
            at.offset = lines.begin_row()
            if not any(cells):
                continue
            if len(cells) != len(header):
                yield Row(at.row, {}, f"has {len(cells)} cells, the header has {len(header)}")
                continue
            named = dict(zip(header, cells, strict=True))
            if mapping is None:
                yield _from_cells(at.row, named, json_fields)
                continue
            row = _from_cells(at.row, {wanted: named[column] for wanted, column in mapping.items()}, json_fields)
            yield row if row.problem else Row(row.number, _numbered(row.number, row.fields, mapping))
    except (csv.Error, UnicodeDecodeError) as error:
        yield Row(at.row + 1, {}, f"is not readable as CSV in UTF-8: {error}")


class Lines:
    """The lines of a CSV in UTF-8, however they end; `offset` is how many bytes they took so far.

    Holds one line and one block. A line that is too long is no CSV of ours, and neither is a row of many lines: the
    reader of rows keeps all cells of one, and quotes can make a whole file one row.
    """

    def __init__(self, body: IO[bytes], offset: int = 0) -> None:
        self.offset = self._row_at = offset
        self._body = body
        self._first = offset == 0

    def begin_row(self) -> int:
        """The lines until now are rows that were read; says where the next begins."""
        self._row_at = self.offset
        return self.offset

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
            if self.offset - self._row_at > ROW_BYTES_MAX:
                raise csv.Error(f"a row is longer than {ROW_BYTES_MAX} bytes")
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
                    value = json.loads(text, parse_constant=_strict, object_pairs_hook=each_once)
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
