"""Runs that are given the requester's gold keys: they learn from them, and are not judged by them."""

from typing import Any

import pytest
from django.core.management import call_command

from marketplace.batches.models import Batch
from marketplace.common.database import rows
from marketplace.common.transactions import one_transaction
from marketplace.results.commands.aggregate import aggregate
from marketplace.results.commands.names import gold_keys
from marketplace.results.models import Result, Run
from marketplace.results.queries.quality import quality_of
from tests import factories as make
from workers.assignments.commands.decide import accept_answers

MUCH_GOLD = {"min_share": 0.5, "max_share": 0.5, "probation": 10, "probation_share": 1.0}
OTHER = {"cat": "dog", "dog": "cat"}


def upside_down() -> Batch:
    """Of three workers two take each animal for the other one; the third is right. Their batch is accepted."""
    batch = make.make_draft(overlap=3, lease_cap=12, gold=MUCH_GOLD)
    animals = ["cat", "dog"] * 3
    lines = [{"external_id": f"t{n}", "data": {"text": f"{animal} {n}"}} for n, animal in enumerate(animals)]
    known = [
        {"external_id": f"g{n}", "data": {"text": f"{animal} in known picture {n}"}, "gold": {"label": animal}}
        for n, animal in enumerate(animals)
    ]
    make.add_rows(batch, lines + known)
    batch = make.published(batch)
    for right in (False, False, True):
        worker = make.make_worker()
        for lease in make.take(worker, batch, 12):
            animal = str(lease.data["text"]).split()[0]
            make.answer(worker, [lease], animal if right else OTHER[animal])
    with one_transaction(principal="t"):
        accept_answers(batch_id=batch.pk, assignments=None)
    return batch


def aggregated(batch: Batch, **how: Any) -> Run:
    with one_transaction(principal="t"):
        return aggregate(batch_id=batch.pk, **how)


def right_of(made: Run) -> dict[str, list[bool]]:
    """Whether the results are right, of tasks and of gold tasks."""
    found: dict[str, list[bool]] = {"t": [], "g": []}
    for name, text, value in rows(
        "SELECT t.external_id, p.data ->> 'text', r.value FROM results_result r JOIN batches_task t ON t.id = r.task_id"
        " JOIN batches_payload p ON p.task_id = t.id WHERE r.run_id = %s",
        [made.pk],
    ):
        found[name[0]].append(value == text.split()[0])
    return found


@pytest.mark.django_db
def test_a_run_with_gold_learns_who_is_wrong_and_gives_the_keys_as_results() -> None:
    batch = upside_down()
    without, with_gold = (aggregated(batch, method="dawid_skene", with_gold=given) for given in (False, True))
    assert (without.with_gold, with_gold.with_gold) == (False, True)
    told, learned = right_of(without), right_of(with_gold)
    assert min(len(told["t"]), len(told["g"])) >= 4
    assert not any(told["t"] + told["g"])
    assert all(learned["t"] + learned["g"])
    with one_transaction(principal="t"):
        keys = gold_keys(batch=batch)
    sure = Result.objects.filter(run=with_gold, task_id__in=keys).values_list("confidence", flat=True)
    assert set(sure) == {1.0}


@pytest.mark.django_db
def test_a_method_that_learns_nothing_does_with_gold_as_without() -> None:
    batch = upside_down()
    found = [
        list(Result.objects.filter(run=aggregated(batch, method="majority", with_gold=given)).order_by("task_id")
             .values_list("task_id", "value", "confidence"))
        for given in (False, True)
    ]  # fmt: skip
    assert found[0] == found[1] and found[0]


@pytest.mark.django_db
def test_keys_of_tasks_without_answers_make_no_results() -> None:
    batch = make.make_batch(tasks=2, gold=3, overlap=1, gold_policy={"min_share": 0, "max_share": 0, "probation": 0})
    worker = make.make_worker()
    make.answer(worker, make.take(worker, batch, 2))
    with one_transaction(principal="t"):
        accept_answers(batch_id=batch.pk, assignments=None)
    made = aggregated(batch, with_gold=True)
    assert (made.tasks, Result.objects.filter(run=made).count()) == (2, 2)


@pytest.mark.django_db
def test_a_run_with_gold_is_not_judged_by_the_keys_that_it_was_given_and_its_report_says_so() -> None:
    batch = upside_down()
    with_gold, without = (aggregated(batch, with_gold=given) for given in (True, False))
    with one_transaction(principal="t"):
        gold = gold_keys(batch=batch)
    [found] = quality_of(with_gold, gold)
    assert (found.gold, found.table) == (0, ())
    assert {found.gold_right, found.calibration_error, found.brier} == {None}
    assert found.expected == found.claimed and (found.low, found.high) == (None, None)
    assert found.results == len(right_of(with_gold)["t"]), "nor are the keys among what it claims"
    assert found.note.startswith("These results were made with the gold keys, which therefore cannot judge them")
    [judged] = quality_of(without, gold)
    assert (judged.gold, judged.gold_right) == (
        len(right_of(without)["g"]),
        0.0,
    ) and "made with the gold keys" not in judged.note


def test_runs_that_were_made_before_had_no_gold_and_stay_when_the_columns_go(committed: str, migrator: Any) -> None:
    batch = upside_down()
    aggregated(batch, with_gold=True)
    call_command("migrate", "results", "0008", database="owner", verbosity=0)
    assert rows("SELECT column_name FROM information_schema.columns WHERE table_name IN ('results_run',"
                " 'results_result') AND column_name IN ('with_gold', 'objects')") == []  # fmt: skip
    # As the version before this one writes it, before and after the columns come.
    old = (
        "INSERT INTO results_run"
        " (public_id, batch_id, method, tasks, answers, converged, iterations, final, made_at)"
        " VALUES (gen_random_uuid(), %s, 'majority', 1, 1, true, 0, false, market_now()) RETURNING id"
    )
    rows(old, [batch.pk])
    call_command("migrate", database="owner", verbosity=0)
    rows(old, [batch.pk])
    assert list(Run.objects.values_list("with_gold", flat=True)) == [False] * 3
    assert Result.objects.exclude(support=None).count() == 0
