"""Every page of the console and of staff by its name, and what is on the desks of those who look at them.

A page has its line in `CONSOLE`, `STAFF` or `RECORDS`. The walks of `test_axe_desks.py` and `test_hostile_content.py`
take the same lines, so a new page is looked at by both. Call what speaks to the database by `beside`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import quote

from marketplace.accounts.commands import create_key, invite_member
from marketplace.accounts.models import Member, Requester, User
from marketplace.api.worker_parts import PARTS
from marketplace.backoffice.records import records
from marketplace.backoffice.records.site import LIST_URL, RECORD_URL
from marketplace.batches.commands.pilots import start_pilot
from marketplace.batches.models import Batch
from marketplace.projects.commands import add_version
from marketplace.projects.models import Project
from marketplace.results.commands.adjudication import Grounds, adjudicate
from marketplace.results.commands.aggregate import aggregate
from marketplace.results.commands.datasets import ask_for_dataset
from marketplace.results.queries import run_for
from marketplace.results.states import RulingReason
from marketplace.results.tasks import build_datasets, make_figures
from tests import factories as make
from tests.acts import in_one
from tests.api.market import Market, make_market
from tests.browser.people import with_password
from tests.console.watched import consensus, make_watched
from tests.contracts.persons import things_of
from tests.contracts.routes import Page, as_it_is, pages
from tests.staff.desk import make_staff
from workers.appeals.commands.open import contest_answer
from workers.assignments.commands.decide import accept_answers
from workers.assignments.commands.extras import pay_bonus
from workers.assignments.models import Assignment

DRAWN = "[data-plain][hidden]"
PREVIEW = "#preview .task fieldset"


@dataclass(frozen=True)
class Place:
    """What an address asks, with names in braces as in the address itself; what stands for a name in it where that is
    not the thing of this name; and what is there once all of the page is."""

    query: str = ""
    named: Mapping[str, str] = field(default_factory=dict)
    ready: str = "main"


HERE = Place()
DRAFT, PILOT = ({"batch": name} for name in ("draft", "pilot"))
OLD, NEW, MADE = ({"number": name} for name in ("old_version", "new_version", "made"))

CONSOLE: dict[str, tuple[Place, ...]] = {
    "console": (Place("?all"),),
    "console_found": (HERE,),
    "console_join": (Place("?code={code}"),),
    "console_home": (HERE,),
    "console_people": (HERE,),
    "console_member": (HERE,),
    "console_workers": (HERE,),
    "console_skill": (HERE,),
    "console_worker_list": (HERE,),
    "console_keys": (HERE,),
    "console_key_new": (HERE,),
    "console_projects": (HERE,),
    "console_project_new": (HERE,),
    "console_project": (HERE,),
    "console_version": (Place(named=OLD, ready=PREVIEW), Place(named=NEW, ready=PREVIEW)),
    "console_version_publish": (Place(named=NEW),),
    "console_version_changes": (Place(named=NEW),),
    "console_batches": (HERE,),
    "console_batch_new": (HERE,),
    "console_batch_setup": (Place(named=DRAFT),),
    "console_setup_items": (Place(named=DRAFT, ready="#sample-task fieldset"),),
    "console_setup_gold": (Place(named=DRAFT, ready="#gold-task fieldset"),),
    "console_setup_terms": (Place(named=DRAFT),),
    "console_setup_audience": (Place(named=DRAFT),),
    "console_setup_quality": (Place(named=DRAFT),),
    "console_setup_check": (Place(named=DRAFT),),
    "console_batch_pilot": (Place(named=PILOT),),
    "console_batch": (Place(ready="#figures"),),
    "console_batch_workers": (HERE,),
    "console_batch_answers": (HERE,),
    "console_batch_tasks": (HERE,),
    "console_batch_task": (Place("?id={task}", ready=DRAWN),),
    "console_batch_reports": (HERE,),
    "console_batch_gold": (HERE,),
    "console_batch_places": (Place("?task={task}"),),
    "console_batch_pause": (HERE,),
    "console_batch_resume": (HERE,),
    "console_batch_go_on": (HERE,),
    "console_batch_rules": (HERE,),
    "console_batch_close": (HERE,),
    "console_batch_cancel": (HERE,),
    "console_review": (Place("?task={task}", ready=DRAWN), Place("?queue=sample"), Place("?queue=gold")),
    "console_review_answers": (HERE,),
    "console_review_given_up": (HERE,),
    "console_review_appeals": (HERE,),
    "console_data": (HERE,),
    "console_batch_data": (HERE,),
    "console_dataset": (Place(named=MADE),),
    "console_lineage": (HERE, Place("?task={task}")),
    "console_money": (HERE,),
    "console_spending": (HERE,),
    "console_statement": (HERE,),
    "console_invoices": (HERE,),
    "console_pay_in": (HERE,),
    "console_bonuses": (HERE,),
}
STAFF: dict[str, tuple[Place, ...]] = {
    "staff_health": (HERE,),
    "staff_quality": (HERE,),
    "staff_firings": (HERE,),
    "staff_batch": (HERE,),
    "staff_batch_keys": (HERE,),
    "staff_audit": (HERE,),
    "staff_audit_check": (HERE,),
    "staff_configuration": (HERE,),
    "staff_rules": (HERE,),
    "staff_roles": (HERE,),
    "staff_revoke": (Place(named={"user": "colleague"}),),
    "staff_money": (HERE,),
    "staff_books": (HERE,),
    "staff_money_in": (HERE,),
    "staff_reverse": (HERE,),
    "staff_deposit_report": (HERE,),
    "staff_payouts": (HERE,),
    "staff_refuse": (HERE,),
    "staff_runs": (HERE,),
    "staff_run": (HERE,),
    "staff_reconciliation": (HERE,),
    "staff_payout_report": (HERE,),
    "staff_attempts": (HERE,),
    "staff_people": (HERE, Place("?search={organisation}")),
    "staff_worker": (HERE,),
    **{f"staff_worker_{part}": (HERE,) for part in PARTS},
    "staff_link": (HERE,),
    "staff_link_end": (HERE,),
    "staff_sanction": (HERE,),
    "staff_sanctions": (HERE,),
    "staff_lift": (HERE,),
    "staff_requester": (HERE,),
    "staff_appeals": (HERE,),
    "staff_appeal": (HERE,),
    "staff_reviews": (HERE,),
    "staff_review": (HERE,),
    "staff_records": (HERE,),
}
# What staff look up: a list of each kind of record, and one of it.
RECORDS: dict[str, tuple[Place, ...]] = {
    f"{kind}:{one.slug}": (HERE,) for one in records.all() for kind in (LIST_URL, RECORD_URL)
}
# Are saved, not looked at.
FILES = {
    "console_batch_file", "console_dataset_file", "console_pilot_confusion", "console_pilot_file",
    "console_review_proof", "staff_run_file",
}  # fmt: skip


def served() -> dict[str, Page]:
    """Every address of the console and of staff by its name, but for those that answer to forms alone."""
    below = [page for page in pages() if page.path.startswith(("/console/", "/staff/"))]
    return {_name_of(page): page for page in below if "GET" in as_it_is(page).partition('": "')[2].split()}


def _name_of(page: Page) -> str:
    """Two names are of all records: those say of which."""
    return f"{page.name}:{page.path.split('/')[3]}" if page.name in (LIST_URL, RECORD_URL) else page.name


def path_of(page: Page, place: Place, things: Mapping[str, Any]) -> str:
    """The address of a page for these things."""
    given = {**things, **{name: things[other] for name, other in place.named.items()}}
    asked = {name: quote(str(thing), safe="") for name, thing in given.items()}
    return page.path.format(**given) + place.query.format(**asked)


def paths(walk: Mapping[str, tuple[Place, ...]], things: Mapping[str, Any]) -> Iterator[tuple[str, str, Place]]:
    """A name for each place of a walk, its address, and the place."""
    known = served()
    for name, places in walk.items():
        for at, place in enumerate(places):
            yield f"{name}-{at}" if at else name, path_of(known[name], place, things), place


# --- what is on the desks ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Desks:
    """Who sits at them, what addresses name, and the organisation. The owner signs in with `people.PASSWORD`."""

    owner: User
    staff: User
    requester: Requester
    things: dict[str, Any]


def make_desks() -> Desks:
    """An organisation that has some of everything: a batch under way, a pilot, a draft, data, money, people."""
    market = make_market()
    owner, staff = make.owner_of(market.requester), make_staff()
    things = things_of(market)
    running = _under_way(market, owner)
    _named(market, owner)
    in_one(create_key, user=owner, name="Nightly export", scopes=["requester"])
    _invited, code = in_one(
        invite_member, requester_id=market.requester.pk, email="jean.bartik@example.org", role="reviewer", by=owner.pk
    )
    make.make_deposit(market.requester, 250_000_000, reference="Transfer 2026-114")
    things |= {
        "batch": running.public_id,
        "draft": _draft(market.project).public_id,
        "pilot": _pilot(market.project).public_id,
        "task": "t0",
        "old_version": 1,
        "new_version": _version(market.project),
        "made": 1,
        "member": Member.objects.get(requester=market.requester, user__name="Kathleen McNulty").user.public_id,
        "code": code,
        "colleague": make_staff("support").public_id,
        "organisation": "Acme",
    }
    return Desks(with_password(owner), staff, market.requester, things)


def _under_way(market: Market, owner: User) -> Batch:
    """A batch that people work on, with a ruling, results, a data set, a rejection that is contested and a bonus."""
    watched = make_watched(8, 2, project=market.project, max_attempts=1)
    batch = watched.batch
    answers = list(Assignment.objects.filter(batch=batch, state="submitted").order_by("pk"))
    [contested] = [one for one in answers if one.worker_id == watched.workers[0].pk and one.task.external_id == "t2"]
    in_one(make.reject, batch=batch, assignments=[contested], comment="This is plainly a dog.")
    in_one(
        contest_answer, worker_id=contested.worker_id, assignment=contested.public_id, words="It has whiskers: a cat."
    )
    in_one(accept_answers, batch_id=batch.pk, assignments=[one.public_id for one in answers[:8] if one != contested])
    grounds = Grounds(RulingReason.INSTRUCTIONS, "Page 2: a fox is no dog.", owner.pk)
    in_one(adjudicate, batch_id=batch.pk, task="t0", grounds=grounds, values={"label": "cat"})
    with_data(batch, owner)
    in_one(
        pay_bonus, batch_id=batch.pk, worker_id=watched.workers[0].pk, amount_micros=500_000, made_by=owner.pk,
        reason="Thank you for the careful comments.", reference="March",
    )  # fmt: skip
    consensus(batch)
    make_figures(batch.pk)
    return batch


def with_data(batch: Batch, owner: User) -> None:
    """Results of what is accepted so far, and a data set of them."""
    in_one(aggregate, batch_id=batch.pk, method="majority")
    plan = {"answers": True, "gold": True, "require_valid": False}
    in_one(
        ask_for_dataset, batch=batch, run_of=run_for(batch, None), format="jsonl", options={}, plan=plan, by=owner.pk
    )
    build_datasets()


def _draft(project: Project) -> Batch:
    draft = make.make_draft(project, name="Pets, second round")
    make.add_rows(draft, make.rows(6, 1))
    return draft


def _pilot(project: Project) -> Batch:
    """A pilot that three people have answered, one of them otherwise than the others."""
    rest = make.make_draft(project, name="Pets, with a pilot", lease_cap=100)
    make.add_rows(rest, make.rows(30))
    pilot: Batch = in_one(start_pilot, batch_id=rest.pk, items=6, chance=Random(1))
    for label in ("cat", "cat", "dog"):
        worker = make.make_worker()
        make.answer(worker, make.take(worker, pilot, 6), label)
    in_one(accept_answers, batch_id=pilot.pk, assignments=None)
    in_one(aggregate, batch_id=pilot.pk, method="majority")
    return pilot


def _version(project: Project) -> int:
    """A draft in which a label, a hint and a sentence of the instructions are new."""
    label, *others = make.INTERFACE["answer"]
    changed = {**label, "help": "Look at the ears.", "labels": [*label["labels"], {"value": "fox", "title": "Fox"}]}
    made = in_one(
        add_version, project_id=project.pk, interface={**make.INTERFACE, "answer": [changed, *others]},
        instructions="Say which animal it is.\n\nA fox is no dog.",
    )  # fmt: skip
    return int(made.number)


def _named(market: Market, owner: User) -> None:
    """People have names, so that pages look as they do."""
    names = ["Betty Holberton", "Kathleen McNulty", "Ruth Teitelbaum", "Marlyn Meltzer", "Frances Spence"]
    User.objects.filter(pk=owner.pk).update(name="Grace Hopper")
    owner.name = "Grace Hopper"
    others = Member.objects.filter(requester=market.requester).exclude(user=owner).order_by("pk")
    for member, name in zip(others, names, strict=False):
        User.objects.filter(pk=member.user_id).update(name=name)
