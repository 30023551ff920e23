"""Every page of the console and of staff can be used by everybody: axe-core finds nothing grave, light and wide or
dark and narrow, and nothing is wider than a phone. One window walks them all; a page has a line in `desks.py` or fails.
"""

from collections.abc import Callable, Mapping
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from marketplace.batches.commands.lifecycle import close_batch
from marketplace.batches.models import Batch
from tests.acts import in_one
from tests.browser.accessibility import grave_findings, wider_than_window
from tests.browser.desks import CONSOLE, FILES, RECORDS, STAFF, Desks, Place, make_desks, paths, served
from tests.browser.market import Market
from tests.browser.people import PASSWORD
from tests.browser.test_axe_pages import settled

pytestmark = [pytest.mark.stack, pytest.mark.browser]
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
Shot = Callable[..., None]
# Records look alike: these have cells of each kind, and tables of what belongs to them.
SOME = {
    name: places
    for name, places in RECORDS.items()
    if name.partition(":")[2] in ("accounts", "tasks", "assignments", "transfers", "log")
}


@pytest.fixture(scope="module")
def desks(shared_market: Market) -> Desks:
    return shared_market.beside(make_desks)


def test_no_page_is_left_out() -> None:
    assert set(served()) == {*CONSOLE, *STAFF, *RECORDS, *FILES}


def looked_at(page: Page, name: str, shot: Shot, ways: tuple[str, ...] = ("light", "dark")) -> list[str]:
    """What is wrong with the page as it is now: wide and light, then narrow and dark, or in one of these ways."""
    settled(page)
    found = []
    if "light" in ways:
        page.emulate_media(color_scheme="light")
        page.set_viewport_size(WIDE)
        found += [f"light: {one}" for one in grave_findings(page)]
        shot(page, f"{name}-1280")
    page.set_viewport_size(NARROW)
    if "dark" in ways:
        page.emulate_media(color_scheme="dark")
        found += [f"dark, narrow: {one}" for one in grave_findings(page)]
        shot(page, f"{name}-390")
    return [f"{name}: {one}" for one in found + wider_than_window(page)]


@pytest.mark.parametrize("turn", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("walk", [CONSOLE, STAFF | SOME], ids=["console", "staff"])
def test_each_page_can_be_used_by_everybody(
    market: Market, desks: Desks, shot: Shot, walk: Mapping[str, tuple[Place, ...]], turn: int
) -> None:
    """Pages in turn light and dark; the second walk sees each in the other way."""
    theirs = walk is CONSOLE
    page = market.visit(desks.owner if theirs else desks.staff, "/health/", code=not theirs)
    wrong, seen = [], 0
    for name, path, place in paths(walk, desks.things):
        page.set_viewport_size(WIDE)
        reply = page.goto(path)
        assert reply is not None and reply.status == 200, f"{name}: {reply and reply.status} {path}"
        expect(page.locator(place.ready).first).to_be_attached()
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        wrong += looked_at(page, name, shot, ("dark",) if (seen + turn) % 2 else ("light",))
        seen += 1
    print(f"\n{seen} pages")
    assert wrong == [], "\n".join(wrong)


def close(batch: UUID) -> None:
    in_one(close_batch, batch_id=Batch.objects.get(public_id=batch).pk)


def test_what_forms_answer_with_can_be_used_too(market: Market, desks: Desks, shot: Shot) -> None:
    """Pages without an address of their own: a link and a key that are shown once, and what was refused."""
    here = f"/console/{desks.requester.public_id}/"
    page = market.visit(desks.owner, f"{here}people/")
    page.get_by_label("E-mail address").fill("ada@example.org")
    page.get_by_role("button", name="Invite").click()
    expect(page.get_by_role("heading", name="ada@example.org is invited")).to_be_visible()
    wrong = looked_at(page, "console_invited", shot)

    page.goto(f"{here}keys/new/")
    page.get_by_label("What it is for").fill("A notebook")
    page.get_by_label("Your password here").fill("not it")
    page.get_by_role("button", name="Make it").click()
    expect(page.locator(".errorlist").first).to_be_visible()
    wrong += looked_at(page, "console_key_refused", shot)
    page.get_by_label("Your password here").fill(PASSWORD)
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("heading", name="Your new key")).to_be_visible()
    wrong += looked_at(page, "console_key_made", shot)

    # The batch is closed while somebody looks at it.
    page.goto(f"/console/batches/{desks.things['batch']}/reports/")
    market.beside(close, desks.things["batch"])
    page.get_by_role("button", name="Back to work").click()
    expect(page.get_by_role("heading", name="This was not done")).to_be_visible()
    wrong += looked_at(page, "console_batch_release", shot)
    assert wrong == [], "\n".join(wrong)
