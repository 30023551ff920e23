"""Priorities and scores: given by import, changed while the batch runs, and what the queue makes of them."""

from collections.abc import Callable
from typing import Any

import pytest

from marketplace.batches.commands.priorities import set_priorities
from marketplace.batches.errors import ImportRunning, PrioritiesInvalid, RowsInvalid, WrongState
from marketplace.batches.models import Batch, Task
from marketplace.common.database import rows
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from tests import factories as make
from workers.assignments.commands.decide import cancel

Together = Callable[..., list[Any]]


def task(name: str, **fields: Any) -> dict[str, Any]:
    return {"external_id": name, "data": {"text": name}, **fields}


def draft_of(order: str, *found: dict[str, Any], **terms: Any) -> Batch:
    draft = make.make_draft(order=order, **{"overlap": 1, **terms})
    make.add_rows(draft, found)
    return draft


def given(batch: Batch, *wanted: dict[str, Any]) -> int:
    with one_transaction(principal="test"):
        return set_priorities(batch_id=batch.pk, wanted=wanted)


def in_order(batch: Batch, count: int = 100) -> list[str]:
    leases = make.take(make.make_worker(), batch, count)
    found = rows(
        "SELECT t.external_id FROM assignments_assignment a JOIN batches_task t ON t.id = a.task_id"
        " WHERE a.public_id = ANY(%s) ORDER BY a.id",
        [[lease.id for lease in leases]],
    )
    return [name for (name,) in found]


@pytest.mark.django_db
def test_rows_carry_priorities_or_scores_where_the_order_asks_for_them() -> None:
    draft = draft_of("priority", task("a"), task("b", priority=9), task("c", priority=0))
    assert dict(Task.objects.filter(batch=draft).values_list("external_id", "priority")) == {"a": 0, "b": 9, "c": 0}
    assert in_order(make.published(draft), 1) == ["b"]
    scores = {"a": 0, "b": 1, "c": 0.5, "d": 0.999, "e": 1 / 64}
    draft = draft_of("uncertainty", *(task(name, score=score) for name, score in scores.items()))
    levels = dict(Task.objects.filter(batch=draft).values_list("external_id", "priority"))
    assert levels == {"a": 0, "b": 63, "c": 32, "d": 63, "e": 1}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("order", "fields", "field"),
    [
        ("spread", {"priority": 1}, "priority"),
        ("spread", {"score": 0.5}, "score"),
        ("uncertainty", {"priority": 1}, "priority"),
        ("priority", {"score": 0.5}, "score"),
        *[("priority", {"priority": wrong}, "priority") for wrong in (-1, 10, 1.5, True, "5", None)],
        *[("uncertainty", {"score": wrong}, "score") for wrong in (-0.1, 1.1, True, "0.5", None)],
    ],
)
def test_a_wrong_priority_is_named(order: str, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(RowsInvalid) as raised:
        draft_of(order, task("a"), task("b", **fields))
    assert [(error["row"], error["field"]) for error in raised.value.facts["errors"]] == [(2, field)]


@pytest.mark.django_db
def test_a_changed_task_goes_behind_all_of_its_new_level() -> None:
    batch = make.published(draft_of("priority", *(task(name, priority=5) for name in "abc"), task("z", priority=1)))
    assert given(batch, {"external_id": "z", "priority": 5}, {"external_id": "a", "priority": 6}) == 2
    assert given(batch, {"external_id": "b", "priority": 5}) == 0
    tasks = dict(Task.objects.filter(batch=batch).values_list("pk", "external_id"))
    levels = dict(Task.objects.filter(batch=batch).values_list("external_id", "priority"))
    queued = sorted(make.queue(batch), key=lambda one: (-one[1], one[2]))
    found = [(tasks[pk], levels[tasks[pk]], bucket) for pk, bucket, _ in queued]
    assert found[0] == ("a", 6, 6)
    assert {row[0] for row in found[1:3]} == {"b", "c"}
    assert found[3] == ("z", 5, 5)
    assert in_order(batch)[0] == "a"


@pytest.mark.django_db
def test_a_task_that_is_not_queued_keeps_its_level_for_its_return() -> None:
    batch = make.published(draft_of("priority", task("a", priority=5), task("b", priority=4)))
    worker = make.make_worker()
    lease = make.take(worker, batch, 1)[0]
    assert given(batch, {"external_id": "a", "priority": 1}) == 1
    from workers.assignments.commands.leases import return_lease

    with one_transaction(principal="test"):
        return_lease(worker_id=worker.pk, assignment=lease.id, token=lease.token)
    assert in_order(batch) == ["b", "a"]
    assert [finding.name for finding in check_promises() if finding.violations] == []


@pytest.mark.django_db
def test_whoever_walked_past_a_task_meets_it_again_at_its_new_level() -> None:
    batch = make.published(draft_of("priority", *(task(f"t{n}", priority=5) for n in range(4)), overlap=3))
    worker = make.make_worker()
    first = make.take(worker, batch, 2)
    assert len(first) == 2
    done = {name for name, in rows(
        "SELECT t.external_id FROM assignments_assignment a JOIN batches_task t ON t.id = a.task_id")}  # fmt: skip
    left = sorted({f"t{n}" for n in range(4)} - done)
    assert given(batch, {"external_id": left[0], "priority": 9}, {"external_id": left[1], "priority": 0}) == 2
    make.answer(worker, first)
    assert len(make.take(worker, batch, 5)) == 2


@pytest.mark.django_db
def test_wrong_priorities_are_named_and_none_is_changed() -> None:
    batch = draft_of("priority", task("a"), task("b"))
    with pytest.raises(PrioritiesInvalid) as raised:
        given(
            batch,
            {"external_id": "a", "priority": 3},
            {"external_id": "nobody", "priority": 3},
            {"external_id": "b", "score": 0.5},
            {"external_id": "a", "priority": 4},
            {"external_id": "b"},
            {"external_id": "b", "priority": 1, "score": 1},
        )
    errors = raised.value.facts["errors"]
    assert [(error["item"], error["field"]) for error in errors] == [
        (1, "external_id"), (2, "score"), (3, "external_id"), (4, ""), (5, ""),
    ]  # fmt: skip
    assert "nobody" in errors[0]["message"]
    assert set(Task.objects.filter(batch=batch).values_list("priority", flat=True)) == {0}
    other = draft_of("spread", task("a"))
    with pytest.raises(PrioritiesInvalid):
        given(other, {"external_id": "a", "priority": 3})
    with one_transaction(principal="test"):
        cancel(batch_id=batch.pk)
    with pytest.raises(WrongState):
        given(batch, {"external_id": "a", "priority": 3})


@pytest.mark.django_db
def test_priorities_wait_for_an_import_to_finish() -> None:
    from marketplace.batches.commands.imports import receive

    batch = draft_of("priority", task("a"))
    with one_transaction(principal="test"):
        receive(batch_id=batch.pk, principal="test", key="k", kind="jsonl")
    with pytest.raises(ImportRunning):
        given(batch, {"external_id": "a", "priority": 3})


def test_priorities_beside_claims_lose_no_task_and_no_promise(committed: str, together: Together) -> None:
    names = [f"t{n}" for n in range(30)]
    batch = make.published(draft_of("priority", *(task(name, priority=5) for name in names), overlap=2))
    workers = [make.make_worker() for _ in range(4)]

    def work(worker: Any) -> int:
        done = 0
        from workers.assignments.errors import NothingToClaim

        while True:
            try:
                leases = make.take(worker, batch, 3)
            except NothingToClaim:
                return done
            make.answer(worker, leases)
            done += len(leases)

    def shuffle(by: int) -> int:
        return sum(
            given(batch, *({"external_id": name, "priority": (n * by + turn) % 10} for n, name in enumerate(names)))
            for turn in range(8)
        )

    told = together([lambda w=w: work(w) for w in workers] + [lambda: shuffle(3), lambda: shuffle(7)])
    assert [one for one in told if isinstance(one, Exception)] == []
    assert sum(told[:4]) == 60
    assert [finding.name for finding in check_promises() if finding.violations] == []
