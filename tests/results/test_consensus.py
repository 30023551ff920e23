"""Consensus follows the answers: who agrees with it is known to reputation once, and gold is never judged by it."""

from random import Random
from typing import Any

import pytest
from django.db import transaction

from marketplace.batches.models import Batch
from marketplace.common.database import acting_as, rows, run, value
from marketplace.common.transactions import one_transaction
from marketplace.results.commands import consensus
from marketplace.results.commands.consensus import consider
from marketplace.results.queries.consensus import (
    batches_to_consider,
    consensus_of,
    trust_of,
)
from marketplace.results.tasks import follow_consensus
from tests import factories as make
from tests.acts import broken
from workers.assignments.commands.decide import cancel
from workers.assignments.commands.reopen import discount_answers
from workers.assignments.commands.submit import Submission, submit
from workers.assignments.commands.uphold import uphold_answers
from workers.assignments.origin import Origin
from workers.profiles.models import Worker
from workers.reputation.commands import Judged, record_outcomes
from workers.reputation.states import Kind

pytestmark = pytest.mark.django_db
NEVER = {"min_share": 0.0, "max_share": 0.0, "probation": 0, "probation_share": 0.0}


def known(batch: Batch, count: int, right: int = 27, of: int = 27) -> list[Worker]:
    """Workers of whom so many gold answers in the project were right: by default, 29 of 30 with what is assumed."""
    workers = [make.make_worker() for _ in range(count)]
    for worker in workers:
        with one_transaction(principal="test"):
            record_outcomes([
                Judged(worker.pk, batch.project_id, batch.pk, float(place < right), kind=Kind.GOLD)
                for place in range(of)
            ])  # fmt: skip
    return workers


def give(worker: Worker, batch: Batch, label: str | None, count: int = 1) -> None:
    """Answer, or mark as unclear."""
    page = [
        Submission(lease.id, lease.token, {} if label is None else {"label": label}, unclear=label is None)
        for lease in make.take(worker, batch, count)
    ]
    assert len(page) == count
    with one_transaction(principal="test"):
        submit(worker_id=worker.pk, page=page, then_claim=None, chance=Random(1))


def make_consensus(batch: Batch, group: int | None = None) -> int:
    """Consider every task that has answers, as if their events had been read."""
    run(
        "INSERT INTO results_toconsider (batch_id, task_id) SELECT DISTINCT batch_id, task_id"
        " FROM assignments_assignment WHERE batch_id = %s ON CONFLICT DO NOTHING",
        [batch.pk],
    )
    done = 0
    for _round in range(100):
        with one_transaction(principal="test"):
            some = consider(batch_id=batch.pk, limit=group)
        if not some:
            return done
        done += some
    raise AssertionError("it never ends")


def agreements() -> dict[int, tuple[float, float]]:
    """Score and weight of each agreement outcome, by worker; of a worker of several answers, the last."""
    return {row[0]: (row[3], row[4]) for row in agreement_rows()}


def agreement_rows() -> list[tuple[Any, ...]]:
    with one_transaction(principal="test"), acting_as("gold_reader"):
        return rows(
            "SELECT worker_id, task_id, assignment_id, score, weight, truth, given, easiness FROM reputation_outcome"
            " WHERE kind = 'agreement' ORDER BY id"
        )


def answer_ids(batch: Batch, label: str) -> list[Any]:
    return [
        row[0]
        for row in rows(
            "SELECT a.public_id FROM assignments_assignment a JOIN assignments_answer w ON w.assignment_id = a.id"
            " WHERE a.batch_id = %s AND w.values ->> 'label' = %s ORDER BY a.id",
            [batch.pk, label],
        )
    ]


def the_task(batch: Batch) -> int:
    return int(value("SELECT id FROM batches_task WHERE batch_id = %s", [batch.pk]))


def test_the_consensus_of_a_task_moves_with_each_answer() -> None:
    batch = make.make_batch(tasks=1, overlap=5, gold_policy=NEVER)
    first, second, third, fourth = known(batch, 4)
    task = the_task(batch)
    assert consensus_of([task]) == {}
    give(first, batch, "cat")
    make_consensus(batch)
    alone = consensus_of([task])[task]
    assert (alone.value, alone.answers, alone.settled) == ({"label": "cat"}, 1, False)
    assert alone.posterior == pytest.approx(
        trust_of(project_id=batch.project_id, worker_ids=[first.pk])[first.pk].overall
    )
    give(second, batch, "dog")
    make_consensus(batch)
    assert consensus_of([task])[task].posterior == pytest.approx(0.5, abs=1e-6)
    give(third, batch, "dog")
    make_consensus(batch)
    after = consensus_of([task])[task]
    assert (after.value, after.answers, after.settled) == ({"label": "dog"}, 3, False)
    assert after.posterior == pytest.approx(alone.posterior, abs=1e-6)
    assert set(agreements()) == {first.pk}, "of the others each has one for and one against him"
    early = agreement_rows()
    give(fourth, batch, "dog")
    make_consensus(batch)
    assert agreement_rows()[:1] == early, "what was judged stays judged"
    assert {worker: score for worker, (score, _) in agreements().items()} == {
        first.pk: 0.0, second.pk: 1.0, third.pk: 1.0, fourth.pk: 1.0
    }  # fmt: skip
    assert len(agreement_rows()) == 4 and not consensus_of([task])[task].settled
    assert broken() == []


def test_one_other_judges_nobody_while_places_are_open_however_good_he_is() -> None:
    batch = make.make_batch(tasks=1, overlap=4, gold_policy=NEVER)
    for worker in known(batch, 2):
        give(worker, batch, "cat")
    make_consensus(batch)
    assert agreement_rows() == []


def test_two_workers_of_one_person_are_one_other() -> None:
    batch = make.make_batch(tasks=1, overlap=4, gold_policy=NEVER)
    first, second, third = known(batch, 3)
    give(first, batch, "cat")
    for worker in (second, third):
        give(worker, batch, "cat")
    task = the_task(batch)
    persons = {
        pk: at for at, pk in enumerate(pk for (pk,) in rows("SELECT id FROM assignments_assignment ORDER BY id"))
    }
    asked = {answer.answer.assignment_id: answer for answer in found_of(batch)}
    one = consensus._tasks([task])[task]
    assert [one.tells_early(agreement) for agreement in asked.values()] == [True] * 3
    one.persons = {pk: min(person, 1) for pk, person in persons.items()}
    assert [one.tells_early(agreement) for agreement in asked.values()] == [False] * 3


def found_of(batch: Batch) -> list[Any]:
    task = consensus._tasks([the_task(batch)])[the_task(batch)]
    workers = [answer.worker_id for answer in task.answers]
    fields = batch.version.interface["answer"]
    return consensus.judge(fields, task.answers, trust_of(project_id=batch.project_id, worker_ids=workers)).agreements


def test_others_who_are_unsure_judge_when_the_task_is_full() -> None:
    batch = make.make_batch(tasks=1, overlap=4, gold_policy=NEVER)
    poor = known(batch, 3, right=13)
    for worker in poor:
        give(worker, batch, "cat")
    make_consensus(batch)
    assert agreement_rows() == [], "half of the time they are wrong"
    give(known(batch, 1)[0], batch, "cat")
    make_consensus(batch)
    assert {worker.pk for worker in poor} == set(agreements()), "beside a good one they are sure enough"
    with one_transaction(principal="t"):
        cancel(batch_id=batch.pk)
    make_consensus(batch)
    assert len(agreement_rows()) == 4
    assert agreement_rows()[-1][4] < consensus.EARLY_WEIGHT, "what three who toss coins say weighs little"


def test_an_unclear_mark_among_the_first_answers_is_not_judged_and_is_no_other() -> None:
    batch = make.make_batch(tasks=1, overlap=5, gold_policy=NEVER)
    first, second, third, fourth = known(batch, 4)
    for worker, label in ((first, "cat"), (second, None), (third, "cat")):
        give(worker, batch, label)
    make_consensus(batch)
    assert agreement_rows() == []
    give(fourth, batch, "cat")
    make_consensus(batch)
    assert set(agreements()) == {first.pk, third.pk, fourth.pk}


def test_when_every_place_has_its_answer_each_is_judged_by_the_others_once() -> None:
    batch = make.make_batch(tasks=1, overlap=4, gold_policy=NEVER)
    workers = known(batch, 4)
    for worker, label in zip(workers, ["cat", "cat", "cat", "dog"], strict=True):
        give(worker, batch, label)
    assert make_consensus(batch) == 1
    found = agreement_rows()
    assert [(row[0], row[3], row[5], row[6]) for row in found] == [
        (worker.pk, float(label == "cat"), "cat", label)
        for worker, label in zip(workers, ["cat", "cat", "cat", "dog"], strict=True)
    ]
    assert [row[7] for row in found] == pytest.approx([2 / 3, 2 / 3, 2 / 3, 1.0])
    p = trust_of(project_id=batch.project_id, worker_ids=[workers[0].pk])[workers[0].pk].overall
    assert all(0 < row[4] <= 0.5 for row in found)
    assert found[3][4] > found[0][4], "three against nobody are surer than two against one"
    assert p > 0.9
    assert consensus_of([the_task(batch)])[the_task(batch)].settled
    for _again in range(2):
        make_consensus(batch)
    assert agreement_rows() == found
    assert broken() == []


def test_unclear_answers_take_a_place_and_are_neither_votes_nor_judged() -> None:
    batch = make.make_batch(tasks=1, overlap=3, gold_policy=NEVER)
    first, second, third = known(batch, 3)
    for worker, label in ((first, "cat"), (second, None), (third, "cat")):
        give(worker, batch, label)
    make_consensus(batch)
    assert set(agreements()) == {first.pk, third.pk}
    assert consensus_of([the_task(batch)])[the_task(batch)].answers == 2


def test_gold_gets_no_outcome_for_agreement() -> None:
    batch = make.make_batch(tasks=2, gold=2, overlap=3, gold_policy={**NEVER, "probation": 4, "probation_share": 0.51})
    for worker in known(batch, 3):
        leases = make.take(worker, batch, 4)
        assert len(leases) == 4
        make.answer(worker, leases, "cat")
    assert make_consensus(batch) == 4
    plain = {
        row[0] for row in rows("SELECT id FROM batches_task WHERE batch_id = %s AND external_id LIKE 't%%'", [batch.pk])
    }
    assert {row[1] for row in agreement_rows()} == plain
    assert broken() == []


def test_a_rejected_answer_has_no_vote_and_who_comes_after_it_is_judged_alone() -> None:
    batch = make.make_batch(tasks=1, overlap=3, gold_policy=NEVER)
    workers = known(batch, 4)
    for worker, label in zip(workers, ["cat", "cat", "dog"], strict=False):
        give(worker, batch, label)
    make_consensus(batch)
    first = agreement_rows()
    assert consensus_of([the_task(batch)])[the_task(batch)].answers == 3
    with one_transaction(principal="t"):
        make.reject(batch, answer_ids(batch, "dog"))
    make_consensus(batch)
    after = consensus_of([the_task(batch)])[the_task(batch)]
    assert (after.answers, after.value, after.settled) == (2, {"label": "cat"}, False)
    give(workers[3], batch, "cat")
    make_consensus(batch)
    found = agreement_rows()
    assert found[: len(first)] == first, "what was judged stays judged"
    judged_now = {row[0]: row[3] for row in found[len(first) :]}
    assert judged_now.pop(workers[3].pk) == 1.0
    # Of the first two, each had one for and one against him before; now the tie is broken.
    assert judged_now == {workers[0].pk: 1.0, workers[1].pk: 1.0}
    assert broken() == []


def test_an_answer_that_was_upheld_votes_again() -> None:
    batch = make.make_batch(tasks=1, overlap=2, gold_policy=NEVER)
    for worker in known(batch, 2):
        give(worker, batch, "dog")
    [one, _] = answer_ids(batch, "dog")
    with one_transaction(principal="t"):
        make.reject(batch, [one])
    make_consensus(batch)
    assert consensus_of([the_task(batch)])[the_task(batch)].answers == 1
    with one_transaction(principal="t"):
        uphold_answers(batch_id=batch.pk, assignments=[one], reason="right", made_by=make.make_user().pk)
    make_consensus(batch)
    after = consensus_of([the_task(batch)])[the_task(batch)]
    assert (after.answers, after.settled) == (2, False), "it has given its place away"


def test_when_a_batch_ends_what_is_there_is_judged() -> None:
    batch = make.make_batch(tasks=5, overlap=3, gold_policy=NEVER)
    for worker in known(batch, 2):
        give(worker, batch, "cat", count=5)
    make_consensus(batch)
    assert agreement_rows() == []
    with one_transaction(principal="t"):
        cancel(batch_id=batch.pk)
    run("INSERT INTO results_toclose (batch_id) VALUES (%s)", [batch.pk])
    for expected in (2, 2, 1, 0):
        with one_transaction(principal="t"):
            assert consider(batch_id=batch.pk, limit=2) == expected
    assert len(agreement_rows()) == 10
    assert batches_to_consider() == []


def the_first_task(batch: Batch) -> int:
    return int(value("SELECT min(id) FROM batches_task WHERE batch_id = %s", [batch.pk]))


def test_one_answer_that_cannot_be_compared_stands_in_nobodys_way(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = make.make_batch(tasks=3, overlap=2, gold_policy=NEVER)
    for worker in known(batch, 2):
        give(worker, batch, "cat", count=3)
    bad = the_first_task(batch)
    real = consensus.judge

    def judge(fields: Any, answers: Any, trust: Any) -> Any:
        if any(answer.task_id == bad for answer in answers):
            raise ArithmeticError("it cannot be compared")
        return real(fields, answers, trust)

    monkeypatch.setattr(consensus, "judge", judge)
    run(
        "INSERT INTO results_toconsider (batch_id, task_id) SELECT batch_id, id FROM batches_task WHERE batch_id = %s",
        [batch.pk],
    )
    for _sweep in range(5):
        follow_consensus()
    assert rows("SELECT task_id, failures FROM results_toconsider") == [(bad, 3)]
    assert batches_to_consider() == []
    assert len({row[1] for row in agreement_rows()}) == 2


def test_the_runtime_role_cannot_touch_what_agreement_said() -> None:
    for attack in ("DELETE FROM results_consensus", "TRUNCATE results_consensus"):
        with pytest.raises(Exception, match="permission denied"), transaction.atomic():
            run(attack)


def test_an_answer_that_was_discounted_keeps_its_place_and_neither_votes_nor_is_judged() -> None:
    batch = make.make_batch(tasks=1, overlap=4, gold_policy=NEVER)
    workers = known(batch, 4)
    for worker, label in zip(workers, ["dog", "cat", "cat", "cat"], strict=True):
        give(worker, batch, label)
    [dog] = rows("SELECT id FROM assignments_assignment WHERE worker_id = %s", [workers[0].pk])
    with one_transaction(principal="t"):
        discount_answers(
            assignment_ids=[dog[0]], reason="limited", origin=Origin(made_by=batch.requester.members.get().user_id)
        )
    make_consensus(batch)
    after = consensus_of([the_task(batch)])[the_task(batch)]
    assert (after.answers, after.settled) == (3, True)
    assert set(agreements()) == {worker.pk for worker in workers[1:]}
    assert broken() == []
