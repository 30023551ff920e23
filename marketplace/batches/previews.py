"""A file before it is imported: its columns, what they seem to be, and what is wrong with its first rows."""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Any

from marketplace.batches.commands.imports import rows_of
from marketplace.batches.models import Batch
from marketplace.batches.row_checks import COLUMN_MAX, RowChecker, RowErrors, columns_of
from marketplace.batches.rows import Cursor, looked_up, read_jsonl
from marketplace.batches.zipped import COLUMN
from marketplace.projects.answer_types.labels import title_of

LOOKED_AT = 500
ROWS_SHOWN = 10
ERRORS_SHOWN = 100
COLUMNS_MAX = 200
CELL_SHOWN = 300
MEDIA = ("image", "audio")
TEXTS = ("external_id", "reserved_for")
# Names that ids have in files of others.
IDS = ("external_id", "id", "name", "item_id", "task_id", "example_id", "uid", "uuid", "key", "index")


@dataclass(frozen=True)
class Column:
    """What a column can be, as `data.text`."""

    name: str
    title: str
    type: str
    required: bool


@dataclass(frozen=True)
class SeenRow:
    """A row as it stands in the file; values that are no texts as JSON, long ones cut. A column whose name is longer
    than a mapping can say is not in it."""

    row: int
    cells: dict[str, str]


@dataclass(frozen=True)
class Preview:
    """The beginning of a file. `mapping` is the one that was given, or the one that its columns' names suggest."""

    columns: list[str]
    can_be: list[Column]
    mapping: dict[str, str]
    rows: list[SeenRow]
    looked_at: int
    error_count: int
    row_errors: list[dict[str, Any]]
    sample: dict[str, Any] | None


def preview_of(batch: Batch, kind: str, begun: bytes, mapping: dict[str, str] | None, *, cut: bool) -> Preview:
    """Look at the beginning of a file of this kind (`csv`, or else JSONL); with `cut` its last row is not whole."""
    interface = batch.version.interface
    seen = list(islice(_cells_of_csv(begun) if kind == "csv" else _cells_of_jsonl(begun), LOOKED_AT + 1))
    if cut and len(seen) <= LOOKED_AT:
        seen = seen[:-1]
    seen = seen[:LOOKED_AT]
    columns = list(dict.fromkeys(name for row in seen for name in row.cells))[:COLUMNS_MAX]
    found = suggested(interface, columns) if mapping is None else mapping
    errors, right = RowErrors(limit=ERRORS_SHOWN), None
    if found:
        checker = RowChecker(interface=interface, overlap=batch.overlap, order=batch.order)
        last = seen[-1].row if seen else 0
        rows = takewhile(lambda row: row.number <= last, rows_of(kind, io.BytesIO(begun), batch, Cursor(), found))
        for task in checker.checked(rows, errors):
            right = right or json.loads(task.data)
    return Preview(
        columns=columns,
        can_be=_can_be(interface),
        mapping=found,
        rows=seen[:ROWS_SHOWN],
        looked_at=len(seen),
        error_count=errors.count,
        row_errors=errors.found,
        sample=right,
    )


def suggested(interface: Mapping[str, Any], columns: list[str]) -> dict[str, str]:
    """Which column is what, by its name: as an import without a mapping calls it, or as the field is called."""
    by_name = {_plain(column): column for column in reversed(columns)}
    types = {f"data.{field['name']}": field["type"] for field in interface["data"]}
    found: dict[str, str] = {}
    for wanted in columns_of(interface):
        part, _, inner = wanted.partition(".")
        names = [wanted, *([inner] if part == "data" else [f"{part}_{inner}"] if inner else ())]
        if types.get(wanted) in MEDIA:
            # Beside a cell that names a file of a zip there is the file.
            names = [*(COLUMN.format(name) for name in names), *names, "file"]
        if part == "external_id":
            names = [*IDS]
        column = next((by_name[_plain(name)] for name in names if _plain(name) in by_name), None)
        if column is not None and column not in found.values():
            found[wanted] = column
    # One field and one column besides: they are meant for each other.
    data = [field["name"] for field in interface["data"]]
    left = [column for column in columns if column not in found.values()]
    files = [column for column in left if column.endswith(COLUMN.format(""))]
    if len(files) == 1 and len(data) == 1 and types[f"data.{data[0]}"] in MEDIA:
        left = files
    if len(data) == 1 and f"data.{data[0]}" not in found and len(left) == 1:
        found[f"data.{data[0]}"] = left[0]
    return found


def _can_be(interface: Mapping[str, Any]) -> list[Column]:
    data = {f"data.{field['name']}": field for field in interface["data"]}
    answers = {f"gold.{field['name']}": field for field in interface["answer"]}
    columns = []
    for name in columns_of(interface):
        field = data.get(name) or answers.get(name)
        if field is None:
            columns.append(Column(name, "", "text" if name in TEXTS else "number", False))
        else:
            required = name in data and bool(field.get("required"))
            columns.append(Column(name, title_of(field), field["type"], required))
    return columns


def _plain(name: str) -> str:
    return re.sub(r"[\s_.-]+", "_", name.strip().casefold())


def _cells_of_csv(begun: bytes) -> Iterator[SeenRow]:
    text = io.TextIOWrapper(io.BytesIO(begun), "utf-8-sig", errors="replace", newline="")
    reader = csv.reader(text)
    try:
        header = next(reader, [])
        for number, cells in enumerate(reader, 1):
            named = zip(header, cells, strict=False)
            yield SeenRow(number, {name: _shown(cell) for name, cell in named if len(name) <= COLUMN_MAX})
    except csv.Error:
        return


def _cells_of_jsonl(begun: bytes) -> Iterator[SeenRow]:
    for row in read_jsonl(io.BytesIO(begun)):
        names = [] if row.problem else [name for name in _names(row.fields) if len(name) <= COLUMN_MAX][:COLUMNS_MAX]
        yield SeenRow(row.number, {name: _shown(looked_up(row.fields, name)) for name in names})


def _names(fields: dict[str, Any], before: str = "") -> Iterator[str]:
    """The columns of an object, and of the objects that stand for several: `data` and `gold`."""
    for name, value in fields.items():
        if not before and name in ("data", "gold") and isinstance(value, dict):
            yield from _names(value, f"{name}.")
        else:
            yield f"{before}{name}"


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
    if text.startswith("data:"):
        return f"{text[: text.find(',')]} …"
    text = text.encode(errors="replace").decode().replace("\0", "\ufffd")
    return text if len(text) <= CELL_SHOWN else f"{text[: CELL_SHOWN - 1]}…"
