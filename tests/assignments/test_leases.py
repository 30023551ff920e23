"""While a lease lives: heartbeats, drafts on every device, and what is lost stays lost."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, transaction

from marketplace.batches.models import Batch
from marketplace.common.commands import forget_old
from marketplace.common.database import rows, run
from marketplace.common.errors import NotFound
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from tests import factories as make
from workers.assignments.commands import leases
from workers.assignments.commands.decide import apply_due
from workers.assignments.commands.leases import DRAFT_BYTES_MAX, Beat, extend_leases, return_lease, save_draft
from workers.assignments.errors import DraftInvalid, LeaseLost
from workers.assignments.models import Assignment, Draft
from workers.assignments.queries import LeasedTask, live_leases
from workers.assignments.states import ReturnReason, State
from workers.profiles.models import Worker

pytestmark = pytest.mark.django_db
Forward = Callable[[timedelta], None]


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def beat(worker: Worker, *leases: LeasedTask) -> list[Beat]:
    with one_transaction(principal="test"):
        return extend_leases(worker_id=worker.pk, leases=[(lease.id, lease.token) for lease in leases])


def save(worker: Worker, lease: LeasedTask, values: dict[str, Any], token: UUID | None = None) -> datetime | None:
    """Save a draft; until when the lease lives then, or None where the token opens nothing any more."""
    with one_transaction(principal="test"):
        return save_draft(
            worker_id=worker.pk, assignment=lease.id, token=token or lease.token, values=values
        ).lease_until


def expire(batch: Batch) -> None:
    with one_transaction(principal="test"):
        apply_due(batch_id=batch.pk)


def close_to(moment: datetime | None, wanted: datetime) -> bool:
    return moment is not None and abs((moment - wanted).total_seconds()) < 2


@pytest.fixture
def batch() -> Batch:
    """One task; a lease lasts a minute, and two and a half with heartbeats."""
    return make.make_batch(tasks=1, overlap=1, time_limit_s=60, lease_max_s=150)


@pytest.fixture
def worker() -> Worker:
    return make.make_worker()


# --- heartbeats ---------------------------------------------------------------------------------------------------


def test_a_lease_that_ends_between_the_look_and_the_fence_of_the_database_is_lost_and_no_other(
    worker: Worker, clock: Forward, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = make.make_batch(tasks=2, overlap=1, time_limit_s=60, lease_max_s=150)
    ended, lives = make.take(worker, batch, 2)
    clock(seconds(30))
    beat(worker, lives)
    asked: list[str] = []

    def early(sql: str, params: Any) -> list[tuple[Any, ...]]:
        """The first time, as if the statement had been there before the end."""
        asked.append(sql)
        return rows(sql if asked[1:] else sql.replace("AND a.lease_until > market_now()", ""), params)

    clock(seconds(40))
    monkeypatch.setattr(leases, "rows", early)
    assert [(one.assignment, one.lease_until is None) for one in beat(worker, ended, lives)] == [
        (ended.id, True),
        (lives.id, False),
    ]
    assert len(asked) == 2
    asked.clear()
    assert save(worker, ended, {"label": "dog"}) is None
    assert len(asked) == 2
    assert Draft.objects.get().values == {"label": "dog"}


def test_a_heartbeat_prolongs_a_lease_up_to_what_the_batch_allows_and_no_further(
    batch: Batch, worker: Worker, clock: Forward
) -> None:
    [lease] = make.take(worker, batch)
    begun = lease.lease_until - seconds(60)
    for passed, until, final in [(0, 60, False), (50, 110, False), (100, 150, True), (140, 150, True)]:
        clock(seconds(passed) - (clock_now() - begun))
        [told] = beat(worker, lease)
        assert close_to(told.lease_until, begun + seconds(until)), (passed, told)
        assert told.final == final
    assert make.answer(worker, [lease]).outcomes[0].outcome == "submitted"
    assert [f.name for f in check_promises() if f.violations] == []


def clock_now() -> datetime:
    moment: datetime = rows("SELECT market_now()")[0][0]
    return moment


def test_a_heartbeat_never_shortens_a_lease(worker: Worker, clock: Forward) -> None:
    long = make.make_batch(tasks=1, time_limit_s=60, lease_max_s=60)
    [lease] = make.take(worker, long)
    clock(seconds(30))
    assert beat(worker, lease) == [Beat(lease.id, lease.lease_until, True)]


@pytest.mark.usefixtures("untold")
def test_no_statement_can_prolong_a_lease_beyond_what_the_batch_allows(batch: Batch, worker: Worker) -> None:
    [lease] = make.take(worker, batch)
    run("UPDATE assignments_assignment SET lease_until = leased_at + interval '150 s'")
    assert beat(worker, lease)[0].final
    for attack in (
        "lease_until = leased_at + interval '150.001 s'",
        "leased_at = market_now() + interval '1 h', lease_until = market_now() + interval '1 h'",
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            run(f"UPDATE assignments_assignment SET {attack}")
    run("UPDATE assignments_assignment SET state = 'returned'")
    new_lease = (
        "INSERT INTO assignments_assignment (batch_id, task_id, worker_id, version_id, place, lease_no, leased_at,"
        " lease_until) SELECT batch_id, task_id, %s, version_id, 1, 1, market_now() + %s::interval,"
        " market_now() + %s::interval FROM assignments_assignment"
    )
    other = make.make_worker().pk
    for begins, ends, why in [("0 s", "151 s", "longer than"), ("1 h", "1 h 1 min", "begins now")]:
        with pytest.raises(IntegrityError, match=why), transaction.atomic():
            run(new_lease, [other, begins, ends])
    assert run(new_lease, [other, "0 s", "149 s"]) == 1


def test_a_lease_that_ran_out_is_not_prolonged(batch: Batch, worker: Worker, clock: Forward) -> None:
    [lease] = make.take(worker, batch)
    clock(seconds(61))
    lost = [Beat(lease.id, None, True)]
    # Whether somebody has noticed yet or not.
    assert beat(worker, lease) == lost
    with pytest.raises(IntegrityError, match="not extended"), transaction.atomic():
        run("UPDATE assignments_assignment SET lease_until = market_now() + interval '1 min'")
    expire(batch)
    assert beat(worker, lease) == lost


def test_an_old_token_prolongs_nothing_of_the_new_lease(batch: Batch, worker: Worker, clock: Forward) -> None:
    [old] = make.take(worker, batch)
    clock(seconds(61))
    expire(batch)
    [new] = make.take(worker, batch)
    assert (new.id, new.token == old.token) == (old.id, False)
    clock(seconds(30))
    assert beat(worker, old)[0].lease_until is None
    assert live_leases(worker.pk)[0].lease_until == new.lease_until
    assert beat(worker, new)[0].lease_until == new.lease_until + seconds(30) or close_to(
        beat(worker, new)[0].lease_until, new.lease_until + seconds(30)
    )


def test_nobody_prolongs_the_lease_of_another(batch: Batch, worker: Worker) -> None:
    [lease] = make.take(worker, batch)
    assert beat(make.make_worker(), lease) == [Beat(lease.id, None, True)]


def test_several_leases_are_told_apart_in_the_order_asked(worker: Worker, clock: Forward) -> None:
    batch = make.make_batch(tasks=3, time_limit_s=60, lease_max_s=600)
    first, second, third = make.take(worker, batch, 3)
    make.answer(worker, [second])
    clock(seconds(20))
    told = beat(worker, third, second, first)
    assert [one.assignment for one in told] == [third.id, second.id, first.id]
    assert [one.lease_until is None for one in told] == [False, True, False]


# --- drafts -------------------------------------------------------------------------------------------------------


def test_a_draft_comes_back_after_a_crash_an_expiry_and_on_another_device(
    batch: Batch, worker: Worker, clock: Forward
) -> None:
    [lease] = make.take(worker, batch)
    assert lease.draft is None
    save(worker, lease, {"label": "ca"})
    # The other device asks what he holds, and goes on with the same lease.
    [there] = live_leases(worker.pk)
    assert (there.draft, there.token) == ({"label": "ca"}, lease.token)
    save(worker, there, {"label": "cat", "note": "sleeps"})
    assert live_leases(worker.pk)[0].draft == {"label": "cat", "note": "sleeps"}
    # A claim tops up what is held, so it shows the draft too.
    assert make.take(worker, batch)[0].draft == {"label": "cat", "note": "sleeps"}

    clock(seconds(61))
    expire(batch)
    assert live_leases(worker.pk) == []
    [again] = make.take(worker, batch)
    assert (again.id, again.draft) == (lease.id, {"label": "cat", "note": "sleeps"})

    make.answer(worker, [again])
    assert not Draft.objects.exists()


def test_a_draft_prolongs_its_lease_as_a_heartbeat_does(batch: Batch, worker: Worker, clock: Forward) -> None:
    [lease] = make.take(worker, batch)
    clock(seconds(50))
    assert close_to(save(worker, lease, {}), lease.lease_until + seconds(50))
    clock(seconds(50))
    assert close_to(save(worker, lease, {}), lease.lease_until + seconds(90))


def test_a_draft_is_kept_even_after_the_lease_is_lost_and_then_prolongs_nothing(
    batch: Batch, worker: Worker, clock: Forward
) -> None:
    [lease] = make.take(worker, batch)
    clock(seconds(61))
    expire(batch)
    assert save(worker, lease, {"label": "cat"}) is None
    assert Assignment.objects.get().state == State.EXPIRED
    [again] = make.take(worker, batch)
    assert again.draft == {"label": "cat"}
    # The old device still types: what it says is kept, and moves nothing of the new lease.
    assert save(worker, again, {"label": "dog"}, token=lease.token) is None
    assert live_leases(worker.pk)[0].lease_until == again.lease_until


@pytest.mark.usefixtures("untold")
def test_what_is_submitted_takes_no_draft_any_more(batch: Batch, worker: Worker) -> None:
    [lease] = make.take(worker, batch)
    make.answer(worker, [lease])
    for state in ("submitted", "accepted"):
        assert Assignment.objects.get().state == state
        with pytest.raises(LeaseLost):
            save(worker, lease, {"label": "dog"})
        run("UPDATE assignments_assignment SET state = 'accepted', decided_at = market_now() WHERE state = 'submitted'")
    assert not Draft.objects.exists()


def test_a_draft_has_a_size_and_one_that_is_refused_changes_nothing(batch: Batch, worker: Worker) -> None:
    [lease] = make.take(worker, batch)
    room = DRAFT_BYTES_MAX - len('{"label": ""}')
    save(worker, lease, {"label": "x" * room})
    with pytest.raises(DraftInvalid):
        save(worker, lease, {"label": "x" * (room + 1)})
    assert Draft.objects.get().values == {"label": "x" * room}


def test_nobody_reads_or_writes_the_draft_of_another(batch: Batch, worker: Worker, clock: Forward) -> None:
    [lease] = make.take(worker, batch)
    save(worker, lease, {"label": "mine"})
    stranger = make.make_worker()
    with pytest.raises(NotFound):
        save(stranger, lease, {"label": "yours"})
    with pytest.raises(NotFound), one_transaction(principal="test"):
        save_draft(worker_id=stranger.pk, assignment=uuid4(), token=uuid4(), values={})
    clock(seconds(61))
    expire(batch)
    [theirs] = make.take(stranger, batch)
    assert theirs.draft is None
    assert Draft.objects.get().values == {"label": "mine"}


def test_a_draft_survives_a_return(batch: Batch, worker: Worker) -> None:
    [lease] = make.take(worker, batch)
    save(worker, lease, {"label": "cat"})
    with one_transaction(principal="test"):
        return_lease(worker_id=worker.pk, assignment=lease.id, token=lease.token, reason=ReturnReason.OTHER)
    assert save(worker, lease, {"label": "dog"}) is None
    assert Draft.objects.get().values == {"label": "dog"}


def test_drafts_are_forgotten_thirty_days_after_they_were_saved_last(
    batch: Batch, worker: Worker, clock: Forward
) -> None:
    [lease] = make.take(worker, batch)
    save(worker, lease, {"label": "old"})
    clock(timedelta(days=20))
    save(worker, lease, {"label": "newer"})
    clock(timedelta(days=29, hours=23))
    with one_transaction(principal="test"):
        forget_old()
    assert Draft.objects.get().values == {"label": "newer"}
    clock(timedelta(hours=1))
    with one_transaction(principal="test"):
        assert forget_old() >= 1
    assert not Draft.objects.exists()


def test_a_skip_is_counted_once_and_costs_nothing() -> None:
    worker, batch = make.make_worker(), make.make_batch(3)
    skipped, broken, _ = make.take(worker, batch, 3)

    for lease, reason in ((skipped, ReturnReason.SKIP), (skipped, ReturnReason.SKIP), (broken, ReturnReason.BROKEN)):
        with one_transaction(principal="test"):
            return_lease(worker_id=worker.pk, assignment=lease.id, token=lease.token, reason=reason)

    assert make.outcomes("kind, score") == [("skip", None)]
    assert rows("SELECT answers, evidence, alpha, beta FROM reputation_standing") == [(0, 0, 2.0, 1.0)]
