"""Each form tool takes an answer from the mouse and another one from the keys, and just that is stored."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests import factories as make
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


def drag_to_place(page: Page, rows: Locator, start: int, place: int) -> None:
    """With the mouse, in steps as a hand makes them, until the row is where it should be."""
    name = rows.nth(start).locator(".ranking-title").inner_text()
    source, end = rows.nth(start).bounding_box(), rows.nth(place).bounding_box()
    assert source is not None and end is not None
    x = source["x"] + 60
    page.mouse.move(x, source["y"] + source["height"] / 2)
    page.mouse.down()
    page.mouse.move(x, end["y"] + end["height"] - 4, steps=12)
    for step in range(100):
        if rows.nth(place).locator(".ranking-title").inner_text() == name:
            break
        page.mouse.move(x + step % 2, end["y"] + end["height"] - 4)
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
    drag_to_place(page, task.locator(".ranking-item"), 0, 2)


# By kind: by mouse and what is stored then, by keys and what is stored then.
FORMS: dict[str, tuple[Act, Any, Act, Any]] = {
    "choice": (choose("Dog"), "dog", press("c"), "cat"),
    "multiple": (both, ["cat", "bird"], press("d", "1"), ["dog", "bird"]),
    "taxonomy": (by_tree, ["animal", "fish"], by_name, ["plant", "moss"]),
    "rating": (lambda page, task: task.get_by_role("radio", name="4 Good").check(), 4, press("2"), 2),
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
    "ranking": (
        first_to_third, ["B", "C", "A", "D"],
        press("ArrowDown", "ArrowDown", "Shift+Tab", "ArrowDown"), ["B", "A", "C", "D"],
    ),
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


MANY = {
    "data": [
        {"name": "note", "type": "markdown", "title": "Note"},
        {"name": "facts", "type": "table", "title": "Facts"},
        {"name": "page", "type": "url", "title": "Page"},
    ],
    "answer": [
        {"name": "kind", "type": "choice", "title": "Which animal?", "labels": batches.PETS},
        {
            "name": "why", "type": "text", "title": "Why a bird?", "max_length": 40,
            "show_if": {"field": "kind", "is": "bird"},
        },
        {"name": "sure", "type": "rating", "title": "How sure?", "required": False, "points": 3},
    ],
}  # fmt: skip
NOTE = """# A note

One **bold** word, `code` & <script>alert(1)</script>

- [a link](https://example.org/)
- [bad](javascript:alert(1))
- ![not over http](http://example.org/picture.png)
"""


def many(number: int) -> dict[str, Any]:
    return {
        "note": NOTE,
        "facts": [{"name": f"row {number}", "legs": 2, "wings": True}, {"name": "other", "legs": 4, "wings": None}],
        "page": "https://example.org/birds",
    }


def test_a_page_of_several_tasks_with_fields_that_depend_on_each_other(
    market: Market, axe: Callable[[Page], None], shot: Callable[..., None]
) -> None:
    worker = market.beside(make_worker)
    batch = market.beside(batches.make_batch, MANY, rows=[many(number) for number in range(4)])
    page = market.visit(worker.user, f"/work/batches/{batch.public_id}/do/", width=390, touch=True, dark=True)
    card = task_of(page)
    expect(card).to_have_count(1)
    axe(page)
    shot(page, "many-390-dark-instructions")
    page.get_by_role("button", name="I have read them").click()

    # What the requester wrote is text and marks of ours, and nothing of its own.
    note = card.locator(".datum-markdown")
    expect(note.locator("strong")).to_have_text("bold")
    expect(note).to_contain_text("<script>alert(1)</script>")
    expect(note).to_contain_text("not over http")
    assert (note.locator("script").count(), note.locator("img").count()) == (0, 0)
    assert [link.get_attribute("href") for link in note.locator("a").all()] == ["https://example.org/"]

    expect(card.get_by_role("group", name="Why a bird?")).to_be_hidden()
    card.get_by_text("Bird", exact=True).click()
    page.get_by_role("button", name="Submit").click()
    expect(card.get_by_role("alert").get_by_text("Please answer this.")).to_be_visible()
    expect(card.get_by_label("Why a bird?").last).to_be_focused()
    card.get_by_label("Why a bird?").last.fill("It has wings")
    shot(page, "many-390-dark")
    axe(page)
    # Undo takes back the words, and then the bird, with what depends on it; redo brings both.
    undo, redo = page.get_by_role("button", name="Undo"), page.get_by_role("button", name="Redo")
    undo.click()
    expect(card.get_by_label("Why a bird?").last).to_have_value("")
    undo.click()
    expect(card.get_by_role("group", name="Why a bird?")).to_be_hidden()
    expect(card.get_by_role("radio", name="Bird")).not_to_be_checked()
    redo.click()
    redo.click()
    expect(card.get_by_label("Why a bird?").last).to_have_value("It has wings")

    # Three at a time: what is typed stays, and the keys of a task work where the focus is.
    page.get_by_label("At a time").select_option("3")
    expect(card).to_have_count(3)
    expect(card.nth(0).get_by_label("Why a bird?").last).to_have_value("It has wings")
    card.nth(1).get_by_text("Cat", exact=True).click()
    card.nth(2).get_by_role("radio", name="Dog").focus()
    page.keyboard.press("d")
    page.keyboard.press("3")
    shot(page, "several-390-dark")
    page.keyboard.press("Enter")
    expect(page.locator("[data-show=session]")).to_contain_text("3 answers")
    expect(card).to_have_count(1)

    assert market.beside(batches.stored, worker) == [
        {"kind": "bird", "why": "It has wings"}, {"kind": "cat"}, {"kind": "dog", "sure": 3},
    ]  # fmt: skip


def test_labels_and_keys_are_one_key_away(
    market: Market, axe: Callable[[Page], None], shot: Callable[..., None]
) -> None:
    page, _worker = open_player(market, "choice")
    page.keyboard.press("i")
    sheet = page.get_by_role("dialog")
    expect(sheet.get_by_text("A cat of any age and breed.")).to_be_visible()
    expect(sheet.get_by_text("lions and tigers")).to_be_visible()
    axe(page)
    shot(page, "labels-1280", full=False)
    page.keyboard.press("d")  # the page below rests
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)
    expect(task_of(page).get_by_role("radio", name="Dog")).not_to_be_checked()

    page.keyboard.press("?")
    expect(sheet.get_by_text("Mark as unclear")).to_be_visible()
    expect(sheet.get_by_text("Bird", exact=True)).to_be_visible()
    axe(page)
    shot(page, "keys-1280", full=False)
    sheet.get_by_role("button", name="Close").click()

    page.keyboard.press("u")
    expect(page.get_by_role("button", name="Unclear")).to_have_attribute("aria-pressed", "true")
    shot(page, "unclear-1280")
    page.get_by_role("button", name="Report a problem").click()
    axe(page)
    shot(page, "report-1280", full=False)


def test_gold_looks_like_work_in_the_page(market: Market) -> None:
    """Neither the document nor what is claimed tells gold: each task has the same fields, and none of them says so."""
    worker = market.beside(make_worker)
    batch = market.beside(make.make_batch, 3, 3, overlap=2)
    page = market.visit(worker.user, path="/health/")
    with page.expect_response("**/claim") as claimed:
        page.goto(f"/work/batches/{batch.public_id}/do/")
    expect(task_of(page)).to_be_visible()
    assert {tuple(sorted(lease)) for lease in claimed.value.json()["assignments"]} == {
        ("batch", "currency", "data", "draft", "id", "lease_until", "price_micros", "token", "version")
    }
    assert "gold" not in page.content().lower()
