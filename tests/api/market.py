"""A small market with one of everything, and everybody who might ask for it."""

from copy import copy
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Model

from marketplace.accounts.commands import ensure_staff
from marketplace.accounts.commands.sanctions import impose
from marketplace.accounts.models import Member, Requester, Sanction, User
from marketplace.batches.models import Batch
from marketplace.common.transactions import one_transaction
from marketplace.payouts.commands.runs import make_run
from marketplace.payouts.models import Destination, Payout, Run
from marketplace.projects.models import Project
from marketplace.results.commands.rejections import Why, reject
from marketplace.results.models import RejectionReview
from marketplace.webhooks.commands.subscriptions import add_webhook, send_test
from marketplace.webhooks.models import Delivery, Subscription
from tests import factories as make
from tests.api.callers import Caller, Reply, caller_for
from tests.payouts import people
from workers.appeals.commands.open import contest_answer
from workers.appeals.models import Appeal
from workers.assignments.states import RejectReason
from workers.profiles.commands import pseudonym_for
from workers.profiles.commands.links import link_accounts
from workers.profiles.commands.lists import create_list
from workers.profiles.commands.skills import create_skill
from workers.profiles.models import Link, Skill, Worker, WorkerList

ROLES = ("anonymous", "worker", "other worker", "owner", "manager", "reviewer", "viewer", "other requester", "staff")


@dataclass
class Market:
    """Two organisations with a published and a draft batch each, two workers, staff; `own` is the first of each.

    The first organisation knows the first worker as `known`, and has a skill and a list; two more accounts are linked.
    The first worker is under review in its work.
    The first worker has a destination and a payout that was asked for; a payout of the other's is in a run.
    """

    requester: Requester
    project: Project
    batch: Batch
    draft: Batch
    worker: Worker
    other_worker: Worker
    known: str
    skill: Skill
    worker_list: WorkerList
    link: Link
    sanction: Sanction
    destination: Destination
    payout: Payout
    run: Run
    callers: dict[str, Caller]
    said: list[Reply] = field(default_factory=list)

    def __getitem__(self, who: str) -> Caller:
        return self.callers[who]

    def again(self) -> "Market":
        """The same market with rows and callers of its own, for another test."""
        said: list[Reply] = []
        own = {name: copy(one) for name, one in vars(self).items() if isinstance(one, Model)}
        return replace(self, **own, callers={who: one.again(said) for who, one in self.callers.items()}, said=said)


def make_market(tasks: int = 6, gold: int = 2, **terms: Any) -> Market:
    """Build it through the commands."""
    said: list[Reply] = []
    requester = make.make_requester()
    project = make.make_project(requester)
    batch = make.make_batch(tasks, gold, project=project, **terms)
    draft = make.make_draft(project, name="Draft", **terms)
    make.add_rows(draft, make.rows(2))
    worker, other_worker = make.make_worker(), make.make_worker()
    with one_transaction(principal="test"):
        staff = ensure_staff(email=make.make_user().email)
    with one_transaction(principal="test"):
        known = pseudonym_for(worker_id=worker.pk, requester_id=requester.pk)
    with one_transaction(principal="test"):
        skill = create_skill(requester_id=requester.pk, kind="skill", name="Reads")
    with one_transaction(principal="test"):
        worker_list = create_list(requester_id=requester.pk, name="Friends")
    destination, payout, run = make_payouts(worker, other_worker, staff)
    with one_transaction(principal="test"):
        link = link_accounts(workers=two_ids(), reason="one phone", by=staff.pk)
    people: dict[str, tuple[User, str]] = {
        "worker": (worker.user, "worker"),
        "other worker": (other_worker.user, "worker"),
        "owner": (requester.members.get().user, "requester"),
        **{role: (_member(requester, role), "requester") for role in ("manager", "reviewer", "viewer")},
        "other requester": (make.make_requester().members.get().user, "requester"),
        "staff": (staff, "staff"),
    }
    callers = {who: caller_for(user, scope, who=who, said=said) for who, (user, scope) in people.items()}
    callers["anonymous"] = Caller("anonymous", said=said)
    return Market(
        requester=requester,
        project=project,
        batch=batch,
        draft=draft,
        worker=worker,
        other_worker=other_worker,
        known=known,
        skill=skill,
        worker_list=worker_list,
        link=link,
        sanction=make_sanction(requester, worker),
        destination=destination,
        payout=payout,
        run=run,
        callers=callers,
        said=said,
    )


def make_payouts(worker: Worker, other: Worker, staff: User) -> tuple[Destination, Payout, Run]:
    """A destination of the worker's and a payout there that was asked for, and a run with a payout of the other's. Both
    have the same password, the same second factor and as much money, so that one body fits both."""
    for one in (worker, other):
        one.user.set_password(people.PASSWORD)
        one.user.save(update_fields=["password"])
        people.enrol(one.user, like=None if one is worker else worker.user)
        people.earn(one, people.EURO)
    added, there = people.aged(people.add, worker), people.aged(people.add, other)
    payout = people.ask(worker, added)
    people.approved(other, there, staff)
    with one_transaction(principal="test"):
        return added, payout, make_run(provider_name="manual", currency="EUR", by=staff.pk)


def make_sanction(requester: Requester, worker: Worker) -> Sanction:
    """One that stops nothing."""
    by = requester.members.earliest("pk").user_id
    with one_transaction(principal="test"):
        return impose(
            user_id=worker.user_id, scope="requester", scope_id=requester.pk, measure="review", reason="other",
            words="We look at your answers.", evidence={"note": "odd"}, life=timedelta(days=1), made_by=by,
        )  # fmt: skip


def two_ids() -> list[UUID]:
    """The ids of two new workers."""
    return [make.make_worker().public_id for _ in range(2)]


def _member(requester: Requester, role: str) -> User:
    user = make.make_user()
    Member.objects.create(requester=requester, user=user, role=role)
    return user


def _answered(market: Market, count: int) -> tuple[Batch, list[UUID]]:
    """Answers of somebody new, in a batch beside the others."""
    batch = make.make_batch(count, project=market.project, name="Answered", overlap=1)
    worker = make.make_worker()
    leases = make.take(worker, batch, count)
    make.answer(worker, leases)
    return batch, [lease.id for lease in leases]


def make_answer(market: Market, worker: Worker) -> UUID:
    """An answer of the worker's, in a batch beside the others."""
    leases = make.take(worker, make.make_batch(1, project=market.project, name="Small", overlap=1))
    make.answer(worker, leases)
    return leases[0].id


def make_review(market: Market) -> RejectionReview:
    """More rejections than a small batch may have, which wait."""
    batch, answers = _answered(market, 6)
    why = Why(RejectReason.WRONG, "No animals.", make.owner_of(market.requester).pk)
    with one_transaction(principal="test"):
        reject(batch_id=batch.pk, assignments=answers, why=why)
    return RejectionReview.objects.get(batch=batch)


def make_appeal(market: Market) -> Appeal:
    """Somebody contests a rejection."""
    batch, answers = _answered(market, 1)
    with one_transaction(principal="test"):
        make.reject(batch, answers)
    worker_id = batch.assignments.get().worker_id
    with one_transaction(principal="test"):
        return contest_answer(worker_id=worker_id, assignment=answers[0], words="It is a cat.")


def make_webhook(market: Market) -> tuple[Subscription, Delivery]:
    """A webhook of the organisation's, and a test of it that has not been sent."""
    by, url = make.owner_of(market.requester), "https://hooks.example.org/in"
    with one_transaction(principal="test"):
        made, _ = add_webhook(requester_id=market.requester.pk, url=url, events=["batch.settled"], by=by)
    with one_transaction(principal="test"):
        return made, send_test(webhook_id=made.pk)
