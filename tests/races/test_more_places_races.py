"""Places that are added while others claim, add, spend and close."""

from collections.abc import Callable
from typing import Any

import pytest

from marketplace.batches.commands.lifecycle import close_batch
from marketplace.batches.errors import WrongState
from marketplace.batches.models import Batch, Task
from marketplace.ledger.addresses import escrow_of, funds_of
from marketplace.ledger.errors import NotEnough
from marketplace.ledger.queries import balance
from tests import factories as make
from tests.acts import broken, in_one
from workers.assignments.commands.decide import accept_answers, finish_batch
from workers.assignments.commands.more_places import more_places
from workers.assignments.commands.reopen import reopen_answers
from workers.assignments.errors import NothingToClaim
from workers.assignments.models import Assignment, Discount
from workers.assignments.origin import Origin

UNIT = make.PRICE + make.FEE


def at(address: str) -> int:
    return balance(address, "EUR")


def task_ids(batch: Batch) -> list[int]:
    return list(Task.objects.filter(batch=batch).order_by("pk").values_list("pk", flat=True))


def errors(outcomes: list[Any], *legal: type[BaseException]) -> list[BaseException]:
    return [found for found in outcomes if isinstance(found, BaseException) and not isinstance(found, legal)]


def test_places_are_added_beside_claims_and_each_is_taken_once(
    committed: str, together: Callable[..., list[Any]]
) -> None:
    batch = make.make_batch(tasks=4, overlap=1, dispute_basis_points=1_300)
    tasks = task_ids(batch)
    workers = [make.make_worker() for _ in range(9)]

    def work(worker: Any) -> int:
        done = 0
        for _try in range(12):
            try:
                leases = make.take(worker, batch, count=2)
            except NothingToClaim:
                continue
            make.answer(worker, leases)
            done += len(leases)
        return done

    outcomes = together(
        [lambda worker=worker: work(worker) for worker in workers]
        + [lambda: in_one(more_places, batch_id=batch.pk, task_ids=tasks[::-1], by=1)] * 2
        + [lambda: in_one(more_places, batch_id=batch.pk, task_ids=tasks[1:], by=2)]
    )

    assert errors(outcomes) == []
    assert list(Task.objects.order_by("pk").values_list("overlap", flat=True)) == [3, 5, 5, 5]
    assert broken() == []
    for worker in workers:
        work(worker)
    assert Assignment.objects.filter(state="submitted").count() == 18
    assert at(escrow_of(batch.public_id)) == 18 * UNIT
    assert broken() == []


def test_a_batch_closes_with_the_new_places_or_without_them(committed: str, together: Callable[..., list[Any]]) -> None:
    for end in (close_batch, finish_batch):
        batch = make.make_batch(tasks=2, overlap=1)
        worker = make.make_worker()
        make.answer(worker, make.take(worker, batch, count=2))
        in_one(accept_answers, batch_id=batch.pk, assignments=None)

        tasks = task_ids(batch)
        added, ended = together(
            [
                lambda pk=batch.pk, ids=tasks: in_one(more_places, batch_id=pk, task_ids=ids),
                lambda pk=batch.pk, end=end: in_one(end, batch_id=pk),
            ]
        )

        batch.refresh_from_db()
        assert errors([added, ended], WrongState) == []
        if end is finish_batch:
            assert (batch.state == "published") == (not isinstance(added, WrongState))
        assert set(Task.objects.filter(batch=batch).values_list("overlap", flat=True)) == (
            {1} if isinstance(added, WrongState) else {2}
        )
        assert broken() == []


def test_the_last_money_is_held_for_one_of_many(committed: str, together: Callable[..., list[Any]]) -> None:
    requester = make.make_requester(5 * UNIT)
    batch = make.make_batch(tasks=3, overlap=1, project=make.make_project(requester))
    tasks = task_ids(batch)

    outcomes = together([lambda: in_one(more_places, batch_id=batch.pk, task_ids=tasks[:2])] * 6)

    assert errors(outcomes, NotEnough) == []
    assert sum(not isinstance(outcome, NotEnough) for outcome in outcomes) == 1
    assert at(funds_of(requester.public_id)) == 0
    assert list(Task.objects.order_by("pk").values_list("overlap", flat=True)) == [2, 2, 1]
    assert broken() == []


@pytest.mark.parametrize("rejected", [False, True])
def test_answers_are_reopened_once_whoever_does_it_at_the_same_time(
    committed: str, together: Callable[..., list[Any]], rejected: bool
) -> None:
    batch = make.make_batch(tasks=5, overlap=1)
    worker = make.make_worker()
    make.answer(worker, make.take(worker, batch, count=5))
    named = list(Assignment.objects.values_list("public_id", flat=True))

    def reopen(firing: int) -> int:
        of = {"batch_id": batch.pk, "worker_id": worker.pk}
        return in_one(reopen_answers, answers=5, reason="in doubt", origin=Origin(firing), **of).places

    def reject() -> int:
        return in_one(make.reject, batch=batch, assignments=named[:2])

    outcomes = together([lambda: reopen(1), lambda: reopen(2), lambda: reopen(3)] + [reject] * rejected)

    assert errors(outcomes) == []
    assert sum(outcomes[:3]) == Discount.objects.count()
    assert Discount.objects.count() in ((3, 4, 5) if rejected else (5,))
    assert broken() == []
