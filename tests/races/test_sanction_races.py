"""Workers are limited while they claim: once it is committed no lease begins, and nothing deadlocks."""

from collections.abc import Callable
from datetime import timedelta
from random import Random
from threading import Event
from time import sleep
from typing import Any

import psycopg

from marketplace.accounts.commands.sanctions import impose, lift
from marketplace.batches.queries import offer_of
from marketplace.common.database import rows, value
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.races.waiting import until_somebody_waits
from workers.assignments.commands.claim import claim
from workers.assignments.errors import NothingToClaim, UnderSanction
from workers.profiles.locks import worker_for_update
from workers.profiles.models import Worker

Together = Callable[..., list[Any]]
# When the limit was made is written behind the lock that claims hold: whatever began later would have seen it.
LATER = (
    "SELECT a.id FROM assignments_assignment a JOIN profiles_worker w ON w.id = a.worker_id"
    " JOIN accounts_sanction s ON s.user_id = w.user_id WHERE a.leased_at > s.made_at AND s.lifted_at IS NULL"
)


LIMIT: dict[str, Any] = {
    "scope": "platform", "scope_id": None, "measure": "limit", "reason": "spam", "words": "Stop.",
    "evidence": {"answers": 1}, "life": timedelta(hours=1),
}  # fmt: skip
imposed = Event()


def limit(worker: Worker, by: int) -> int:
    with one_transaction(principal="test"):
        return impose(**LIMIT, user_id=worker.user_id, made_by=by).pk


def rush(together: Together) -> list[list[int]]:
    """Rounds of workers who claim until they are stopped, each limited meanwhile; the leases that began too late."""
    by, late = make.make_user().pk, []
    for _ in range(6):
        batch = make.make_batch(tasks=60, overlap=3, lease_cap=10)
        workers = [make.make_worker() for _ in range(3)]

        def work(worker: Worker, batch: Any = batch) -> None:
            for _ in range(60):
                try:
                    make.answer(worker, make.take(worker, batch, 1))
                except (UnderSanction, NothingToClaim):
                    return

        def stop(workers: list[Worker] = workers, batch: Any = batch) -> None:
            while value("SELECT count(*) FROM assignments_assignment WHERE batch_id = %s", [batch.pk]) < 6:
                sleep(0.01)
            for worker in workers:
                limit(worker, by)

        done = together([*[lambda one=worker: work(one) for worker in workers], stop])
        assert [one for one in done if one is not None] == []
        late.append([row[0] for row in rows(LATER)])
    return late


def test_no_lease_begins_once_a_limit_is_committed(committed: str, together: Together) -> None:
    assert not any(rush(together))
    assert [finding.name for finding in check_promises() if finding.violations] == []
    assert value("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0


def test_without_the_look_at_sanctions_leases_would_begin(
    committed: str, together: Together, as_owner: psycopg.Connection[Any]
) -> None:
    """The mutant that shows that the race above is one."""
    for function, old, new in (
        ("assignments_step", "IF terms.sanctioned AND", "IF false AND"),
        ("assignments_claim", "IF terms.watched AND", "IF false AND"),
    ):
        found = as_owner.execute(f"SELECT pg_get_functiondef('{function}'::regproc)").fetchone()
        assert found is not None and found[0].count(old) == 1
        as_owner.execute(found[0].replace(old, new))
    assert any(rush(together))
    assert "inv_r40_sanctions" in [finding.name for finding in check_promises() if finding.violations]


def begin_beside(together: Together, until: Callable[[], object]) -> list[int]:
    """Limit a worker whose claim has begun and goes on after `until`; the leases that are younger than the limit."""
    batch, worker, by = make.make_batch(), make.make_worker(), make.make_user().pk
    held, claimed = Event(), Event()

    def claim_slowly() -> None:
        with one_transaction(principal="test"):
            worker_for_update(worker.pk)
            held.set()
            until()
            claim(worker_id=worker.pk, offer=offer_of(batch.public_id), count=1, chance=Random(1), due_done=True)
        claimed.set()

    def limit_meanwhile() -> None:
        assert held.wait(30)
        with one_transaction(principal="test"):
            impose(**LIMIT, user_id=worker.user_id, made_by=by)
            imposed.set()
            assert claimed.wait(30)

    assert together([claim_slowly, limit_meanwhile]) == [None, None]
    return [row[0] for row in rows(LATER)]


def test_a_sanction_begins_behind_the_claim_that_is_under_way(
    committed: str, together: Together, as_owner: psycopg.Connection[Any]
) -> None:
    assert begin_beside(together, until_somebody_waits) == []
    # Without the lock it is made first, and the claim does not see it yet.
    as_owner.execute("ALTER TABLE accounts_sanction DISABLE TRIGGER hold_person")
    imposed.clear()
    assert len(begin_beside(together, lambda: imposed.wait(30))) == 1


def test_limits_that_are_lifted_and_made_again_leave_no_lease_under_any(committed: str, together: Together) -> None:
    batch, worker, by = make.make_batch(tasks=200), make.make_worker(), make.make_user().pk

    def work() -> None:
        for _ in range(120):
            try:
                make.answer(worker, make.take(worker, batch, 1))
            except UnderSanction:
                continue
            except NothingToClaim:
                return

    def shuffle() -> None:
        for _ in range(25):
            made = limit(worker, by)
            with one_transaction(principal="test"):
                lift(sanction_id=made, reason="r")

    assert together([work, shuffle, shuffle]) == [None, None, None]
    assert [finding.name for finding in check_promises() if finding.violations] == []
    assert value("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
