"""Files whose columns have names of their own: said by a mapping, guessed by a preview, read from Parquet too."""

import io
from tempfile import TemporaryFile
from typing import Any, BinaryIO, cast

import pytest

from marketplace.batches.commands.import_tasks import import_tasks
from marketplace.batches.commands.imports import rows_of
from marketplace.batches.errors import FileUnreadable, ImportTooLarge, RowsInvalid
from marketplace.batches.models import Batch, Import, Payload, Task
from marketplace.batches.parquet import parquet_lines
from marketplace.batches.previews import preview_of, suggested
from marketplace.batches.row_checks import mapping_errors
from marketplace.batches.rows import Cursor
from marketplace.common.transactions import one_transaction
from tests import factories as make

CSV = b"id,body,truth,note\na,A tabby,cat,x\nb,A poodle,,y\n"
MAPPING = {"external_id": "id", "data.text": "body", "gold.label": "truth"}


def bring(batch: Batch, kind: str, body: bytes, mapping: dict[str, str] | None) -> Import:
    with one_transaction(principal="test"):
        cursor = Cursor()
        return import_tasks(
            batch_id=batch.pk,
            source=rows_of(kind, io.BytesIO(body), batch, cursor, mapping),
            body_sha256=b"",
            kind=kind,
            cursor=cursor,
            mapping=mapping,
        )


def there(batch: Batch) -> dict[str, Any]:
    texts = dict(Payload.objects.filter(batch_id=batch.pk).values_list("task_id", "data"))
    return {task.external_id: texts[task.pk] for task in Task.objects.filter(batch=batch)}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("csv", CSV),
        ("jsonl", b'{"id": "a", "body": "A tabby", "truth": "cat", "note": 1}\n{"id": "b", "body": "A poodle"}'),
    ],
)
def test_columns_are_taken_as_what_the_mapping_says_and_the_others_left(kind: str, body: bytes) -> None:
    batch = make.make_draft()
    done = bring(batch, kind, body, MAPPING)
    assert (done.tasks, done.gold_tasks, done.mapping) == (2, 1, MAPPING)
    assert there(batch) == {"a": {"text": "A tabby"}, "b": {"text": "A poodle"}}


@pytest.mark.django_db
def test_a_column_may_lie_within_an_object_and_an_id_may_be_a_number() -> None:
    batch = make.make_draft()
    bring(
        batch,
        "jsonl",
        b'{"key": 7, "meta": {"doc": {"body": "A cat"}}}',
        {"external_id": "key", "data.text": "meta.doc.body"},
    )
    assert there(batch) == {"7": {"text": "A cat"}}


@pytest.mark.django_db
def test_rows_are_numbered_where_no_column_names_them() -> None:
    batch = make.make_draft()
    bring(batch, "csv", CSV, {"data.text": "body"})
    assert there(batch) == {"row-1": {"text": "A tabby"}, "row-2": {"text": "A poodle"}}


@pytest.mark.django_db
def test_a_column_that_is_not_there_is_named_and_nothing_is_kept() -> None:
    batch = make.make_draft()
    with pytest.raises(RowsInvalid) as refused:
        bring(batch, "csv", CSV, {"data.text": "words"})
    assert refused.value.facts["errors"] == [{"row": 0, "field": "", "message": "there is no column 'words'"}]
    assert there(batch) == {}


def test_what_a_column_cannot_be_is_said() -> None:
    assert mapping_errors(make.INTERFACE, MAPPING) == []
    assert [error["field"] for error in mapping_errors(make.INTERFACE, {"data.other": "a", "data.text": ""})] == [
        "mapping.data.other",
        "mapping.data.text",
    ]
    assert [error["field"] for error in mapping_errors(make.INTERFACE, {})] == ["mapping"]


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        (["ID", "Text", "gold label"], {"external_id": "ID", "data.text": "Text", "gold.label": "gold label"}),
        (["external_id", "data.text"], {"external_id": "external_id", "data.text": "data.text"}),
        (["id", "sentence"], {"external_id": "id", "data.text": "sentence"}),
        (["a", "b"], {}),
    ],
)
def test_what_columns_are_is_guessed_by_their_names(columns: list[str], found: dict[str, str]) -> None:
    assert suggested(make.INTERFACE, columns) == found


@pytest.mark.django_db
def test_a_preview_shows_the_first_rows_and_what_is_wrong_with_them() -> None:
    batch = make.make_draft()
    seen = preview_of(batch, "csv", b"id,text\na,A tabby\nb,\n,A dog\n", None, cut=False)
    assert seen.columns == ["id", "text"]
    assert seen.mapping == {"external_id": "id", "data.text": "text"}
    assert [(row.row, row.cells) for row in seen.rows] == [
        (1, {"id": "a", "text": "A tabby"}),
        (2, {"id": "b", "text": ""}),
        (3, {"id": "", "text": "A dog"}),
    ]
    assert {(error["row"], error["field"]) for error in seen.row_errors} == {(2, "data.text"), (3, "external_id")}
    assert (seen.looked_at, seen.error_count, seen.sample) == (3, 2, {"text": "A tabby"})
    assert Task.objects.filter(batch=batch).count() == 0


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_row_that_the_beginning_of_a_file_cuts_is_not_judged(kind: str) -> None:
    bodies = {"csv": 'id,text\na,A tabby\nb,"A poo', "jsonl": '{"id": "a", "text": "A tabby"}\n{"id": "b", "te'}
    seen = preview_of(make.make_draft(), kind, bodies[kind].encode(), None, cut=True)
    assert (seen.looked_at, seen.error_count, seen.sample) == (1, 0, {"text": "A tabby"})


def table(**columns: Any) -> bytes:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def read_table(body: bytes) -> list[bytes]:
    with TemporaryFile() as file:
        file.write(body)
        file.seek(0)
        return list(parquet_lines(cast(BinaryIO, file)))


def test_a_table_of_parquet_is_read_as_lines_of_json() -> None:
    lines = read_table(table(id=[1, 2], text=["Größe", None]))
    assert lines == ['{"id": 1, "text": "Größe"}\n'.encode(), b'{"id": 2}\n']


def test_what_is_no_parquet_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    good = table(id=[1, 2, 3])
    with pytest.raises(FileUnreadable, match="no table of Parquet"):
        read_table(b"PAR1 and nothing else")
    with pytest.raises(FileUnreadable, match="no table of Parquet"):
        read_table(good[:-20] + b"\0" * 20)
    monkeypatch.setattr("marketplace.batches.parquet.ROWS_MAX", 2)
    with pytest.raises(ImportTooLarge):
        read_table(good)
