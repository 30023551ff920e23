"""Batches that say little or oddly have a stated result all the same: earlier instructions, one worker, one class,
workers who share no task."""

from typing import Any

import psycopg
import pytest

from marketplace.batches.models import Batch
from marketplace.common.transactions import one_transaction
from marketplace.projects.commands import add_version, publish_version
from marketplace.results.commands.aggregate import aggregate
from marketplace.results.models import Result, Run
from marketplace.results.queries.quality import quality_of, versions_of_run
from tests import factories as make
from workers.assignments.commands.decide import accept_answers
from workers.assignments.commands.leases import return_lease

METHODS = ("majority", "weighted_majority", "dawid_skene", "one_coin", "glad", "mace")
NO_GOLD = {"min_share": 0, "max_share": 0, "probation": 0}


def answered(given: dict[int, str], tasks: int = 4) -> Batch:
    """One worker for each of the labels, which he gives to every task that he gets."""
    batch = make.make_batch(tasks=tasks, overlap=len(given), gold_policy=NO_GOLD)
    for label in given.values():
        worker = make.make_worker()
        make.answer(worker, make.take(worker, batch, tasks), label)
    return batch


def by_task(batch: Batch, groups: list[list[tuple[str, ...]]]) -> None:
    """Groups of workers who share no task: of each group, each worker's labels for the group's two tasks."""
    for at, group in enumerate(groups):
        own = {f"animal {2 * at}": 0, f"animal {2 * at + 1}": 1}
        for labels in group:
            worker = make.make_worker()
            for lease in make.take(worker, batch, 2 * len(groups)):
                place = own.get(str(lease.data["text"]))
                if place is not None:
                    make.answer(worker, [lease], labels[place])
                else:
                    with one_transaction(principal="t"):
                        return_lease(worker_id=worker.pk, assignment=lease.id, token=lease.token)


def aggregated(batch: Batch, **how: Any) -> Run:
    with one_transaction(principal="t"):
        accept_answers(batch_id=batch.pk, assignments=None)
    with one_transaction(principal="t"):
        return aggregate(batch_id=batch.pk, **how)


def results(made: Run) -> dict[str, tuple[Any, int]]:
    """Value and answers by external id; all of them of the method asked for and sure to some degree."""
    found = list(Result.objects.filter(run=made).select_related("task"))
    assert all(one.method == made.method and 0 < one.confidence <= 1 for one in found)
    return {one.task.external_id: (one.value, one.answers) for one in found}


@pytest.mark.django_db
@pytest.mark.parametrize("method", METHODS)
def test_the_answers_of_one_worker_are_the_results(method: str) -> None:
    batch = make.make_batch(tasks=4, overlap=1, gold_policy=NO_GOLD)
    worker = make.make_worker()
    wanted = {}
    for lease in make.take(worker, batch, 4):
        text = str(lease.data["text"])
        wanted[f"t{text[-1]}"] = ("dog" if text[-1] in "12" else "cat", 1)
        make.answer(worker, [lease], wanted[f"t{text[-1]}"][0])
    made = aggregated(batch, method=method)
    assert (made.tasks, made.answers) == (4, 4)
    assert results(made) == wanted
    [found] = quality_of(made, {})
    assert found.results == 4 and found.claimed is not None and 0 <= found.claimed < 1


@pytest.mark.django_db
@pytest.mark.parametrize("method", METHODS)
def test_a_label_that_all_give_to_all_is_the_result_of_all(method: str) -> None:
    made = aggregated(answered({1: "dog", 2: "dog", 3: "dog"}), method=method)
    assert made.converged
    assert results(made) == {f"t{n}": ("dog", 3) for n in range(4)}


@pytest.mark.django_db
@pytest.mark.parametrize("method", METHODS)
def test_workers_who_share_no_task_each_have_the_results_that_their_own_group_agrees_on(method: str) -> None:
    batch = make.make_batch(tasks=4, overlap=3, gold_policy=NO_GOLD)
    by_task(batch, [[("cat", "dog")] * 3, [("dog", "cat")] * 2 + [("dog", "dog")]])
    made = aggregated(batch, method=method)
    assert (made.tasks, made.answers) == (4, 12)
    assert results(made) == {"t0": ("cat", 3), "t1": ("dog", 3), "t2": ("dog", 3), "t3": ("cat", 3)}


@pytest.mark.parametrize("method", METHODS)
def test_answers_under_earlier_instructions_count_with_labels_that_later_ones_do_not_have(
    method: str, committed: str, as_owner: psycopg.Connection[Any]
) -> None:
    label = make.INTERFACE["answer"][0]
    with_bird = {**label, "labels": [*label["labels"], {"value": "bird", "title": "Bird"}]}
    project = make.make_project(interface={**make.INTERFACE, "answer": [with_bird]})
    batch = make.make_batch(tasks=2, overlap=5, project=project, gold_policy=NO_GOLD)
    for _worker in range(3):
        worker = make.make_worker()
        for lease in make.take(worker, batch, 2):
            make.answer(worker, [lease], "bird" if str(lease.data["text"]).endswith("0") else "dog")
    with one_transaction(principal="t"):
        add_version(project_id=project.pk, interface=make.INTERFACE, instructions="There are no birds any more.")
    with one_transaction(principal="t"):
        later = publish_version(project=project, number=2)
    # No command moves a batch that runs to later instructions yet.
    as_owner.execute("ALTER TABLE batches_batch DISABLE TRIGGER batch_step")
    as_owner.execute("UPDATE batches_batch SET version_id = %s WHERE id = %s", [later.pk, batch.pk])
    as_owner.execute("ALTER TABLE batches_batch ENABLE ALWAYS TRIGGER batch_step")
    for _worker in range(2):
        worker = make.make_worker()
        make.answer(worker, make.take(worker, batch, 2), "dog")

    made = aggregated(Batch.objects.get(pk=batch.pk), method=method)

    assert versions_of_run(made) == {1: 6, 2: 4}
    assert results(made) == {"t0": ("bird", 5), "t1": ("dog", 5)}
