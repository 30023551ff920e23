"""Refunds, releases and settlements of quarantined tasks, all at once."""

from collections.abc import Callable
from typing import Any

from marketplace.batches.commands.lifecycle import close_batch
from marketplace.batches.errors import WrongState
from marketplace.batches.models import Batch
from marketplace.batches.states import BatchState
from marketplace.ledger.addresses import escrow_of
from marketplace.ledger.queries import balance
from tests import factories as make
from tests.acts import broken, in_one
from workers.assignments.commands.decide import finish_batch
from workers.assignments.commands.leases import return_lease
from workers.assignments.commands.quarantine import refund_quarantined, release_tasks
from workers.assignments.states import ReturnReason

UNIT = make.PRICE + make.FEE


def give_up(batch: Batch) -> None:
    worker = make.make_worker()
    lease = make.take(worker, batch)[0]
    in_one(return_lease, worker_id=worker.pk, assignment=lease.id, token=lease.token, reason=ReturnReason.BROKEN)


def escrow(batch: Batch) -> int:
    return balance(escrow_of(batch.public_id), "EUR")


def test_refunds_and_settlements_at_once_pay_back_every_place_once(
    committed: str, together: Callable[..., list[Any]]
) -> None:
    batches = [make.make_batch(tasks=6, overlap=2, max_attempts=1) for _ in range(2)]
    before = [make.funds(batch) for batch in batches]
    for batch in batches:
        for _task in range(6):
            give_up(batch)
    for batch in batches:
        in_one(close_batch, batch_id=batch.pk)

    def refund() -> int:
        return in_one(refund_quarantined, limit=2)

    settle = [lambda pk=batch.pk: in_one(finish_batch, batch_id=pk) for batch in batches]
    outcomes = together([refund] * 6 + settle * 2)

    assert [outcome for outcome in outcomes if isinstance(outcome, BaseException)] == []
    while refund():
        pass
    assert [make.funds(batch) - was for batch, was in zip(batches, before, strict=True)] == [12 * UNIT] * 2
    assert [escrow(batch) for batch in batches] == [0, 0]
    assert broken() == []


def test_a_batch_does_not_close_while_a_task_is_released(committed: str, together: Callable[..., list[Any]]) -> None:
    batch = make.make_batch(tasks=1, overlap=1, max_attempts=1)
    give_up(batch)
    in_one(refund_quarantined)
    outcomes = together(
        [
            lambda: in_one(release_tasks, batch_id=batch.pk, tasks=["t0"]),
            lambda: in_one(finish_batch, batch_id=batch.pk),
        ]
    )
    batch.refresh_from_db()
    assert outcomes[0] == 1 or isinstance(outcomes[0], WrongState)
    assert (batch.state == BatchState.PUBLISHED) == (outcomes[0] == 1)
    assert broken() == []


def test_refunds_and_releases_at_once_keep_the_books(committed: str, together: Callable[..., list[Any]]) -> None:
    batch = make.make_batch(tasks=8, overlap=2, max_attempts=1)
    before = make.funds(batch)
    for _round in range(3):
        for _task in range(8):
            give_up(batch)
        outcomes = together(
            [lambda: in_one(refund_quarantined, limit=3)] * 3
            + [lambda: in_one(release_tasks, batch_id=batch.pk, tasks=[f"t{n}" for n in range(8)])] * 2
        )
        assert [outcome for outcome in outcomes if isinstance(outcome, BaseException)] == []
        assert sum(outcomes[3:]) == 8
        assert (make.funds(batch), escrow(batch)) == (before, 16 * UNIT)
        assert broken() == []
