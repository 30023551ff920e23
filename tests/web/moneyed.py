"""A worker with a history: answers of every outcome, money, a payout, appeals, limits, scores and news."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from marketplace.accounts.commands.sanctions import impose
from marketplace.batches.models import Batch
from marketplace.common.transactions import one_transaction
from marketplace.streams.commands import append, relay
from marketplace.streams.queries import anything_to_relay
from marketplace.streams.routes import Fact, address_of_worker
from tests import factories as make
from tests.acts import horizon
from tests.payouts import people
from workers.appeals.commands.open import contest_answer
from workers.assignments.commands.decide import accept_answers
from workers.assignments.commands.pay import settle_due
from workers.profiles.commands.skills import create_skill, grant_skill
from workers.profiles.models import Worker


@dataclass
class History:
    """What was made; answers by what came of them."""

    worker: Worker
    batch: Batch
    answers: dict[str, list[UUID]] = field(default_factory=dict)


def make_history(worker: Worker | None = None) -> History:
    """An answer of each outcome, in one batch, one of the rejections contested."""
    worker = worker or people.make_payee()
    batch = make.make_batch(6, overlap=1, lease_cap=100, name="Pets in the park")
    leases = make.take(worker, batch, 6)
    make.answer(worker, leases)
    names = ("waiting", "paid", "due", "rejected", "contested", "repair")
    answers = {name: [leases[n]] for n, name in enumerate(names)}
    with one_transaction(principal="test"):
        accept_answers(batch_id=batch.pk, assignments=[one.id for one in answers["paid"]])
    settle(worker)
    with one_transaction(principal="test"):
        accept_answers(batch_id=batch.pk, assignments=[one.id for one in answers["due"]])
    with one_transaction(principal="test"):
        make.reject(batch, [*answers["rejected"], *answers["contested"]], comment="This is a dog.")
    for one in answers["contested"]:
        with one_transaction(principal="test"):
            contest_answer(worker_id=worker.pk, assignment=one.id, words="It has whiskers.")
    make.send_back(batch, answers["repair"])
    return History(worker, batch, {name: [one.id for one in some] for name, some in answers.items()})


def make_histories(count: int) -> Worker:
    """So many of them, of one worker."""
    worker = people.make_payee()
    for _number in range(count):
        make_history(worker=worker)
    return worker


def settle(worker: Worker) -> None:
    """What is due is paid."""
    with one_transaction(principal="test"):
        settle_due(worker_id=worker.pk)


def limit(worker: Worker, requester: Any, **more: Any) -> Any:
    """Slow the worker down in the organisation's work."""
    values: dict[str, Any] = {
        "measure": "slow_down", "pace_s": 30, "reason": "haste", "words": "Please take your time.",
        "evidence": {"fast_share": {"point": 0.4, "count": 12}, "gold_accuracy": 0.1}, "life": timedelta(days=2),
        **more,
    }  # fmt: skip
    with one_transaction(principal="test"):
        return impose(
            user_id=worker.user_id, scope="requester", scope_id=requester.pk, made_by=make.owner_of(requester).pk,
            **values,
        )  # fmt: skip


def grant(worker: Worker, requester: Any, name: str = "Reads cats", value: float | None = 0.9) -> None:
    """A skill that the organisation vouches for."""
    by = make.owner_of(requester).pk
    with one_transaction(principal="test"):
        skill = create_skill(requester_id=requester.pk, kind="skill", name=name)
    with one_transaction(principal="test"):
        grant_skill(skill=skill, worker_id=worker.pk, value=value, evidence="exam of May", by=by)


def tell(worker: Worker, kind: str, body: dict[str, Any], times: int = 1, first: int = 10**6) -> None:
    """Facts in the worker's stream."""
    with one_transaction(principal="test"):
        append([Fact(first + n, address_of_worker(worker.pk), kind, body) for n in range(times)])


def relay_all() -> None:
    """Everything that was committed so far reaches the streams, once no older transaction of the cluster hides it."""
    horizon()
    while anything_to_relay():
        with one_transaction(principal="test"):
            relay()
