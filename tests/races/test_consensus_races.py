"""Answers, scores, consensus, gold made of it, decisions and cancellation at once: nobody waits for ever, and every
promise holds."""

from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

from marketplace.common.database import acting_as, rows, value
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from marketplace.results.tasks import follow_consensus
from tests import factories as make
from tests.acts import horizon
from workers.assignments.commands.decide import accept_answers, cancel
from workers.assignments.errors import NothingToClaim
from workers.gold.tasks import score_due
from workers.reputation.commands import Judged, record_outcomes
from workers.reputation.states import Kind

TASKS, OVERLAP, WORKERS = 24, 7, 8
POLICY = {"min_share": 0.6, "max_share": 0.6, "probation": 10, "probation_share": 0.6, "refill": "auto"}


def test_everything_at_once_keeps_every_promise_and_judges_every_answer_once(
    committed: str, together: Callable[..., list[Any]]
) -> None:
    batch = make.make_batch(tasks=TASKS, overlap=OVERLAP, gold_policy=POLICY)
    workers = [make.make_worker() for _ in range(WORKERS)]
    with one_transaction(principal="test"):
        record_outcomes([
            Judged(worker.pk, batch.project_id, batch.pk, 1.0, kind=Kind.GOLD) for worker in workers for _ in range(27)
        ])  # fmt: skip
    # The first gold is there before the others come, however busy the machine is; what follows is made beside them.
    for worker in workers[:3]:
        for _page in range(2):
            make.answer(worker, make.take(worker, batch, 10), "cat")
    horizon()
    score_due()
    follow_consensus()
    working = [True] * WORKERS

    def work(place: int) -> None:
        chance = Random(place)
        try:
            with suppress(NothingToClaim):
                while True:
                    leases = make.take(workers[place], batch, 3, seed=place)
                    make.answer(workers[place], leases, "cat" if chance.random() < 0.95 else "dog")
        finally:
            working[place] = False

    def sweep() -> None:
        while any(working):
            score_due()
            follow_consensus()

    def decide() -> None:
        chance = Random(1)
        while any(working):
            some = rows("SELECT public_id FROM assignments_assignment WHERE state = 'submitted' ORDER BY id LIMIT 20")
            if not some:
                continue
            one = [some[chance.randrange(len(some))][0]]
            with one_transaction(principal="test"):
                if chance.random() < 0.1:
                    make.reject(batch, one)
                else:
                    accept_answers(batch_id=batch.pk, assignments=one)

    ways: list[Callable[[], Any]] = [lambda place=place: work(place) for place in range(WORKERS)]  # type: ignore[misc]
    found = together([*ways, sweep, sweep, decide])
    assert found == [None] * len(found)
    with one_transaction(principal="test"):
        cancel(batch_id=batch.pk)
    horizon()
    score_due()
    follow_consensus()

    assert rows("SELECT 1 FROM results_toconsider") == rows("SELECT 1 FROM results_toclose") == []
    assert value("SELECT count(*) FROM results_consensus WHERE NOT settled") == 0
    with one_transaction(principal="test"), acting_as("gold_reader"):
        gold = {row[0] for row in rows("SELECT task_id FROM batches_goldkey WHERE state <> 'waiting'")}
        judged = {row[0] for row in rows("SELECT assignment_id FROM reputation_outcome WHERE kind = 'agreement'")}
        since = dict(rows("SELECT task_id, added_at FROM batches_goldkey"))
    assert gold, "some tasks became gold"
    answers = rows(
        "SELECT id, task_id, submitted_at FROM assignments_assignment WHERE state IN ('submitted', 'accepted')"
    )
    late = {pk for pk, task, at in answers if task in gold and at > since[task]}
    assert late and late & judged == set(), "since a task is gold, only its key judges"
    # A tie of the others says nothing; otherwise everybody is judged.
    assert len({pk for pk, task, _ in answers if task not in gold} - judged) <= len(answers) // 10
    assert [finding.name for finding in check_promises() if finding.violations] == []
