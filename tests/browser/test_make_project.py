"""A newcomer's first hour: founds an organisation, begins a project from a template, makes it his own beside a preview
that follows, and publishes it."""

import re
from base64 import b64decode
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from marketplace.projects.models import Version
from tests.browser.accessibility import wider_than_window
from tests.browser.people import make_person

pytestmark = [pytest.mark.stack, pytest.mark.browser]
# A picture of one pixel.
DOT = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


@pytest.mark.parametrize("width", [1280, pytest.param(390, marks=pytest.mark.slow)])
def test_a_newcomer_makes_a_project_and_sees_what_workers_will_see(
    market: Any, visit: Any, axe: Any, shot: Any, width: int
) -> None:
    narrow = width < 500
    name = f"Moods {width}"
    page: Page = visit(market.beside(make_person), "/console/", width=width, touch=narrow)
    look = _looker(page, axe, shot, width)
    look("organisations")
    page.get_by_label("Name of the organisation").fill("Acme Labels")
    page.get_by_role("button", name="Found it").click()
    expect(page.get_by_role("heading", name="Three steps to your first answers")).to_be_visible()
    look("home")

    page.get_by_role("main").get_by_role("link", name="Make a project").click()
    page.get_by_label("Name of the project").fill(name)
    page.get_by_role("radio", name=re.compile("^Sort into classes")).check()
    look("new")
    page.get_by_role("button", name="Begin with it").click()

    preview, state = page.locator("#preview"), page.locator("[data-state]")
    expect(preview.get_by_role("radio", name="Positive")).to_be_visible()
    expect(preview).to_contain_text("The delivery took a week longer")
    expect(state).to_have_text("All is well.")
    look("editor")

    # A label's name, and another label.
    first = page.locator(".label-row").first
    first.get_by_label("Name", exact=True).fill("Delighted")
    expect(preview.get_by_role("radio", name="Delighted")).to_be_visible()
    first.get_by_text("Definition and examples").click()
    first.get_by_label("Definition", exact=True).fill("The writer could not be happier.")
    first.get_by_label("Colour").select_option(label="Violet")
    expect(preview.locator(".choice.hue-7")).to_have_count(1)
    page.get_by_role("button", name="Add a label").click()
    page.keyboard.type("Mixed")
    expect(preview.get_by_role("radio", name="Mixed")).to_be_visible()
    # What is wrong is said where it is, and the preview stays as it was.
    last = page.locator(".label-row").last
    last.get_by_label("Key", exact=True).fill("p")
    expect(last.locator(".problem")).to_have_text("Is the hotkey of another label too.")
    expect(state).to_have_text("1 thing is not right yet.")
    expect(preview.locator("[data-old]")).to_be_visible()
    look("mistake")
    last.get_by_label("Key", exact=True).fill("m")
    expect(state).to_have_text("All is well.")

    # What may be published and is hardly meant is said too.
    last.get_by_label("Name", exact=True).fill("negative")
    expect(last.locator(".problem")).to_contain_text("Another label is called so too")
    expect(state).to_have_text("It can be published; 1 thing is worth a look.")
    last.get_by_label("Name", exact=True).fill("Mixed")
    expect(state).to_have_text("All is well.")

    instructions = page.get_by_label("What workers read first")
    instructions.fill("## Read well\n\nAnd then *think*.")
    expect(preview.get_by_role("heading", name="Read well")).to_be_visible()
    # The preview answers to keys as the player does.
    preview.locator(".task-card").focus()
    page.keyboard.press("m")
    expect(preview.get_by_role("radio", name="Mixed")).to_be_checked()
    page.get_by_role("button", name="Desktop").click()
    look("wide")

    page.get_by_role("button", name="Save and publish…").click()
    expect(page.get_by_role("heading", name="Publish version 1?")).to_be_visible()
    look("publish")
    page.get_by_role("button", name="Publish it").click()
    expect(page.get_by_role("main")).to_contain_text("Published. New batches can use it from now on.")
    look("project")

    version = market.beside(lambda: Version.objects.get(project__name=name))
    labels = version.interface["answer"][0]["labels"]
    assert [label["title"] for label in labels] == ["Delighted", "Neutral", "Negative", "Mixed"]
    assert labels[0]["definition"] == "The writer could not be happier."
    assert (labels[0]["value"], labels[0]["colour"], labels[3]["value"]) == ("positive", 7, "mixed")
    assert version.instructions == "## Read well\n\nAnd then *think*."
    assert version.published_at is not None


def test_the_editor_speaks_every_kind_and_the_json_beside_it_the_same(market: Any, visit: Any, axe: Any) -> None:
    page: Page = visit(market.beside(make_person), "/console/")
    page.get_by_label("Name of the organisation").fill("Kinds")
    page.get_by_role("button", name="Found it").click()
    page.get_by_role("main").get_by_role("link", name="Make a project").click()
    page.get_by_label("Name of the project").fill("Kinds")
    page.get_by_role("radio", name=re.compile("^Box objects in a picture")).check()
    page.get_by_role("button", name="Begin with it").click()
    state, preview = page.locator("[data-state]"), page.locator("#preview")
    expect(preview.locator(".view-picture")).to_be_visible()
    expect(state).to_have_text("All is well.")

    kind = page.get_by_label("Kind of answer")
    for value in kind.locator("option").evaluate_all("options => options.map((option) => option.value)"):
        kind.select_option(value)
        # Some need other data than a picture, and say so; nothing breaks.
        expect(preview.locator(".task-field, [data-old]:not([hidden])").first).to_be_visible()
    kind.select_option("polygons")
    expect(state).to_have_text("All is well.")
    axe(page)

    page.get_by_text("Everything as JSON").click()
    text = page.get_by_label("Interface")
    text.fill('{"answer": [{"name": "much", "type": "number", "title": "How much?"}]}')
    expect(page.get_by_label("Question", exact=True)).to_have_value("How much?")
    expect(preview.get_by_role("group", name=re.compile("How much"))).to_be_visible()
    text.fill('{"answer": [')
    expect(page.locator("[data-json-problem]")).to_contain_text("This is not JSON")
    text.fill('{"answer": [{"name": "much", "type": "number", "minimum": 3, "maximum": 1}]}')
    expect(page.locator(".problem")).to_have_text("Must be less than maximum.")
    expect(page.get_by_label("At least")).to_have_attribute("aria-invalid", "true")


def _looker(page: Page, axe: Any, shot: Any, width: int) -> Any:
    def look(name: str) -> None:
        axe(page)
        assert wider_than_window(page) == []
        shot(page, f"make-{name}-{width}")

    return look


def test_a_small_picture_goes_into_the_instructions_and_relations_into_the_interface(
    market: Any, visit: Any, axe: Any
) -> None:
    page: Page = visit(market.beside(make_person), "/console/")
    page.get_by_label("Name of the organisation").fill("Pictures")
    page.get_by_role("button", name="Found it").click()
    page.get_by_role("main").get_by_role("link", name="Make a project").click()
    expect(page.get_by_text("Workers cannot draw it on this site's pages yet")).to_have_count(3)
    page.get_by_label("Name of the project").fill("Pictures")
    page.get_by_role("radio", name=re.compile("^Mark words")).check()
    page.get_by_role("button", name="Begin with it").click()
    state, preview = page.locator("[data-state]"), page.locator("#preview")
    expect(state).to_have_text("All is well.")

    instructions, said = page.get_by_label("What workers read first"), page.locator("[data-picture-said]")
    instructions.fill("Look:")
    chosen = page.get_by_label("Put a small picture in")
    small = {"name": "a [tabby].png", "mimeType": "image/png", "buffer": DOT}
    chosen.set_input_files(small)
    expect(said).to_contain_text("The picture is in the text")
    expect(preview.get_by_alt_text("a tabby")).to_be_visible()
    # Its address stands where nobody writes.
    assert instructions.input_value().startswith(
        "Look:\n![a tabby][picture-1]\n\n\n[picture-1]: data:image/png;base64,"
    )
    instructions.evaluate("(area) => area.setSelectionRange(5, 5)")
    chosen.set_input_files({**small, "name": "other.png"})
    expect(preview.get_by_alt_text("other")).to_be_visible()
    expect(preview.get_by_alt_text("a tabby")).to_be_visible()
    lines = instructions.input_value().split("\n")
    assert lines[:3] == ["Look:", "![other][picture-2]", ""]
    assert [line.partition(" ")[0] for line in lines[-2:]] == ["[picture-1]:", "[picture-2]:"]
    # Pasted too; what is too large says how large it may be.
    paste = """(area, size) => {
      const held = new DataTransfer();
      held.items.add(new File([new Uint8Array(size)], "big.png", {type: "image/png"}));
      area.dispatchEvent(new ClipboardEvent("paste", {clipboardData: held, bubbles: true, cancelable: true}));
    }"""
    instructions.evaluate(paste, 100_000)
    expect(said).to_contain_text(re.compile(r"This picture has 98 KB, and there is room for 7\d KB"))

    page.get_by_text("Relations between marks").click()
    relations = page.locator("details", has=page.get_by_text("Relations between marks"))
    relations.get_by_role("button", name="Add a label").click()
    page.keyboard.type("Works for")
    expect(state).to_have_text("All is well.")
    begins = relations.get_by_role("group", name=re.compile("“Works for” begins at"))
    begins.get_by_role("checkbox").first.check()
    expect(state).to_have_text("All is well.")
    axe(page)
    page.get_by_role("button", name="Save the draft").click()
    expect(page.get_by_role("main")).to_contain_text("The draft is saved.")
    version = market.beside(lambda: Version.objects.get(project__name="Pictures"))
    [spans] = [one for one in version.interface["answer"] if one["type"] == "spans"]
    [kind] = [one for one in spans["relations"] if one["value"] == "works_for"]
    assert kind["from"] == [spans["labels"][0]["value"]]
    assert "data:image/png;base64," in version.instructions
