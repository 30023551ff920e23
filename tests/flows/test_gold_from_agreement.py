"""What the first workers agree on beyond doubt becomes gold for those who come later, and they are judged by it."""

from contextlib import suppress
from random import Random
from typing import Any

from marketplace.batches.models import Batch
from marketplace.common.database import acting_as, rows, value
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from marketplace.results.tasks import follow_consensus
from tests import factories as make
from tests.acts import horizon
from workers.assignments.commands.submit import Submission, submit
from workers.assignments.errors import NothingToClaim
from workers.gold.commands.supply import Candidate, drawn_for_gold
from workers.gold.injection import Policy
from workers.gold.tasks import score_due
from workers.profiles.models import Worker
from workers.reputation.commands import Judged, record_outcomes
from workers.reputation.queries import posterior_of
from workers.reputation.states import Kind

TASKS, OVERLAP = 6, 8
POLICY = {"min_share": 0.5, "max_share": 0.5, "probation": 3, "probation_share": 1.0, "refill": "auto"}


def batch_of_both(policy: dict[str, Any] = POLICY) -> Batch:
    """A batch by whose lots some of its tasks may become gold, and others never."""
    while True:
        batch = make.make_batch(tasks=TASKS, overlap=OVERLAP, gold_policy=policy)
        ids = rows("SELECT id FROM batches_task WHERE batch_id = %s", [batch.pk])
        tasks = [Candidate(pk, {}, 1.0) for (pk,) in ids]
        with one_transaction(principal="test"):
            drawn = drawn_for_gold(batch, Policy(**policy), tasks)
        if 0 < len(drawn) < TASKS:
            return batch


def known(batch: Batch, count: int) -> list[Worker]:
    """Workers who are right nine times out of ten and more, by gold of another day."""
    workers = [make.make_worker() for _ in range(count)]
    with one_transaction(principal="test"):
        record_outcomes([
            Judged(worker.pk, batch.project_id, batch.pk, 1.0, kind=Kind.GOLD) for worker in workers for _ in range(27)
        ])  # fmt: skip
    return workers


def swept() -> None:
    """Score, and read what was published, once no older transaction hides it."""
    horizon()
    score_due()
    follow_consensus()


def as_gold_reader(sql: str, *params: Any) -> list[tuple[Any, ...]]:
    with one_transaction(principal="test"), acting_as("gold_reader"):
        return rows(sql, list(params))


def all_of(worker: Worker, batch: Batch, label: str) -> int:
    leases = make.take(worker, batch, TASKS, seed=2)
    make.answer(worker, leases, label)
    return len(leases)


def agreed() -> list[tuple[Any, ...]]:
    return as_gold_reader("SELECT assignment_id, score, weight FROM reputation_outcome WHERE kind = 'agreement'")


def test_tasks_that_the_first_agree_on_judge_those_who_come_later(committed: str) -> None:
    batch = batch_of_both()
    first = known(batch, 3)
    for worker in first[:2]:
        assert all_of(worker, batch, "cat") == TASKS
    swept()
    assert as_gold_reader("SELECT 1 FROM batches_goldkey") == [], "two are too few, however good they are"
    assert all_of(first[2], batch, "cat") == TASKS
    swept()
    keys = as_gold_reader("SELECT task_id, key, origin, state, cap FROM batches_goldkey ORDER BY 1")
    assert 0 < len(keys) < TASKS, "as many as the batch needs, and not all"
    assert {(row[1]["label"], *row[2:]) for row in keys} == {("cat", "consensus", "live", OVERLAP - 3)}
    gold = {row[0] for row in keys}

    # One who comes later is right, one is wrong. Both meet gold among the rest, and only gold judges them.
    right, wrong = make.make_worker(), make.make_worker()
    met = {worker.pk: all_of(worker, batch, label) for worker, label in ((right, "cat"), (wrong, "dog"))}
    assert all(count > 0 for count in met.values())
    swept()
    verdicts = as_gold_reader("SELECT worker_id, task_id, score FROM gold_verdict")
    assert {row[0] for row in verdicts} == {right.pk, wrong.pk}, "who made the consensus is not judged by it"
    assert {(row[0], row[2]) for row in verdicts} == {(right.pk, 1.0), (wrong.pk, 0.0)}
    assert {row[1] for row in verdicts} <= gold
    score = {worker.pk: posterior_of(worker_id=worker.pk, project_id=batch.project_id).posterior.mean
             for worker in (right, wrong)}  # fmt: skip
    assert score[wrong.pk] < 2 / 3 < score[right.pk]

    # The rest of the places is filled: ordinary tasks are judged by agreement, gold no longer is.
    with suppress(NothingToClaim):
        for _ in range(20):
            all_of(make.make_worker(), batch, "cat")
            swept()
    others = as_gold_reader("SELECT task_id, worker_id FROM reputation_outcome WHERE kind = 'agreement'")
    plain = {row[0] for row in rows("SELECT id FROM batches_task WHERE taken = overlap")} - gold
    assert plain
    assert {task for task, _ in others} - gold == plain
    made = {(task, worker.pk) for task in gold for worker in first}
    assert {(task, worker) for task, worker in others if task in gold} == made, "those it was made of"
    assert [finding.name for finding in check_promises() if finding.violations] == []


def test_a_policy_without_refill_makes_no_gold(committed: str) -> None:
    batch = make.make_batch(tasks=TASKS, overlap=OVERLAP, gold_policy={**POLICY, "refill": "off"})
    for worker in known(batch, 4):
        all_of(worker, batch, "cat")
    swept()
    assert as_gold_reader("SELECT 1 FROM batches_goldkey") == []
    assert value("SELECT count(*) FROM results_consensus WHERE sure") == TASKS


def test_what_somebody_finds_unclear_does_not_become_gold(committed: str) -> None:
    batch = batch_of_both()
    first = known(batch, 4)
    for worker in first[:3]:
        all_of(worker, batch, "cat")
    leases = make.take(first[3], batch, TASKS)
    with one_transaction(principal="test"):
        page = [Submission(lease.id, lease.token, {}, unclear=True) for lease in leases]
        submit(worker_id=first[3].pk, page=page, then_claim=None, chance=Random(1))
    swept()
    assert as_gold_reader("SELECT 1 FROM batches_goldkey") == []


def test_a_task_whose_answers_were_judged_by_each_other_becomes_gold_when_it_is_sure(committed: str) -> None:
    batch = batch_of_both()
    strangers, good = [make.make_worker() for _ in range(3)], known(batch, 2)
    for worker in strangers:
        all_of(worker, batch, "cat")
    swept()
    judged = as_gold_reader(
        "SELECT assignment_id, score, weight FROM reputation_outcome WHERE kind = 'agreement' ORDER BY 1"
    )
    assert len(judged) == 3 * TASKS and as_gold_reader("SELECT 1 FROM batches_goldkey") == []
    for worker in good:
        all_of(worker, batch, "cat")
    swept()
    keys = as_gold_reader("SELECT task_id FROM batches_goldkey WHERE origin = 'consensus'")
    assert keys
    again = as_gold_reader(
        "SELECT assignment_id, score, weight FROM reputation_outcome WHERE kind = 'agreement' ORDER BY 1"
    )
    assert set(judged) <= set(again)
    assert as_gold_reader("SELECT 1 FROM gold_verdict") == []
    assert [finding.name for finding in check_promises() if finding.violations] == []


def test_answers_since_a_key_was_offered_wait_for_the_word_of_the_requester(committed: str) -> None:
    """Until then the others do not judge them: once it is confirmed, the key does."""
    batch = batch_of_both({**POLICY, "refill": "confirm"})
    for worker in known(batch, 3):
        all_of(worker, batch, "cat")
    swept()
    waiting = {row[0] for row in as_gold_reader("SELECT task_id FROM batches_goldkey WHERE state = 'waiting'")}
    assert waiting
    late = known(batch, 1)[0]
    all_of(late, batch, "cat")
    swept()
    by_others = as_gold_reader(
        "SELECT task_id FROM reputation_outcome WHERE kind = 'agreement' AND worker_id = %s", late.pk
    )
    tasks = {row[0] for row in rows("SELECT task_id FROM assignments_assignment WHERE worker_id = %s", [late.pk])}
    assert tasks & waiting and {row[0] for row in by_others} == tasks - waiting
