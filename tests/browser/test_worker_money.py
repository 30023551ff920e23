"""Money and fairness before one's eyes: a payout with a code, and a rejection that is contested."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from marketplace.payouts.models import Payout
from tests import factories as make
from tests.browser.accessibility import wider_than_window
from tests.browser.people import make_worker
from tests.payouts import people
from tests.web.moneyed import History, grant, limit, make_history, relay_all
from workers.appeals.models import Appeal
from workers.profiles.models import Worker

pytestmark = [pytest.mark.stack, pytest.mark.browser]


def rich() -> tuple[Worker, History]:
    """Somebody with a history, money and a place for it."""
    worker = make_worker()
    # Destinations are added with the password that those of payouts have.
    worker.user.set_password(people.PASSWORD)
    worker.user.save(update_fields=["password"])
    people.enrol(worker.user)
    people.earn(worker, 20 * people.EURO)
    people.aged(people.add, worker)
    people.forget_codes()
    history = make_history(worker)
    requester = history.batch.requester
    limit(worker, requester)
    grant(worker, requester)
    make.judge(worker, history.batch, 1, 1, 1, 0)
    relay_all()
    return worker, history


def test_earnings_are_withdrawn_with_a_code(market: Any, visit: Any, axe: Any, shot: Any) -> None:
    worker, _history = market.beside(rich)
    page = visit(worker.user, "/work/earnings/")
    expect(page.get_by_role("heading", name="Earnings")).to_be_visible()
    axe(page)
    shot(page, "earnings-1280")

    page.get_by_role("link", name="Withdraw", exact=True).last.click()
    page.get_by_label("Amount").fill("7.50")
    page.get_by_label("Code of your authenticator app").fill(market.beside(people.code_of, worker.user))
    axe(page)
    page.get_by_role("button", name="Withdraw").click()

    expect(page.get_by_role("status").filter(has_text="Asked for.")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text=re.compile(r"7\.50"))).to_contain_text("Asked for")
    paid = market.beside(lambda: list(Payout.objects.filter(user=worker.user).values_list("amount_micros", flat=True)))
    assert paid == [7_500_000]


def test_a_rejection_is_contested_from_a_phone(market: Any, visit: Any, axe: Any, shot: Any) -> None:
    worker, history = market.beside(rich)
    page = visit(worker.user, "/work/rejections/", width=390, touch=True)
    axe(page)
    shot(page, "rejections-390")

    page.get_by_role("link", name="Contest it").tap()
    page.get_by_label("Why is it not right?").fill("Look at its ears.")
    page.get_by_role("button", name="Contest it").tap()

    expect(page.get_by_text("Look at its ears.")).to_be_visible()
    axe(page)
    [answer] = history.answers["rejected"]
    found = market.beside(
        lambda: list(Appeal.objects.filter(rejection__assignment__public_id=answer).values_list("words", flat=True))
    )
    assert found == ["Look at its ears."]


PAGES = {
    "earnings": "/work/earnings/", "answers": "/work/earnings/answers/", "statement": "/work/earnings/statement/",
    "withdraw": "/work/earnings/withdraw/", "standing": "/work/standing/", "rejections": "/work/rejections/",
    "appeals": "/work/appeals/", "news": "/work/news/",
}  # fmt: skip


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_each_page_stands_at_each_width(market: Any, visit: Any, axe: Any, shot: Any, width: int, dark: bool) -> None:
    worker, history = market.beside(rich)
    [rejected] = history.answers["rejected"]
    page = visit(worker.user, "/work/", width=width, touch=width == 390, dark=dark)
    more = {"answer": f"/work/earnings/answers/{rejected}/", "contest": f"/work/appeals/answer/{rejected}/"}
    for name, path in {**PAGES, **more}.items():
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        shot(page, f"{name}-{width}-{'dark' if dark else 'light'}")
        axe(page)
        assert wider_than_window(page) == [], name
