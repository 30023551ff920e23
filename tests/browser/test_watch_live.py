"""A batch that changes while its requester watches: figures move, charts are drawn anew, and all leads to answers."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from marketplace.batches.commands.lifecycle import pause_batch
from marketplace.batches.models import Batch
from marketplace.common.transactions import one_transaction
from marketplace.results.tasks import make_figures
from tests import factories as make
from tests.acts import in_one
from tests.browser import batches
from tests.browser.accessibility import wider_than_window
from tests.browser.market import Market
from tests.console.watched import Watched, consensus, give, make_watched
from workers.assignments.commands.submit import Submission, submit
from workers.profiles.models import Worker

SERVERS = ("web", "live", "relay")
pytestmark = [pytest.mark.stack, pytest.mark.browser]
# News wait until no older transaction runs, even one of another database: a busy machine may have some.
NEWS_MS = 60_000
PAGES = ("", "workers/", "answers/", "tasks/", "task/?id=t2", "reports/", "gold/", "places/", "cancel/")


def answer_more(watched: Watched) -> Worker:
    """Somebody new answers three tasks, and figures are worked out again."""
    worker = make.make_worker()
    give(worker, watched.batch, 3, lambda number: "dog" if number % 2 else "cat")
    consensus(watched.batch)
    return worker


def boxed() -> Batch:
    """One picture on which two people drew boxes."""
    batch = batches.make_batch("boxes", 1, overlap=2, name="Boxes")
    for shift in (0, 8):
        worker = make.make_worker()
        [lease] = make.take(worker, batch)
        left, top, width, height = batches.DARK
        box = {"label": "dark", "x": left + shift, "y": top, "width": width, "height": height}
        with one_transaction(principal="test"):
            page = [Submission(lease.id, lease.token, {"answer": [box]})]
            submit(worker_id=worker.pk, page=page, then_claim=None, chance=Random(1))
    return batch


def test_a_batch_changes_while_one_watches_and_every_figure_leads_to_answers(
    market: Market, visit: Callable[..., Page], axe: Callable[[Page], None], shot: Callable[..., None]
) -> None:
    watched = market.beside(make_watched, 8, overlap=5)
    page = visit(watched.people["owner"], watched.path)
    answered = page.locator("[data-figure=answered]")
    expect(answered).to_have_text("24")
    expect(page.locator("#live")).to_have_text("Live")
    axe(page)
    shot(page, "watch")

    # What comes in moves the figures; the charts follow, and what is folded out stays so.
    unfolds = page.locator("#table-throughput > summary")
    assert unfolds.evaluate("summary => parseFloat(getComputedStyle(summary, '::before').width)") > 0, "an arrow"
    unfolds.click()
    worker = market.beside(answer_more, watched)
    expect(answered).to_have_text("27", timeout=NEWS_MS)
    market.beside(make_figures, watched.batch.pk)
    name = market.beside(watched.name_of, worker)
    expect(page.locator("#figures")).to_contain_text(name, timeout=NEWS_MS)
    expect(page.locator("#table-throughput")).to_have_attribute("open", "")

    # A colleague pauses it: the badge and what can be done now say so, without loading the page again.
    market.beside(lambda: in_one(pause_batch, batch_id=watched.batch.pk))
    expect(page.locator("#head")).to_contain_text("Paused", timeout=NEWS_MS)
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("status").filter(has_text="Open again.")).to_be_visible()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()

    # From a cell of the matrix to the tasks behind it, and to one of them with its answers beside each other.
    page.locator("table.heat a").nth(1).click()
    expect(page.get_by_role("heading", level=1, name="Tasks")).to_be_visible()
    page.get_by_role("link", name="t2").click()
    cards = page.locator(".beside .card")
    expect(cards.first.get_by_role("radio", name="Cat")).to_be_checked()
    expect(page.locator(".task-data").get_by_text("animal 2")).to_be_visible()
    expect(page.locator("[data-plain]:visible")).to_have_count(0)
    axe(page)
    shot(page, "watch-task")


def test_answers_are_drawn_over_the_item(
    market: Market, visit: Callable[..., Page], axe: Callable[[Page], None], shot: Callable[..., None]
) -> None:
    batch = market.beside(boxed)
    owner = market.beside(make.owner_of, batch.requester)
    page = visit(owner, f"/console/batches/{batch.public_id}/task/?id=t0")

    expect(page.locator(".beside [data-answer] .tool-boxes")).to_have_count(2)
    expect(page.locator(".beside [data-answer] g.shape")).to_have_count(2)
    expect(page.locator("[data-plain]:visible")).to_have_count(0)
    axe(page)
    shot(page, "watch-boxes")


@pytest.mark.slow  # `test_axe_desks` walks them too
@pytest.mark.parametrize("page_of", PAGES)
def test_pages_of_a_watched_batch_can_be_used_by_everybody(
    market: Market,
    watched: Watched,
    visit: Callable[..., Page],
    axe: Callable[[Page], None],
    shot: Callable[..., None],
    page_of: str,
) -> None:
    options: dict[str, Any] = {"width": 390, "touch": True}
    name = page_of.split("/")[0] or "overview"
    page = visit(watched.people["owner"], f"{watched.path}{page_of}", dark=True, **options)
    page.wait_for_load_state("networkidle" if page_of else "load")
    axe(page)
    shot(page, f"watch-{name}-390-dark")
    assert wider_than_window(page) == []

    wide = visit(watched.people["owner"], f"{watched.path}{page_of}")
    wide.wait_for_load_state("load")
    axe(wide)
    shot(wide, f"watch-{name}-1280")


@pytest.fixture(scope="module")
def watched(shared_market: Market) -> Watched:
    return shared_market.beside(make_watched, 8, 2)
