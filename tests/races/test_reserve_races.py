"""Steps that give money back, put it aside or pay it besides the price, each beside another at its worst (R6, R8)."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connections

from marketplace.batches.commands.lifecycle import close_batch
from marketplace.batches.locks import batch_for_update
from marketplace.batches.models import Batch
from marketplace.common.database import rows, run
from marketplace.common.transactions import one_transaction
from marketplace.ledger.addresses import disputes_of, funds_of
from marketplace.ledger.commands import Move, move
from marketplace.ledger.queries import balance
from tests import factories as make
from tests.acts import broken_views, in_one
from workers.assignments import tasks
from workers.assignments.commands import decide, reserves, uphold
from workers.assignments.commands.extras import pay_bonus
from workers.assignments.commands.pay import settle_due
from workers.assignments.models import Assignment
from workers.assignments.queries import disputes_over
from workers.assignments.states import RejectReason

pytestmark = pytest.mark.committed
Forward = Callable[[timedelta], None]
UNIT = make.PRICE + make.FEE


def beside(work: Callable[[], Any]) -> None:
    """Do it in another session, to its end."""
    failed: list[BaseException] = []

    def thread() -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)
        finally:
            connections.close_all()

    other = threading.Thread(target=thread)
    other.start()
    other.join(20)
    assert not other.is_alive()
    if failed:
        raise failed[0]


def settled(rejected: int, **terms: Any) -> tuple[Batch, list[Assignment]]:
    """A settled batch whose answers were all rejected."""
    batch = make.make_batch(tasks=rejected, overlap=1, **terms)
    worker = make.make_worker()
    make.answer(worker, make.take(worker, batch, rejected))
    answers = list(Assignment.objects.filter(batch=batch).order_by("pk"))
    in_one(
        decide.reject_answers,
        batch_id=batch.pk,
        assignments=[answer.public_id for answer in answers],
        reason=RejectReason.WRONG,
        comment="No cat.",
        made_by=make.owner_of(batch.requester).pk,
    )
    in_one(close_batch, batch_id=batch.pk)
    for _again in range(3):
        in_one(decide.finish_batch, batch_id=batch.pk)
    batch.refresh_from_db()
    assert batch.settled_at is not None
    return batch, answers


def undo(batch: Batch, *answers: Assignment) -> int:
    named = [answer.public_id for answer in answers]
    staff = make.make_user()
    return int(
        in_one(uphold.uphold_answers, batch_id=batch.pk, assignments=named, made_by=staff.pk, reason="It was right.")
    )


def test_what_is_paid_while_it_is_counted_is_neither_kept_nor_taken_twice(
    committed: str, clock: Forward, monkeypatch: pytest.MonkeyPatch
) -> None:
    for when in ("before", "after"):
        batch, answers = settled(4, dispute_basis_points=10_000)
        undo(batch, answers[0])
        clock(timedelta(days=15))
        free = balance(funds_of(batch.requester.public_id), "EUR")
        counted = reserves.disputes_free

        def count(batch_id: int, when: str = when, counted: Callable[[int], int] = counted) -> int:
            if when == "before":
                beside(lambda: in_one(settle_due))
            found = counted(batch_id)
            if when == "after":
                beside(lambda: in_one(settle_due))
            return found

        with monkeypatch.context() as patch:
            patch.setattr(reserves, "disputes_free", count)
            assert in_one(reserves.release_disputes, batch_id=batch.pk)
        in_one(settle_due)
        assert balance(disputes_of(batch.public_id), "EUR") == 0
        assert balance(funds_of(batch.requester.public_id), "EUR") == free + 3 * UNIT

        # Now nothing lies aside, and the requester pays for exactly what is undone.
        undo(batch, answers[1])
        with monkeypatch.context() as patch:
            patch.setattr(uphold, "disputes_free", count)
            undo(batch, answers[2])
        in_one(settle_due)
        assert balance(disputes_of(batch.public_id), "EUR") == 0
        assert balance(funds_of(batch.requester.public_id), "EUR") == free + UNIT
        assert broken_views() == []


def test_a_bonus_holds_its_batch_before_it_locks_any_account(committed: str) -> None:
    batch = make.make_batch(tasks=1, overlap=1)
    worker = make.make_worker()
    make.answer(worker, make.take(worker, batch))
    holds, paid = threading.Event(), threading.Event()

    def finish() -> None:
        with one_transaction(principal="finish"):
            batch_for_update(batch.pk)
            holds.set()
            assert not paid.wait(0.5), "it must wait for the batch"
            source, funds = "outside:bank", funds_of(batch.requester.public_id)
            move([Move("beside", "test", source, funds, "EUR", 1)])

    def bonus() -> None:
        assert holds.wait(10)
        in_one(
            pay_bonus,
            batch_id=batch.pk,
            worker_id=worker.pk,
            amount_micros=5,
            reason="good",
            reference="one",
            made_by=worker.user_id,
        )
        paid.set()

    giver = threading.Thread(target=lambda: beside(bonus))
    giver.start()
    beside(finish)
    giver.join(20)
    assert paid.is_set()
    assert broken_views() == []


def test_what_is_moved_for_an_undone_rejection_is_moved_at_once(
    committed: str, clock: Forward, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two groups in one transaction would lock accounts twice, in no order that others could follow."""
    terms = {"target_hourly_micros": 10**9, "topup_basis_points": 10_000}
    batch = make.make_batch(tasks=2, overlap=1, **terms)
    worker = make.make_worker()
    lease = make.take(worker, batch, 2)
    clock(timedelta(seconds=60))
    make.answer(worker, lease)
    first, second = Assignment.objects.order_by("pk")
    in_one(decide.accept_answers, batch_id=batch.pk, assignments=[first.public_id])
    in_one(
        decide.reject_answers,
        batch_id=batch.pk,
        assignments=[second.public_id],
        reason=RejectReason.WRONG,
        comment="No cat.",
        made_by=make.owner_of(batch.requester).pk,
    )
    in_one(close_batch, batch_id=batch.pk)
    for _again in range(6):
        in_one(settle_due)
        in_one(decide.finish_batch, batch_id=batch.pk)
    batch.refresh_from_db()
    assert batch.state == "settled"
    groups: list[int] = []
    monkeypatch.setattr(uphold, "move", lambda moves: groups.append(len(moves)) or move(moves))
    undo(batch, second)
    assert groups == [3] or groups == [4], "aside for the top-up, the top-up, its fee; and what was missing"
    in_one(settle_due)
    assert broken_views() == []


def test_a_batch_that_cannot_be_finished_does_not_stand_in_the_way_of_others(
    committed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, fine = (make.make_batch(tasks=1, overlap=1) for _ in range(2))
    for batch in (stuck, fine):
        in_one(close_batch, batch_id=batch.pk)

    def finish(batch_id: int) -> bool:
        if batch_id == stuck.pk:
            raise IntegrityError("not this one")
        return decide.finish_batch(batch_id=batch_id)

    monkeypatch.setattr(tasks, "finish_batch", finish)
    for _again in range(2):
        tasks.finish_batches()
    fine.refresh_from_db()
    stuck.refresh_from_db()
    assert (fine.state, stuck.state) == ("settled", "closing")


def test_money_that_was_forgotten_aside_is_found(committed: str, clock: Forward) -> None:
    settled(2, dispute_basis_points=10_000)
    clock(timedelta(days=15))
    assert broken_views() == []
    run("UPDATE assignments_reserve SET disputes_released_at = market_now()")
    assert broken_views() == ["inv_r06_disputes"]
    assert disputes_over(10) == []


@pytest.mark.usefixtures("untold")
def test_a_bonus_that_went_to_somebody_else_is_found(committed: str) -> None:
    batch = make.make_batch(tasks=1, overlap=1)
    worker, other = make.make_worker(), make.make_worker()
    make.answer(worker, make.take(worker, batch))
    with one_transaction(principal="test"):
        ((public_id, fee),) = _given(batch, worker.pk)
        source = funds_of(batch.requester.public_id)
        move(
            [
                Move(f"bonus:{public_id}", "bonus", source, f"worker:{other.public_id}:earned", "EUR", 50, batch.pk),
                Move(f"bonus-fee:{public_id}", "fee", source, "platform:fees", "EUR", fee, batch.pk),
            ]
        )
    assert broken_views() == ["inv_r05_extra"]


def _given(batch: Batch, worker_id: int) -> list[tuple[Any, int]]:
    by = batch.requester.members.get().user_id
    return rows(
        "SELECT public_id, fee_micros FROM assignments_give_bonus(%s, %s, 'x', 50, 'good', %s)",
        [batch.pk, worker_id, by],
    )
