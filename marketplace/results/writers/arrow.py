"""Parquet, and the folder that Hugging Face's `datasets` loads: tables in shards, one for each stretch and split.

pyarrow writes them; it is an extra, and named in the refusal where it is missing.
"""

import json
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from marketplace.projects.answer_types.base import Field, FieldError, FieldInvalid
from marketplace.results.writers.base import Item, Items, Losses, Sink
from marketplace.results.writers.columns import (
    as_json,
    chunks,
    columns_of,
    json_type,
    read_options,
    refuse_same_names,
    row_of,
)

ROWS_AT_ONCE = 2_000
EXTRA = "install the extra `parquet` (pyarrow) on the server for this format"


class Parquet:
    """The columns of `columns_of`, in `<split>-<shard>.parquet`.

    Texts, numbers and lists of labels have columns of their own type; all other values are JSON texts. With answers
    there is a column `answers`, a JSON text too.
    """

    name = "parquet"
    title = "Apache Parquet"
    needs: frozenset[type] = frozenset()
    answers = False
    in_stretches = True
    folder = ""

    def check_options(
        self, options: Mapping[str, Any], *, data: Sequence[Field], answer: Sequence[Field]
    ) -> dict[str, Any]:
        refuse_same_names(data, answer)
        checked = read_options(options, {})
        if find_spec("pyarrow") is None:
            raise FieldInvalid([FieldError("", EXTRA)])
        return checked

    def write(self, items: Items, out: Sink, options: Mapping[str, Any]) -> Losses:
        import pyarrow as pa

        schema = _schema(pa, items)
        # A shard of each split: rows of the other splits wait for their turn as another walk.
        for split in items.splits:
            self._shard(pa, schema, items, split, out)
        return Losses()

    def _shard(self, pa: Any, schema: Any, items: Items, split: str, out: Sink) -> None:
        import pyarrow.parquet as pq

        path = f"{self.folder}{split or 'all'}-{items.stretch:05}-of-{items.stretches:05}.parquet"
        with (
            out.open(path, compress=False) as file,
            pq.ParquetWriter(pa.PythonFile(file, mode="w"), schema, compression="zstd") as table,
        ):
            for some in chunks(items.of_split(split), ROWS_AT_ONCE):
                table.write_batch(_batch(pa, schema, items, some))


class HuggingFace(Parquet):
    """The same tables in `data/`, with a card that names splits and columns: `load_dataset("<folder>")` reads it."""

    name = "hugging_face"
    title = "Hugging Face folder"
    folder = "data/"

    def write(self, items: Items, out: Sink, options: Mapping[str, Any]) -> Losses:
        if items.stretch == 0:
            with out.open("README.md") as file:
                file.write(_card(items).encode())
        return super().write(items, out, options)


def _schema(pa: Any, items: Items) -> Any:
    fields = [
        ("external_id", pa.string()),
        ("split", pa.string()),
        ("gold", pa.bool_()),
        ("instruction_version", pa.int32()),
    ]
    fields += [(f"data.{field['name']}", pa.string()) for field in items.data]
    kinds = {
        "string": pa.string(),
        "number": pa.float64(),
        "integer": pa.int64(),
        "boolean": pa.bool_(),
        "strings": pa.list_(pa.string()),
        "json": pa.string(),
    }
    for field in items.answer:
        name = field["name"]
        fields += [
            (name, kinds[json_type(field)]),
            (f"{name}.confidence", pa.float64()),
            (f"{name}.answers", pa.int32()),
            (f"{name}.method", pa.string()),
        ]
    assert [name for name, _ in fields] == columns_of(items.data, items.answer)
    return pa.schema([*fields, ("answers", pa.string())])


def _batch(pa: Any, schema: Any, items: Items, some: Sequence[Item]) -> Any:
    plain = {field["name"] for field in items.answer if json_type(field) != "json"}
    rows = [[*row_of(item, items.data, items.answer), _answers(item)] for item in some]
    columns = []
    for at, column in enumerate(schema):
        cells = [row[at] for row in rows]
        if column.name not in plain and pa.types.is_string(column.type):
            cells = [as_json(cell) if cell is not None and not isinstance(cell, str) else cell for cell in cells]
        columns.append(pa.array(cells, column.type))
    return pa.record_batch(columns, schema=schema)


def _answers(item: Item) -> str | None:
    if not item.answers:
        return None
    return as_json(
        [
            {
                "id": answer.id,
                "worker": answer.worker,
                "values": answer.values,
                "unclear": answer.unclear,
                "submitted_at": answer.submitted_at,
            }
            for answer in item.answers
        ]
    )


def _card(items: Items) -> str:
    """The card: a head in YAML, whose strings are JSON and so are YAML too."""
    lines = ["---", "configs:", "- config_name: default", "  data_files:"]
    for split in items.splits:
        lines += [f"  - split: {split or 'train'}", f"    path: data/{split or 'all'}-*.parquet"]
    lines += [f"pretty_name: {json.dumps(items.name, ensure_ascii=False)}", "---", "", f"# {items.name}", ""]
    lines += ["| column | type | asked |", "| --- | --- | --- |"]
    for field in items.answer:
        title = str(field.get("title", "")).replace("|", "\\|").replace("\n", " ")
        lines.append(f"| `{field['name']}` | {field['type']} | {title} |")
    lines += ["", "Beside each are its confidence (0 to 1), the number of answers and the method.", ""]
    return "\n".join(lines)


WRITERS = (Parquet(), HuggingFace())
