"""On which answers results rest; and what error is to be expected of them, beside gold."""

from random import Random
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from marketplace.batches.models import Batch
from marketplace.common.database import rows, run
from marketplace.common.transactions import one_transaction
from marketplace.results.commands.aggregate import aggregate
from marketplace.results.commands.names import gold_keys
from marketplace.results.models import Provenance, Run
from marketplace.results.queries.agreement import compared_answers
from marketplace.results.queries.quality import answers_of_results, provenance_page, quality_of, versions_of_run
from tests import factories as make
from workers.assignments.commands.decide import accept_answers
from workers.assignments.commands.reopen import discount_answers
from workers.assignments.commands.submit import Submission, submit
from workers.assignments.origin import Origin

pytestmark = pytest.mark.django_db
NO_GOLD = {"min_share": 0, "max_share": 0, "probation": 0}


def answered(labels: list[str], tasks: int = 4, **terms: Any) -> Batch:
    """Every task is answered by three workers as `labels` says."""
    batch = make.make_batch(tasks=tasks, overlap=3, gold_policy=NO_GOLD, **terms)
    for label in labels:
        worker = make.make_worker()
        make.answer(worker, make.take(worker, batch, tasks), label)
    return batch


def aggregated(batch: Batch, **how: Any) -> Run:
    with one_transaction(principal="t"):
        accept_answers(batch_id=batch.pk, assignments=None)
    with one_transaction(principal="t"):
        return aggregate(batch_id=batch.pk, **how)


def page(made: Run) -> list[dict[str, Any]]:
    return provenance_page(made, after_id=0, limit=100)


def test_every_result_names_the_answers_workers_and_instructions_that_it_rests_on() -> None:
    batch = answered(["cat", "cat", "dog"])
    made = aggregated(batch, method="majority")
    found = page(made)
    assert [row["task"] for row in found] == ["t0", "t1", "t2", "t3"]
    assignments = rows("SELECT public_id, worker_id FROM assignments_assignment")
    given = {(str(answer), worker) for answer, worker in assignments}
    told = {(answer["answer"], answer["worker_id"]) for row in found for answer in row["answers"]}
    assert told == given and len(told) == 12
    for row in found:
        assert row["results"] == [
            {"field": "label", "value": "cat", "confidence": pytest.approx(2 / 3), "answers": 3, "method": "majority"}
        ]
        assert [(one["version"], one["revision"], one["fields"]) for one in row["answers"]] == [(1, 1, ["label"])] * 3
    assert versions_of_run(made) == {1: 12}
    assert [(one.answers, one.results) for one in answers_of_results(made)["label"]] == [(3, 4)]


def test_provenance_is_told_page_by_page() -> None:
    made = aggregated(answered(["cat"]))
    first = provenance_page(made, after_id=0, limit=3)
    rest = provenance_page(made, after_id=first[-1]["cursor"], limit=3)
    assert [row["task"] for row in first + rest] == ["t0", "t1", "t2", "t3"]


def test_a_repaired_answer_is_named_by_the_revision_that_was_read() -> None:
    batch = make.make_batch(tasks=1, overlap=1, gold_policy=NO_GOLD)
    worker = make.make_worker()
    leases = make.take(worker, batch)
    make.answer(worker, leases, "dog")
    make.send_back(batch, leases)
    again = make.take(worker, batch)
    make.answer(worker, again, "cat")
    [row] = page(aggregated(batch))
    assert row["results"][0]["value"] == "cat"
    assert [one["revision"] for one in row["answers"]] == [2]


def test_what_gives_no_vote_is_not_among_what_a_result_rests_on() -> None:
    batch = make.make_batch(tasks=1, overlap=3, gold_policy=NO_GOLD)
    for values, unclear in (({"label": "cat"}, False), ({}, True), ({"label": "dog"}, False)):
        worker = make.make_worker()
        lease = make.take(worker, batch)[0]
        with one_transaction(principal="t"):
            sent = [Submission(lease.id, lease.token, values, unclear=unclear)]
            submit(worker_id=worker.pk, page=sent, then_claim=None, chance=Random(1))
    [(dog,)] = rows("SELECT a.id FROM assignments_assignment a JOIN assignments_answer w ON w.assignment_id = a.id"
                    " WHERE w.values ->> 'label' = 'dog'")  # fmt: skip
    with one_transaction(principal="t"):
        discount_answers(
            assignment_ids=[dog], reason="limited", origin=Origin(made_by=make.owner_of(batch.requester).pk)
        )
    found = compared_answers(batch.pk)
    assert (found.answers, found.unclear, found.discounted, len(found.said)) == (3, 1, 1, 1)
    made = aggregated(batch, method="majority")
    [row] = page(made)
    assert [one["fields"] for one in row["answers"]] == [["label"]]
    assert Provenance.objects.get(run=made).revisions == [1]


def test_what_a_result_rests_on_never_changes_and_is_never_nothing() -> None:
    made = aggregated(answered(["cat"], tasks=1))
    for attack in ("UPDATE results_provenance SET revisions = '{2}'", "DELETE FROM results_provenance"):
        with pytest.raises(Exception, match="permission denied"), transaction.atomic():
            run(attack)
    for assignments, revisions in (([], []), ([1], [])):
        with pytest.raises(IntegrityError, match="provenance_of_answers"), transaction.atomic():
            Provenance.objects.create(run=made, task_id=0, assignments=assignments, revisions=revisions)


def test_only_some_tasks_are_compared_where_there_are_many_and_always_the_same() -> None:
    batch = answered(["cat", "dog"], tasks=10)
    every, some = compared_answers(batch.pk), compared_answers(batch.pk, answers_max=9)
    assert (every.tasks, every.of_tasks, len(every.said)) == (10, 10, 20)
    assert (some.tasks, some.of_tasks, len(some.said)) == (4, 10, 8)
    assert some == compared_answers(batch.pk, answers_max=9)
    assert {one.given_at.second for one in every.said} == {0}


def test_tasks_with_one_answer_are_not_compared() -> None:
    found = compared_answers(answered(["cat"]).pk)
    assert (found.tasks, found.of_tasks, found.said) == (0, 0, [])


def test_results_that_gold_contradicts_are_expected_to_be_wrong_more_often_than_they_claim() -> None:
    policy = {"min_share": 0.5, "max_share": 0.5, "probation": 10, "probation_share": 1.0}
    batch = make.make_batch(tasks=4, gold=4, overlap=3, gold_policy=policy)
    for label in ("dog", "dog", "cat"):
        worker = make.make_worker()
        make.answer(worker, make.take(worker, batch, 8), label)
    made = aggregated(batch, method="majority")
    with one_transaction(principal="t"):
        gold = gold_keys(batch=batch)
    assert {key["label"] for key in gold.values()} == {"cat"}
    [found] = quality_of(made, gold)
    assert found.gold == 4 and found.gold_right == 0.0
    assert found.results == made.tasks - 4
    assert found.claimed == pytest.approx(1 / 3)
    assert found.expected > 0.6
    [without] = quality_of(made, {})
    assert without.expected == without.claimed and without.results == made.tasks
