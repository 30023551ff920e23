"""Write rows as JSONL or CSV, a page at a time. Cells cannot become formulas in a spreadsheet (R33)."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

from marketplace.common.cells import safe_cell


def as_jsonl(rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """One JSON object a line, in pieces of about 64 KiB."""
    yield from _pieces(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)


def as_csv(columns: list[str], rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """A header and one line a row, RFC 4180, UTF-8, in pieces of about 64 KiB."""
    yield from _pieces(_csv_lines(columns, rows))


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


def _pieces(lines: Iterator[str]) -> Iterator[bytes]:
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
