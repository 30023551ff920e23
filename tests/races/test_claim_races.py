"""Many at once, with real threads, connections and commits (R12–R18, R20)."""

import random
import threading
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError

from marketplace.batches.models import Batch, Task
from marketplace.batches.queries import offer_of
from marketplace.common.database import rows, run, value
from marketplace.common.transactions import one_transaction
from marketplace.results.commands.rejections import Why
from marketplace.results.commands.rejections import reject as ask_to_reject
from tests import factories as make
from tests.acts import broken
from workers.assignments.commands.decide import accept_answers, apply_due
from workers.assignments.commands.leases import return_lease
from workers.assignments.commands.pay import settle_due
from workers.assignments.commands.submit import NextPage, Submission, submit
from workers.assignments.errors import LeaseLost, NotDecidable, NothingToClaim
from workers.assignments.models import Assignment
from workers.assignments.states import RejectReason
from workers.gold.commands import score_due
from workers.profiles.models import Worker

Together = Callable[..., list[Any]]


def deadlocks() -> int:
    return int(value("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))


def work_off(worker: Worker, batch: Batch, page: int, seed: int) -> int:
    """Claim and submit, with the next page in the same transaction, until nothing is left."""
    chance = Random(seed)
    done = 0
    try:
        leases = make.take(worker, batch, page, seed)
    except NothingToClaim:
        return 0
    while leases:
        answers = [Submission(lease.id, lease.token, {"label": chance.choice(["cat", "dog"])}) for lease in leases]
        with one_transaction(principal="test"):
            outcome = submit(
                worker_id=worker.pk,
                page=answers,
                then_claim=NextPage(offer_of(batch.public_id), page),
                chance=Random(chance.random()),
            )
        done += sum(o.outcome == "submitted" for o in outcome.outcomes)
        leases = outcome.claimed
    return done


@pytest.mark.parametrize("page", [1, 5])
def test_ten_workers_fill_every_place_exactly_once(committed: str, together: Together, page: int) -> None:
    batch = make.make_batch(tasks=60, gold=6, overlap=3)
    crew = [make.make_worker() for _ in range(10)]
    done = together([lambda w=w, s=s: work_off(w, batch, page, s) for s, w in enumerate(crew)])
    assert all(isinstance(number, int) for number in done), done
    # Every ordinary place; gold beyond that as the schedules drew it.
    gold = _gold_shown(committed)
    assert sum(done) == 180 + gold
    assert set(rows("SELECT taken FROM batches_task t WHERE external_id LIKE 't%'")) == {(3,)}
    assert deadlocks() == 0
    assert broken() == []


@pytest.mark.parametrize("order", ["sequential", "depth_first"])
def test_workers_on_one_path_fill_every_place_exactly_once(committed: str, together: Together, order: str) -> None:
    batch = make.make_batch(tasks=40, overlap=3, order=order)
    crew = [make.make_worker() for _ in range(8)]
    done = together([lambda w=w, s=s: work_off(w, batch, 2, s) for s, w in enumerate(crew)])
    assert sum(done) == 120, done
    assert deadlocks() == 0
    assert broken() == []


def test_pairs_stay_within_their_limit_whoever_claims_at_once(committed: str, together: Together) -> None:
    batch = make.make_batch(tasks=40, overlap=3, pair_limit=2)
    crew = [make.make_worker() for _ in range(8)]
    done = together([lambda w=w, s=s: work_off(w, batch, 3, s) for s, w in enumerate(crew)])
    assert all(isinstance(number, int) for number in done), done
    assert deadlocks() == 0
    assert broken() == []
    # Whoever asks once more alone finds nothing that the limit would allow.
    shared = {(low, high): count for low, high, count in rows("SELECT low_id, high_id, shared FROM assignments_pair")}
    for worker in crew:
        work_off(worker, batch, 1, 99)
    for worker in crew:
        mine = {row[0] for row in rows("SELECT task_id FROM assignments_assignment WHERE worker_id = %s", [worker.pk])}
        for task, holders in rows(
            "SELECT t.id, coalesce(array_agg(a.person_id) FILTER (WHERE a.id IS NOT NULL), '{}') FROM batches_task t"
            " LEFT JOIN assignments_assignment a ON a.task_id = t.id WHERE t.taken < t.overlap GROUP BY t.id"
        ):
            pairs = [(min(worker.pk, other), max(worker.pk, other)) for other in holders]
            assert task in mine or any(shared.get(pair, 0) >= 2 for pair in pairs), "an open place was not found"


def _gold_shown(database: str) -> int:
    from tests.conftest import owner_connection

    with owner_connection(database) as owner:
        row = owner.execute("SELECT coalesce(sum(shown), 0) FROM batches_goldkey").fetchone()
        assert row is not None
        return int(row[0])


def test_three_places_and_twelve_workers_give_three_assignments(committed: str, together: Together) -> None:
    for _round in range(6):
        batch = make.make_batch(tasks=1, overlap=3)
        crew = [make.make_worker() for _ in range(12)]
        results = together([lambda w=w, b=batch: make.take(w, b) for w in crew])
        assert sum(isinstance(result, list) for result in results) == 3
        assert sum(isinstance(result, NothingToClaim) for result in results) == 9
    assert deadlocks() == 0
    assert broken() == []


def test_tabs_of_one_worker_share_his_leases_and_never_double_a_task(committed: str, together: Together) -> None:
    batch, worker = make.make_batch(tasks=10, overlap=2), make.make_worker()
    results = together([lambda s=s: make.take(worker, batch, 4, s) for s in range(10)])
    pages = {tuple(lease.id for lease in result) for result in results}
    assert len(pages) == 1
    assert Assignment.objects.count() == 4
    assert broken() == []


def test_duplicates_of_a_submission_store_one_answer(committed: str, together: Together) -> None:
    batch, worker = make.make_batch(tasks=1), make.make_worker()
    lease = make.take(worker, batch)[0]
    results = together([lambda: make.answer(worker, [lease]).outcomes[0].outcome for _ in range(12)])
    assert Counter(results) == {"submitted": 1, "already_submitted": 11}
    assert value("SELECT count(*) FROM assignments_answer") == 1


def test_accept_reject_and_auto_accept_at_once_have_one_outcome(committed: str, together: Together) -> None:
    batch, worker = make.make_batch(tasks=12, overlap=1, lease_cap=12, auto_accept_s=0), make.make_worker()
    leases = make.take(worker, batch, 12)
    make.answer(worker, leases)

    def accept(lease: Any) -> Any:
        with one_transaction(principal="test"):
            return accept_answers(batch_id=batch.pk, assignments=[lease.id])

    def reject(lease: Any) -> Any:
        with one_transaction(principal="test"):
            # What is beyond the allowance waits, and is accepted by one of the others.
            why = Why(RejectReason.SPAM, "No cat.", make.owner_of(batch.requester).pk)
            return ask_to_reject(batch_id=batch.pk, assignments=[lease.id], why=why).rejected

    def time_out() -> Any:
        with one_transaction(principal="test"):
            return apply_due(batch_id=batch.pk)

    def pay() -> Any:
        with one_transaction(principal="test"):
            return settle_due()

    for lease in leases:
        results = together([lambda x=lease: accept(x), lambda x=lease: reject(x), time_out, pay, pay])
        assert all(isinstance(r, int | NotDecidable) for r in results), results
    pay()
    states = Counter(Assignment.objects.values_list("state", flat=True))
    assert states["accepted"] + states["rejected"] == 12
    assert value("SELECT count(*) FROM ledger_transfer WHERE kind = 'reward'") == states["accepted"]
    assert deadlocks() == 0
    assert broken() == []


def test_payment_runs_at_once_pay_each_answer_once(committed: str, together: Together) -> None:
    batch = make.make_batch(tasks=40, overlap=3, lease_cap=40)
    for worker in (make.make_worker(), make.make_worker(), make.make_worker()):
        make.answer(worker, make.take(worker, batch, 40))
    with one_transaction(principal="test"):
        assert accept_answers(batch_id=batch.pk, assignments=None) == 120

    def pay() -> int:
        paid = 0
        while True:
            with one_transaction(principal="test"):
                now = settle_due(limit=7)
            if not now:
                return paid
            paid += now

    assert sum(together([pay for _ in range(8)])) == 120
    assert value("SELECT count(*) FROM ledger_transfer WHERE kind = 'reward'") == 120
    assert deadlocks() == 0
    assert broken() == []


def test_leases_at_their_edge_against_two_reapers(committed: str, together: Together) -> None:
    """Workers with leases of 30 ms that submit, return or dawdle, while two reapers expire them (R14)."""
    batch = make.make_batch(tasks=60, overlap=2, time_limit_s=1)
    crew = [make.make_worker() for _ in range(8)]
    stop = threading.Event()
    run("UPDATE test_clock SET shift = '0'")

    def dawdle(worker: Worker, seed: int) -> Counter[str]:
        chance = random.Random(seed)
        seen: Counter[str] = Counter()
        for _turn in range(60):
            try:
                leases = make.take(worker, batch, 2, seed)
            except NothingToClaim:
                seen["nothing"] += 1
                continue
            if chance.random() < 0.3:
                stop.wait(chance.choice([0.9, 1.0, 1.05]))
            if chance.random() < 0.1:
                try:
                    with one_transaction(principal="test"):
                        return_lease(worker_id=worker.pk, assignment=leases[0].id, token=leases[0].token)
                    seen["returned"] += 1
                except LeaseLost:
                    seen["lost"] += 1
                continue
            for outcome in make.answer(worker, leases).outcomes:
                seen[outcome.outcome] += 1
        return seen

    def reap(_worker: object, _seed: int) -> Counter[str]:
        seen: Counter[str] = Counter()
        while not stop.is_set():
            with one_transaction(principal="test"):
                seen["reaped"] += apply_due(batch_id=batch.pk)
        return seen

    threads = [lambda w=w, s=s: dawdle(w, s) for s, w in enumerate(crew)]

    def all_workers_then_stop() -> Counter[str]:
        total: Counter[str] = Counter()
        for part in together(threads):
            if isinstance(part, Exception):
                stop.set()
                raise part
            total += part
        stop.set()
        return total

    results = together([all_workers_then_stop, lambda: reap(None, 0), lambda: reap(None, 1)])
    assert not [result for result in results if isinstance(result, Exception)], results
    submitted = results[0]["submitted"]
    assert submitted == value("SELECT count(*) FROM assignments_answer")
    assert submitted > 60
    assert results[1]["reaped"] + results[2]["reaped"] > 0
    assert deadlocks() == 0
    assert broken() == []


def test_the_scoring_step_by_many_scores_each_answer_once(committed: str, together: Together) -> None:
    batch = make.make_batch(tasks=5, gold=30, gold_policy={"probation_share": 1.0, "probation": 40})
    for worker in (make.make_worker(), make.make_worker()):
        make.answer(worker, make.take(worker, batch, 10))

    def score() -> int:
        with one_transaction(principal="test"):
            return score_due(limit=3)

    assert sum(together([score for _ in range(10)])) == 20
    assert sorted(make.outcomes("kind")) == [("answer",)] * 20 + [("gold",)] * 20
    assert broken() == []


MUTANTS = {
    "the place index": "DROP INDEX one_live_assignment_per_place",
    "the counter's check": "ALTER TABLE batches_task DROP CONSTRAINT task_taken",
    "one assignment per worker": (
        "ALTER TABLE assignments_assignment DROP CONSTRAINT one_assignment_per_worker,"
        " DROP CONSTRAINT one_assignment_per_person"
    ),
    "the step trigger": "DROP TRIGGER assignment_step ON assignments_assignment",
    "the effects trigger": "DROP TRIGGER assignment_effects ON assignments_assignment",
    "the lease numbers": "DROP INDEX lease_numbers",
}
ATTACKS: dict[str, list[str]] = {
    "the place index": [
        "{lease} ({b}, {t}, {w1}, {w1}, {v}, 1, 1, {soon})",
        "{lease} ({b}, {t}, {w2}, {w2}, {v}, 1, 1, {soon})",
    ],
    "the counter's check": [
        "UPDATE batches_task SET taken = 9 WHERE id = {t}",
    ],
    "one assignment per worker": [
        "{lease} ({b}, {t}, {w1}, {w1}, {v}, 1, 1, {soon})",
        "{lease} ({b}, {t}, {w1}, {w1}, {v}, 2, 2, {soon})",
    ],
    "the step trigger": [
        "{lease} ({b}, {t}, {w1}, {w1}, {v}, 1, 1, {soon})",
        "UPDATE assignments_assignment SET state = 'accepted'",
    ],
    "the effects trigger": ["{lease} ({b}, {t}, {w1}, {w1}, {v}, 1, 1, {soon})"],
    "the lease numbers": [
        "{lease} ({b}, {t}, {w1}, {w1}, {v}, 1, 1, {soon})",
        "{lease} ({b}, {t2}, {w1}, {w1}, {v}, 1, 1, {soon})",
    ],
}
LEASE = (
    "INSERT INTO assignments_assignment (batch_id, task_id, worker_id, person_id, version_id, place,"
    " lease_no, lease_until) VALUES"
)


@pytest.mark.parametrize("guard", MUTANTS)
@pytest.mark.usefixtures("untold")
def test_each_wall_alone_stops_its_attack_and_without_it_the_checkers_see_the_damage(
    committed: str, as_owner: psycopg.Connection[Any], guard: str
) -> None:
    batch = make.make_batch(tasks=2, overlap=2, lease_cap=1)
    first, second = Task.objects.filter(batch=batch).order_by("pk")
    facts = {
        "lease": LEASE,
        "b": batch.pk,
        "t": first.pk,
        "t2": second.pk,
        "v": batch.version_id,
        "w1": make.make_worker().pk,
        "w2": make.make_worker().pk,
        "soon": "market_now() + interval '1 h'",
    }
    statements = [statement.format(**facts) for statement in ATTACKS[guard]]
    if guard != "the effects trigger":  # that one does work; it refuses nothing
        with pytest.raises((psycopg.errors.IntegrityError, IntegrityError)), as_owner.transaction():
            for statement in statements:
                as_owner.execute(statement)
        assert broken() == []
    as_owner.execute(MUTANTS[guard])
    if guard == "one assignment per worker":
        as_owner.execute("ALTER TABLE batches_batch DISABLE TRIGGER batch_step")
        as_owner.execute("UPDATE batches_batch SET lease_cap = 2")
        as_owner.execute("ALTER TABLE batches_batch ENABLE ALWAYS TRIGGER batch_step")
    for statement in statements:
        as_owner.execute(statement)
    assert broken() != []
