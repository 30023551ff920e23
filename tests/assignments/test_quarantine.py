"""Tasks that nobody completes: counted, taken out of the queue, and never given again (R19)."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from marketplace.batches.models import Batch, OpenPlace, Task
from marketplace.batches.queries import progress
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from tests import factories as make
from workers.assignments.commands.decide import apply_due
from workers.assignments.commands.leases import return_lease
from workers.assignments.errors import NothingToClaim
from workers.assignments.states import ReturnReason

pytestmark = pytest.mark.django_db
Forward = Callable[[timedelta], None]


def broken() -> list[str]:
    return [f"{f.name} {f.first}" for f in check_promises() if f.violations]


def give_up(batch: Batch, reason: ReturnReason = ReturnReason.BROKEN) -> None:
    """A worker takes the batch's only task and gives it back."""
    worker = make.make_worker()
    lease = make.take(worker, batch)[0]
    with one_transaction(principal="test"):
        return_lease(worker_id=worker.pk, assignment=lease.id, token=lease.token, reason=reason)


def test_enough_workers_who_give_a_task_up_put_it_into_quarantine() -> None:
    batch = make.make_batch(tasks=1, overlap=2, max_attempts=3)
    give_up(batch)
    give_up(batch, ReturnReason.TOO_HARD)
    task = Task.objects.get()
    assert (task.attempts, task.quarantined_at) == (2, None)
    give_up(batch)
    task.refresh_from_db()
    assert task.quarantined_at is not None
    assert not OpenPlace.objects.exists()
    assert progress(batch).quarantined == 1
    with pytest.raises(NothingToClaim):
        make.take(make.make_worker(), batch)
    assert broken() == []


def test_leases_that_run_out_count_once_for_each_worker(clock: Forward) -> None:
    batch = make.make_batch(tasks=1, overlap=1, max_attempts=2, time_limit_s=60)
    worker = make.make_worker()
    for _again in range(3):
        make.take(worker, batch)
        clock(timedelta(seconds=61))
        with one_transaction(principal="test"):
            apply_due(batch_id=batch.pk)
    assert Task.objects.get().attempts == 1
    make.take(make.make_worker(), batch)
    clock(timedelta(seconds=61))
    with one_transaction(principal="test"):
        apply_due(batch_id=batch.pk)
    assert Task.objects.get().quarantined_at is not None
    assert broken() == []


def test_skips_say_nothing_about_a_task() -> None:
    batch = make.make_batch(tasks=1, overlap=1, max_attempts=2)
    for _worker in range(6):
        give_up(batch, ReturnReason.SKIP)
    task = Task.objects.get()
    assert (task.attempts, task.quarantined_at) == (0, None)
    assert broken() == []


def test_who_holds_a_place_of_a_quarantined_task_may_finish_it() -> None:
    batch = make.make_batch(tasks=1, overlap=2, max_attempts=1)
    early = make.make_worker()
    lease = make.take(early, batch)
    give_up(batch)
    assert make.answer(early, lease).outcomes[0].outcome == "submitted"
    assert broken() == []
