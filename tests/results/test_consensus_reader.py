"""Consensus reads the outbox in its own time: nothing is lost, whoever lags or dies, and nothing happens twice."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import OperationalError, connections

from marketplace.batches.models import Batch
from marketplace.common.commands import forget_old
from marketplace.common.database import acting_as, rows, value
from marketplace.common.outbox import backlog, read
from marketplace.common.transactions import one_transaction
from marketplace.results.commands import consensus
from marketplace.results.tasks import follow_consensus
from tests import factories as make
from tests.acts import broken, horizon
from workers.assignments.commands.decide import cancel

NEVER = {"min_share": 0.0, "max_share": 0.0, "probation": 0, "probation_share": 0.0}


def answered(tasks: int = 6, workers: int = 3) -> Batch:
    """A batch of which each worker has answered every task, and nobody has read it."""
    batch = make.make_batch(tasks=tasks, overlap=workers, gold_policy=NEVER)
    for at in range(workers):
        worker = make.make_worker()
        make.answer(worker, make.take(worker, batch, tasks), "cat" if at else "dog")
    return batch


def judged() -> Counter[int]:
    """How many agreement outcomes each answer has."""
    with one_transaction(principal="test"), acting_as("gold_reader"):
        return Counter(row[0] for row in rows("SELECT assignment_id FROM reputation_outcome WHERE kind = 'agreement'"))


def everybody_once(batch: Batch) -> bool:
    every = [row[0] for row in rows("SELECT id FROM assignments_assignment WHERE batch_id = %s", [batch.pk])]
    return judged() == Counter(every)


def test_what_was_answered_is_judged_and_a_second_sweep_changes_nothing(committed: str) -> None:
    batch = answered(workers=4)
    horizon()
    follow_consensus()
    assert everybody_once(batch)
    assert value("SELECT count(*) FROM results_consensus WHERE settled") == 6
    assert rows("SELECT 1 FROM results_toconsider") == []
    made = rows("SELECT task_id, made_at FROM results_consensus ORDER BY 1")
    follow_consensus()
    assert rows("SELECT task_id, made_at FROM results_consensus ORDER BY 1") == made
    assert everybody_once(batch)
    assert broken() == []


@pytest.mark.parametrize("locked", [True, False], ids=["as it is", "without the lock that keeps sweeps apart"])
def test_sweeps_at_once_judge_every_answer_once(
    committed: str, together: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch, locked: bool
) -> None:
    if not locked:
        monkeypatch.setattr(consensus, "try_sweep_lock", lambda name: True)
    batches = [answered(workers=4) for _ in range(2)]
    horizon()
    for found in together([follow_consensus] * 4):
        # Without the lock, those that meet may be refused by the database, and come again a second later.
        assert found is None or not locked, found
    follow_consensus()
    for batch in batches:
        every = [row[0] for row in rows("SELECT id FROM assignments_assignment WHERE batch_id = %s", [batch.pk])]
        assert {pk: judged()[pk] for pk in every} == dict.fromkeys(every, 1)
    assert broken() == []


@pytest.mark.parametrize("where", ["read", "judge", "record_outcomes"])
def test_a_sweep_that_dies_anywhere_has_done_nothing_or_all_of_a_group(
    committed: str, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    batch = answered(workers=4)
    horizon()
    real = getattr(consensus, where)

    def dies(*args: Any, **kwargs: Any) -> Any:
        done = real(*args, **kwargs)
        if where == "read":
            list(done)  # as far as the cursor, which goes back with the transaction
        raise OperationalError("terminating connection due to administrator command")

    monkeypatch.setattr(consensus, where, dies)
    for _attempt in range(2):
        with pytest.raises(OperationalError):
            follow_consensus()
        assert not judged()
        assert rows("SELECT 1 FROM results_consensus") == []
    monkeypatch.setattr(consensus, where, real)
    follow_consensus()
    assert everybody_once(batch)


def test_a_batch_that_ends_is_judged_with_the_places_nobody_took(committed: str) -> None:
    batch = make.make_batch(tasks=5, overlap=4, gold_policy=NEVER)
    for _ in range(2):
        worker = make.make_worker()
        make.answer(worker, make.take(worker, batch, 5), "cat")
    horizon()
    follow_consensus()
    assert not judged()
    with one_transaction(principal="test"):
        cancel(batch_id=batch.pk)
    horizon()
    follow_consensus()
    assert everybody_once(batch)
    assert rows("SELECT 1 FROM results_toclose") == []


def test_events_stay_until_the_reader_that_lags_has_seen_them(
    committed: str, clock: Callable[[timedelta], None]
) -> None:
    batch = answered()
    horizon()
    with one_transaction(principal="test"):
        seen = len(list(read("relay")))
    assert seen == backlog("consensus") > 0, "it has a place from the beginning, before it first read"
    clock(timedelta(days=8))
    with one_transaction(principal="test"):
        forget_old()
    assert value("SELECT count(*) FROM common_outbox") == seen
    follow_consensus()
    assert value("SELECT count(*) FROM results_consensus WHERE batch_id = %s", [batch.pk]) == 6
    with one_transaction(principal="test"):
        for reader in ("reviews", "streams", "webhooks"):
            list(read(reader))
        forget_old()
    assert value("SELECT count(*) FROM common_outbox") == 0


def test_agreement_that_was_recorded_twice_or_of_gold_is_found(
    committed: str, as_owner: psycopg.Connection[Any]
) -> None:
    """What the unique index and the reader's look at the keys prevent, done by hand."""
    batch = make.make_batch(tasks=2, gold=2, overlap=4, gold_policy={**NEVER, "probation": 4, "probation_share": 0.5})
    for _ in range(4):
        worker = make.make_worker()
        make.answer(worker, make.take(worker, batch, 4), "cat")
    horizon()
    follow_consensus()
    assert broken() == []
    again = (
        "INSERT INTO reputation_outcome (worker_id, project_id, requester_id, batch_id, kind, score, assignment_id,"
        " task_id, weight, round, made_at) SELECT worker_id, project_id, requester_id, batch_id, 'agreement', 1,"
        " assignment_id, {task}, 0, 0, made_at FROM reputation_outcome WHERE kind = 'agreement' LIMIT 1"
    )
    with pytest.raises(psycopg.errors.UniqueViolation):
        as_owner.execute(again.format(task="task_id"))
    as_owner.execute("DROP INDEX outcome_once")
    as_owner.execute(again.format(task="(SELECT min(task_id) FROM batches_goldkey)"))
    found = as_owner.execute("SELECT what FROM inv_r40_agreement ORDER BY 1").fetchall()
    assert found == [("has no consensus",), ("is judged twice",), ("is of a gold task",)]


@pytest.mark.slow
def test_answers_from_before_consensus_was_followed_are_looked_at_once(
    committed: str, as_owner: psycopg.Connection[Any], clock: Callable[[timedelta], None]
) -> None:
    """The migration is taken back and made again on a database with answers, whose events have long been forgotten."""
    batch = answered(workers=4)
    clock(timedelta(hours=1))
    owner = connections["owner"]
    before = owner.settings_dict["NAME"]
    owner.close()
    owner.settings_dict["NAME"] = committed
    try:
        call_command("migrate", "results", "0003", database="owner", verbosity=0)
        assert as_owner.execute("SELECT to_regclass('results_consensus')").fetchone() == (None,)
        as_owner.execute("ALTER TABLE common_outbox DISABLE TRIGGER event_kept")
        as_owner.execute("DELETE FROM common_outbox")
        call_command("migrate", "results", database="owner", verbosity=0)
    finally:
        owner.close()
        owner.settings_dict["NAME"] = before
    follow_consensus()
    assert everybody_once(batch)
    assert broken() == []
