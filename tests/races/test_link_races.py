"""Accounts are linked while both of them claim: after that no task is answered by both, and nothing deadlocks."""

from collections.abc import Callable
from typing import Any

from marketplace.accounts.commands import ensure_staff
from marketplace.common.database import rows, value
from marketplace.common.errors import DomainError
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from tests import factories as make
from workers.assignments.errors import NothingToClaim
from workers.profiles.commands.links import end_link, link_accounts
from workers.profiles.models import Link, Worker

Together = Callable[..., list[Any]]
BOTH = (
    "SELECT a.task_id FROM assignments_assignment a JOIN assignments_assignment b"
    " ON b.task_id = a.task_id AND b.worker_id > a.worker_id"
    " WHERE greatest(a.leased_at, b.leased_at) > (SELECT max(made_at) FROM profiles_link)"
)


def test_no_task_is_taken_by_both_accounts_once_they_are_linked(committed: str, together: Together) -> None:
    with one_transaction(principal="test"):
        by = ensure_staff(email=make.make_user().email).pk
    for _ in range(5):
        batch = make.make_batch(tasks=30, overlap=3, lease_cap=10)
        workers = [make.make_worker() for _ in range(3)]

        def work(worker: Worker, batch: Any = batch) -> None:
            for _ in range(30):
                try:
                    make.answer(worker, make.take(worker, batch, 1))
                except NothingToClaim:
                    return

        def join(workers: list[Worker] = workers) -> None:
            with one_transaction(principal="test"):
                link_accounts(workers=[worker.public_id for worker in workers], reason="one phone", by=by)

        done = together([*[lambda one=worker: work(one) for worker in workers], join])
        assert [one for one in done if one is not None] == []
        assert rows(BOTH) == []
        assert [finding.name for finding in check_promises() if finding.violations] == []
    assert value("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0


def test_links_that_are_made_and_ended_at_once_leave_persons_that_follow_them(
    committed: str, together: Together
) -> None:
    with one_transaction(principal="test"):
        by = ensure_staff(email=make.make_user().email).pk
    batch = make.make_batch(tasks=60, overlap=3)
    workers = [make.make_worker() for _ in range(5)]

    def shuffle(turn: int) -> None:
        for step in range(8):
            pair = [workers[(turn + step) % 5], workers[(turn + 2 * step + 1) % 5]]
            try:
                with one_transaction(principal="test"):
                    made = link_accounts(workers=[one.public_id for one in pair], reason="r", by=by)
                if step % 2:
                    with one_transaction(principal="test"):
                        end_link(link=made, reason="r", by=by)
            except DomainError:
                continue

    def work(worker: Worker) -> None:
        for _ in range(10):
            try:
                make.answer(worker, make.take(worker, batch, 1))
            except NothingToClaim:
                return

    done = together(
        [*[lambda turn=turn: shuffle(turn) for turn in range(3)], *[lambda one=one: work(one) for one in workers]]
    )
    assert [one for one in done if one is not None] == []
    assert Link.objects.count() > 10
    assert [finding.name for finding in check_promises() if finding.violations] == []
    assert value("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
