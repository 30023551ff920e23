"""Gold cannot be told from other tasks (R37): same statements, same fields, same places, and a bounded exposure."""

from collections.abc import Callable
from dataclasses import fields
from datetime import timedelta
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from marketplace.batches.models import Batch
from marketplace.batches.queries import offer_of
from marketplace.common.database import acting_as, rows, run, value
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from tests import factories as make
from workers.assignments.commands.claim import claim
from workers.assignments.commands.decide import apply_due
from workers.assignments.commands.submit import Submission, submit
from workers.assignments.errors import NothingToClaim
from workers.assignments.queries import LeasedTask
from workers.gold.commands import score_due
from workers.profiles.models import Worker
from workers.reputation.commands import SHOW_EVERY
from workers.reputation.queries import posterior_of, rebuilt, shown_to

pytestmark = pytest.mark.django_db

ALWAYS = {"min_share": 1.0, "max_share": 1.0, "probation": 0, "probation_share": 1.0}
NEVER = {"min_share": 0.0, "max_share": 0.0, "probation": 0, "probation_share": 0.0}


def recorded(action: Callable[[], Any]) -> tuple[Any, list[str]]:
    """The action's result and the statements it ran, in order."""
    statements: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        return action(), [s for s in statements if "SAVEPOINT" not in s]


def one_task(policy: dict[str, Any], count: int) -> tuple[LeasedTask, list[str], list[str]]:
    """Claim and submit under a policy; the first lease and the statements of both requests."""
    batch, worker = make.make_batch(tasks=8, gold=8, gold_policy=policy), make.make_worker()

    def claiming() -> list[LeasedTask]:
        with one_transaction(principal="w", key=str(uuid4()), body_hash=b"c") as once:
            leases = claim(worker_id=worker.pk, offer=offer_of(batch.public_id), count=count, chance=Random(5))
            once.keep(201, b"")
        return leases

    leases, claimed = recorded(claiming)
    page = [Submission(lease.id, lease.token, {"label": "cat"}) for lease in leases]

    def submitting() -> None:
        with one_transaction(principal="w", key=str(uuid4()), body_hash=b"s") as once:
            submit(worker_id=worker.pk, page=page, then_claim=None, chance=Random(5))
            once.keep(200, b"")

    _, submitted = recorded(submitting)
    return leases[0], claimed, submitted


def is_gold(lease: LeasedTask) -> bool:
    return str(lease.data["text"]).startswith("known")


@pytest.mark.parametrize("count", [1, 5])
def test_gold_and_ordinary_tasks_run_the_same_statements_and_look_the_same(count: int) -> None:
    gold, gold_claim, gold_submit = one_task(ALWAYS, count)
    plain, plain_claim, plain_submit = one_task(NEVER, count)
    assert (is_gold(gold), is_gold(plain)) == (True, False)
    assert gold_claim == plain_claim
    assert gold_submit == plain_submit
    assert not [s for s in gold_claim + gold_submit if "goldkey" in s or "verdict" in s or "gold_reader" in s]
    for field in fields(LeasedTask):
        assert type(getattr(gold, field.name)) is type(getattr(plain, field.name)), field.name
    assert gold.data.keys() == plain.data.keys()
    assert (gold.price_micros, gold.version) == (plain.price_micros, plain.version)


def test_gold_is_not_in_the_queue_and_the_runtime_role_cannot_see_which_tasks_are_gold() -> None:
    batch = make.make_batch(tasks=5, gold=3)
    assert len(make.queue(batch)) == 5
    with pytest.raises(Exception, match="permission denied"), one_transaction(principal="w"):
        run("SELECT count(*) FROM batches_goldkey")
    with pytest.raises(Exception, match="permission denied"), one_transaction(principal="w"):
        run("SELECT t.id FROM batches_task t LEFT JOIN batches_openplace o ON o.task_id = t.id WHERE o.task_id IS NULL")
    with one_transaction(principal="w"), acting_as("gold_reader"):
        assert value("SELECT count(*) FROM batches_goldkey") == 3


def test_no_gold_task_is_shown_to_more_workers_than_its_cap_whatever_happens_to_the_leases(
    clock: Callable[[timedelta], None],
) -> None:
    batch = make.make_batch(tasks=60, gold=2, overlap=2, gold_policy=ALWAYS, time_limit_s=60)
    seen: dict[str, set[int]] = {}
    for number in range(6):
        worker = make.make_worker()
        for lease in make.take(worker, batch, 4, seed=number):
            if is_gold(lease):
                seen.setdefault(str(lease.data["text"]), set()).add(worker.pk)
        if number % 2:
            clock(timedelta(seconds=61))
            with one_transaction(principal="w"):
                apply_due(batch_id=batch.pk)
    assert {len(workers) for workers in seen.values()} == {2}
    assert not [f.name for f in check_promises() if f.violations]


def test_when_gold_runs_out_the_share_falls_and_work_goes_on() -> None:
    batch, worker = make.make_batch(tasks=10, gold=2, overlap=1, gold_policy=ALWAYS, lease_cap=12), make.make_worker()
    leases = make.take(worker, batch, 12)
    assert sum(map(is_gold, leases)) == 2
    assert len(leases) == 12


def test_no_worker_meets_a_gold_task_twice() -> None:
    batch, worker = make.make_batch(tasks=20, gold=5, gold_policy=ALWAYS), make.make_worker()
    texts: list[str] = []
    try:
        while True:
            leases = make.take(worker, batch, 5)
            texts += [str(lease.data["text"]) for lease in leases]
            make.answer(worker, leases)
    except NothingToClaim:
        pass
    assert len(texts) == len(set(texts)) == 25


def test_gold_lies_anywhere_on_a_page() -> None:
    """Over many workers each of the first twenty positions is gold about equally often."""
    policy = {"min_share": 0.2, "max_share": 0.2, "probation": 20, "probation_share": 0.2}
    at = [0] * 20
    # Where no key was met about as often as the work beside it, there is no gold: how much there is varies.
    for _batch in range(10):
        batch = make.make_batch(tasks=40, gold=14, overlap=50, gold_policy=policy, lease_cap=20)
        for number in range(60):
            for position, lease in enumerate(make.take(make.make_worker(), batch, 20, seed=number)):
                at[position] += is_gold(lease)
        if sum(at) >= 300:
            break
    assert sum(at) >= 300
    mean = sum(at) / 20
    assert max(at) <= mean * 2.5, at
    assert min(at) >= mean / 5, at


def answered(worker: Worker, batch: Batch, count: int, label: str) -> None:
    make.answer(worker, make.take(worker, batch, count), label)
    with one_transaction(principal="score"):
        while score_due():
            pass


def test_every_answer_has_an_outcome_and_only_gold_a_verdict() -> None:
    batch, worker = make.make_batch(tasks=6, gold=2, gold_policy=ALWAYS), make.make_worker()
    answered(worker, batch, 5, "cat")
    assert make.outcomes("score", "kind = 'answer'") == [(None,)] * 5
    assert make.outcomes("score", "kind = 'gold'") == [(1.0,)] * 2
    with one_transaction(principal="w"), acting_as("gold_reader"):
        assert rows("SELECT score FROM gold_verdict") == [(1.0,), (1.0,)]
    known = posterior_of(worker_id=worker.pk, project_id=batch.project_id)
    assert (known.posterior.alpha, known.posterior.beta, known.evidence) == (4.0, 1.0, 2)
    assert known == rebuilt(worker_id=worker.pk, facet=f"project:{batch.project_id}")


def test_wrong_gold_lowers_the_standing_and_unclear_leaves_it() -> None:
    batch, worker = make.make_batch(tasks=2, gold=4, gold_policy=ALWAYS), make.make_worker()
    answered(worker, batch, 2, "dog")
    lease = make.take(worker, batch, 1)[0]
    page = [Submission(lease.id, lease.token, {}, unclear=True)]
    with one_transaction(principal="w"):
        submit(worker_id=worker.pk, page=page, then_claim=None, chance=Random(1))
    answered(worker, batch, 1, "dog")
    known = posterior_of(worker_id=worker.pk, project_id=batch.project_id)
    assert (known.posterior.alpha, known.posterior.beta, known.evidence) == (2.0, 4.0, 3)
    assert known == rebuilt(worker_id=worker.pk, facet=f"project:{batch.project_id}")


def test_what_a_worker_sees_of_his_standing_moves_with_every_twentieth_answer_only() -> None:
    batch, worker = make.make_batch(tasks=60, gold=30, gold_policy=ALWAYS), make.make_worker()
    told = []
    for _answer in range(SHOW_EVERY * 2):
        answered(worker, batch, 1, "cat")
        told.append(shown_to(worker.pk)[0].evidence)
    assert told == [0] * (SHOW_EVERY - 1) + [SHOW_EVERY] * SHOW_EVERY + [30]


def test_a_minimum_score_keeps_the_proven_bad_out_and_lets_the_others_in() -> None:
    from workers.assignments.errors import NotEligible

    audience = {"any": [{"score": {"min": 0.6}}, {"not": {"score": {"min_evidence": 4}}}]}
    policy = {"gold_policy": ALWAYS, "audience": audience, "lease_cap": 30}
    batch = make.make_batch(tasks=30, gold=30, **policy)  # type: ignore[arg-type]
    good, bad, new = make.make_worker(), make.make_worker(), make.make_worker()
    answered(good, batch, SHOW_EVERY, "cat")
    answered(bad, batch, SHOW_EVERY - 1, "dog")
    assert make.take(bad, batch, 1)  # his standing is judged when it is shown, with every twentieth answer
    answered(bad, batch, 1, "dog")
    with pytest.raises(NotEligible, match=r"at least 0\.60"):
        make.take(bad, batch, 1)
    assert make.take(good, batch, 1)
    assert make.take(new, batch, 1)
