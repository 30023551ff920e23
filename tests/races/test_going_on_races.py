"""A batch that is stopped, and gone on with, while others claim, send late, give back and decide."""

import threading
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from django.db import connections

from marketplace.batches.commands.going_on import go_on
from marketplace.batches.costs import Platform
from marketplace.batches.errors import BatchNotOpen
from marketplace.batches.models import Batch, Task
from marketplace.batches.queries import goes_on_in
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.acts import broken, in_one
from tests.races.waiting import until_somebody_waits
from workers.assignments.commands.decide import accept_answers, apply_due
from workers.assignments.commands.leases import return_lease
from workers.assignments.commands.submit import Submission, submit
from workers.assignments.errors import LeaseLost, NothingToClaim
from workers.assignments.models import Assignment

pytestmark = pytest.mark.committed
PLATFORM = Platform(fee_basis_points=1_000)
TASKS, OVERLAP = 12, 2


def go(batch: Batch) -> Batch:
    made: Batch = in_one(go_on, batch_id=batch.pk, platform=PLATFORM)
    return made


def carried(batch: Batch) -> dict[str, int]:
    """For each task how many places others go on with."""
    found: dict[str, int] = {}
    for made in goes_on_in(batch):
        for name, overlap in Task.objects.filter(batch=made).values_list("external_id", "overlap"):
            found[name] = found.get(name, 0) + overlap
    return found


def test_every_place_is_had_here_or_goes_on_there_and_none_twice(
    committed: str, together: Callable[..., list[Any]]
) -> None:
    batch = make.make_batch(TASKS, overlap=OVERLAP, lease_cap=2)
    workers = [make.make_worker() for _ in range(6)]

    def work(worker: Any) -> None:
        for turn in range(10):
            try:
                leases = make.take(worker, batch, 2)
            except (NothingToClaim, BatchNotOpen):
                return
            if turn == 1:
                lease = leases.pop()
                in_one(return_lease, worker_id=worker.pk, assignment=lease.id, token=lease.token)
            make.answer(worker, leases)

    outcomes = together(
        [lambda worker=worker: work(worker) for worker in workers]
        + [lambda: in_one(accept_answers, batch_id=batch.pk, assignments=None)] * 2
        + [lambda: go(batch)] * 3
    )

    assert [found for found in outcomes if isinstance(found, BaseException) and not isinstance(found, LeaseLost)] == []
    batch.refresh_from_db()
    assert batch.state == "closing"
    # What was given back after the first look came by a later one, or comes by one more.
    go(batch)
    assert Assignment.objects.filter(batch=batch, state="leased").count() == 0
    others = carried(batch)
    assert {
        name: taken + others.get(name, 0)
        for name, taken in Task.objects.filter(batch=batch).values_list("external_id", "taken")
    } == dict.fromkeys([f"t{n}" for n in range(TASKS)], OVERLAP)
    assert broken() == []


def test_an_answer_that_comes_late_waits_for_the_stop_and_finds_its_place_gone(
    committed: str, clock: Callable[[timedelta], None]
) -> None:
    batch = make.make_batch(1, overlap=1, time_limit_s=60)
    worker = make.make_worker()
    leases = make.take(worker, batch)
    clock(timedelta(seconds=61))
    in_one(apply_due)
    said: list[Any] = []

    def send() -> None:
        try:
            said.append(make.answer(worker, leases).outcomes[0].outcome)
        finally:
            connections.close_all()

    late = threading.Thread(target=send)
    with one_transaction(principal="test"):
        go_on(batch_id=batch.pk, platform=PLATFORM)
        late.start()
        until_somebody_waits(or_else=lambda: not late.is_alive())
        assert said == [], "it waits"
    late.join(30)

    assert (said, carried(batch)) == (["lease_lost"], {"t0": 1})
    assert broken() == []


def test_an_answer_that_came_late_in_time_keeps_its_place(committed: str, clock: Callable[[timedelta], None]) -> None:
    batch = make.make_batch(1, overlap=1, time_limit_s=60)
    worker = make.make_worker()
    leases = make.take(worker, batch)
    clock(timedelta(seconds=61))
    in_one(apply_due)
    stopped: list[Batch] = []

    def stop() -> None:
        try:
            stopped.append(go(batch))
        finally:
            connections.close_all()

    stop_it = threading.Thread(target=stop)
    with one_transaction(principal="test"):
        page = [Submission(lease.id, lease.token, {"label": "cat"}) for lease in leases]
        done = submit(worker_id=worker.pk, page=page, then_claim=None, chance=Random(1))
        stop_it.start()
        until_somebody_waits(or_else=lambda: not stop_it.is_alive())
        assert stopped == [], "it waits"
    stop_it.join(30)

    assert [one.outcome for one in done.outcomes] == ["submitted"]
    assert (len(stopped), carried(batch)) == (1, {})
    assert broken() == []
