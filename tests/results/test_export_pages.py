"""Exports longer than a page: every row once and in order, no transaction open meanwhile, cells that nothing runs."""

import csv
import io
import json
from random import Random
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from marketplace.batches.models import Batch
from marketplace.common.cells import as_csv, safe_cell
from marketplace.common.transactions import one_transaction
from marketplace.results.commands.aggregate import aggregate
from marketplace.results.commands.names import worker_names
from marketplace.results.export import as_jsonl
from marketplace.results.queries import PAGE, RESULT_COLUMNS, answer_columns, answer_rows, result_rows
from tests import factories as make
from workers.assignments.commands.decide import accept_answers
from workers.assignments.commands.submit import Submission, submit

TWO_FIELDS = {
    "data": make.INTERFACE["data"],
    "answer": [*make.INTERFACE["answer"], {"name": "note", "type": "text", "required": False}],
}


@pytest.fixture
def answered(db: None, monkeypatch: pytest.MonkeyPatch) -> Batch:
    """Twelve tasks by two workers: more than two pages of seven answers, and more than three of results."""
    monkeypatch.setattr("marketplace.results.queries.PAGE", 7)
    batch = make.make_batch(tasks=12, project=make.make_project(interface=TWO_FIELDS), overlap=2, lease_cap=12)
    for label in ("cat", "dog"):
        worker = make.make_worker()
        page = [
            Submission(lease.id, lease.token, {"label": label, "note": f"=note {n}"})
            for n, lease in enumerate(make.take(worker, batch, 12))
        ]
        with one_transaction(principal="test"):
            submit(worker_id=worker.pk, page=page, then_claim=None, chance=Random(1))
    with one_transaction(principal="test"):
        assert accept_answers(batch_id=batch.pk, assignments=None) == 24
    return batch


def test_a_page_border_loses_and_doubles_nothing(answered: Batch) -> None:
    with one_transaction(principal="test"):
        made = aggregate(batch_id=answered.pk, method="majority")
    with one_transaction(principal="test"):
        names = worker_names(batch=answered)
    with CaptureQueriesContext(connection) as asked:
        answers = list(answer_rows(answered, names))
    assert len(asked) == 5  # 7 + 7 + 7 + 3, and the look that finds nothing
    assert len({(row["external_id"], row["worker"]) for row in answers}) == len(answers) == 24
    results = list(result_rows(made, frozenset()))
    assert [(row["external_id"], row["field"]) for row in results] == [
        (task, field) for task in dict.fromkeys(row["external_id"] for row in results) for field in ("label", "note")
    ]
    assert len({row["external_id"] for row in results}) == 12


def test_pages_are_asked_for_as_the_client_reads(answered: Batch) -> None:
    with one_transaction(principal="test"):
        names = worker_names(batch=answered)
    stream = answer_rows(answered, names)
    with CaptureQueriesContext(connection) as asked:
        for _row in range(7):
            next(stream)
        assert len(asked) == 1
        next(stream)
        assert len(asked) == 2
    assert PAGE == 5_000  # of real exports


def test_more_rows_than_a_real_page_come_out_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"external_id": f"t{n}", "label": "=cat" if n % 2 else "cat", "note": None} for n in range(2 * PAGE + 1)]
    pieces = list(as_csv(["external_id", "label", "note"], iter(rows)))
    assert len(pieces) > 1
    read = list(csv.DictReader(io.StringIO(b"".join(pieces).decode())))
    assert [{**row, "label": row["label"].removeprefix("'")} for row in read] == [{**row, "note": ""} for row in rows]
    faithful = b"".join(as_jsonl(iter(rows))).decode().split("\n")[:-1]
    assert [json.loads(line) for line in faithful] == rows


def test_a_stream_starts_before_its_rows_end() -> None:
    def endless() -> Any:
        while True:
            yield {"a": "x" * 100}

    assert next(as_jsonl(endless())).startswith(b'{"a":')
    assert next(as_csv(["a"], endless())).startswith(b"a\r\n")


def test_no_rows_make_a_header_and_no_lines() -> None:
    assert b"".join(as_csv(RESULT_COLUMNS, iter([]))) == ",".join(RESULT_COLUMNS).encode() + b"\r\n"
    assert b"".join(as_jsonl(iter([]))) == b""


def test_an_answer_of_somebody_without_a_name_yet_waits_and_nobodys_id_is_shown(answered: Batch) -> None:
    with one_transaction(principal="test"):
        names = worker_names(batch=answered)
    first = sorted(names)[0]
    told = list(answer_rows(answered, {first: names[first]}))
    assert {row["worker"] for row in told} == {names[first]}
    assert len(told) == 12
    assert set(told[0]) == {*answer_columns(answered.version.interface)}


# What a spreadsheet reads as the start of a formula, and what it passes over before one.
openings = st.text(st.sampled_from("=+-@\t\r＝＋－＠'\n "), max_size=4)


@given(st.builds(str.__add__, openings, st.text(st.characters(codec="utf-8"), max_size=8)))
def test_a_cell_never_begins_with_a_trigger_also_behind_white_space_and_the_text_can_be_had_back(text: str) -> None:
    line = b"".join(as_csv(["a"], iter([{"a": text}]))).decode().removeprefix("a\r\n")
    (cell,) = next(csv.reader(io.StringIO(line, newline="")), [""]) or [""]
    assert cell == safe_cell(text)
    assert cell[:1] not in tuple("=+-@\t\r＝＋－＠")
    assert cell.lstrip(" \n")[:1] not in tuple("=+-@\t\r＝＋－＠")
    assert (cell[1:] if cell.startswith("'") else cell) == text


@given(st.text(st.sampled_from("=+-@\t\r＝＋－＠'ab"), min_size=1, max_size=6))
def test_a_header_is_a_cell_too(name: str) -> None:
    header = next(csv.reader(io.StringIO(b"".join(as_csv([name], iter([]))).decode(), newline="")))
    assert header == [safe_cell(name)]
