"""A market whose every word is hostile, and the pages on which people meet those words. Call it by `beside`.

A page that shows what others wrote has its line in `LOOKS`; those of the console and of staff come from `desks.py`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote
from uuid import UUID

from marketplace.accounts.commands import create_key, invite_member
from marketplace.accounts.commands.sanctions import impose
from marketplace.accounts.models import Member, Requester, User
from marketplace.batches.commands.pilots import start_pilot
from marketplace.batches.models import Batch
from marketplace.billing.commands.reconcile import reconcile_deposits
from marketplace.common.database import MarketNow
from marketplace.common.models import DeadLetter
from marketplace.payouts.commands.reports import take_in_report
from marketplace.projects.commands import add_version
from marketplace.projects.interface import check_interface
from marketplace.projects.models import Project
from marketplace.results.commands.adjudication import Grounds, adjudicate
from marketplace.results.commands.rejections import Why
from marketplace.results.commands.rejections import reject as reject_or_wait
from marketplace.results.models import RejectionReview
from marketplace.results.states import RulingReason
from marketplace.results.tasks import make_figures
from tests import factories as make
from tests.acts import in_one
from tests.api.market import make_payouts
from tests.browser.desks import CONSOLE, RECORDS, STAFF, paths, with_data
from tests.browser.people import make_person
from tests.console.watched import NO_GOLD, consensus
from tests.contracts.hostile import CORPUS, KEPT, interface_of, packs, row_of
from tests.staff.desk import make_staff
from tests.staff.record_rows import rows_of
from workers.appeals.commands.open import add_statement, contest_answer, contest_sanction
from workers.appeals.models import Appeal
from workers.assignments.commands.decide import accept_answers
from workers.assignments.commands.extras import pay_bonus
from workers.assignments.commands.leases import return_lease
from workers.assignments.commands.submit import Submission, submit
from workers.assignments.models import Assignment, Extra
from workers.assignments.states import RejectReason, ReturnReason
from workers.profiles.commands.links import link_accounts
from workers.profiles.commands.lists import create_list
from workers.profiles.commands.skills import create_skill, grant_skill
from workers.profiles.models import Worker
from workers.reputation.commands import set_platform_rules

# Pages of the console that show what is in tasks, answers and interfaces: seen with every text. Others with some.
DEEP = (
    "console_version", "console_version_changes", "console_batch", "console_batch_task", "console_review",
    "console_lineage", "console_dataset", "console_setup_gold",
)  # fmt: skip


@dataclass
class Hostile:
    """Rows of it; each batch has an answer that was decided on and a task that is left. `things` are what addresses of
    the console name, for each project; `others` what they name beside."""

    worker: Worker
    owner: User
    staff: User
    requester: Requester
    projects: list[Project] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    answers: list[UUID] = field(default_factory=list)
    things: list[dict[str, Any]] = field(default_factory=list)
    others: dict[str, Any] = field(default_factory=dict)
    appeals: list[UUID] = field(default_factory=list)


def hostile_market() -> Hostile:
    """An organisation of hostile people; `add_pack` gives it work, `add_others` what is said of people and money."""
    requester = make.make_requester()
    Requester.objects.filter(pk=requester.pk).update(name=KEPT[17][:200])
    owner = make.owner_of(requester)
    User.objects.filter(pk=owner.pk).update(name=KEPT[18][:200])
    return Hostile(
        worker=Worker.objects.create(user=make_person(KEPT[26][:200]), country="DE", languages=["en"]),
        owner=owner,
        staff=make_staff(),
        requester=requester,
    )


def add_pack(world: Hostile, number: int) -> None:
    """A pack of texts: a project with its words and a draft of others, a batch that somebody works on with an answer in
    the same words and what came of it, one to look into, a pilot and a draft."""
    texts = packs()[number]
    interface = interface_of(texts)
    project = make.make_project(world.requester, interface, instructions="\n\n".join(texts))
    Project.objects.filter(pk=project.pk).update(name=texts[0][:200])
    _worked_on(world, project, texts, number)
    looked_into, task = _looked_into(world, project, texts, number)
    turned = [*texts[1:], texts[0]]
    version = in_one(
        add_version, project_id=project.pk, interface=interface_of(turned), instructions="\n\n".join(turned)
    )
    draft = make.make_draft(project, name=texts[-1][:200])
    make.add_rows(draft, _rows(interface, texts, number, 3, gold=1))
    piloted = make.make_draft(project, name=texts[-2][:200])
    make.add_rows(piloted, _rows(interface, texts, number, 4))
    world.projects.append(project)
    world.things.append({
        "project": project.public_id, "batch": looked_into.public_id, "task": task, "draft": draft.public_id,
        "pilot": in_one(start_pilot, batch_id=piloted.pk, items=2, chance=Random(1)).public_id,
        "old_version": 1, "new_version": version.number, "made": 1,
    })  # fmt: skip


def _rows(interface: Any, texts: list[str], number: int, count: int, gold: int = 0) -> list[dict[str, Any]]:
    """Tasks in these words, and so many of them with a known answer."""
    row, key = row_of(interface, texts, number), {"label": labels_of(interface)[0]}
    rows = [{**row, "external_id": f"{at} {row['external_id']}"[:200]} for at in range(count)]
    return [*rows[gold:], *({**one, "gold": key} for one in rows[:gold])]


def labels_of(interface: Any) -> list[str]:
    """What the first question may be answered with: as it is kept, without space around it."""
    return [label["value"] for label in check_interface(interface)["answer"][0]["labels"]]


def _said(interface: Any, texts: list[str], label: int) -> dict[str, Any]:
    """An answer in these words."""
    ranked = [item["value"] for item in check_interface(interface)["answer"][2]["items"]]
    labels = labels_of(interface)
    chosen = labels[label % len(labels)]
    return {"label": chosen, "order": ranked, "said": "\n".join(texts)[:5_000].strip()}


def _send(worker: Worker, leases: list[Any], values: dict[str, Any]) -> None:
    page = [Submission(lease.id, lease.token, values) for lease in leases]
    in_one(submit, worker_id=worker.pk, page=page, then_claim=None, chance=Random(1))


def _worked_on(world: Hostile, project: Project, texts: list[str], number: int) -> None:
    """What a worker sees of it: a task that is left, and an answer that was accepted, or rejected and contested."""
    interface = interface_of(texts)
    batch = make.make_draft(project, name=texts[0][:200], overlap=1)
    make.add_rows(batch, _rows(interface, texts, number, 2))
    make.published(batch)
    (lease,) = make.take(world.worker, batch)
    _send(world.worker, [lease], _said(interface, texts, number))
    comment = "\n".join(texts)[:1_000]
    if number % 3 == 2:
        in_one(accept_answers, batch_id=batch.pk, assignments=[lease.id])
    else:
        in_one(make.reject, batch=batch, assignments=[lease], comment=comment)
    if number % 3 == 0:
        appeal = in_one(contest_answer, worker_id=world.worker.pk, assignment=lease.id, words=comment)
        in_one(
            add_statement, appeal=appeal.public_id, requester_id=world.requester.pk, by=world.owner.pk, words=comment
        )
    world.batches.append(batch)
    world.answers.append(lease.id)


def _looked_into(world: Hostile, project: Project, texts: list[str], number: int) -> tuple[Batch, str]:
    """What the console sees of it: answers that differ, one task that was given up, a key, a label that was settled, a
    data set; and the name of the task that was settled."""
    interface, comment = interface_of(texts), "\n".join(reversed(texts))[:1_000]
    batch = make.make_draft(project, name=texts[1][:200], overlap=2, max_attempts=1, lease_cap=100, gold=NO_GOLD)
    make.add_rows(batch, _rows(interface, texts, number, 4, gold=1))
    make.published(batch)
    one, other, third = (make.make_worker() for _ in range(3))
    [lease] = make.take(third, batch)
    in_one(
        return_lease, worker_id=third.pk, assignment=lease.id, token=lease.token, reason=ReturnReason.BROKEN,
        comment=comment,
    )  # fmt: skip
    leases = make.take(one, batch, 2)
    _send(one, leases, _said(interface, texts, 0))
    _send(other, make.take(other, batch, 2), _said(interface, texts[::-1], 1))
    consensus(batch)
    in_one(accept_answers, batch_id=batch.pk, assignments=[lease.id for lease in leases])
    task = batch.assignments.get(public_id=leases[0].id).task.external_id
    grounds = Grounds(RulingReason.OTHER, comment, world.owner.pk)
    in_one(adjudicate, batch_id=batch.pk, task=task, grounds=grounds, values=_said(interface, texts, 2))
    in_one(
        pay_bonus, batch_id=batch.pk, worker_id=one.pk, amount_micros=5, reason=comment[:200], made_by=world.owner.pk,
        reference=texts[0][:100],
    )  # fmt: skip
    with_data(batch, world.owner)
    make_figures(batch.pk)
    return batch, task


def add_others(world: Hostile) -> None:
    """What is said of people and of money."""
    texts, by, staff = KEPT[30:60], world.owner.pk, world.staff
    for at, text in enumerate(KEPT[17:24]):
        skill: Any = in_one(
            create_skill, requester_id=world.requester.pk, kind="skill", name=f"{text[:90]}{at}", description=text
        )
        in_one(grant_skill, skill=skill, worker_id=world.worker.pk, by=by, value=0.5, evidence=text)
    member = make.make_user(name=texts[0][:200])
    Member.objects.create(requester=world.requester, user=member, role="viewer")
    in_one(create_key, user=world.owner, name=texts[1][:200], scopes=["requester"])
    _, code = in_one(
        invite_member, requester_id=world.requester.pk, email="'onclick='hit()'@new.example", role="viewer", by=by
    )
    sanction = in_one(
        impose, user_id=world.worker.user_id, scope="requester", scope_id=world.requester.pk, measure="review",
        reason="other", words=texts[2][:1_000], evidence={"note": texts[3]}, life=timedelta(days=1), made_by=by,
    )  # fmt: skip
    in_one(contest_sanction, worker_id=world.worker.pk, sanction=sanction.public_id, words=texts[4][:1_000])
    destination, payout, run = make_payouts(world.worker, make.make_worker(), staff)
    named = in_one(create_list, requester_id=world.requester.pk, name=texts[17][:80])
    link = in_one(
        link_accounts,
        workers=[world.worker.public_id, make.make_worker().public_id],
        reason=texts[18][:500],
        by=staff.pk,
    )
    party = {"name": texts[5], "address": texts[6], "tax_id": texts[7]}
    line = {"batch": None, "batch_name": texts[8], "project_name": texts[9], "what": "fees", "amount_micros": 7}
    make.make_invoice(world.requester, seller={**party, "note": texts[10]}, buyer={**party, "email": ""}, lines=[line])
    letter = DeadLetter.objects.create(
        kind="sweep", subject=texts[11], error="\n".join(texts), times=3, first_at=MarketNow(), parked_at=MarketNow()
    )
    in_one(set_platform_rules, quality={"preset": "fast"}, note=texts[12], by=staff.pk)
    world.appeals += Appeal.objects.exclude(rejection=None).values_list("public_id", flat=True)
    world.others |= {
        "requester": world.requester.public_id, "member": member.public_id, "code": code,
        "worker": world.worker.public_id, "sanction": sanction.public_id, "payout": payout.public_id,
        "run": run.public_id, "letter": letter.public_id, "review": _review(world, texts[13]),
        "appeal": Appeal.objects.filter(sanction=sanction).get().public_id, "organisation": KEPT[17][:20],
        "deposit": make.make_deposit(world.requester, reference=texts[14][:100], evidence=texts[15]).public_id,
        "colleague": make_staff("support").public_id, "user": member.public_id, **_reports(staff, texts[16]),
        "skill": skill.public_id, "worker_list": named.public_id, "link": link.public_id,
        "batch": world.things[0]["batch"],
    }  # fmt: skip
    there = _rows_of(world)
    rows = rows_of(_known(world, sanction=sanction, destination=destination, payout=payout, run=run))
    world.others |= {f"{thing}_row": there[thing] if thing in there else rows[thing] for thing in rows}


def _known(world: Hostile, **more: Any) -> Any:
    """What rows of records are made from, where it is not there in such words already."""
    batch, draft = (Batch.objects.get(public_id=world.things[0][name]) for name in ("batch", "draft"))
    return SimpleNamespace(
        requester=world.requester, project=world.projects[0], batch=batch, draft=draft, worker=world.worker,
        other_worker=make.make_worker(), **more,
    )  # fmt: skip


def _rows_of(world: Hostile) -> dict[str, Any]:
    """Rows of records in which such words stand."""
    answer = Assignment.objects.get(public_id=world.answers[0])
    return {
        "member": world.requester.members.latest("pk").pk, "task": answer.task_id, "assignment": answer.public_id,
        "batch": answer.batch.public_id, "version": world.projects[0].versions.earliest("pk").pk,
        "appeal": world.appeals[0], "deposit": world.others["deposit"], "dead_letter": world.others["letter"],
        "extra": Extra.objects.latest("pk").public_id,
    }  # fmt: skip


def _review(world: Hostile, comment: str) -> UUID:
    """Rejections in such words, more than a small batch may have: they wait."""
    batch = make.make_batch(6, project=make.make_project(world.requester), name=comment[:200], overlap=1)
    worker = make.make_worker()
    leases = make.take(worker, batch, 6)
    make.answer(worker, leases)
    why = Why(RejectReason.WRONG, comment, world.owner.pk)
    in_one(reject_or_wait, batch_id=batch.pk, assignments=[lease.id for lease in leases], why=why)
    return RejectionReview.objects.get(batch=batch).public_id


def _reports(staff: User, text: str) -> dict[str, UUID]:
    """A bank's report and a provider's, in which such a reference stands."""
    cell = '"' + text.replace('"', '""').replace("\n", " ")[:100] + '"'
    bank = f"reference,amount,currency,date\n{cell},12.50,EUR,2026-10-01\n".encode()
    deposits = in_one(reconcile_deposits, channel="bank", body=bank, by=staff)
    paid = f"key,reference,amount,currency,state\n{cell},1,5.00,EUR,settled\n"
    since, until = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    payouts = in_one(take_in_report, provider_name="manual", since=since, until=until, text=paid, by=staff.pk)
    return {"deposit_report": deposits.public_id, "payout_report": payouts.public_id}


# --- who sees it where -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Look:
    """A page, who looks at it, and what is there once all of it is."""

    path: str
    user: User | None = None
    ready: str = "main"
    # Staff's pages open once a code of the second factor was shown.
    code: bool = False


def of_workers(world: Hostile) -> Iterator[Look]:
    """The board, previews, the player, and all that came of work."""
    user = world.worker.user
    for batch in world.batches:
        yield Look(f"/work/batches/{batch.public_id}/", user, "#sample-task .task-answer fieldset")
        yield Look(f"/work/batches/{batch.public_id}/do/", user, ".task-card[aria-label]")
    for answer in world.answers:
        yield Look(f"/work/earnings/answers/{answer}/", user)
    names = ("", "profile/", "earnings/", "earnings/answers/", "earnings/statement/", "standing/", "rejections/",
             "appeals/", "news/", "destinations/")  # fmt: skip
    for name in names:
        yield Look(f"/work/{name}", user)


def of_everybody(world: Hostile) -> Iterator[Look]:
    """What is asked for comes back in no page: of errors, of sign-in, of the API's description."""
    texts = [*CORPUS["html"][:24], *CORPUS["url"][:8], *CORPUS["svg"][:4], *CORPUS["mutation"][:4]]
    for at, text in enumerate(texts):
        named = quote(text.encode(errors="replace"), safe="")
        place = (
            f"/{named}", f"/accounts/login/?next={named}", f"/accounts/signup/?email={named}&next={named}",
            f"/work/{named}/", f"/console/{named}/", f"/?q={named}#{named}",
        )[at % 6]  # fmt: skip
        yield Look(place, None, "h1")
    evil = quote("https://evil.example/openapi.json", safe="")
    for query in ("", f"?url={evil}", f"?configUrl={evil}", f"#/{quote(CORPUS['html'][17])}"):
        yield Look(f"/api/v1/docs{query}", None, ".opblock-tag")


def of_owner(world: Hostile) -> Iterator[Look]:
    """The console: what is in tasks with every text, all other pages each with those of one project."""
    for number, things in enumerate(world.things):
        walk = CONSOLE if number == 0 else {name: CONSOLE[name] for name in DEEP}
        for _, path, place in paths(walk, world.others | things):
            yield Look(path, world.owner, place.ready)


def of_staff(world: Hostile) -> Iterator[Look]:
    """All pages of staff, and every appeal."""
    for _, path, place in paths(STAFF | RECORDS, world.others):
        yield Look(path, world.staff, place.ready, code=True)
    for appeal in world.appeals:
        yield Look(f"/staff/appeals/{appeal}/", world.staff, code=True)


# The pages that show what others wrote.
LOOKS: list[Callable[[Hostile], Iterator[Look]]] = [of_workers, of_owner, of_staff, of_everybody]


def looks_of(world: Hostile, only: Any = None) -> list[Look]:
    """All of them, or of one kind."""
    return [look for kind in LOOKS if only in (None, kind) for look in kind(world)]
