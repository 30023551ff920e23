"""The harness notices what goes wrong in a page, and each kind of batch can be published and answered."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser import batches
from tests.browser.accessibility import grave_findings
from tests.browser.market import Market
from tests.browser.people import PASSWORD, make_worker

pytestmark = [pytest.mark.stack, pytest.mark.browser]


def test_what_goes_wrong_in_a_page_is_noticed(market: Market) -> None:
    page = market.visit(path="/health/")
    page.goto("/")
    page.evaluate("() => { const s = document.createElement('script'); s.textContent = '1'; document.body.append(s); }")
    page.evaluate("() => { setTimeout(() => { throw new Error('boom'); }); }")
    page.evaluate("() => fetch('/static/nothing.js')")
    page.evaluate("() => fetch('/api/v1/nothing')")
    page.evaluate("() => console.error('allowed here')")
    market.allow("allowed here")
    # Asked after all of it, so all of it has been heard.
    page.evaluate("() => new Promise((done) => setTimeout(done))")

    found = market.end_visits()

    assert len(found) == 3, found
    assert sum("Content Security Policy" in one for one in found) == 1
    assert sum("boom" in one for one in found) == 1
    assert sum(one.startswith("404") and one.endswith("/static/nothing.js") for one in found) == 1


def test_axe_finds_what_is_grave(market: Market) -> None:
    page = market.visit()
    page.evaluate("() => document.querySelector('main').append(document.createElement('button'))")

    assert [one.split(":")[1].strip() for one in grave_findings(page)] == ["button-name"]


def test_a_person_signs_in_by_cookie_and_by_password(
    market: Market, visit: Callable[..., Page], axe: Callable[[Page], None]
) -> None:
    worker = market.beside(make_worker)
    user = worker.user
    page = visit(user, "/accounts/login/")
    assert "/accounts/login/" not in page.url  # who is signed in is sent on

    page = visit(None, "/accounts/login/", width=390, touch=True)
    axe(page)
    page.get_by_label("Email").fill(user.email)
    page.get_by_label("Password").first.fill(PASSWORD)
    page.get_by_role("button", name="Sign In").click()
    expect(page).not_to_have_url(f"{market.url}/accounts/login/")


def test_a_batch_of_each_kind_can_be_published(market: Market) -> None:
    made = [market.beside(batches.make_batch, kind, 2) for kind in batches.KINDS]

    assert [batch.state for batch in made] == ["published"] * len(batches.KINDS)
    assert market.beside(batches.stored, market.beside(make_worker)) == []
