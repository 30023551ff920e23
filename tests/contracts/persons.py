"""Everybody who might ask, what belongs to the first of them, and the same of others'."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.conf import settings
from django.test import Client

from marketplace.accounts.commands import ensure_staff
from marketplace.accounts.models import Member, StaffRole, User
from marketplace.batches.models import Batch
from marketplace.billing.commands.reconcile import reconcile_deposits
from marketplace.common.transactions import one_transaction
from marketplace.payouts.commands.reports import take_in_report
from marketplace.results.commands.aggregate import aggregate
from marketplace.results.commands.datasets import ask_for_dataset
from marketplace.results.queries import run_for
from marketplace.results.tasks import make_figures
from tests import factories as make
from tests.acts import in_one
from tests.api.market import Market, ids_of, make_market, nobodys
from tests.api.test_matrix import CROSSED, NO_NUMBER
from tests.api_client import Api
from tests.console.reviewed import disputed
from tests.contracts.routes import Page
from tests.payouts.people import enrol
from tests.staff.desk import show_code
from tests.staff.record_rows import rows_of
from workers.assignments.commands.decide import accept_answers
from workers.profiles.models import Worker

RANKS = ("viewer", "reviewer", "manager", "owner")
WORKERS = ("worker", "other worker")
STAFF = tuple(StaffRole.values)
PERSONS = ("anonymous", "suspended requester", *WORKERS, *reversed(RANKS), "other requester", *STAFF)
# Nobody is signed in with a closed account.
STRANGERS = ("anonymous", "suspended requester")
# What a name in an address stands for where that depends on the address: the first that fits.
MEANT = (
    ("/console/batches/{batch}/setup/", {"batch": "draft"}),
    ("/console/batches/{batch}/pilot/", {"batch": "pilot"}),
    ("/console/batches/{batch}/", {"batch": "answered"}),
    ("/accounts/password/reset/", {"key": "mailed"}),
)
PLAN = {"answers": False, "gold": True, "require_valid": False}


@dataclass
class World:
    """Two organisations with all that is theirs; `things` are ids by what addresses call them, of the first (`own`), of
    the second (`foreign`), and of nobody (`nonexistent`)."""

    market: Market
    people: dict[str, User]
    sessions: dict[str, str]
    things: dict[str, dict[str, Any]]

    def path(self, page: Page, whose: str = "own") -> str:
        """The address of a page about something of somebody's; `crossed` and `missing` are another's thing, or
        nobody's, below one of one's own."""
        things = self.things["own" if whose in CROSSED else whose]
        meant = next((names for below, names in MEANT if page.path.startswith(below)), {})
        named = {name: meant.get(name, name) for name in page.named}
        unknown = sorted(set(named.values()) - set(things))
        assert not unknown, f"{page.path}: `things_of` in persons.py has no {', '.join(unknown)}"
        found = {name: things[thing] for name, thing in named.items()}
        if whose in CROSSED:
            last = page.named[-1]
            found[last] = NO_NUMBER if last == "number" else self.things[CROSSED[whose]][named[last]]
        return page.path.format(**found)

    def client(self, person: str, **options: Any) -> Client:
        """The browser of a person, with what it has when he comes; no two share an address."""
        client = Client(REMOTE_ADDR=Api().address, raise_request_exception=False, **options)
        if person in self.sessions:
            client.cookies[settings.SESSION_COOKIE_NAME] = self.sessions[person]
        return client


def make_world() -> World:
    """Within a test's transaction, or on a database of one's own."""
    mine, theirs = make_market(), make_market()
    people = {
        "worker": mine.worker.user,
        "other worker": mine.other_worker.user,
        **{role: _member(mine, role) for role in RANKS},
        "other requester": _member(theirs, "owner"),
        "suspended requester": _closed_owner(mine),
        **{role: _staff(role) for role in STAFF},
    }
    sessions = {}
    for person, user in people.items():
        client = Client(REMOTE_ADDR=Api().address)
        client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
        if person in STAFF:
            enrol(user)
        if person in (*WORKERS, *STAFF):
            RecoveryCodes.activate(user)
        show_code(client)
        sessions[person] = client.cookies[settings.SESSION_COOKIE_NAME].value
    User.objects.filter(pk=people["suspended requester"].pk).update(is_active=False)
    own = things_of(mine)
    rows = {name: "0" for name in own if name.endswith("_row")}
    none = {**nobodys(own), **rows, "uidb36": "1", "mailed": "none"}
    return World(mine, people, sessions, {"own": own, "foreign": things_of(theirs), "nonexistent": none})


def things_of(market: Market) -> dict[str, Any]:
    """What addresses of pages may name. A name that is missing here fails the matrix."""
    return {
        **ids_of(market),
        "answer": rejected_answer(market, market.worker),
        "answered": answered_batch(market).public_id,
        "draft": market.draft.public_id,
        "pilot": make.make_batch(2, project=market.project, kind="pilot").public_id,
        "worker_list": market.worker_list.public_id,
        **_reports(),
        # As the records of staff call one row of each table.
        **{f"{thing}_row": handle for thing, handle in rows_of(market).items()},
        # Of the link in a mail that nobody sent.
        "uidb36": "1",
        "mailed": "none",
    }


def answered_batch(market: Market) -> Batch:
    """All its answers are there and are paid, and one task of it is disputed; with figures, results and a data set."""
    batch, by = disputed(3, project=market.project), make.owner_of(market.requester).pk
    in_one(accept_answers, batch_id=batch.pk, assignments=None)
    in_one(aggregate, batch_id=batch.pk, method="majority")
    run = run_for(batch, None)
    in_one(ask_for_dataset, batch=batch, run_of=run, format="jsonl", options={}, plan=PLAN, by=by)
    make_figures(batch.pk)
    return batch


def rejected_answer(market: Market, worker: Worker) -> Any:
    """An answer of the worker's that its requester rejected."""
    batch = make.make_batch(1, project=market.project, name="Rejected", overlap=1)
    (lease,) = make.take(worker, batch)
    make.answer(worker, [lease])
    with one_transaction(principal="test"):
        make.reject(batch, [lease])
    return lease.id


def _reports() -> dict[str, Any]:
    """A bank's report and a provider's, both without a difference worth the name."""
    staff = _staff("superuser")
    bank = b"reference,amount,currency,date\nR1,12.50,EUR,2026-10-01\n"
    with one_transaction(principal="test"):
        deposits = reconcile_deposits(channel="bank", body=bank, by=staff)
    with one_transaction(principal="test"):
        payouts = take_in_report(
            provider_name="manual", since=datetime(2026, 1, 1, tzinfo=UTC), until=datetime(2026, 2, 1, tzinfo=UTC),
            text="key,reference,amount,currency,state\n", by=staff.pk,
        )  # fmt: skip
    return {"deposit_report": deposits.public_id, "payout_report": payouts.public_id}


def _member(market: Market, role: str) -> User:
    return Member.objects.filter(requester=market.requester, role=role).earliest("pk").user


def _closed_owner(market: Market) -> User:
    user = make.make_user()
    Member.objects.create(requester=market.requester, user=user, role="owner")
    return user


def _staff(role: str) -> User:
    with one_transaction(principal="test"):
        return ensure_staff(email=make.make_user().email, role=role)
