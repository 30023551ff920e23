"""Every page of a worker can be used by everybody: axe-core finds nothing grave, light and wide or dark and narrow, and
nothing is wider than a phone."""

from uuid import UUID

import pytest
from django.urls import URLPattern, URLResolver
from playwright.sync_api import Page, expect

from marketplace.accounts.models import User
from tests.browser import batches
from tests.browser.accessibility import grave_findings, wider_than_window
from tests.browser.market import Market
from tests.browser.people import make_person, make_worker
from tests.browser.worlds import Past, pages_of, with_past
from workers.web import urls

pytestmark = [pytest.mark.stack, pytest.mark.browser]
SOMEWHERE = UUID(int=1)
NAMES = list(pages_of(Past(None, type("Batch", (), {"public_id": SOMEWHERE}), *[SOMEWHERE] * 4)))
# Pages for those who are no workers yet, for strangers, and those that only take what a form sends.
OTHERS = {"start": "/work/start/", "email": "/accounts/email/", "password": "/accounts/password/change/"}
STRANGERS = {"login": "/accounts/login/", "signup": "/accounts/signup/", "home": "/"}
# Need what the past does not have, or answer to forms alone: looked at by the tests of their own.
ELSEWHERE = {
    "work_destination_add", "work_destination_remove", "work_destination_threshold", "work_payout_cancel",
    "work_contest_limit", "work_news_read", "work_earned_days",
}  # fmt: skip


@pytest.fixture(scope="module")
def past(shared_market: Market) -> Past:
    return shared_market.beside(lambda: with_past(make_worker()))


@pytest.fixture(scope="module")
def newcomer(shared_market: Market) -> User:
    return shared_market.beside(make_person)


def settled(page: Page) -> None:
    """All that the page fetches by itself is there."""
    page.wait_for_load_state("load")
    expect(page.locator("[aria-busy=true]")).to_have_count(0)


def faults_of(page: Page) -> list[str]:
    """What is grave, wide and light, then narrow and dark; and what is wider than a phone."""
    settled(page)
    found = [f"light: {one}" for one in grave_findings(page)]
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 390, "height": 844})
    found += [f"dark, narrow: {one}" for one in grave_findings(page)]
    return found + wider_than_window(page)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_of_a_worker_has_no_grave_fault(market: Market, past: Past, name: str) -> None:
    path = pages_of(past)[name]
    page = market.visit(past.worker.user, path)

    assert page.url == market.url + path
    assert faults_of(page) == []


@pytest.mark.parametrize("name", [*OTHERS, *STRANGERS])
def test_a_page_on_the_way_to_work_has_no_grave_fault(market: Market, newcomer: User, name: str) -> None:
    path = (OTHERS | STRANGERS)[name]
    page = market.visit(newcomer if name in OTHERS else None, path)

    assert page.url == market.url + path
    assert faults_of(page) == []


@pytest.mark.parametrize("kind", [kind for kind in batches.KINDS if kind != "choice"])
def test_the_player_has_no_grave_fault_with_any_kind_of_answer(market: Market, kind: str) -> None:
    worker = market.beside(make_worker)
    batch = market.beside(batches.make_batch, kind, 1)
    page = market.visit(worker.user, f"/work/batches/{batch.public_id}/do/")
    expect(page.locator(".task-card[aria-label]")).to_be_visible()

    assert faults_of(page) == []


def test_no_page_is_left_out(past: Past) -> None:
    known = {"work_batch": "preview", "work_player": "player", "work_contest_answer": "contest"}
    named = {known.get(name, name.removeprefix("work_")) for name in _names(urls.urlpatterns) - ELSEWHERE}

    assert named == {*NAMES, "start"}


def _names(patterns: list[URLPattern | URLResolver]) -> set[str]:
    found = set()
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            found |= _names(pattern.url_patterns)
        elif pattern.name:
            found.add(pattern.name)
    return found
