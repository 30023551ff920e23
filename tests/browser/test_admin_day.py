"""The day of those who run the site, at a desk and on a phone: a deposit, a limit with its evidence, an appeal against
it, a run of payouts that two people look at, what is in doubt, and the provider's report; each page at each width."""

import re
from typing import Any

import pytest
from django.test import override_settings
from playwright.sync_api import Page, expect

from marketplace.accounts.audit import audit_log
from marketplace.accounts.models import Act, Requester, Sanction
from marketplace.ledger.addresses import funds_of
from marketplace.ledger.queries import balance
from marketplace.payouts.models import Payout, Report, RunRelease
from marketplace.payouts.tasks import send_approved
from tests import factories as make
from tests.browser.accessibility import wider_than_window
from tests.browser.people import make_worker
from tests.payouts import people
from tests.payouts.provider_server import ProviderServer
from tests.staff.desk import make_staff
from workers.appeals.models import Appeal
from workers.profiles.models import Worker

pytestmark = [pytest.mark.stack, pytest.mark.browser]


def payee() -> tuple[Worker, Payout]:
    """A worker with money who has asked for a payout."""
    worker = make_worker("Bob Boole")
    worker.user.set_password(people.PASSWORD)
    worker.user.save(update_fields=["password"])
    people.enrol(worker.user)
    people.earn(worker, 20 * people.EURO)
    payout = people.ask(worker, people.aged(people.add, worker), 5 * people.EURO)
    people.forget_codes()
    return worker, payout


def signed_in(visit: Any, market: Any, user: Any, path: str, **window: Any) -> Page:
    """At a page of staff, behind the code that it asks for first."""
    page: Page = visit(user, path, **window)
    page.get_by_role("link", name="Enter a code").click()
    page.get_by_label("Code").fill(market.beside(people.code_of, user))
    page.get_by_role("button", name="Go on").click()
    page.wait_for_url(f"**{path}")
    return page


class Desk:
    """Staff before the site, all at one width."""

    def __init__(self, market: Any, axe: Any, shot: Any, width: int) -> None:
        self.market, self.axe, self.shot = market, axe, shot
        self.window = {"width": width, "touch": width < 500}

    def look(self, page: Page, name: str) -> None:
        """The page can be used by everybody, and is as wide as the window."""
        self.axe(page)
        assert wider_than_window(page) == [], name
        self.shot(page, f"admin-{name}-{self.window['width']}")

    def done(self, page: Page, words: str) -> None:
        """The page says that it was done."""
        expect(page.get_by_role("status").filter(has_text=words)).to_be_visible()


@pytest.mark.parametrize("width", [1280, pytest.param(390, marks=pytest.mark.slow)])
def test_the_day_of_those_who_run_the_site(
    market: Any, visit: Any, axe: Any, shot: Any, monkeypatch: Any, width: int
) -> None:
    desk = Desk(market, axe, shot, width)
    first, second = market.beside(make_staff, "superuser"), market.beside(make_staff, "superuser")
    worker, payout = market.beside(payee)
    requester = market.beside(make.make_requester, 0)
    before = market.beside(lambda: Act.objects.latest("pk").pk)
    page = signed_in(visit, market, first, "/staff/money/in/", **desk.window)
    other = visit(second, "/staff/appeals/", code=True, **desk.window)

    take_in(desk, page, requester)
    sanction = limit(desk, page, worker)
    contest(desk, visit, worker, sanction)
    decide(desk, other, sanction)
    pay_out(desk, page, other, worker, payout)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    look_at_doubts(desk, page)
    reconcile(desk, page)

    # The books hold, and the log knows it all.
    page.goto("/staff/money/books/")
    page.get_by_role("button", name=re.compile("^Check (now|again)$")).click()
    expect(page.get_by_text("Every posting, balance and seal follows from the transfers.")).to_be_visible()
    desk.look(page, "books")
    acts = {
        "money.deposit_recorded", "sanction.imposed", "reject.appeal_decided", "sanction.lifted",
        "money.payout_approved", "money.run_made", "money.run_released", "money.run_file_taken",
        "money.outcome_reported", "money.payouts_reconciled",
    }  # fmt: skip
    by = {None, first.pk, second.pk}
    done = market.beside(
        lambda: [act.act for act in Act.objects.filter(act__in=acts, pk__gt=before) if act.actor_id in by]
    )
    assert sorted(done) == sorted(acts), "each once"
    assert market.beside(audit_log).first_bad is None


def take_in(desk: Desk, page: Page, requester: Requester) -> None:
    """A deposit comes in."""
    desk.look(page, "in")
    form = page.get_by_role("region", name="Record a deposit")
    form.get_by_label("Organisation", exact=True).fill(str(requester.public_id))
    form.get_by_label("Amount").fill("250.00")
    form.get_by_label("Currency").fill("EUR")
    form.get_by_label("The bank's reference").fill(f"E2E-{requester.pk}")
    form.get_by_label("Evidence").fill("Statement 7, line 3")
    form.get_by_role("button", name="Record it").click()
    desk.done(page, "Recorded.")
    assert desk.market.beside(balance, funds_of(requester.public_id), "EUR") == 250_000_000


def limit(desk: Desk, page: Page, worker: Worker) -> Sanction:
    """Somebody is limited, with what it rests on."""
    page.goto("/staff/people/")
    page.get_by_label("Id, name of an organisation").fill(worker.user.email)
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=worker.user.email).click()
    desk.look(page, "person")
    page.get_by_role("link", name="Limit").click()
    page.get_by_label("No new tasks there").check()
    page.get_by_label("Why", exact=True).select_option("haste")
    page.get_by_label("What the worker reads").fill("You answered before the pictures were loaded.")
    page.get_by_label("Evidence").fill("40 answers under one second each")
    desk.look(page, "sanction")
    page.get_by_role("button", name="Limit").click()
    expect(page.get_by_text("You answered before the pictures were loaded.")).to_be_visible()
    desk.look(page, "limited")
    made: Sanction = desk.market.beside(Sanction.objects.get, user=worker.user)
    return made


def contest(desk: Desk, visit: Any, worker: Worker, sanction: Sanction) -> None:
    """He contests it on his phone."""
    his = visit(worker.user, f"/work/appeals/limit/{sanction.public_id}/", width=390, touch=True)
    his.get_by_role("textbox").first.fill("I know these pictures by heart.")
    his.get_by_role("button", name="Contest it").tap()
    expect(his.get_by_text("I know these pictures by heart.")).to_be_visible()


def decide(desk: Desk, other: Page, sanction: Sanction) -> None:
    """Somebody else than who limited him decides."""
    other.reload()
    other.get_by_role("link", name="a limit").click()
    expect(other.get_by_text("40 answers under one second each")).to_be_visible()
    desk.look(other, "appeal")
    other.get_by_label("The worker is right").check()
    other.get_by_label("Why? The worker reads it").fill("He does: his answers agree with the others.")
    other.get_by_role("button", name="Decide").click()
    desk.done(other, "Decided.")
    assert desk.market.beside(lambda: Appeal.objects.get(sanction=sanction).state) == "upheld"


def pay_out(desk: Desk, page: Page, other: Page, worker: Worker, payout: Payout) -> None:
    """One approves payouts and gathers them, and cannot release them; the other looks, releases and takes the file."""
    page.goto("/staff/money/payouts/")
    desk.look(page, "payouts")
    page.get_by_role("row").filter(has_text=worker.user.email).get_by_role("button", name="Approve").click()
    desk.done(page, "Approved.")
    page.get_by_role("link", name="Runs").click()
    page.get_by_label("Currency").fill("EUR")
    page.get_by_role("button", name="Gather them").click()
    desk.done(page, "Made.")
    desk.look(page, "runs")
    page.get_by_role("table").get_by_role("link").first.click()
    expect(page.get_by_text("somebody else looks at it")).to_be_visible()
    expect(page.get_by_role("button", name="release")).to_have_count(0)
    # Not even by hand is it released by who made it.
    given = {
        name: page.locator(f"input[name={name}]").first.input_value() for name in ("csrfmiddlewaretoken", "form_key")
    }
    reply = page.request.post(f"{page.url}release/", form=given, headers={"Referer": page.url})
    assert "Another member of the staff looks at this run" in reply.text()
    assert desk.market.beside(lambda: RunRelease.objects.filter(run__payouts=payout).exists()) is False
    other.goto(page.url)
    desk.look(other, "run")
    other.get_by_role("button", name="release").click()
    expect(other.get_by_role("link", name="Take the file")).to_be_visible()
    with other.expect_download() as taken:
        other.get_by_role("link", name="Take the file").click()
    assert taken.value.suggested_filename.startswith("payouts-")
    page.reload()
    page.get_by_label("Paid: the money has arrived").check()
    page.get_by_role("button", name="Write it down").click()
    desk.done(page, "Written down.")
    assert desk.market.beside(people.state_of, payout.public_id) == "settled"


def look_at_doubts(desk: Desk, page: Page) -> None:
    """Of one payout nobody knows whether it was paid: it is on a list, and nobody can decide it by hand."""
    email = desk.market.beside(doubtful)
    page.goto("/staff/money/payouts/")
    page.get_by_role("navigation", name="State").get_by_role("link", name="in doubt").click()
    expect(page.get_by_text("Nobody knows whether these were paid")).to_be_visible()
    row = page.get_by_role("row").filter(has_text=email)
    expect(row).to_contain_text("in doubt since")
    expect(row.get_by_role("button")).to_have_count(0)
    desk.look(page, "doubts")


def doubtful() -> str:
    """The address of somebody whose payout a provider was asked for, which said nothing."""
    worker = people.make_payee(10 * people.EURO)
    with ProviderServer(drop=1.0) as silent, override_settings(PAYOUT_TEST_URL=silent.url, PAYOUT_TEST_SECRET="shh"):
        place = people.aged(people.add, worker, provider="test")
        payout = people.approved(worker, place, people.make_staff(), 2 * people.EURO)
        send_approved()
    assert people.state_of(payout) == "in_doubt"
    return str(worker.user.email)


def reconcile(desk: Desk, page: Page) -> None:
    """What the provider says is held against what is written here."""
    page.goto("/staff/money/reconciliation/")
    paid = desk.market.beside(lambda: list(Payout.objects.filter(provider="manual", state="settled")))
    day = paid[-1].settled_at.date().isoformat()
    rows = "".join(f"{one.provider_key},{one.pk},5.00,EUR,settled\n" for one in paid)
    page.get_by_label("File (CSV)").set_input_files(
        [
            {
                "name": "report.csv",
                "mimeType": "text/csv",
                "buffer": f"key,reference,amount,currency,state\n{rows}".encode(),
            }
        ]
    )
    page.get_by_label("Provider", exact=True).select_option("manual")
    page.get_by_label("From").fill(day)
    page.get_by_label("Until, this day included").fill(day)
    page.get_by_role("button", name="Compare").click()
    desk.done(page, "Compared")
    desk.look(page, "reconciliation")
    assert desk.market.beside(lambda: Report.objects.latest("pk").findings) == []


PAGES = {
    "health": "/staff/", "quality": "/staff/quality/", "people": "/staff/people/", "money": "/staff/money/",
    "books": "/staff/money/books/", "in": "/staff/money/in/", "payouts": "/staff/money/payouts/",
    "runs": "/staff/money/runs/", "reconciliation": "/staff/money/reconciliation/",
    "attempts": "/staff/money/attempts/", "appeals": "/staff/appeals/", "rejections": "/staff/rejections/",
    "log": "/staff/log/", "check": "/staff/log/check/", "settings": "/staff/configuration/",
    "rules": "/staff/configuration/rules/", "roles": "/staff/configuration/staff/",
}  # fmt: skip


@pytest.mark.slow  # `test_axe_desks` walks them too
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_each_page_of_staff_stands_at_each_width(
    market: Any, visit: Any, axe: Any, shot: Any, width: int, dark: bool
) -> None:
    staff = market.beside(make_staff, "superuser")
    worker, _payout = market.beside(payee)
    page = signed_in(visit, market, staff, "/staff/", width=width, touch=width == 390, dark=dark)
    worker_page = f"/staff/people/workers/{worker.public_id}/"
    more = {"worker": worker_page, "sanction": f"{worker_page}sanction/"}
    for name, path in (PAGES | more).items():
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        axe(page)
        assert wider_than_window(page) == [], path
        shot(page, f"staff-{name}-{width}")
