"""Tasks that nobody completes: counted, taken out of the queue, refunded, and given again only when released (R19)."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from marketplace.batches.commands.lifecycle import close_batch, pause_batch, resume_batch
from marketplace.batches.errors import WrongState
from marketplace.batches.models import Batch, Reservation, Task
from marketplace.batches.queries import progress
from marketplace.batches.states import BatchState, PauseReason
from marketplace.common.database import rows, run, value
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from marketplace.ledger.addresses import escrow_of
from marketplace.ledger.errors import NotEnough
from marketplace.ledger.queries import balance
from tests import factories as make
from tests.acts import broken, in_one
from workers.assignments.commands.decide import accept_answers, apply_due, finish_batch, reject_answers
from workers.assignments.commands.leases import return_lease
from workers.assignments.commands.pay import settle_due
from workers.assignments.commands.quarantine import pause_if_broken, refund_quarantined, release_tasks
from workers.assignments.errors import NothingToClaim, NotInBatch
from workers.assignments.models import Assignment
from workers.assignments.poison import SpikePolicy
from workers.assignments.states import RejectReason, ReturnReason
from workers.assignments.tasks import finish_batches
from workers.assignments.tasks import refund_quarantined as refund_sweep

pytestmark = pytest.mark.django_db
Forward = Callable[[timedelta], None]
UNIT = make.PRICE + make.FEE


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
    assert make.queue() == []
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


# --- refunds ------------------------------------------------------------------------------------------------------


def escrow(batch: Batch) -> int:
    return balance(escrow_of(batch.public_id), "EUR")


def kinds(batch: Batch) -> list[tuple[str, int]]:
    return rows("SELECT kind, amount_micros FROM ledger_transfer WHERE batch_id = %s ORDER BY id", [batch.pk])


def test_a_quarantined_task_is_refunded_place_by_place_and_each_place_once() -> None:
    batch = make.make_batch(tasks=1, overlap=3, max_attempts=1)
    early = make.make_worker()
    lease = make.take(early, batch)
    give_up(batch)
    before = make.funds(batch)

    assert in_one(refund_quarantined) == 1
    assert in_one(refund_quarantined) == 0

    task = Task.objects.get()
    assert (task.taken, task.refunded) == (1, 2)
    assert make.funds(batch) - before == 2 * UNIT
    assert escrow(batch) == UNIT
    assert broken() == []
    assert rows("SELECT body FROM common_outbox WHERE kind = 'TasksQuarantined'") == [
        ({"batch_id": batch.pk, "task_ids": [task.pk]},)
    ]

    make.answer(early, lease)
    rejected = [Assignment.objects.get(state="submitted").public_id]
    in_one(
        reject_answers,
        batch_id=batch.pk,
        assignments=rejected,
        reason=RejectReason.WRONG,
        comment="No cat.",
        made_by=make.owner_of(batch.requester).pk,
    )
    assert make.queue() == []
    assert broken() == []
    assert in_one(refund_quarantined, batch_id=batch.pk) == 1
    assert (make.funds(batch) - before, escrow(batch)) == (3 * UNIT, 0)
    assert progress(batch).refunded_micros == 3 * UNIT
    assert rows("SELECT count(*) FROM common_outbox WHERE kind = 'TasksQuarantined'") == [(1,)]
    assert broken() == []


def test_a_settlement_returns_exactly_the_rest_whether_refunds_came_before_it_or_not() -> None:
    for refunded_before in (True, False):
        batch = make.make_batch(tasks=2, overlap=1, max_attempts=1)
        before = make.funds(batch)
        worker = make.make_worker()
        give_up(batch)
        make.answer(worker, make.take(worker, batch))
        in_one(accept_answers, batch_id=batch.pk, assignments=None)
        if refunded_before:
            assert in_one(refund_quarantined, batch_id=batch.pk) == 1
        assert in_one(finish_batch, batch_id=batch.pk)
        in_one(settle_due)
        # What nobody can earn any more goes back first, and then it settles.
        assert in_one(finish_batch, batch_id=batch.pk) is refunded_before
        in_one(finish_batch, batch_id=batch.pk)
        batch.refresh_from_db()
        assert batch.state == BatchState.SETTLED
        assert (make.funds(batch) - before, escrow(batch)) == (UNIT, 0)
        assert broken() == []
        # What is due of a settled batch is nothing: its escrow went back as a whole.
        in_one(refund_quarantined)
        assert (make.funds(batch) - before, escrow(batch)) == (UNIT, 0)
        assert [kind for kind, _ in kinds(batch)].count("quarantine") == refunded_before
        assert broken() == []


def test_the_sweep_refunds_before_it_settles() -> None:
    batch = make.make_batch(tasks=1, overlap=2, max_attempts=1)
    give_up(batch)
    finish_batches()
    finish_batches()
    batch.refresh_from_db()
    assert batch.state == BatchState.SETTLED
    assert kinds(batch) == [("hold", 2 * UNIT), ("quarantine", 2 * UNIT)]
    assert broken() == []


def test_the_runtime_role_can_refund_open_places_of_quarantined_tasks_only() -> None:
    batch = make.make_batch(tasks=2, overlap=2, max_attempts=1)
    give_up(batch)
    for attack in ("refunded = 1", "attempts = 0", "quarantined_at = NULL"):
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            run(f"UPDATE batches_task SET {attack}")
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        run("UPDATE assignments_quarantine SET due = false")
    healthy = Task.objects.get(quarantined_at=None)
    sick = Task.objects.exclude(quarantined_at=None).get()
    found = rows("SELECT task_id, places FROM assignments_refund(%s)", [[healthy.pk, sick.pk]])
    assert found == [(sick.pk, 2)]
    assert rows("SELECT task_id FROM assignments_refund(%s)", [[healthy.pk, sick.pk]]) == []
    # Refunded without the money having moved: the checkers see it.
    assert {f.name for f in check_promises() if f.violations} == {"inv_r06", "inv_r19_money"}


# --- release ------------------------------------------------------------------------------------------------------


def test_a_released_task_is_held_for_again_and_given_to_others() -> None:
    batch = make.make_batch(tasks=1, overlap=2, max_attempts=2)
    before = make.funds(batch)
    give_up(batch)
    give_up(batch)
    in_one(refund_quarantined)
    assert in_one(release_tasks, batch_id=batch.pk, tasks=["t0"]) == 1
    assert in_one(release_tasks, batch_id=batch.pk, tasks=["t0"]) == 0
    task = Task.objects.get()
    assert (task.attempts, task.quarantined_at, task.refunded) == (0, None, 0)
    assert (make.funds(batch), escrow(batch)) == (before, 2 * UNIT)
    assert (progress(batch).quarantined, progress(batch).refunded_micros) == (0, 0)
    assert broken() == []

    # And once more, for keys of refunds and holds must differ from the first ones.
    give_up(batch)
    give_up(batch)
    assert in_one(refund_quarantined) == 1
    assert (make.funds(batch) - before, escrow(batch)) == (2 * UNIT, 0)
    assert broken() == []
    assert in_one(release_tasks, batch_id=batch.pk, tasks=["t0"]) == 1
    assert broken() == []
    worker = make.make_worker()
    make.answer(worker, make.take(worker, batch))
    assert broken() == []
    assert [kind for kind, _ in kinds(batch)] == ["hold", "quarantine", "rehold", "quarantine", "rehold"]


def test_a_release_before_the_refund_moves_no_money() -> None:
    batch = make.make_batch(tasks=1, overlap=1, max_attempts=1)
    give_up(batch)
    assert in_one(release_tasks, batch_id=batch.pk, tasks=["t0"]) == 1
    assert in_one(refund_quarantined) == 0
    assert kinds(batch) == [("hold", UNIT)]
    assert len(make.queue()) == 1
    assert broken() == []


def test_a_release_needs_the_money_and_changes_nothing_without_it() -> None:
    requester = make.make_requester(funds_micros=2 * UNIT)
    batch = make.make_batch(tasks=1, overlap=2, max_attempts=1, project=make.make_project(requester))
    give_up(batch)
    in_one(refund_quarantined)
    make.make_batch(tasks=1, overlap=1, project=make.make_project(requester))
    with pytest.raises(NotEnough) as refused:
        in_one(release_tasks, batch_id=batch.pk, tasks=["t0"])
    assert refused.value.facts["missing_micros"] == UNIT
    assert Task.objects.get(batch=batch).quarantined_at is not None
    assert broken() == []


def test_what_is_not_in_the_batch_or_whose_batch_is_over_is_not_released() -> None:
    batch = make.make_batch(tasks=2, overlap=1, max_attempts=1)
    give_up(batch)
    with pytest.raises(NotInBatch) as refused:
        in_one(release_tasks, batch_id=batch.pk, tasks=["t0", "nothing"])
    assert refused.value.facts["tasks"] == ["nothing"]
    in_one(close_batch, batch_id=batch.pk)
    with pytest.raises(WrongState):
        in_one(release_tasks, batch_id=batch.pk, tasks=["t0"])
    with pytest.raises(IntegrityError, match="takes no work"), transaction.atomic():
        rows("SELECT * FROM assignments_release(%s, %s)", [batch.pk, list(Task.objects.values_list("pk", flat=True))])


def test_a_released_task_that_is_reserved_goes_back_to_its_workers() -> None:
    batch = make.make_draft(overlap=2, max_attempts=1)
    one, two = make.make_worker(), make.make_worker()
    make.add_rows(batch, make.rows(1))
    with one_transaction(principal="test"):
        from workers.profiles.commands import pseudonyms

        names = pseudonyms(requester_id=batch.requester_id, worker_ids=[one.pk, two.pk])
    make.add_rows(batch, [{"external_id": "r0", "data": {"text": "yours"}, "reserved_for": list(names.values())}])
    make.published(batch)
    lease = next(lease for lease in make.take(one, batch, 2) if lease.data["text"] == "yours")
    in_one(return_lease, worker_id=one.pk, assignment=lease.id, token=lease.token, reason=ReturnReason.BROKEN)
    in_one(refund_quarantined)
    assert [lease.data["text"] for lease in make.take(two, batch, 2)] != ["yours"]
    assert in_one(release_tasks, batch_id=batch.pk, tasks=["r0"]) == 1
    assert set(Reservation.objects.filter(open=True).values_list("worker_id", flat=True)) == {two.pk}
    assert "yours" in [lease.data["text"] for lease in make.take(two, batch, 2)]
    assert broken() == []


# --- spikes -------------------------------------------------------------------------------------------------------


def spoil(batch: Batch, tasks: int) -> None:
    for _task in range(tasks):
        give_up(batch)


def test_many_broken_tasks_pause_the_batch_and_what_was_done_is_paid(clock: Forward) -> None:
    batch = make.make_batch(tasks=30, overlap=1, max_attempts=1, auto_accept_s=60)
    worker = make.make_worker()
    page = make.take(worker, batch, 5)
    make.answer(worker, page[:4])
    spoil(batch, 9)
    refund_sweep()
    batch.refresh_from_db()
    assert batch.state == BatchState.PUBLISHED
    spoil(batch, 1)
    refund_sweep()
    batch.refresh_from_db()
    assert (batch.state, batch.pause_reason) == (BatchState.PAUSED, PauseReason.BROKEN_TASKS)
    assert value("SELECT body FROM common_outbox WHERE kind = 'BatchPaused'")["reason"] == "broken_tasks"
    assert Task.objects.filter(refunded=1).count() == 10

    # The page that was out may still be handed in, and everything is accepted at its deadline, and paid.
    assert make.answer(worker, page[4:]).outcomes[0].outcome == "submitted"
    clock(timedelta(seconds=61))
    in_one(apply_due, batch_id=batch.pk)
    assert in_one(settle_due) == 5
    assert progress(batch).paid_micros == 5 * make.PRICE
    assert broken() == []


def test_a_resumed_batch_is_paused_again_by_as_many_again_only() -> None:
    batch = make.make_batch(tasks=60, overlap=1, max_attempts=1)
    policy = SpikePolicy(tasks_min=3, share_min=0.2)
    spoil(batch, 4)
    assert in_one(pause_if_broken, batch_id=batch.pk, policy=policy)
    assert not in_one(pause_if_broken, batch_id=batch.pk, policy=policy)
    in_one(resume_batch, batch_id=batch.pk)
    spoil(batch, 3)
    assert not in_one(pause_if_broken, batch_id=batch.pk, policy=policy)
    spoil(batch, 1)
    assert in_one(pause_if_broken, batch_id=batch.pk, policy=policy)
    in_one(resume_batch, batch_id=batch.pk)

    # Those that were released were not broken: eight were seen, and one of them counts no more.
    gone = list(Task.objects.exclude(quarantined_at=None).values_list("external_id", flat=True))
    assert in_one(release_tasks, batch_id=batch.pk, tasks=gone[:7]) == 7
    spoil(batch, 1)
    assert not in_one(pause_if_broken, batch_id=batch.pk, policy=policy)
    spoil(batch, 1)
    assert in_one(pause_if_broken, batch_id=batch.pk, policy=policy)


def test_a_batch_that_is_paused_already_keeps_its_reason() -> None:
    batch = make.make_batch(tasks=20, overlap=1, max_attempts=1)
    spoil(batch, 12)
    in_one(pause_batch, batch_id=batch.pk)
    refund_sweep()
    batch.refresh_from_db()
    assert (batch.pause_reason, Task.objects.filter(refunded=1).count()) == (PauseReason.MANUAL, 12)
