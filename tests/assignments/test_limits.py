"""How much of a batch one worker, and any two workers, may have; and accounts of one person."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from marketplace.accounts.commands import ensure_staff
from marketplace.batches.models import Batch, Task
from marketplace.common.database import rows
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.acts import broken
from tests.conftest import owner_connection
from workers.assignments.commands.decide import apply_due, reject_answers
from workers.assignments.commands.leases import return_lease
from workers.assignments.errors import LimitReached, NothingToClaim
from workers.assignments.models import Assignment
from workers.assignments.states import RejectReason
from workers.profiles.commands.links import link_accounts
from workers.profiles.models import Worker

Forward = Callable[[timedelta], None]


def work(worker: Worker, batch: Batch, page: int = 1) -> int:
    """Claim and answer until refused; how many were answered."""
    done = 0
    while True:
        try:
            leases = make.take(worker, batch, page)
        except (NothingToClaim, LimitReached):
            return done
        make.answer(worker, leases)
        done += len(leases)


@pytest.mark.django_db
@pytest.mark.parametrize("page", [1, 3])
def test_a_worker_gets_no_more_of_a_batch_than_its_limit(page: int) -> None:
    batch = make.make_batch(tasks=20, worker_limit=7)
    worker = make.make_worker()
    assert work(worker, batch, page) == 7
    with pytest.raises(LimitReached):
        make.take(worker, batch)
    assert work(make.make_worker(), batch, page) == 7
    assert broken() == []


@pytest.mark.django_db
def test_what_is_given_back_or_runs_out_counts_no_more_and_what_is_rejected_does(clock: Forward) -> None:
    batch = make.make_batch(tasks=20, worker_limit=3, time_limit_s=60)
    worker = make.make_worker()
    first, second, third = make.take(worker, batch, 3)
    with one_transaction(principal="test"):
        return_lease(worker_id=worker.pk, assignment=first.id, token=first.token)
    make.answer(worker, [second])
    clock(timedelta(seconds=61))
    with one_transaction(principal="test"):
        apply_due(batch_id=batch.pk)
    with one_transaction(principal="test"):
        reject_answers(
            batch_id=batch.pk,
            assignments=[second.id],
            reason=RejectReason.WRONG,
            comment="No cat.",
            made_by=make.owner_of(batch.requester).pk,
        )
    assert len(make.take(worker, batch, 3)) == 2
    # The late answer's place is free, but the worker's share of the batch is used up.
    assert make.answer(worker, [third]).outcomes[0].outcome in ("lease_lost", "submitted")
    assert broken() == []


@pytest.mark.django_db
def test_a_daily_limit_ends_with_the_day(clock: Forward) -> None:
    batch = make.make_batch(tasks=20, daily_limit=4)
    worker = make.make_worker()
    assert work(worker, batch, 3) == 4
    clock(timedelta(days=1))
    assert work(worker, batch, 3) == 4
    assert broken() == []


@pytest.mark.django_db(transaction=False)
def test_no_two_workers_share_more_tasks_than_the_batch_allows() -> None:
    batch = make.make_batch(tasks=30, overlap=3, pair_limit=2)
    crew = [make.make_worker() for _ in range(8)]
    for _round in range(4):
        for worker in crew:
            try:
                make.answer(worker, make.take(worker, batch, 3))
            except NothingToClaim:
                continue
    shared = rows(
        "SELECT x.worker_id, y.worker_id, count(*) FROM assignments_assignment x JOIN assignments_assignment y"
        " ON y.task_id = x.task_id AND y.worker_id > x.worker_id GROUP BY 1, 2"
    )
    assert shared
    assert max(count for *_, count in shared) == 2
    assert broken() == []


@pytest.mark.django_db
def test_a_worker_who_leaves_makes_room_for_those_he_kept_away() -> None:
    batch = make.make_batch(tasks=2, overlap=2, pair_limit=1, order="sequential")
    one, two, three = (make.make_worker() for _ in range(3))
    for worker in (one, two):
        make.answer(worker, make.take(worker, batch))
    held = make.take(one, batch)
    with pytest.raises(NothingToClaim):
        make.take(two, batch)
    with one_transaction(principal="test"):
        return_lease(worker_id=one.pk, assignment=held[0].id, token=held[0].token)
    assert len(make.take(two, batch)) == 1
    assert len(make.take(three, batch, 2)) == 1
    assert broken() == []


ATTACK = (
    "INSERT INTO assignments_assignment (batch_id, task_id, worker_id, version_id, place, lease_no, lease_until)"
    " VALUES (%s, %s, %s, %s, %s, %s, market_now() + interval '1 minute')"
)


@pytest.mark.parametrize(
    ("terms", "wall"),
    [
        ({"worker_limit": 1}, "more places than the batch gives one worker"),
        ({"daily_limit": 1}, "on a day"),
        ({"pair_limit": 1}, "share more tasks"),
    ],
)
@pytest.mark.usefixtures("untold")
def test_raw_sql_gets_no_further(committed: str, terms: dict[str, Any], wall: str) -> None:
    batch = make.make_batch(tasks=2, overlap=2, **terms)
    first, second = Task.objects.filter(batch=batch).order_by("pk")
    one, two = make.make_worker().pk, make.make_worker().pk
    with owner_connection(committed) as owner:
        owner.execute(ATTACK, [batch.pk, first.pk, one, batch.version_id, 1, 1])
        owner.execute(ATTACK, [batch.pk, first.pk, two, batch.version_id, 2, 1])
        with pytest.raises(Exception, match=wall):
            owner.execute(ATTACK, [batch.pk, second.pk, one, batch.version_id, 1, 2])
            owner.execute(ATTACK, [batch.pk, second.pk, two, batch.version_id, 2, 2])


def linked(*workers: Worker) -> None:
    """Say that the accounts are one person's."""
    with one_transaction(principal="test"):
        staff = ensure_staff(email=make.make_user().email)
    with one_transaction(principal="test"):
        link_accounts(workers=[worker.public_id for worker in workers], reason="one phone", by=staff.pk)


def test_accounts_of_one_person_count_as_one_worker(committed: str) -> None:
    batch = make.make_batch(tasks=10, overlap=2, lease_cap=3)
    one, two = make.make_worker(), make.make_worker()
    linked(one, two)
    assert len(make.take(one, batch, 2)) == 2
    assert len(make.take(two, batch, 3)) == 1, "the lease cap is the person's"
    for worker in (one, two):
        make.answer(worker, make.take(worker, batch, 3))
    assert work(one, batch, 2) + work(two, batch, 2) == 10 - 5
    assert Assignment.objects.values("task").distinct().count() == Assignment.objects.count() == 10
    assert broken() == []


def test_a_link_made_later_keeps_the_second_account_away(committed: str) -> None:
    batch = make.make_batch(tasks=4, overlap=3)
    one, two = make.make_worker(), make.make_worker()
    assert work(one, batch) == 4
    linked(one, two)
    assert work(two, batch) == 0
    task = Task.objects.filter(batch=batch).first()
    assert task is not None
    with owner_connection(committed) as owner, pytest.raises(Exception, match="another account of this person"):
        owner.execute(ATTACK, [batch.pk, task.pk, two.pk, batch.version_id, 2, 1])
    assert broken() == []
