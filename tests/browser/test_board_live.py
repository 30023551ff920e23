"""The board while one looks at it: figures and batches that come and go, filters, keys."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from marketplace.batches.commands.lifecycle import pause_batch
from tests import factories as make
from tests.acts import in_one
from tests.browser import batches
from tests.browser.market import Market
from tests.browser.people import make_worker

SERVERS = ("web", "live", "relay")
pytestmark = [pytest.mark.stack, pytest.mark.browser]
# News wait until no older transaction runs, even one of another database: a busy machine may have some.
NEWS_MS = 60_000


def test_a_board_changes_while_one_looks_and_is_filtered_and_walked_by_keys(
    market: Market, visit: Callable[..., Page], axe: Callable[[Page], None], shot: Callable[..., None]
) -> None:
    worker, other = market.beside(make_worker), market.beside(make_worker)
    pets = market.beside(batches.make_batch, "choice", 5, name="Pets", price_micros=50_000)
    market.beside(batches.make_batch, "rating", 5, name="Stars", price_micros=40_000)
    french = {"languages": {"any": ["fr"]}}
    market.beside(batches.make_batch, "text", 2, name="French", audience=french, price_micros=90_000)
    page = visit(worker.user, "/work/")
    names = page.locator("#offers h2")
    expect(names).to_have_text(["Pets", "Stars", "French"])
    expect(page.locator("#live")).to_have_text("Live")
    axe(page)
    shot(page, "board-live")

    # What others take goes from the figure, and the card that has the focus keeps it.
    left = page.locator(f"#b-{pets.public_id} [data-figure=places]")
    expect(left).to_have_text("5")
    page.keyboard.press("j")
    first = page.get_by_role("link", name="Pets")
    expect(first).to_be_focused()
    market.beside(make.take, other, pets, 2)
    expect(left).to_have_text("3", timeout=NEWS_MS)
    expect(first).to_be_focused()

    # A new batch appears, one that is paused goes, and what one took in another tab is on top.
    market.beside(batches.make_batch, "ranking", 2, name="Order", price_micros=60_000)
    expect(names).to_have_text(["Order", "Pets", "Stars", "French"], timeout=NEWS_MS)
    expect(first).to_be_focused()
    market.beside(lambda: in_one(pause_batch, batch_id=pets.pk))
    expect(names).to_have_text(["Order", "Stars", "French"], timeout=NEWS_MS)
    held = market.beside(batches.make_batch, "number", 3, name="Count", price_micros=10_000)
    expect(names).to_have_text(["Order", "Stars", "Count", "French"], timeout=NEWS_MS)
    market.beside(make.take, worker, held, 1)
    expect(page.get_by_role("heading", name="Go on where you left off")).to_be_visible(timeout=NEWS_MS)

    # Filters act as they are set, and the address keeps them.
    page.keyboard.press("/")
    page.keyboard.type("sta")
    expect(names).to_have_text(["Stars"])
    expect(page).to_have_url(re.compile(r"/work/\?q=sta$"))
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.get_by_role("searchbox").fill("")
    page.get_by_label("Only what I can take").check()
    expect(names).to_have_text(["Order", "Stars", "Count"])
    page.get_by_text("Filters").click()
    page.get_by_label("Kind of work").select_option(label="Numbers")
    expect(names).to_have_text(["Count"])
    expect(page.locator("#narrowed")).to_have_text("1")
    axe(page)
    page.reload()
    expect(names).to_have_text(["Count"])
    page.get_by_role("link", name="Show all").click()
    expect(names).to_have_text(["Order", "Stars", "Count", "French"])

    # By keys alone into the batch, where the sample is shown as in the player.
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(page.get_by_role("link", name="Order")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Order")).to_be_visible()
    expect(page.get_by_role("link", name="Start working")).to_be_visible()
    axe(page)


def test_a_board_works_without_scripts_and_on_a_phone(
    market: Market, visit: Callable[..., Page], axe: Callable[[Page], None], shot: Callable[..., None]
) -> None:
    worker = market.beside(make_worker)
    market.beside(batches.make_batch, "choice", 2, name="Quiet pets")
    market.beside(batches.make_batch, "boxes", 2, name="Quiet boxes")
    options: dict[str, Any] = {"width": 390, "touch": True}
    plain = visit(worker.user, "/work/?q=quiet", java_script_enabled=False, **options)
    expect(plain.locator("#offers h2")).to_have_count(2)
    plain.get_by_text("Filters").click()
    plain.get_by_label("Kind of work").select_option(label="Boxes on pictures")
    plain.get_by_role("button", name="Show", exact=True).click()
    expect(plain.locator("#offers h2")).to_have_text(["Quiet boxes"])
    plain.get_by_role("link", name="Quiet boxes").click()
    expect(plain.get_by_role("heading", name="A task from this batch")).to_be_visible()
    expect(plain.get_by_role("img", name="Picture")).to_be_visible()

    page = visit(worker.user, "/work/?q=quiet", dark=True, **options)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    axe(page)
    shot(page, "board-390-dark")
