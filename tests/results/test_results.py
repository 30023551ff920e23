"""Aggregates and exports: only what is paid, with its provenance, in cells that no spreadsheet runs."""

import csv
import io
import json
from types import GeneratorType
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from marketplace.batches.models import Batch
from marketplace.common.cells import FORMULA_STARTS, as_csv, safe_cell
from marketplace.common.database import rows, run
from marketplace.common.transactions import one_transaction
from marketplace.results.commands.aggregate import aggregate
from marketplace.results.commands.names import gold_tasks, worker_names
from marketplace.results.errors import NothingToAggregate
from marketplace.results.export import as_jsonl
from marketplace.results.models import Result, Run
from marketplace.results.queries import (
    RESULT_COLUMNS,
    answer_columns,
    answer_rows,
    result_rows,
    run_for,
    settled_without_results,
)
from tests import factories as make
from workers.assignments.commands.decide import accept_answers, reject_answers
from workers.assignments.commands.reopen import discount_answers
from workers.assignments.origin import Origin
from workers.assignments.states import RejectReason
from workers.reputation.commands import Judged, record_outcomes
from workers.reputation.states import Kind

pytestmark = pytest.mark.django_db


def answered(labels: list[str], **terms: Any) -> Batch:
    """A batch of one task for each label set, answered by three workers as `labels` says for every task."""
    batch = make.make_batch(tasks=4, gold=1, overlap=3, **terms)
    for label in labels:
        worker = make.make_worker()
        make.answer(worker, make.take(worker, batch, 5), label)
    return batch


def accept(batch: Batch) -> None:
    with one_transaction(principal="t"):
        accept_answers(batch_id=batch.pk, assignments=None)


def aggregated(batch: Batch, **how: Any) -> Run:
    with one_transaction(principal="t"):
        return aggregate(batch_id=batch.pk, **how)


def test_results_say_value_confidence_answers_method_and_version() -> None:
    batch = answered(["cat", "cat", "dog"])
    accept(batch)
    made = aggregated(batch, method="majority")
    assert (made.method, made.converged, made.iterations, made.final) == ("majority", True, 0, False)
    with one_transaction(principal="t"):
        gold = gold_tasks(batch=batch)
    found = [row for row in result_rows(run_for(batch, made.public_id), gold) if row["answers"] == 3]
    assert len(found) >= 4
    for row in found:
        assert row["value"] == "cat"
        assert row["confidence"] == pytest.approx(2 / 3, abs=1e-6)
        assert (row["field"], row["method"], row["instruction_version"]) == ("label", "majority", 1)
        assert row["gold"] == row["external_id"].startswith("g")


def test_dawid_skene_is_the_default_and_reports_its_iterations() -> None:
    batch = answered(["cat", "cat", "dog"])
    accept(batch)
    made = aggregated(batch)
    assert made.method == "dawid_skene"
    assert made.iterations > 0
    assert aggregated(batch, method="majority").pk != made.pk


def test_unpaid_answers_give_no_results_and_are_withheld_from_exports() -> None:
    batch = answered(["cat", "cat", "dog"])
    with pytest.raises(NothingToAggregate):
        aggregated(batch)
    dogs = [row[0] for row in rows("SELECT public_id FROM assignments_assignment a JOIN assignments_answer w"
                                   " ON w.assignment_id = a.id WHERE w.values ->> 'label' = 'dog'")]  # fmt: skip
    with one_transaction(principal="t"):
        reject_answers(
            batch_id=batch.pk,
            assignments=dogs,
            reason=RejectReason.WRONG,
            comment="No cat.",
            made_by=make.owner_of(batch.requester).pk,
        )
    accept(batch)
    made = aggregated(batch, method="majority")
    with one_transaction(principal="t"):
        names = worker_names(batch=batch)
    assert {row["label"] for row in answer_rows(batch, names)} == {"cat"}
    assert {row["confidence"] for row in result_rows(made, frozenset())} == {1.0}


def test_answers_that_were_discounted_give_no_vote_and_are_exported_all_the_same() -> None:
    batch = answered(["cat", "dog", "dog"])
    accept(batch)
    dogs = rows(
        "SELECT a.id FROM assignments_assignment a JOIN assignments_answer w ON w.assignment_id = a.id"
        " WHERE w.values ->> 'label' = 'dog'"
    )
    with one_transaction(principal="t"):
        by = Origin(made_by=batch.requester.members.get().user_id)
        discount_answers(assignment_ids=[row[0] for row in dogs], reason="limited", origin=by)
    made = aggregated(batch, method="majority")
    assert {(row["value"], row["answers"]) for row in result_rows(made, frozenset())} == {("cat", 1)}
    with one_transaction(principal="t"):
        names = worker_names(batch=batch)
    assert {row["label"] for row in answer_rows(batch, names)} == {"cat", "dog"}


def test_weighted_majority_trusts_one_good_worker_more_than_two_bad_ones() -> None:
    batch = make.make_batch(tasks=4, overlap=3, gold_policy={"min_share": 0, "max_share": 0, "probation": 0})
    good, *bad = [make.make_worker() for _ in range(3)]
    with one_transaction(principal="t"):
        record_outcomes([
            Judged(worker.pk, batch.project_id, batch.pk, score, kind=Kind.GOLD)
            for worker, score in ((good, 1.0), (bad[0], 0.5), (bad[1], 0.5)) for _ in range(30)
        ])  # fmt: skip
    for worker in (good, *bad):
        make.answer(worker, make.take(worker, batch, 4), "cat" if worker is good else "dog")
    accept(batch)
    found = {}
    for method in ("majority", "weighted_majority"):
        made = aggregated(batch, method=method)
        assert made.method == method
        found[method] = {(row["value"], row["method"]) for row in result_rows(made, frozenset())}
    assert found == {"majority": {("dog", "majority")}, "weighted_majority": {("cat", "weighted_majority")}}


def test_the_final_run_is_made_once_and_nothing_of_a_run_ever_changes() -> None:
    batch = answered(["cat"])
    accept(batch)
    assert aggregated(batch, final=True).pk == aggregated(batch, final=True).pk
    assert settled_without_results(limit=5) == []
    with pytest.raises(IntegrityError, match="one_final"), transaction.atomic():
        Run.objects.create(batch=batch, method="x", tasks=1, answers=1, converged=True, iterations=0, final=True,
                           made_at="2026-01-01T00:00Z")  # fmt: skip
    for attack in ("UPDATE results_result SET value = '1'", "DELETE FROM results_run"):
        with pytest.raises(Exception, match="permission denied"), transaction.atomic():
            run(attack)


def test_unclear_answers_give_no_vote() -> None:
    from random import Random

    from workers.assignments.commands.submit import Submission, submit

    batch = make.make_batch(tasks=1, overlap=2)
    for unclear in (True, False):
        worker = make.make_worker()
        lease = make.take(worker, batch)[0]
        page = [Submission(lease.id, lease.token, {} if unclear else {"label": "dog"}, unclear=unclear)]
        with one_transaction(principal="t"):
            submit(worker_id=worker.pk, page=page, then_claim=None, chance=Random(1))
    accept(batch)
    made = aggregated(batch, method="majority")
    assert list(Result.objects.filter(run=made).values_list("value", "answers")) == [("dog", 1)]


def test_exports_are_streamed_and_read_back_the_same() -> None:
    batch = answered(["cat", "dog"])
    accept(batch)
    made = aggregated(batch, method="majority")
    stream = as_jsonl(result_rows(made, frozenset()))
    assert isinstance(stream, GeneratorType)
    from_json = [json.loads(line) for line in b"".join(stream).decode().splitlines()]
    text = b"".join(as_csv(RESULT_COLUMNS, result_rows(made, frozenset()))).decode()
    from_csv = list(csv.DictReader(io.StringIO(text)))
    assert [row["external_id"] for row in from_csv] == [row["external_id"] for row in from_json]
    assert list(from_csv[0]) == RESULT_COLUMNS
    with one_transaction(principal="t"):
        names = worker_names(batch=batch)
    columns = answer_columns(batch.version.interface)
    answers = list(csv.DictReader(io.StringIO(b"".join(as_csv(columns, answer_rows(batch, names))).decode())))
    assert {row["worker"] for row in answers} == set(names.values())
    assert {row["submitted_at"][-9:] for row in answers} == {":00+00:00"}


def test_two_requesters_know_one_worker_by_names_that_have_nothing_in_common() -> None:
    first, second, worker = make.make_batch(), make.make_batch(), make.make_worker()
    for batch in (first, second):
        make.answer(worker, make.take(worker, batch, 2))
        accept(batch)
    seen = []
    for batch in (first, second):
        with one_transaction(principal="t"):
            seen.append({row["worker"] for row in answer_rows(batch, worker_names(batch=batch))})
    assert len(seen[0]) == len(seen[1]) == 1
    assert seen[0].isdisjoint(seen[1])


@given(st.text())
def test_no_text_begins_with_what_a_spreadsheet_runs_and_every_text_can_be_had_back(text: str) -> None:
    cell = safe_cell(text)
    assert not cell.startswith(tuple(start for start in FORMULA_STARTS if start != "'"))
    assert (cell.removeprefix("'") if cell.startswith("'") else cell) == text


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        (True, "true"),
        (-5, -5),
        (-0.5, -0.5),
        ("=1+1", "'=1+1"),
        ("＝1", "'＝1"),
        (["a"], '["a"]'),
        ("-", "'-"),
    ],
)
def test_cells(value: Any, cell: Any) -> None:
    assert safe_cell(value) == cell
