"""A task where it is only to be looked at, before work and after it: drawn as in the player, with nothing to press."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from marketplace.batches.models import Batch
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.browser import batches
from tests.browser.accessibility import grave_findings, wider_than_window
from tests.browser.market import Market
from tests.browser.people import make_worker
from workers.profiles.models import Worker

pytestmark = [pytest.mark.stack, pytest.mark.browser]
LONG = "Instructions and pictures that came along with it, in whatever language they are written and however long."
TOPICS = [
    {"value": "product", "title": "The product", "definition": LONG,
     "children": [{"value": "manual", "title": "Manual", "definition": LONG}]},
    {"value": "service", "title": "The service", "definition": LONG,
     "children": [{"value": "support", "title": "Support", "definition": LONG}]},
]  # fmt: skip
REVIEW = {
    "data": [{"name": "text", "type": "text", "title": "Review"}],
    "answer": [
        {"name": "mood", "type": "rating", "title": "How content?", "points": 3,
         "labels": ["Angry", "Calm", "Delighted"]},
        {"name": "topic", "type": "taxonomy", "title": "What is it about?", "tree": TOPICS},
        {"name": "order", "type": "ranking", "title": "In order", "items": [{"value": "A"}, {"value": "B"}]},
        {"name": "why", "type": "text", "title": "Why?", "max_length": 200},
    ],
}  # fmt: skip
ANSWER = {"mood": 3, "topic": ["service", "support"], "order": ["B", "A"], "why": "They called back."}


def reviews() -> Batch:
    return batches.make_batch(REVIEW, rows=[{"text": "The kettle boils."}, {"text": "The lid sticks."}])


def answered() -> tuple[Worker, Any]:
    worker = make_worker()
    [lease] = make.take(worker, reviews(), 1)
    with one_transaction(principal="test"):
        page = [make.Submission(lease.id, lease.token, ANSWER)]
        make.submit(worker_id=worker.pk, page=page, then_claim=None, chance=Random(1))
    return worker, lease.id


def expect_drawn_and_fixed(page: Page) -> None:
    points = page.locator(".rating-point")
    expect(points).to_have_count(3)
    assert page.locator(".rating").evaluate("row => getComputedStyle(row).display") == "flex"
    assert page.locator(".taxonomy").evaluate("tree => getComputedStyle(tree).listStyleType") == "none"
    for name in ("Clear", "Move A up", "This order is right"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    expect(page.get_by_role("searchbox")).to_have_count(0)
    expect(page.get_by_text("characters left")).to_have_count(0)
    expect(points.locator("input:enabled")).to_have_count(0)


@pytest.mark.parametrize("width", [1280, 390])
def test_a_batch_shows_a_task_as_the_player_does_and_fits_a_phone(
    width: int, market: Market, visit: Callable[..., Page], shot: Callable[..., None]
) -> None:
    worker, batch = market.beside(make_worker), market.beside(reviews)

    page = visit(worker.user, f"/work/batches/{batch.public_id}/", width=width, touch=width == 390)

    expect_drawn_and_fixed(page)
    shot(page, f"batch-{width}")
    assert wider_than_window(page) == []
    assert grave_findings(page) == []
    # The tree can be looked through.
    expect(page.get_by_role("treeitem")).to_have_count(2)
    page.get_by_role("treeitem", name="The service").locator(".taxonomy-row").first.click()
    expect(page.get_by_role("treeitem")).to_have_count(3)
    expect(page.get_by_text("Nothing chosen yet.")).to_be_visible()


@pytest.mark.parametrize("width", [1280, 390])
def test_an_answer_is_shown_as_it_was_given_and_cannot_be_changed(
    width: int, market: Market, visit: Callable[..., Page], shot: Callable[..., None]
) -> None:
    worker, answer = market.beside(answered)

    page = visit(worker.user, f"/work/earnings/answers/{answer}/", width=width, touch=width == 390, dark=width == 390)

    expect_drawn_and_fixed(page)
    shot(page, f"answer-{width}")
    expect(page.locator(".taxonomy-chosen")).to_have_text("The service › Support")
    expect(page.locator(".rating-point.chosen")).to_have_text("3Delighted")
    assert wider_than_window(page) == []
    assert grave_findings(page) == []
