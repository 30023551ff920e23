"""A small market with one of everything, and everybody who might ask for it."""

from copy import copy
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db.models import Model

from marketplace.accounts.commands import ensure_staff, invite_member
from marketplace.accounts.commands.sanctions import impose
from marketplace.accounts.models import Member, Requester, Sanction, User
from marketplace.batches.models import Batch
from marketplace.common.database import MarketNow
from marketplace.common.models import DeadLetter
from marketplace.common.transactions import one_transaction
from marketplace.payouts.commands.runs import make_run
from marketplace.payouts.models import Destination, Payout, Run
from marketplace.projects.models import Project
from marketplace.results.commands.rejections import Why, reject
from marketplace.results.models import RejectionReview
from marketplace.results.tasks import build_datasets
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

STAFF_ROLES = ("support", "finance", "quality")
# `staff` is a superuser, whom every role's address takes.
ROLES = (
    "anonymous", "worker", "other worker", "owner", "manager", "reviewer", "viewer", "other requester", "staff",
    *STAFF_ROLES,
)  # fmt: skip


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
    staff, *others = (_staff(role) for role in ("superuser", *STAFF_ROLES))
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
        **{role: (user, "staff") for role, user in zip(STAFF_ROLES, others, strict=True)},
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


def _staff(role: str) -> User:
    with one_transaction(principal="test"):
        return ensure_staff(email=make.make_user().email, role=role)


def _member(requester: Requester, role: str) -> User:
    user = make.make_user()
    Member.objects.create(requester=requester, user=user, role=role)
    return user


def make_colleague(market: Market) -> UUID:
    """A member of the organisation who calls nothing."""
    return _member(market.requester, "viewer").public_id


def make_member_invitation(market: Market) -> UUID:
    """Somebody who is asked to join and has not come."""
    by = make.owner_of(market.requester).pk
    with one_transaction(principal="test"):
        made, _ = invite_member(requester_id=market.requester.pk, email=f"{uuid4()}@new.example", role="viewer", by=by)
    return made.public_id


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


@dataclass(frozen=True)
class Filled:
    """What `fill` leaves: a live lease of the worker's, and a link to the data set with its secret."""

    lease: dict[str, Any]
    share: str
    token: str


def fill(market: Market) -> Filled:
    """So that nothing is empty: answers that were accepted, a ruling, results, a data set, and a link to it."""
    batch = f"batches/{market.batch.public_id}"
    lease, *taken = market["worker"].post(f"worker/{batch}/claim", {"count": 5}).expect(201)["assignments"]
    answers = [{"assignment": one["id"], "token": one["token"], "values": {"label": "cat"}} for one in taken]
    answers[-1] = {"assignment": taken[-1]["id"], "token": taken[-1]["token"], "unclear": True}
    market["worker"].post("worker/submissions", {"answers": answers}).expect(200)
    owner = market["owner"]
    owner.post(f"{batch}/answers/accept", {"all_submitted": True}).expect(200)
    ruling = {"task": "t1", "values": {"label": "cat"}, "reason": "plain", "words": ""}
    owner.post(f"{batch}/adjudications", ruling).expect(201)
    owner.post(f"{batch}/results").expect(201)
    owner.post(f"{batch}/datasets", {"format": "jsonl"}).expect(202)
    build_datasets()
    link = owner.post(f"{batch}/datasets/1/links", {"expires_in_s": 3_600}).expect(201)
    return Filled(lease, link["id"], link["address"].split("/")[-2])


def ids_of(market: Market) -> dict[str, Any]:
    """What addresses may name, all of it the first organisation's and the first worker's; fills the market first. A
    name that is missing here fails the matrices."""
    filled, (webhook, delivery) = fill(market), make_webhook(market)
    return {
        "answer": make_answer(market, market.worker),
        "appeal": make_appeal(market).public_id,
        "assignment": filled.lease["id"],
        "batch": market.batch.public_id,
        "delivery": delivery.public_id,
        "deposit": make.make_deposit(market.requester).public_id,
        "destination": market.destination.public_id,
        "id": market.batch.imports.get().public_id,
        "invitation": make_member_invitation(market),
        "invoice": make.make_invoice(market.requester).public_id,
        "key": make.owner_of(market.requester).auth_token_set.get().public_id,
        "letter": _letter().public_id,
        "link": market.link.public_id,
        "list": market.worker_list.public_id,
        "member": make_colleague(market),
        "number": 1,
        "payout": market.payout.public_id,
        "project": market.project.public_id,
        "provider": "manual",
        "requester": market.requester.public_id,
        "review": make_review(market).public_id,
        "run": market.run.public_id,
        "sanction": market.sanction.public_id,
        "share": filled.share,
        "skill": market.skill.public_id,
        "token": filled.token,
        "user": market.worker.user.public_id,
        "webhook": webhook.public_id,
        "worker": market.worker.public_id,
    }


def nobodys(ids: dict[str, Any]) -> dict[str, Any]:
    """Ids of nothing by the same names; the number of a version or of a data set stays what it is."""
    return {name: one if isinstance(one, int) else uuid4() for name, one in ids.items()}


def _letter() -> DeadLetter:
    now = MarketNow()
    return DeadLetter.objects.create(kind="sweep", subject=str(uuid4()), error="", times=3, first_at=now, parked_at=now)
