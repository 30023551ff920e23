"""Who holds what while he waits, and who waits for whom: another connection holds a row, and a third one looks.

The order is worker → batch → task → assignment → accounts. A race finds a wrong order now and then, these always.
"""

import threading
from collections.abc import Callable
from itertools import permutations
from typing import Any

import psycopg
import pytest

from marketplace.batches.commands.lifecycle import close_batch
from marketplace.batches.errors import BatchNotOpen
from marketplace.batches.models import Batch, Task
from marketplace.common.database import rows
from marketplace.common.transactions import one_transaction
from marketplace.ledger.commands import Move, move
from tests import factories as make
from tests.acts import broken
from tests.conftest import owner_connection
from tests.races.waiting import PATIENCE_S, until_somebody_waits
from workers.assignments.commands.decide import reject_answers
from workers.assignments.commands.leases import return_lease
from workers.assignments.errors import NothingToClaim
from workers.assignments.models import Assignment
from workers.assignments.queries import LeasedTask
from workers.assignments.states import RejectReason
from workers.profiles.models import Worker

Together = Callable[..., list[Any]]


def seen_while_it_waits(
    as_owner: psycopg.Connection[Any],
    together: Together,
    *,
    held: str,
    action: Callable[[], Any],
    look: Callable[[], Any],
) -> tuple[Any, Any]:
    """Hold a statement's rows, start the action, look once it waits, let go: what it returned and what was seen."""

    def watch() -> Any:
        try:
            until_somebody_waits()
            return look()
        finally:
            as_owner.execute("COMMIT")

    as_owner.execute("BEGIN")
    as_owner.execute(held)
    returned, seen = together([action, watch])
    for result in (returned, seen):
        if isinstance(result, Exception):
            raise result
    return returned, seen


def reject(batch: Batch, _worker: Worker, lease: LeasedTask) -> int:
    with one_transaction(principal="test"):
        return reject_answers(
            batch_id=batch.pk,
            assignments=[lease.id],
            reason=RejectReason.WRONG,
            comment="No cat.",
            made_by=make.owner_of(batch.requester).pk,
        )


def give_back(_batch: Batch, worker: Worker, lease: LeasedTask) -> None:
    with one_transaction(principal="test"):
        return_lease(worker_id=worker.pk, assignment=lease.id, token=lease.token)


@pytest.mark.parametrize("action", [reject, give_back])
def test_a_step_that_opens_a_place_waits_for_the_task_and_holds_no_assignment_meanwhile(
    committed: str, as_owner: psycopg.Connection[Any], together: Together, action: Callable[..., Any]
) -> None:
    batch, worker = make.make_batch(tasks=1, overlap=1), make.make_worker()
    lease = make.take(worker, batch)[0]
    if action is reject:
        make.answer(worker, [lease])
    _, free = seen_while_it_waits(
        as_owner,
        together,
        held="SELECT 1 FROM batches_task FOR NO KEY UPDATE",
        action=lambda: action(batch, worker, lease),
        look=lambda: rows("SELECT state FROM assignments_assignment FOR NO KEY UPDATE SKIP LOCKED"),
    )
    assert len(free) == 1
    assert Assignment.objects.get().state in ("rejected", "returned")
    assert broken() == []


def test_a_payment_locks_its_accounts_by_id_wherever_they_lie(
    committed: str, as_owner: psycopg.Connection[Any], together: Together
) -> None:
    names = [f"worker:{letter}:earned" for letter in "abcd"]

    def pay(key: str, source: str, destination: str) -> int:
        with one_transaction(principal="test"):
            return move([Move(key, "test", source, destination, "EUR", 1)])

    for name in names:
        for turn in range(9):
            pay(f"d:{name}:{turn}", "outside:bank", name)
    ids = dict(rows("SELECT address, id FROM ledger_account"))
    assert [ids[name] for name in names] == sorted(ids[name] for name in names)

    def is_free(name: str) -> bool:
        with owner_connection(committed) as other:
            looked = other.execute(
                "SELECT 1 FROM ledger_account WHERE id = %s FOR NO KEY UPDATE SKIP LOCKED", [ids[name]]
            )
            return looked.fetchone() is not None

    for source, destination in permutations(names, 2):
        low, high = sorted((source, destination))
        # A row that was just written lies behind the others: who takes rows as they lie comes to the higher id first.
        pay(f"m:{source}:{destination}", "outside:bank", low)
        _, high_is_free = seen_while_it_waits(
            as_owner,
            together,
            held=f"SELECT 1 FROM ledger_account WHERE id = {ids[low]} FOR NO KEY UPDATE",
            action=lambda s=source, d=destination: pay(f"p:{s}:{d}", s, d),
            look=lambda h=high: is_free(h),
        )
        assert high_is_free, f"{source} → {destination} holds {high} and waits for {low}"
    assert broken() == []


def test_a_claim_waits_for_a_batch_that_is_being_closed_and_leases_nothing_of_it(
    committed: str, together: Together
) -> None:
    batch, worker = make.make_batch(tasks=3), make.make_worker()
    closed, claimed = threading.Event(), threading.Event()

    def close() -> None:
        with one_transaction(principal="test"):
            close_batch(batch_id=batch.pk)
            closed.set()
            until_somebody_waits(or_else=claimed.is_set)

    def take() -> Any:
        assert closed.wait(PATIENCE_S)
        try:
            return make.take(worker, batch)
        finally:
            claimed.set()

    outcome = together([close, take])
    assert outcome[0] is None, outcome
    assert isinstance(outcome[1], BatchNotOpen), outcome
    assert not Assignment.objects.exists()


def test_a_task_that_a_walk_passed_because_it_was_held_is_offered_when_it_is_free(
    committed: str, as_owner: psycopg.Connection[Any]
) -> None:
    batch, worker = make.make_batch(tasks=6, overlap=2), make.make_worker()
    held = Task.objects.filter(batch=batch).values_list("pk", flat=True)[2]
    as_owner.execute("BEGIN")
    as_owner.execute("SELECT 1 FROM batches_task WHERE id = %s FOR NO KEY UPDATE", [held])
    assert len(make.take(worker, batch, 6)) == 5
    as_owner.execute("COMMIT")
    assert len(make.take(worker, batch, 6)) == 6
    assert Assignment.objects.filter(task_id=held, worker=worker).count() == 1
    assert rows("SELECT * FROM assignments_missed") == []


def test_a_claim_that_finds_only_held_tasks_waits_for_them(
    committed: str, as_owner: psycopg.Connection[Any], together: Together
) -> None:
    batch, worker = make.make_batch(tasks=1, overlap=2), make.make_worker()
    leases, waited = seen_while_it_waits(
        as_owner,
        together,
        held="SELECT 1 FROM batches_task FOR NO KEY UPDATE",
        action=lambda: make.take(worker, batch),
        look=lambda: not Assignment.objects.exists(),
    )
    assert (len(leases), waited) == (1, True)


def test_a_walk_passes_no_place_that_reopened_earlier_and_appears_later(committed: str, together: Together) -> None:
    """Two places reopen; the transaction of the first is slow, and in between a worker walks to the queue's end."""
    batch = make.make_batch(tasks=2, overlap=1)
    slow, quick, walker = make.make_worker(), make.make_worker(), make.make_worker()
    first, second = make.take(slow, batch)[0], make.take(quick, batch)[0]
    with pytest.raises(NothingToClaim):
        make.take(walker, batch)
    first_reopened, second_reopened, walked = threading.Event(), threading.Event(), threading.Event()

    def reopen_first() -> None:
        with one_transaction(principal="test"):
            return_lease(worker_id=slow.pk, assignment=first.id, token=first.token)
            first_reopened.set()
            assert walked.wait(PATIENCE_S)

    def reopen_second() -> None:
        assert first_reopened.wait(PATIENCE_S)
        give_back(batch, quick, second)
        second_reopened.set()

    def walk() -> int:
        try:
            assert first_reopened.wait(PATIENCE_S)
            until_somebody_waits(or_else=second_reopened.is_set)
            return len(make.take(walker, batch, 1))
        except NothingToClaim:
            return 0
        finally:
            walked.set()

    outcome = together([reopen_first, reopen_second, walk])
    assert outcome[:2] == [None, None], outcome
    assert len(make.take(walker, batch, 2)) == 2
    assert broken() == []
