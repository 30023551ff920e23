"""Each form tool takes an answer from the mouse and another one from the keys, and just that is stored."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import batches
from tests.browser.market import Market
from tests.browser.people import make_worker

pytestmark = [pytest.mark.stack, pytest.mark.browser]
Act = Callable[[Page, Locator], Any]


def open_player(market: Market, kind: Any, *, tasks: int = 2, **how: Any) -> tuple[Page, Any]:
    """A worker before the player of a batch of his own; he has read the instructions."""
    terms = how.pop("terms", {})
    worker = market.beside(make_worker)
    batch = market.beside(batches.make_batch, kind, tasks, **terms)
    page = market.visit(worker.user, f"/work/batches/{batch.public_id}/do/", **how)
    expect(task_of(page)).to_be_visible()
    page.get_by_role("button", name="I have read them").click()
    return page, worker


def task_of(page: Page) -> Locator:
    return page.locator(".task-card[aria-label]")


def drag(page: Page, source: Locator, target: Locator) -> None:
    """With the mouse, in steps as a hand makes them; below the middle of the target."""
    start, end = source.bounding_box(), target.bounding_box()
    assert start is not None and end is not None
    page.mouse.move(start["x"] + 60, start["y"] + start["height"] / 2)
    page.mouse.down()
    page.mouse.move(start["x"] + 62, start["y"] + start["height"] / 2 + 6, steps=3)
    page.mouse.move(end["x"] + 60, end["y"] + end["height"] - 4, steps=12)
    page.mouse.up()


def choose(name: str) -> Act:
    return lambda page, task: task.get_by_text(name, exact=True).click()


def press(*keys: str) -> Act:
    def act(page: Page, task: Locator) -> None:
        for key in keys:
            page.keyboard.press(key)

    return act


def both(page: Page, task: Locator) -> None:
    task.get_by_text("Bird", exact=True).click()
    task.get_by_text("Cat", exact=True).click()


def by_tree(page: Page, task: Locator) -> None:
    task.get_by_text("Animal", exact=True).click()
    task.get_by_text("Fish", exact=True).click()


def by_name(page: Page, task: Locator) -> None:
    page.keyboard.press("/")
    page.keyboard.type("moss")
    page.keyboard.press("Enter")


def first_to_third(page: Page, task: Locator) -> None:
    rows = task.locator(".ranking-item")
    drag(page, rows.nth(0), rows.nth(2))


# By kind: by mouse and what is stored then, by keys and what is stored then. Each ends with the key or button to submit.
FORMS: dict[str, tuple[Act, Any, Act, Any]] = {
    "choice": (choose("Dog"), "dog", press("c"), "cat"),
    "multiple": (both, ["cat", "bird"], press("d", "1"), ["dog", "bird"]),
    "taxonomy": (by_tree, ["animal", "fish"], by_name, ["plant", "moss"]),
    "rating": (choose("Good"), 4, press("2"), 2),
    "text": (
        lambda page, task: task.get_by_label("Describe it").fill("A dark shape"), "A dark shape",
        lambda page, task: page.keyboard.type("  Two shapes 🎈 "), "Two shapes 🎈",
    ),
    "number": (
        lambda page, task: task.get_by_label("How many?").fill("2"), 2,
        press("1", "2", "ArrowUp"), 13,
    ),
    "preference": (
        choose("Left much better"), {"preferred": "left", "strength": 3},
        press("4"), {"preferred": "equal"},
    ),
    "ranking": (first_to_third, ["B", "C", "A", "D"], press("ArrowDown", "Tab", "Tab", "ArrowUp"), None),
}  # fmt: skip


@pytest.mark.parametrize("kind", FORMS)
def test_a_form_is_answered_by_mouse_and_by_keys(
    kind: str, market: Market, axe: Callable[[Page], None], shot: Callable[..., None]
) -> None:
    by_mouse, first, by_keys, second = FORMS[kind]
    page, worker = open_player(market, kind)
    by_mouse(page, task_of(page))
    axe(page)
    shot(page, f"{kind}-1280")
    page.get_by_role("button", name="Submit").click()
    expect(page.locator("[data-show=session]")).to_contain_text("1 answer")

    by_keys(page, task_of(page))
    shot(page, f"{kind}-1280-keys")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Nothing is left for you here")).to_be_visible()
    expect(page.locator("[data-show=session]")).to_contain_text("2 answers")

    assert market.beside(batches.stored, worker) == [{"answer": first}, {"answer": second}]
