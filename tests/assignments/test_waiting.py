"""Waiting for places and being matched with them, one connection at a time (races are in `tests/races`)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace.batches.commands.lifecycle import pause_batch
from marketplace.batches.errors import BatchNotOpen
from marketplace.batches.models import Batch
from marketplace.common.database import rows, run, value
from marketplace.common.errors import NotFound
from tests import factories as make
from tests.acts import broken, in_one
from workers.assignments.commands.leases import return_lease
from workers.assignments.commands.waiting import (
    WAITS_MAX,
    forget_gone,
    match,
    match_step,
    stay,
    stop_waiting,
    wait_for_work,
)
from workers.assignments.errors import TooManyWaits, WindowInvalid
from workers.assignments.fairness import TURN_S, turn_at
from workers.assignments.matching import match_due
from workers.assignments.models import Assignment, Waiting
from workers.assignments.tasks import match_waiting
from workers.assignments.waits import batches_to_match, waits_of
from workers.profiles.commands import pseudonym_for
from workers.profiles.models import Worker

pytestmark = pytest.mark.django_db(transaction=False)
Clock = Callable[[timedelta], None]


def waits(worker: Worker, batch: Batch, window: int = 1, alive_s: int = 600) -> None:
    in_one(wait_for_work, worker_id=worker.pk, batch_id=batch.pk, window=window, alive_s=alive_s)


def live(batch: Batch) -> dict[int, int]:
    """How many leases each worker has in the batch."""
    found = rows(
        "SELECT worker_id, count(*) FROM assignments_assignment WHERE batch_id = %s AND state = 'leased' GROUP BY 1",
        [batch.pk],
    )
    return dict(found)


def line(batch: Batch) -> list[int]:
    found = Waiting.objects.filter(batch=batch).order_by("turn", "-score", "since", "worker_id")
    return list(found.values_list("worker_id", flat=True))


def later(clock: Clock, seconds: float = TURN_S + 1) -> None:
    clock(timedelta(seconds=seconds))


def full_batch(**terms: Any) -> tuple[Batch, Worker, Any]:
    """A batch whose one place somebody holds."""
    batch, holder = make.make_batch(tasks=1, overlap=1, **terms), make.make_worker()
    return batch, holder, make.take(holder, batch)[0]


def test_whoever_waits_longest_gets_the_place_that_opens_and_the_others_wait_on(clock: Clock) -> None:
    batch, holder, lease = full_batch()
    crew = [make.make_worker() for _ in range(3)]
    for worker in crew:
        waits(worker, batch)
        later(clock)
    assert match_due() == 0
    in_one(return_lease, worker_id=holder.pk, assignment=lease.id, token=lease.token)
    assert match_due() == 1
    assert live(batch) == {crew[0].pk: 1}
    assert line(batch) == [crew[1].pk, crew[2].pk]
    assert match_due() == 0
    assert broken() == []


def test_of_those_who_wait_about_as_long_the_better_one_comes_first() -> None:
    batch, holder, lease = full_batch()
    worse, better = make.make_worker(), make.make_worker()
    make.judge(better, batch, 1.0, 1.0, 1.0)
    make.judge(worse, batch, 0.0, 0.0, 0.0)
    waits(worse, batch)
    waits(better, batch)
    run("UPDATE assignments_waiting SET turn = 7 WHERE batch_id = %s", [batch.pk])
    in_one(return_lease, worker_id=holder.pk, assignment=lease.id, token=lease.token)
    assert match_due() == 1
    assert live(batch) == {better.pk: 1}


def test_a_lease_that_runs_out_is_offered_at_once_and_needs_no_other_sweep(clock: Clock) -> None:
    batch, _, _ = full_batch(time_limit_s=60)
    worker = make.make_worker()
    waits(worker, batch)
    clock(timedelta(seconds=61))
    waits(worker, batch)
    assert match_due() == 1
    assert live(batch) == {worker.pk: 1}
    assert Waiting.objects.count() == 0


def test_scarce_places_go_round_before_anybody_gets_a_second() -> None:
    batch = make.make_batch(tasks=5, overlap=1)
    crew = [make.make_worker() for _ in range(4)]
    for worker in crew:
        waits(worker, batch, window=3)
    assert match_due() == 5
    assert sorted(live(batch).values()) == [1, 1, 1, 2]


def test_where_there_is_enough_windows_are_filled_and_nobody_waits_any_more() -> None:
    batch = make.make_batch(tasks=20, overlap=2)
    crew = [make.make_worker() for _ in range(4)]
    for worker in crew:
        waits(worker, batch, window=4)
    assert match_due() == 16
    assert live(batch) == {worker.pk: 4 for worker in crew}
    assert line(batch) == []


def test_whoever_was_given_something_stands_behind_those_who_were_not() -> None:
    batch = make.make_batch(tasks=1, overlap=1)
    first, second = make.make_worker(), make.make_worker()
    waits(first, batch, window=5)
    assert match_due() == 1
    waits(second, batch, window=5)
    assert line(batch) == [second.pk, first.pk]
    in_one(stop_waiting, worker_id=first.pk)
    waits(first, batch, window=5)
    assert line(batch) == [second.pk, first.pk], "leaving the line and coming back makes nobody first"


def test_a_place_in_line_is_as_the_rule_says(clock: Clock) -> None:
    batch, worker = make.make_batch(), make.make_worker()
    waits(worker, batch)
    mine = Waiting.objects.get()
    assert (mine.turn, mine.score) == (turn_at(mine.since.timestamp()), pytest.approx(0.5, abs=0.5))
    make.take(worker, batch)
    served = Assignment.objects.get().leased_at.timestamp()
    in_one(stop_waiting, worker_id=worker.pk)
    waits(worker, batch)
    mine = Waiting.objects.get()
    assert mine.turn == turn_at(mine.since.timestamp(), served)


def test_waiting_again_keeps_the_place_in_line_and_changes_the_window(clock: Clock) -> None:
    batch, _, _ = full_batch()
    worker = make.make_worker()
    waits(worker, batch, window=1)
    before = Waiting.objects.get()
    later(clock)
    waits(worker, batch, window=3)
    after = Waiting.objects.get()
    assert (after.turn, after.since, after.window) == (before.turn, before.since, 3)


def test_a_wait_ends_with_its_heartbeats_and_the_place_in_line_with_it(clock: Clock) -> None:
    batch, holder, lease = full_batch()
    gone, worker = make.make_worker(), make.make_worker()
    waits(gone, batch, alive_s=30)
    waits(worker, batch, alive_s=30)
    clock(timedelta(seconds=20))
    assert in_one(stay, worker_ids_and_batches=[(worker.pk, batch.pk), (holder.pk, batch.pk)]) == {
        (holder.pk, batch.pk)
    }
    clock(timedelta(seconds=20))
    in_one(return_lease, worker_id=holder.pk, assignment=lease.id, token=lease.token)
    assert match_due() == 1
    assert live(batch) == {worker.pk: 1}
    since = Waiting.objects.get(worker=gone).since
    waits(gone, batch)
    assert Waiting.objects.get(worker=gone).since > since
    clock(timedelta(seconds=601))
    assert in_one(forget_gone) == 1
    assert Waiting.objects.count() == 0


def test_whoever_may_not_work_there_is_passed_by_told_why_and_looked_at_again(clock: Clock) -> None:
    closed = {"score": {"min": 0.99}}
    batch = make.make_batch(tasks=1, overlap=1, audience=closed)
    outsider, insider = make.make_worker(), make.make_worker()
    waits(outsider, batch)
    later(clock)
    make.judge(insider, batch, *[1.0] * 300)
    waits(insider, batch)
    assert match_due() == 1
    assert live(batch) == {insider.pk: 1}
    [wait] = waits_of(outsider.pk)
    assert (wait.batch, wait.refused) == (batch.public_id, "not-eligible")
    assert batches_to_match() == []
    clock(timedelta(seconds=31))
    assert Waiting.objects.get().retry_at < value("SELECT market_now()")


def test_members_and_those_under_a_limit_of_the_batch_are_refused_without_harm_to_others() -> None:
    batch = make.make_batch(tasks=3, overlap=2, worker_limit=1)
    member = Worker.objects.create(user=batch.requester.members.get().user)
    limited, worker = make.make_worker(), make.make_worker()
    make.answer(limited, make.take(limited, batch))
    for one in (member, limited, worker):
        waits(one, batch)
    assert match_due() == 1
    assert live(batch) == {worker.pk: 1}
    refused = dict(Waiting.objects.values_list("worker_id", "refused"))
    assert refused == {member.pk: "not-eligible", limited.pk: "limit-reached"}


def test_whoever_has_done_all_that_is_open_waits_until_a_task_opens_again(clock: Clock) -> None:
    batch = make.make_batch(tasks=2, overlap=2)
    worker, other = make.make_worker(), make.make_worker()
    make.answer(worker, make.take(worker, batch, 2))
    leases = make.take(other, batch, 2)
    waits(worker, batch)
    in_one(return_lease, worker_id=other.pk, assignment=leases[0].id, token=leases[0].token)
    assert match_due() == 0
    [wait] = waits_of(worker.pk)
    assert wait.refused == "", "that nothing is open is what he waits for, and no refusal"
    assert batches_to_match() == [], "nobody who can take it waits, so nobody looks every second"
    in_one(return_lease, worker_id=other.pk, assignment=leases[1].id, token=leases[1].token)
    assert batches_to_match() == [(batch.pk, False)], "another task opened, so he is looked at before his time"
    assert match_due() == 0
    assert batches_to_match() == []
    third = make.make_worker()
    waits(third, batch)
    assert match_due() == 1
    assert live(batch) == {third.pk: 1}


def test_a_task_kept_for_somebody_who_waits_is_given_to_him() -> None:
    draft = make.make_draft(overlap=1)
    other, mine = make.make_worker(), make.make_worker()
    name = in_one(pseudonym_for, worker_id=mine.pk, requester_id=draft.requester_id)
    make.add_rows(draft, [{"external_id": "r", "data": {"text": "x"}, "reserved_for": [name]}])
    batch = make.published(draft)
    waits(other, batch)
    waits(mine, batch)
    assert match_due() == 1
    assert live(batch) == {mine.pk: 1}


def test_nothing_is_given_while_the_batch_is_paused() -> None:
    batch, worker = make.make_batch(), make.make_worker()
    waits(worker, batch)
    in_one(pause_batch, batch_id=batch.pk)
    assert match_due() == 0
    assert in_one(match, batch_id=batch.pk) == 0
    assert line(batch) == [worker.pk]


@pytest.mark.usefixtures("untold")
def test_what_cannot_be_waited_for_is_refused() -> None:
    batch, worker = make.make_batch(), make.make_worker()
    with pytest.raises(WindowInvalid):
        waits(worker, batch, window=0)
    with pytest.raises(WindowInvalid):
        waits(worker, batch, window=21)
    with pytest.raises(NotFound):
        waits(worker, make.make_draft())
    run("UPDATE batches_batch SET state = 'closing' WHERE id = %s", [batch.pk])
    with pytest.raises(BatchNotOpen):
        waits(worker, batch)


def test_nobody_waits_for_more_than_so_many_batches() -> None:
    worker, project = make.make_worker(), make.make_project()
    batches = [make.make_batch(tasks=1, project=project) for _ in range(WAITS_MAX + 1)]
    for batch in batches[:-1]:
        waits(worker, batch)
    with pytest.raises(TooManyWaits):
        waits(worker, batches[-1])
    waits(worker, batches[0])
    assert in_one(stop_waiting, worker_id=worker.pk, batch_id=batches[0].pk) == 1
    assert in_one(stop_waiting, worker_id=worker.pk) == WAITS_MAX - 1


def test_the_sweep_matches_and_forgets(clock: Clock) -> None:
    batch = make.make_batch(tasks=1, overlap=1)
    gone, worker = make.make_worker(), make.make_worker()
    waits(gone, batch, alive_s=1)
    clock(timedelta(seconds=2))
    waits(worker, batch)
    match_waiting()
    assert live(batch) == {worker.pk: 1}
    assert Waiting.objects.count() == 0


def test_those_who_are_matched_get_gold_as_anybody_does_and_by_the_same_statements() -> None:
    policy = {"min_share": 0.4, "max_share": 0.5, "probation": 4, "probation_share": 0.5}
    batch = make.make_batch(tasks=20, gold=10, overlap=3, gold_policy=policy)
    crew = [make.make_worker() for _ in range(6)]
    for worker in crew:
        waits(worker, batch, window=5)
    assert match_due() == 30
    shown = value("SELECT count(*) FROM assignments_assignment a JOIN batches_task t ON t.id = a.task_id"
                  " WHERE t.external_id LIKE 'g%%'", [])  # fmt: skip
    assert 0 < shown < 30
    assert broken() == []


def test_what_a_batch_costs_that_opens_for_many_grows_with_its_places_and_not_with_the_people() -> None:
    def cost(places: int) -> int:
        batch = make.make_batch(tasks=places, overlap=1)
        run("DELETE FROM assignments_waiting")
        run(
            'INSERT INTO assignments_waiting (worker_id, batch_id, "window", turn, score, since, alive_until, retry_at,'
            " refused, seen) SELECT w.id, %s, 1, 0, 0.5, market_now(), market_now() + interval '1 h', market_now(), '',"
            " 0 FROM profiles_worker w WHERE w.id = ANY (%s)",
            [batch.pk, [worker.pk for worker in crew]],
        )
        with CaptureQueriesContext(connection) as asked:
            assert match_due() == places
        return len(asked)

    crew = [make.make_worker() for _ in range(30)]
    few = cost(10)
    crew += [make.make_worker() for _ in range(270)]
    assert cost(10) == few
    assert cost(20) <= 2 * few


def test_one_step_gives_to_no_more_than_it_may() -> None:
    batch = make.make_batch(tasks=10, overlap=1)
    for _ in range(5):
        waits(make.make_worker(), batch)
    step = in_one(match_step, batch_id=batch.pk, limit=2)
    assert (step.leases, step.looked) == (2, 2)
