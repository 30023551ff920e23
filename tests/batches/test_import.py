"""Imports: every wrong row is named, nothing of a wrong file is kept, and what is right arrives as it was sent."""

import csv
import json
from collections.abc import Iterable
from io import BytesIO, StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.batches.commands.import_tasks import import_tasks
from marketplace.batches.commands.loading import CHUNK
from marketplace.batches.errors import RowsInvalid, WrongState
from marketplace.batches.models import Batch, Import, Payload, Reservation, Task
from marketplace.batches.queries import imported
from marketplace.batches.rows import ROW_BYTES_MAX, Cursor, read_csv, read_jsonl
from marketplace.common.database import acting_as, rows
from marketplace.common.transactions import one_transaction
from marketplace.projects.interface import json_fields
from tests import factories as make
from workers.profiles.commands import pseudonym_for

pytestmark = pytest.mark.django_db

RICH = {
    "data": [{"name": "text", "type": "text", "required": True}, {"name": "facts", "type": "table", "required": False}],
    "answer": [
        {
            "name": "label",
            "type": "choice",
            "labels": [{"value": "cat", "title": "Cat"}, {"value": "dog", "title": "Dog"}],
        },
        {"name": "weight", "type": "number", "required": False},
    ],
}


def bring(batch: Batch, body: bytes, kind: str = "jsonl") -> Import:
    with one_transaction(principal="test"):
        source = (
            read_jsonl(BytesIO(body))
            if kind == "jsonl"
            else read_csv(BytesIO(body), json_fields=json_fields(batch.version.interface))
        )
        return import_tasks(batch_id=batch.pk, source=source, body_sha256=b"digest")


def refused(batch: Batch, body: bytes, kind: str = "jsonl") -> list[tuple[int, str, str]]:
    """The errors of an import that must fail and keep nothing."""
    before = kept(batch)
    with pytest.raises(RowsInvalid) as raised:
        bring(batch, body, kind)
    assert kept(batch) == before
    errors = raised.value.facts["errors"]
    json.dumps(errors, ensure_ascii=False).encode()  # they can be sent
    return [(error["row"], error["field"], error["message"]) for error in errors]


def kept(batch: Batch) -> tuple[int, ...]:
    with acting_as("gold_reader"):
        gold = rows("SELECT count(*) FROM batches_goldkey WHERE batch_id = %s", [batch.pk])[0][0]
    return (
        Task.objects.filter(batch=batch).count(),
        Payload.objects.filter(batch_id=batch.pk).count(),
        Reservation.objects.filter(batch_id=batch.pk).count(),
        Import.objects.filter(batch=batch).count(),
        gold,
    )


def jsonl(*lines: Any) -> bytes:
    return "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines).encode()


def row(external_id: Any = "a", text: str = "x", **fields: Any) -> dict[str, Any]:
    return {"external_id": external_id, "data": {"text": text}, **fields}


@pytest.fixture
def draft(db: None) -> Batch:
    return make.make_draft(make.make_project(interface=RICH), overlap=2)


def test_what_is_right_arrives_as_it_was_sent(draft: Batch) -> None:
    worker = make.make_worker()
    with one_transaction(principal="test"):
        name = pseudonym_for(worker_id=worker.pk, requester_id=draft.requester_id)
    made = bring(
        draft,
        jsonl(
            row("a", 'naïve 🐈 \\ \t "quoted"\nline'),
            "",
            {"external_id": "b", "data": {"text": "y", "facts": [{"n": 1, "ok": True, "none": None}]}, "overlap": 5},
            row("c", gold={"label": "cat", "weight": 2.5}),
            row("d", reserved_for=[name, name], gold=None),
        ),
    )

    assert (made.tasks, made.gold_tasks, made.reserved_tasks, made.places) == (4, 1, 1, 2 + 5 + 2 + 2)
    assert imported(draft) == {"tasks": 4, "gold_tasks": 1, "reserved_tasks": 1, "places": 11}
    tasks = {task.external_id: task for task in Task.objects.filter(batch=draft).select_related("payload")}
    assert {name: (task.overlap, task.reserved, task.taken) for name, task in tasks.items()} == {
        "a": (2, False, 0),
        "b": (5, False, 0),
        "c": (2, False, 0),
        "d": (2, True, 0),
    }
    assert tasks["a"].payload.data == {"text": 'naïve 🐈 \\ \t "quoted"\nline'}
    assert tasks["b"].payload.data == {"text": "y", "facts": [{"n": 1, "ok": True, "none": None}]}
    assert list(Reservation.objects.values_list("task_id", "worker_id")) == [(tasks["d"].pk, worker.pk)]
    with acting_as("gold_reader"):
        keys = rows("SELECT task_id, key, cap, shown FROM batches_goldkey")
    assert keys == [(tasks["c"].pk, {"label": "cat", "weight": 2.5}, 2, 0)]


def test_csv_arrives_like_jsonl(draft: Batch) -> None:
    body = (
        "external_id,data.text,data.facts,gold.label,gold.weight,overlap\r\n"
        'a,"two\nlines, a ""quote""","{""n"": 1}",,,\r\n'
        "\r\n"
        "b,007,,cat,2.5,3\r\n"
    )
    made = bring(draft, b"\xef\xbb\xbf" + body.encode(), "csv")

    assert (made.tasks, made.gold_tasks, made.places) == (2, 1, 5)
    data = dict(Task.objects.filter(batch=draft).values_list("external_id", "payload__data"))
    assert data == {"a": {"text": 'two\nlines, a "quote"', "facts": {"n": 1}}, "b": {"text": "007"}}
    with acting_as("gold_reader"):
        assert rows("SELECT key FROM batches_goldkey") == [({"label": "cat", "weight": 2.5},)]


def test_columns_called_as_in_a_csv_are_the_same_in_lines_of_json(draft: Batch) -> None:
    """Parquet and tables in a zip become such lines."""
    bring(
        draft,
        jsonl({"external_id": "a", "data.text": "x", "data.facts": {"n": 1}, "gold.label": "cat", "gold.weight": 1}),
    )

    assert Task.objects.get(batch=draft).payload.data == {"text": "x", "facts": {"n": 1}}
    with acting_as("gold_reader"):
        assert rows("SELECT key FROM batches_goldkey") == [({"label": "cat", "weight": 1},)]


def test_csv_reserves_for_names_separated_by_spaces(draft: Batch) -> None:
    first, second = make.make_worker(), make.make_worker()
    with one_transaction(principal="test"):
        names = [pseudonym_for(worker_id=w.pk, requester_id=draft.requester_id) for w in (first, second)]
    bring(draft, f"external_id,data.text,reserved_for\na,x,{'  '.join(names)}\n".encode(), "csv")
    assert set(Reservation.objects.values_list("worker_id", flat=True)) == {first.pk, second.pk}


def test_a_byte_order_mark_before_jsonl_is_no_error(draft: Batch) -> None:
    assert bring(draft, b"\xef\xbb\xbf" + jsonl(row())).tasks == 1


WRONG_LINES: dict[str, tuple[str | dict[str, Any], str, str]] = {
    "no JSON": ('{"external_id": "b",', "", "is not JSON"),
    "two objects": ('{"external_id": "b"} {}', "", "is not JSON"),
    "not a number": ('{"external_id": "b", "data": {"text": "x"}, "overlap": NaN}', "", "is not JSON"),
    "infinity": ('{"external_id": "b", "data": {"text": "x"}, "gold": {"weight": -Infinity}}', "", "is not JSON"),
    "a number beyond all bounds": ('{"external_id": "b", "overlap": ' + "9" * 5_000 + "}", "", "is not JSON"),
    "nested too deep": ('{"data":' * 100_000, "", "is not JSON"),
    "a list": ("[1]", "", "is not a JSON object"),
    "a text": ('"b"', "", "is not a JSON object"),
    "an unknown column": (row("b", extra=1), "extra", "is not a known column"),
    "no external id": ({"data": {"text": "x"}}, "external_id", "must be a text"),
    "an empty external id": (row(""), "external_id", "must be a text"),
    "a number as external id": (row(7), "external_id", "must be a text"),
    "a long external id": (row("b" * 201), "external_id", "must be a text"),
    "NUL in an external id": (row("b\0"), "external_id", "NUL"),
    "no data": ({"external_id": "b"}, "data.text", "is required"),
    "data that is a list": ({"external_id": "b", "data": []}, "data", "must be an object"),
    "an empty required text": (row("b", " "), "data.text", "is required"),
    "a wrong type of data": ({"external_id": "b", "data": {"text": 5}}, "data.text", "must be text"),
    "NUL in data": (row("b", "x\0"), "data.text", "NUL"),
    "half a surrogate pair in data": (r'{"external_id": "b", "data": {"text": "\ud800"}}', "data.text", "surrogate"),
    "an unknown data field": ({"external_id": "b", "data": {"text": "x", "other": 1}}, "data.other", "is not a field"),
    "data in two ways": (row("b") | {"data.facts": [1]}, "", "has both a column data and a column data.facts"),
    "a column of data without a name": (row("b") | {"data.": 1}, "data.", "is not a known column"),
    "a table that is none": ({"external_id": "b", "data": {"text": "x", "facts": [[1]]}}, "data.facts", "object"),
    "a number too large for any float": (
        '{"external_id": "b", "data": {"text": "x", "facts": {"n": 1e999}}}',
        "data.facts",
        "finite",
    ),
    "an overlap of zero": (row("b", overlap=0), "overlap", "must be a whole number from 1 to 50"),
    "an overlap of 51": (row("b", overlap=51), "overlap", "must be a whole number from 1 to 50"),
    "half an overlap": (row("b", overlap=1.5), "overlap", "must be a whole number"),
    "an overlap that is true": (row("b", overlap=True), "overlap", "must be a whole number"),
    "an overlap that is null": (row("b", overlap=None), "overlap", "must be a whole number"),
    "gold with a label that is none": (row("b", gold={"label": "cow"}), "gold.label", ""),
    "gold with a field that is none": (row("b", gold={"colour": "red"}), "gold.colour", "is not a field"),
    "gold for an optional field alone": (row("b", gold={"weight": 2.5}), "gold", "one of the required fields"),
    "gold without a key": (row("b", gold={}), "gold", "at least one answer field"),
    "gold that is a text": (row("b", gold="cat"), "gold", "must be an object"),
    "a reservation for nobody known": (row("b", reserved_for=["w_stranger"]), "reserved_for", "is no worker known"),
    "a reservation that is a text": (row("b", reserved_for="w_a"), "reserved_for", "must be a list"),
    "gold that is reserved": (
        row("b", gold={"label": "cat"}, reserved_for=["w"]),
        "reserved_for",
        "cannot be reserved",
    ),
    "a line that is too long": (row("b", "x" * (ROW_BYTES_MAX + 1)), "", "is longer than"),
}


@pytest.mark.parametrize(("line", "field", "message"), WRONG_LINES.values(), ids=WRONG_LINES.keys())
def test_a_wrong_line_is_named_with_its_field_and_sinks_the_file(
    draft: Batch, line: str | dict[str, Any], field: str, message: str
) -> None:
    errors = refused(draft, jsonl(row("a"), "", line, row("c")))
    assert [(number, name) for number, name, _ in errors] == [(3, field)]
    assert message in errors[0][2]
    assert bring(draft, jsonl(row("a"), row("c"))).tasks == 2  # the neighbours were right


@pytest.mark.parametrize(
    ("line", "field"),
    [
        pytest.param(r'{"external_id": "\ud800", "data": {"text": "x"}}', "external_id", id="external id"),
        pytest.param(
            r'{"external_id": "b", "data": {"text": "x"}, "reserved_for": ["\ud800"]}', "reserved_for", id="name"
        ),
        pytest.param(
            r'{"external_id": "b", "data": {"text": "x"}, "reserved_for": ["\u0000"]}', "reserved_for", id="NUL"
        ),
        pytest.param(r'{"external_id": "b", "data": {"text": "x"}, "\ud800": 1}', "\ud800", id="column"),
        pytest.param(r'{"external_id": "b", "data": {"text": "x", "\ud800": 1}}', "data.\ud800", id="data field"),
    ],
)
def test_a_text_that_the_database_cannot_hold_is_an_error_of_its_row(draft: Batch, line: str, field: str) -> None:
    errors = refused(draft, jsonl(row("a"), line))
    assert [number for number, _, _ in errors] == [2]


def test_bytes_that_are_not_utf_8_are_named(draft: Batch) -> None:
    latin = b'{"external_id": "b", "data": {"text": "na\xefve"}}'
    errors = refused(draft, jsonl(row("a")) + b"\n" + latin)
    assert [(number, name) for number, name, _ in errors] == [(2, "")]
    assert refused(draft, b"external_id,data.text\na,x\nb,na\xefve\n", "csv")[0][2].startswith("is not readable as CSV")


def test_a_line_of_exactly_the_bound_is_not_too_long(draft: Batch) -> None:
    line = json.dumps(row())
    padded = line.encode() + b" " * (ROW_BYTES_MAX - len(line))
    assert bring(draft, padded + b"\n" + jsonl(row("b"))).tasks == 2


def test_every_error_of_a_row_and_of_the_file_is_named(draft: Batch) -> None:
    errors = refused(
        draft,
        jsonl(
            {"external_id": 1, "data": {"other": 2}, "overlap": 0, "extra": 3}, row("fine"), row("b", gold={"label": 1})
        ),
    )
    assert {(number, name) for number, name, _ in errors} == {
        (1, "extra"),
        (1, "external_id"),
        (1, "data.text"),
        (1, "data.other"),
        (1, "overlap"),
        (3, "gold.label"),
    }


def test_the_first_hundred_errors_are_shown_and_all_are_counted(draft: Batch) -> None:
    with pytest.raises(RowsInvalid, match="250 errors; nothing was imported") as raised:
        bring(draft, jsonl(*["{"] * 250))
    assert [error["row"] for error in raised.value.facts["errors"]] == list(range(1, 101))


@pytest.mark.parametrize("body", [b"", b"\n\n  \n", b"\xef\xbb\xbf"])
def test_a_file_without_rows_is_refused(draft: Batch, body: bytes) -> None:
    refused(draft, body)
    assert refused(draft, b"", "csv") == [(0, "", "the file holds no rows")]
    assert refused(draft, b"external_id,data.text\n", "csv") == [(0, "", "the file holds no rows")]


WRONG_CSV: dict[str, tuple[str, list[tuple[int, str]]]] = {
    "a cell too many": ("external_id,data.text\na,x\nb,y,z\n", [(2, "")]),
    "a cell too few": ("external_id,data.text\na\n", [(1, "")]),
    "a column twice": ("external_id,data.text,data.text\na,x,y\n", [(0, "")]),
    "an unknown column": ("external_id,data.text,colour\na,x,red\n", [(1, "colour")]),
    "no external id": ("data.text\nx\n", [(1, "external_id")]),
    "a table that is no JSON": ("external_id,data.text,data.facts\na,x,{1}\n", [(1, "")]),
    "not a number in a table": ('external_id,data.text,data.facts\na,x,"{""n"": NaN}"\n', [(1, "")]),
    "a gold number that is a word": ("external_id,data.text,gold.weight\na,x,much\n", [(1, "")]),
    "an overlap that is a word": ("external_id,data.text,overlap\na,x,two\n", [(1, "overlap")]),
    "an overlap with a sign": ("external_id,data.text,overlap\na,x,-1\n", [(1, "overlap")]),
    "the same id twice": ("external_id,data.text\na,x\na,y\n", [(2, "external_id")]),
    "gold that is reserved": ("external_id,data.text,gold.label,reserved_for\na,x,cat,w_a\n", [(1, "reserved_for")]),
    "a quote that never ends": ('external_id,data.text\na,"' + "x" * 140_000, [(1, "")]),
    "a quote that the file ends in": ('external_id,data.text\na,x\nb,"y\nc,z\n', [(2, "")]),
    "something behind a quote": ('external_id,data.text\na,x\nb,"y" z\n', [(2, "")]),
    "a long overlap": ("external_id,data.text,overlap\na,x," + "9" * 5_000 + "\n", [(1, "overlap")]),
}


@pytest.mark.parametrize(("body", "where"), WRONG_CSV.values(), ids=WRONG_CSV.keys())
def test_a_wrong_csv_is_named_by_row_and_column(draft: Batch, body: str, where: list[tuple[int, str]]) -> None:
    assert [(number, name) for number, name, _ in refused(draft, body.encode(), "csv")] == where


def test_an_external_id_stands_for_one_task_of_the_batch(draft: Batch) -> None:
    assert refused(draft, jsonl(row("a"), row("b"), row("a"))) == [(3, "external_id", "is the same as in row 1")]
    bring(draft, jsonl(row("a"), row("b")))
    assert refused(draft, jsonl(row("c"), row("b"))) == [(2, "external_id", "is already in this batch")]
    assert bring(draft, jsonl(row("c"))).tasks == 1
    assert bring(make.make_draft(draft.project), jsonl(row("a"))).tasks == 1  # another batch has its own


def test_a_name_that_another_requester_uses_reserves_nothing(draft: Batch) -> None:
    worker, other = make.make_worker(), make.make_requester()
    with one_transaction(principal="test"):
        theirs = pseudonym_for(worker_id=worker.pk, requester_id=other.pk)
        ours = pseudonym_for(worker_id=worker.pk, requester_id=draft.requester_id)
    assert [error[:2] for error in refused(draft, jsonl(row(reserved_for=[ours, theirs])))] == [(1, "reserved_for")]
    assert bring(draft, jsonl(row(reserved_for=[ours]))).reserved_tasks == 1


def test_chunks_are_no_borders() -> None:
    """Some 25,000 rows: duplicates are found across chunks, and a last wrong row takes back the first chunk."""
    draft = make.make_draft()
    count = 2 * CHUNK + 5_000
    many = [row(f"t{n}", f"text {n}") for n in range(count)]

    assert refused(draft, jsonl(*many, row("t3"))) == [(count + 1, "external_id", "is already in this batch")]
    assert refused(draft, jsonl(*many, "{"))[0][0] == count + 1

    many[CHUNK]["gold"], many[-1]["gold"] = {"label": "cat"}, {"label": "dog"}
    made = bring(draft, jsonl(*many))
    assert (made.tasks, made.gold_tasks, made.places) == (count, 2, 3 * count)
    # Joined here: nothing has counted these rows for the planner, who may take tables of thousands for empty ones.
    names = dict(rows("SELECT id, external_id FROM batches_task"))
    texts = {names[task]: text for task, text in rows("SELECT task_id, data ->> 'text' FROM batches_payload")}
    assert texts == {f"t{n}": f"text {n}" for n in range(count)}


def test_rows_are_read_as_they_are_needed() -> None:
    """An endless body costs no memory: the reader is a generator and asks for a line at a time."""

    class Endless(BytesIO):
        lines = 0

        def readline(self, size: int | None = -1, /) -> bytes:
            self.lines += 1
            return b'{"external_id": "a"}\n'

    body = Endless()
    reader = read_jsonl(body)
    assert [next(reader).number for _ in range(3)] == [1, 2, 3]
    assert body.lines == 3


def test_tasks_are_added_to_drafts_only() -> None:
    batch = make.make_batch(tasks=1)
    with pytest.raises(WrongState):
        bring(batch, jsonl(row("new")))
    assert Task.objects.filter(batch=batch).count() == 1


printable = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)


@given(st.lists(st.tuples(st.text(min_size=1, max_size=20), printable), max_size=8))
def test_jsonl_and_csv_give_the_same_rows(pairs: list[tuple[str, str]]) -> None:
    pairs = [(name, text) for name, text in pairs if "\0" not in name and not _surrogate(name)]
    lines = [{"external_id": name, "data": {"text": text}} for name, text in pairs]
    buffer = StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["external_id", "data.text"])
    writer.writerows(pairs)
    by_csv = read_csv(BytesIO(buffer.getvalue().encode()), json_fields=frozenset())
    told = [(read.problem, read.fields) for read in by_csv]
    # An empty cell means that the value is absent.
    wanted = [("", {**line, "data": line["data"] if line["data"]["text"] else {}}) for line in lines]
    assert told == wanted
    assert [read.fields for read in read_jsonl(BytesIO(jsonl(*lines)))] == lines


@given(st.lists(st.tuples(st.text(min_size=1, max_size=20), printable), max_size=8), st.booleans())
def test_a_reader_goes_on_behind_any_row(pairs: list[tuple[str, str]], as_csv: bool) -> None:
    pairs = [(name, text) for name, text in pairs if "\0" not in name and not _surrogate(name)]
    buffer = StringIO()
    csv.writer(buffer).writerows([("external_id", "data.text"), *pairs])
    body = buffer.getvalue().encode() if as_csv else jsonl(*[row(name, text) for name, text in pairs])

    def read(at: Cursor) -> Iterable[Any]:
        left = BytesIO(body[at.offset :])
        return read_csv(left, json_fields=frozenset(), at=at) if as_csv else read_jsonl(left, at)

    whole = list(read(Cursor()))
    assert len(whole) == sum(any(pair) for pair in pairs)
    cursor = Cursor()
    ends = [(0, cursor.copy())] + [(n, cursor.copy()) for n, _ in enumerate(read(cursor), start=1)]
    for done, end in ends:
        assert list(read(end)) == whole[done:]


def _surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


@given(st.binary(max_size=300))
def test_no_bytes_make_a_reader_fail(body: bytes) -> None:
    def numbers(read: Iterable[Any]) -> list[int]:
        return [one.number for one in read]

    assert numbers(read_jsonl(BytesIO(body))) == sorted(numbers(read_jsonl(BytesIO(body))))
    header = b"external_id,data.text,overlap,data.facts\n"
    numbers(read_csv(BytesIO(body), json_fields=frozenset()))
    numbers(read_csv(BytesIO(header + body), json_fields=frozenset(["data.facts"])))
