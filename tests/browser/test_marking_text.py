"""Stretches of a text and their relations: marked by mouse, by keys and by touch, and stored as they were marked."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from marketplace.projects.interface import check_interface, clean_values
from tests.browser import batches
from tests.browser.market import Market
from tests.browser.people import make_worker
from tests.browser.test_player_forms import open_player, task_of

pytestmark = [pytest.mark.stack, pytest.mark.browser]
SENTENCE = batches.SENTENCE
# So many pixels a finger may move in a tap.
SLOP = 15
# Where a piece of the text is on the page: its box, as the browser lays it out.
PLACE = """(sheet, [wanted, nth]) => {
  const walker = document.createTreeWalker(sheet, NodeFilter.SHOW_TEXT);
  for (let seen = 0; walker.nextNode(); ) {
    const {data} = walker.currentNode;
    for (let at = data.indexOf(wanted); at >= 0; at = data.indexOf(wanted, at + 1)) {
      if (seen++ < nth) continue;
      const range = document.createRange();
      range.setStart(walker.currentNode, at);
      range.setEnd(walker.currentNode, at + wanted.length);
      const {left, top, right, bottom} = range.getBoundingClientRect();
      return [left, (top + bottom) / 2, right];
    }
  }
}"""


def place(page: Page, words: str, nth: int = 0) -> tuple[float, float, float]:
    """Left edge, middle and right edge of a piece of the text, brought into view."""
    pane = page.locator(".spans-text")
    pane.scroll_into_view_if_needed()
    left, middle, right = pane.locator(".spans-sheet").evaluate(PLACE, [words, nth])
    return left, middle, right


def select(page: Page, words: str, nth: int = 0, *, to: str = "", inset: float = 2) -> None:
    """Drag over a piece of the text, or from there to the end of another one on its line."""
    left, middle, right = place(page, words, nth)
    if to:
        _, _, right = place(page, to)
    page.mouse.move(left + inset, middle)
    page.mouse.down()
    page.mouse.move((left + right) / 2, middle, steps=3)
    page.mouse.move(right - inset, middle, steps=3)
    page.mouse.up()


def click(page: Page, words: str, nth: int = 0) -> None:
    left, middle, right = place(page, words, nth)
    page.mouse.click((left + right) / 2, middle)


def label(task: Locator, name: str) -> Locator:
    return task.locator(".mark-label").filter(has_text=name)


def span(identifier: int, name: str, words: str, text: str = SENTENCE) -> dict[str, Any]:
    """The span over some words of a text. Python counts characters as answers do."""
    return {"id": str(identifier), "label": name, "start": text.index(words), "end": text.index(words) + len(words)}


def submitted(page: Page, market: Market, worker: Any, key: str = "") -> Any:
    """What is stored after the answer to the only task was sent."""
    if key:
        page.keyboard.press(key)
    else:
        page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("Nothing is left for you here")).to_be_visible()
    (values,) = market.beside(batches.stored, worker)
    return values["answer"]


def test_spans_and_a_relation_are_marked_by_mouse(
    market: Market, axe: Callable[[Page], None], shot: Callable[..., None]
) -> None:
    page, worker = open_player(market, "relations", tasks=1)
    task = task_of(page)

    # Not quite from the first to the last letter: whole words are taken.
    select(page, "Grace Hopper", inset=12)
    expect(task.get_by_role("status").filter(has_text="Selected “Grace Hopper”")).to_be_visible()
    label(task, "Person").click()
    left, middle, right = place(page, "Zürich")
    page.mouse.dblclick((left + right) / 2, middle)
    page.keyboard.press("1")
    # Behind a balloon, which the browser counts as two and answers as one.
    select(page, "London")
    label(task, "Place").click()
    label(task, "Was in").click()
    click(page, "London")
    expect(task.get_by_text("Was in cannot go from Place. Pick another.")).to_be_visible()
    click(page, "Hopper")
    click(page, "Zürich")
    expect(task.locator(".mark-relation")).to_have_text("Grace Hopper Was in → Zürich")
    axe(page)
    shot(page, "spans-1280")

    assert submitted(page, market, worker) == {
        "spans": [span(1, "person", "Grace Hopper"), span(2, "place", "Zürich"), span(3, "place", "London")],
        "relations": [{"label": "was_in", "from": "1", "to": "2"}],
    }


def test_spans_and_a_relation_are_marked_by_keys_alone(market: Market) -> None:
    page, worker = open_player(market, "relations", tasks=1)
    task = task_of(page)
    press = page.keyboard.press

    task.locator(".spans-text").focus()
    press("Control+Home")
    for _ in range(2):
        press("Control+Shift+ArrowRight")
    # What is selected is never sent without its label.
    press("Enter")
    expect(task.get_by_text("Choose a label for what is selected, or press Escape.")).to_be_visible()
    press("p")
    for _ in range(6):
        press("Control+ArrowRight")
    press("Control+Shift+ArrowRight")
    expect(task.get_by_role("status").filter(has_text="Selected “Zürich”")).to_be_visible()
    press("1")
    expect(task.locator(".mark-entry")).to_have_count(2)
    # The kind of relation, then Enter on the spans that it joins.
    press("3")
    press("Control+Home")
    press("Enter")
    for _ in range(7):
        press("Control+ArrowRight")
    press("Enter")

    expect(task.locator(".mark-relation")).to_have_text("Grace Hopper Was in → Zürich")
    assert submitted(page, market, worker, "Control+Enter") == {
        "spans": [span(1, "person", "Grace Hopper"), span(2, "place", "Zürich")],
        "relations": [{"label": "was_in", "from": "1", "to": "2"}],
    }


def test_spans_are_marked_by_touch_on_a_phone(
    market: Market, axe: Callable[[Page], None], shot: Callable[..., None]
) -> None:
    page, worker = open_player(market, "spans", tasks=1, width=390, touch=True, dark=True)
    task = task_of(page)

    left, middle, right = place(page, "Grace")
    page.touchscreen.tap((left + right) / 2, middle)
    expect(task.get_by_role("status").filter(has_text="Selected “Grace”")).to_be_visible()
    knob = task.locator(".spans-knob.end").bounding_box()
    assert knob is not None
    _, middle, right = place(page, "Hopper")
    x, y = knob["x"] + knob["width"] / 2, knob["y"] + knob["height"] / 2
    swipe(page, (x, y), (right - 3, y))
    expect(task.get_by_role("status").filter(has_text="Selected “Grace Hopper”")).to_be_visible()
    axe(page)
    shot(page, "spans-390")
    label(task, "Person").tap()
    left, middle, right = place(page, "London")
    page.touchscreen.tap((left + right) / 2, middle)
    label(task, "Place").tap()
    expect(task.locator(".mark-entry")).to_have_count(2)

    assert submitted(page, market, worker)["spans"] == [span(1, "person", "Grace Hopper"), span(2, "place", "London")]


def swipe(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """A finger put down, moved to the right, held and lifted: lifted in movement it would throw the page, and the next
    tap would only stop that. The browser goes on by the way that it takes for a tap at first."""
    page.context.new_cdp_session(page).send(
        "Input.synthesizeScrollGesture",
        {
            "x": round(start[0]),
            "y": round(start[1]),
            "xDistance": round(end[0] - start[0]) - SLOP,
            "yDistance": round(end[1] - start[1]),
            "gestureSourceType": "touch",
            "preventFling": True,
        },
    )


def test_a_span_is_renamed_moved_removed_and_brought_back(market: Market) -> None:
    page, worker = open_player(market, "spans", tasks=1)
    task = task_of(page)
    select(page, "Hopper")
    label(task, "Place").click()

    # What overlaps is refused in words, and nothing is lost.
    select(page, "Hopper", to="wrote")
    label(task, "Date").click()
    expect(
        task.get_by_text("That would overlap “Hopper” (Place). Marked stretches cannot overlap here.")
    ).to_be_visible()
    page.keyboard.press("Escape")
    click(page, "Hopper")
    page.keyboard.press("p")
    page.keyboard.press("Alt+Shift+ArrowLeft")
    expect(task.locator(".mark-entry")).to_have_text("Grace Hopper Person")
    task.get_by_role("button", name="End later").click()
    expect(task.locator(".mark-entry")).to_have_text("Grace Hopper wrote Person")
    page.keyboard.press("Delete")
    expect(task.locator(".mark-entry")).to_have_count(1)  # the button is no place to delete from
    task.locator(".mark-entry").press("Delete")
    expect(task.locator(".mark-entry")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Undo").click()

    assert submitted(page, market, worker)["spans"] == [span(1, "person", "Grace Hopper")]


def test_a_text_without_anything_to_mark_is_answered_by_saying_so(market: Market) -> None:
    page, worker = open_player(market, "spans", tasks=1)
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("Please answer this.")).to_be_visible()

    page.get_by_label("There is nothing to mark in this text").press(" ")

    assert submitted(page, market, worker) == {"spans": [], "relations": []}


MIXED = "👩‍👩‍👧 met 🎈.\r\nשלום עולם, זה טקסט.\n\nIn the University of Zürich."
NESTED = {
    "data": [{"name": "text", "type": "text"}],
    "answer": [
        {
            "name": "answer",
            "type": "spans",
            "of": "text",
            "overlap": True,
            "labels": [{"value": "place", "hotkey": "p"}, {"value": "other", "hotkey": "o"}],
        }
    ],
}


def test_emoji_lines_right_to_left_text_and_nested_spans_are_counted_in_characters(
    market: Market, shot: Callable[..., None]
) -> None:
    worker = market.beside(make_worker)
    batch = market.beside(batches.make_batch, NESTED, 1, rows=[{"text": MIXED}])
    page = market.visit(worker.user, f"/work/batches/{batch.public_id}/do/")
    page.get_by_role("button", name="I have read them").click()
    task = task_of(page)
    press = page.keyboard.press

    task.get_by_label("Whole words").uncheck()
    task.locator(".spans-text").focus()
    press("Control+Home")
    press("Shift+ArrowRight")  # one family, five code points, eight units
    press("o")
    press("ArrowDown")
    press("Home")
    press("Control+Shift+ArrowLeft")  # in this line the next word is to the left
    press("Shift+ArrowRight")  # without the space after it
    press("p")
    task.get_by_label("Whole words").check()
    select(page, "University of Zürich")
    press("o")
    select(page, "Zürich")
    press("p")
    expect(task.locator(".mark-entry")).to_have_count(4)
    shot(page, "spans-nested")

    spans = submitted(page, market, worker)["spans"]
    assert [(one["label"], MIXED[one["start"] : one["end"]]) for one in spans] == [
        ("other", "👩‍👩‍👧"),
        ("place", "שלום"),
        ("other", "University of Zürich"),
        ("place", "Zürich"),
    ]


def test_a_long_text_is_touched_only_where_it_is_marked(market: Market) -> None:
    lines = [f"Line {number} tells of Zürich and of nobody else." for number in range(1_300)]
    text = "\n".join(lines)
    starts = [sum(len(line) + 1 for line in lines[:number]) + lines[number].index("Zürich") for number in range(400)]
    given = [{"id": str(at + 1), "label": "place", "start": one, "end": one + 6} for at, one in enumerate(starts)]
    asks = check_interface(NESTED)
    page = market.visit()
    page.evaluate(
        """async ([asks, data, values]) => {
          const {mountTask} = await import("/static/work/player/task.js");
          const host = document.createElement("div");
          document.querySelector("main").replaceChildren(host);
          window.lines = 0;
          const changed = (values) => (window.given = values);
          window.view = mountTask(host, {interface: asks, data, values, changed});
          await window.view.ready;
          new MutationObserver((all) => (window.lines += new Set(all.map(({target}) => target)).size))
            .observe(host.querySelector(".spans-sheet"), {childList: true, subtree: true});
        }""",
        [asks, {"text": text}, {"answer": {"spans": given, "relations": []}}],
    )

    click(page, "nobody else")
    select(page, "nobody else")
    page.locator(".mark-label").first.click()

    values = clean_values(asks, page.evaluate("() => given"), {"text": text})
    marked = [text[one["start"] : one["end"]] for one in values["answer"]["spans"]]
    assert marked == ["Zürich", "nobody else", *["Zürich"] * 399]
    assert page.evaluate("() => lines") <= 3
