"""A whole day of a worker: sign in, find work, look before taking it, do it, see what it brought and how one stands."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from marketplace.common.transactions import one_transaction
from tests.browser import batches
from tests.browser.market import Market
from tests.browser.people import PASSWORD, make_worker
from workers.assignments.commands.decide import accept_answers

pytestmark = [pytest.mark.stack, pytest.mark.browser]
LOOKS: dict[str, dict[str, Any]] = {"desk": {}, "phone": {"width": 390, "touch": True, "dark": True}}


def accept_all(batch: Any) -> int:
    with one_transaction(principal="test"):
        return accept_answers(batch_id=batch.pk, assignments=None)


@pytest.mark.parametrize("look", LOOKS)
def test_the_day_of_a_worker(look: str, market: Market, shot: Callable[..., None]) -> None:
    worker = market.beside(make_worker)
    batch = market.beside(batches.make_batch, "choice", 6, name=f"Animals on the {look}", price_micros=20_000)
    page = market.visit(None, "/work/", **LOOKS[look])

    def press(thing: Locator) -> None:
        thing.tap() if LOOKS[look].get("touch") else thing.click()

    # He is asked who he is, and comes out where he wanted to go.
    page.get_by_label("Email").fill(worker.user.email)
    page.get_by_label("Password").first.fill(PASSWORD)
    press(page.get_by_role("button", name="Sign in"))
    expect(page.get_by_role("heading", level=1, name="Board")).to_be_visible()
    expect(page).to_have_url(f"{market.url}/work/")

    offer = page.get_by_role("listitem").filter(has=page.get_by_role("link", name=batch.name))
    expect(offer).to_contain_text("Acme Labels")
    expect(offer).to_contain_text("0.02")
    shot(page, f"day-{look}-board")
    press(page.get_by_role("link", name=batch.name))

    # What it is, what it pays and how it is asked, before anything is taken.
    expect(page.get_by_role("heading", level=1, name=batch.name)).to_be_visible()
    expect(page.get_by_text("Look well, then answer.")).to_be_visible()
    expect(page.locator("#sample-task")).to_contain_text("Which animal?")
    assert market.beside(batches.states, worker) == []
    shot(page, f"day-{look}-preview")
    press(page.get_by_role("link", name="Start working"))

    press(page.get_by_role("button", name="I have read them"))
    for number, name in enumerate(["Cat", "Dog", "Bird"], 1):
        task = page.locator(".task-card[aria-label]")
        press(task.get_by_text(name, exact=True))
        if number == 1:
            shot(page, f"day-{look}-player")
        press(page.get_by_role("button", name="Submit"))
        expect(page.locator("[data-show=session]")).to_contain_text(f"{number} answer")
    press(page.get_by_role("link", name="Stop working"))
    # Those that wait in his browser go to others; what he has answered stays answered.
    press(page.get_by_role("dialog", name="Stop working?").get_by_role("button", name="Give them back"))
    expect(page.get_by_role("link", name="Start working")).to_be_visible()
    assert market.beside(batches.stored, worker) == [{"answer": "cat"}, {"answer": "dog"}, {"answer": "bird"}]
    assert sorted(market.beside(batches.states, worker)) == ["returned"] * 2 + ["submitted"] * 3

    work = page.get_by_role("navigation", name="Work")
    press(work.get_by_role("link", name="Earnings"))
    expect(_figure(page, "Waiting for a decision")).to_contain_text("0.06")
    assert market.beside(accept_all, batch) == 3
    page.reload()
    expect(_figure(page, "Waiting for a decision")).not_to_contain_text("0.06")
    expect(page.get_by_role("region", name="Yours now")).to_contain_text("0.06")
    shot(page, f"day-{look}-earnings")

    press(work.get_by_role("link", name="Standing"))
    expect(page.get_by_text("Nothing limits you.")).to_be_visible()
    press(work.get_by_role("link", name="News"))
    expect(page.get_by_role("heading", level=1, name="News")).to_be_visible()
    shot(page, f"day-{look}-news")


def _figure(page: Page, label: str) -> Locator:
    return page.locator("dl > div").filter(has=page.get_by_text(label, exact=True))
