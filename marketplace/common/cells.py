"""Cells of CSV files, which must not become formulas in a spreadsheet (R33)."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

# What a spreadsheet may run, with the full-width forms that some read alike. A cell that begins with an apostrophe is
# escaped too, so that dropping one leading apostrophe always gives the text back.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠", "'")


def safe_cell(value: Any) -> Any:
    """The value as a CSV cell: lists and objects as JSON, texts that a spreadsheet would run with a leading apostrophe.

    Numbers stay numbers, negative ones too: a number is not a formula.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and value.lstrip(" \n").startswith(FORMULA_STARTS):
        return "'" + value
    return value


def as_csv(columns: list[str], rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """A header and one line a row, RFC 4180, UTF-8, in pieces of about 64 KiB."""
    yield from pieces(_csv_lines(columns, rows))


def _csv_lines(columns: list[str], rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow([safe_cell(column) for column in columns])
    for row in rows:
        writer.writerow([safe_cell(row.get(column)) for column in columns])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    if buffer.getvalue():
        yield buffer.getvalue()


def pieces(lines: Iterator[str]) -> Iterator[bytes]:
    """The lines in pieces of about 64 KiB, to be streamed."""
    gathered: list[str] = []
    size = 0
    for line in lines:
        gathered.append(line)
        size += len(line)
        if size >= 65_536:
            yield "".join(gathered).encode()
            gathered, size = [], 0
    if gathered:
        yield "".join(gathered).encode()
