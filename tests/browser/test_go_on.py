"""Raising the pay of a running batch, on a phone and at a desk: the rest goes on in a draft."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import wider_than_window
from tests.browser.market import Market
from tests.console.watched import make_watched

pytestmark = [pytest.mark.stack, pytest.mark.browser]


def test_the_pay_of_a_running_batch_is_raised_by_going_on_in_another(
    market: Market, visit: Callable[..., Page], axe: Callable[[Page], None], shot: Callable[..., None]
) -> None:
    watched = market.beside(make_watched, 6)
    owner = watched.people["owner"]

    desk = visit(owner, watched.path)
    desk.get_by_role("link", name="Raise the pay, give more time, or add tasks").click()
    expect(desk.get_by_role("heading", level=1, name="Go on with new terms")).to_be_visible()
    expect(desk.locator("#comes").locator("..")).to_contain_text("Answers that they lack")
    desk.get_by_label("Pay for an accepted answer").fill("0")
    desk.get_by_role("button", name="Close this batch and make the draft").click()
    expect(desk.locator("input[name=price]")).to_have_value("0")
    axe(desk)
    shot(desk, "go-on-1280")

    phone = visit(owner, f"{watched.path}go-on/", width=390, touch=True)
    expect(phone.get_by_label("Only for workers who have not worked on this batch")).to_be_checked()
    axe(phone)
    shot(phone, "go-on-390")
    assert wider_than_window(phone) == []
    phone.get_by_label("Pay for an accepted answer").fill("0.07")
    phone.get_by_label("Time for one answer, in minutes").fill("20")
    phone.get_by_role("button", name="Close this batch and make the draft").click()
    expect(phone.get_by_role("status").filter(has_text="6 tasks came over.")).to_be_visible()
    expect(phone.get_by_role("link", name=watched.batch.name, exact=True)).to_be_visible()
    shot(phone, "go-on-draft-390")

    desk.goto(f"{market.url}{watched.path}")
    expect(desk.locator("#head")).to_contain_text("Closing")
    expect(desk.get_by_text("It goes on in:")).to_be_visible()
    axe(desk)
    shot(desk, "go-on-closed-1280")
