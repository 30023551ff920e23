"""A requester sets a batch up before one's eyes: a file with a bad row that is mended, gold, terms, audience, quality,
and out it goes."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from marketplace.accounts.models import User
from marketplace.batches.models import Batch, Task
from marketplace.common.transactions import one_transaction
from marketplace.projects.models import Project
from tests import factories as make
from tests.browser.accessibility import wider_than_window
from workers.gold.queries import items_page

pytestmark = [pytest.mark.stack, pytest.mark.browser]
CSV = "\ufeffid,sentence,truth\r\n" + "".join(
    f"{name},{text},{truth}\r\n"
    for name, text, truth in [
        ("a1", "A tabby on a sofa", "cat"),
        ("a2", '"A poodle, and ""another"""', ""),
        ("a3", "", ""),
        ("a4", "Something in the grass", "whale"),
        ("a5", "A dog at the door", ""),
    ]
)


def made() -> tuple[User, Project]:
    requester = make.make_requester()
    for _number in range(6):
        make.make_worker()
    return make.owner_of(requester), make.make_project(requester)


def the_batch() -> Batch:
    return Batch.objects.select_related("requester").latest("pk")


def what_is_there(batch: Batch) -> tuple[list[str], dict[str, Any]]:
    names = list(Task.objects.filter(batch=batch).order_by("pk").values_list("external_id", flat=True))
    with one_transaction(principal="test"):
        keys = {item.task: item.key for item in items_page(batch, gold=True, after_id=0, limit=100)}
    return names, keys


@pytest.mark.parametrize(("width", "touch"), [(1280, False), pytest.param(390, True, marks=pytest.mark.slow)])
def test_a_batch_is_set_up_from_a_file_with_bad_rows_and_published(
    market: Any, visit: Any, axe: Any, shot: Any, width: int, touch: bool
) -> None:
    owner, project = market.beside(made)
    page: Page = visit(owner, f"/console/projects/{project.public_id}/new-batch/", width=width, touch=touch)

    def looked_at(name: str) -> None:
        axe(page)
        assert wider_than_window(page) == []
        shot(page, f"setup-{name}-{width}")

    page.get_by_label("Name", exact=True).fill("Pets in the park")
    page.get_by_role("radio", name="With everything at once").check()
    looked_at("new")
    page.get_by_role("button", name="Begin").click()

    # Items: the columns are told by their names, but for one.
    expect(page.get_by_role("heading", name="Bring your items")).to_be_visible()
    page.get_by_label("Drop a file here").set_input_files(
        {"name": "pets.csv", "mimeType": "text/csv", "buffer": CSV.encode()}
    )
    text, truth = page.locator('[id="column-data.text"]'), page.locator('[id="column-gold.label"]')
    expect(text).to_have_value("")
    # Before that is said, nothing is said of the rows.
    expect(page.get_by_text("Say first which column holds the data.")).to_be_visible()
    expect(page.locator("#mapping")).not_to_contain_text("looked at")
    expect(page.get_by_role("columnheader", name="What is wrong")).to_have_count(0)
    text.select_option("sentence")
    expect(page.get_by_text("1 error in the rows that were looked at.")).to_be_visible()
    truth.select_option("truth")
    expect(page.get_by_text("2 errors in the rows that were looked at.")).to_be_visible()
    expect(page.locator("#mapped-sample")).to_contain_text("A tabby on a sofa")
    expect(page.locator("#mapped thead th")).to_have_text(
        [re.compile(word) for word in ("Row", "wrong", "id", "se", "tr")]
    )
    looked_at("mapping")
    page.get_by_role("button", name="Import", exact=True).click()
    rows = page.locator("#problems li[data-row]")
    expect(rows).to_have_count(2)
    expect(page.locator("#problems")).not_to_contain_text("null")
    expect(rows.nth(0)).to_contain_text("Row 3")
    expect(rows.nth(0).get_by_label("sentence")).to_be_focused()
    looked_at("problems")
    rows.nth(0).get_by_label("sentence").fill('A cat, "asleep"')
    rows.nth(1).get_by_label("truth").fill("")
    page.get_by_role("button", name="Import again with these changes").click()
    expect(page.locator("#held")).to_contain_text("5")
    batch = market.beside(the_batch)
    assert market.beside(what_is_there, batch) == (["a1", "a2", "a3", "a4", "a5"], {"a1": {"label": "cat"}})
    expect(page.locator("#sample-task")).to_contain_text("A tabby on a sofa")
    looked_at("items")

    # Gold: one more, answered with a worker's own tools.
    page.get_by_role("link", name="Go on").click()
    expect(page.locator("#gold-count")).to_have_text("Item a2")
    expect(page.locator("#gold-task")).to_contain_text('A poodle, and "another"')
    page.get_by_role("button", name="This is the right answer").click()
    expect(page.locator("#gold-problem")).to_have_text("Answer it first, or take another item.")
    page.get_by_role("radio", name="Dog").check()
    looked_at("gold")
    page.get_by_role("button", name="This is the right answer").click()
    expect(page.locator("#gold-count")).to_have_text("Item a3 · 1 answered now")
    expect(page.locator("#gold-have")).to_have_text("2")
    # It is in the list at once; what was a mistake is taken back, and asked for again.
    expect(page.get_by_role("row", name="a2")).to_contain_text("label: dog")
    page.get_by_role("button", name="Take back a2").click()
    expect(page.get_by_role("row", name="a2")).to_have_count(0)
    expect(page.locator("#gold-have")).to_have_text("1")
    page.get_by_role("button", name="Another item").click()
    expect(page.locator("#gold-count")).to_have_text("Item a2")
    page.get_by_role("radio", name="Dog").check()
    page.get_by_role("button", name="This is the right answer").click()
    expect(page.locator("#gold-have")).to_have_text("2")
    # And from a file, whose errors are told by row.
    chosen = page.get_by_label("Bring them in a file")
    keys = {"name": "keys.csv", "mimeType": "text/csv"}
    chosen.set_input_files({**keys, "buffer": b"external_id,label\na3,cat\nnobody,dog\n"})
    expect(page.locator("#keys-said")).to_contain_text("Row 2, task: there is no item 'nobody'")
    chosen.set_input_files({**keys, "buffer": b"external_id,label\na3,cat\n"})
    expect(page.get_by_role("row", name="a3")).to_contain_text("label: cat")
    page.get_by_role("link", name="Go on").click()

    # Terms: a guess and a wish make a price; the worst case follows what is typed.
    page.get_by_label("Seconds that an answer takes").fill("24")
    page.get_by_label("An hour", exact=True).fill("15")
    expect(page.locator("#suggested")).to_contain_text("0.10")
    page.get_by_role("button", name="Take this price").click()
    page.get_by_label("Answers for each item").fill("2")
    # Ten answers of ten cents, a tenth more, and one aside for disputes.
    expect(page.locator('[data-figure="total_micros"]')).to_have_text("1.21\u00a0EUR")
    looked_at("terms")
    page.get_by_role("button", name="Save and go on").click()

    # Audience: a condition, and what it does to how many there are.
    expect(page.locator("#count")).to_contain_text("qualify")
    page.get_by_label("Add a condition").select_option(label="Languages")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_label("Languages, as de, pt-BR").fill("de")
    expect(page.locator("#count")).to_contain_text("the language de")
    looked_at("audience")
    page.get_by_role("button", name="Remove: Languages").click()
    expect(page.locator("#count")).not_to_contain_text("the language de")
    # What was left empty is said at its condition.
    page.get_by_label("Add a condition").select_option(label="Country")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("button", name="Save and go on").click()
    country = page.get_by_role("group", name="Country")
    expect(country).to_contain_text("Country: choose at least one")
    expect(page.locator("#as-data")).not_to_have_attribute("open", re.compile(".*"))
    page.get_by_label("Countries, as DE, AT").fill("D")
    expect(country).not_to_contain_text("choose at least one")
    page.get_by_role("button", name="Remove: Country").click()
    # Whoever goes to another step by its link loses nothing of what was typed.
    page.get_by_label("Add a condition").select_option(label="Device")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("navigation", name="Steps").get_by_role("link", name="Quality").click()
    expect(page.get_by_role("heading", name="Rules", exact=True)).to_be_visible()
    batch = market.beside(the_batch)
    assert batch.audience == {"device": {"in": ["desktop"]}}
    assert (batch.price_micros, batch.overlap, batch.expected_s) == (100_000, 2, 24)

    page.get_by_role("radio", name="Careful").check()
    page.get_by_role("button", name="Try them on what was answered so far").click()
    expect(page.locator("#dry-said")).to_contain_text("0 of 0 workers")
    looked_at("quality")
    page.get_by_role("button", name="Save and go on").click()

    expect(page.get_by_role("heading", name="Publish all of it")).to_be_visible()
    looked_at("check")
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.get_by_text("It is published. Workers see it now.")).to_be_visible()
    batch = market.beside(the_batch)
    assert (batch.state, batch.quality) == ("published", {"preset": "careful"})
    looked_at("published")


def test_a_file_is_dropped_and_an_upload_that_is_called_off_brings_nothing(market: Any, visit: Any) -> None:
    owner, project = market.beside(made)
    page: Page = visit(owner, f"/console/projects/{project.public_id}/new-batch/")
    page.get_by_label("Name", exact=True).fill("Dropped")
    page.get_by_role("radio", name="With everything at once").check()
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_role("heading", name="Bring your items")).to_be_visible()
    batch = market.beside(the_batch)

    file = page.evaluate_handle(
        """(text) => {
          const held = new DataTransfer();
          held.items.add(new File([text], "pets.csv", {type: "text/csv"}));
          return held;
        }""",
        "external_id,data.text\na1,A tabby on a sofa\na2,A dog at the door\n",
    )
    page.locator("#drop").dispatch_event("dragenter", {"dataTransfer": file})
    expect(page.locator("#drop")).to_have_class(re.compile(r"\bover\b"))
    page.locator("#drop").dispatch_event("drop", {"dataTransfer": file})
    expect(page.locator('[id="column-data.text"]')).to_have_value("data.text")
    expect(page.locator("#drop")).not_to_have_class(re.compile(r"\bover\b"))
    expect(page.locator("#mapped-sample")).to_contain_text("A tabby on a sofa")

    # The file does not arrive: it is held on its way until somebody calls it off.
    held: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method == "POST":
            held.append(route)
        else:
            route.continue_()

    on_the_way = re.compile(r"/imports(\?.*)?$")
    page.route(on_the_way, hold)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator("#progress-words")).to_have_text(re.compile("Sending the file|The rows are read"))
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#said")).to_have_text("Called off. Nothing was imported.")
    expect(page.locator("#progress")).to_be_hidden()
    assert len(held) == 1
    assert market.beside(what_is_there, batch) == ([], {})

    # What was chosen is still there, and goes in when it is sent again.
    page.unroute(on_the_way)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator("#sample-task")).to_contain_text("A tabby on a sofa")
    assert market.beside(what_is_there, batch) == (["a1", "a2"], {})


def test_columns_that_are_chosen_one_right_after_the_other_are_all_kept(market: Any, visit: Any) -> None:
    owner, project = market.beside(made)
    batch = market.beside(make.make_draft, project)
    page: Page = visit(owner, f"/console/batches/{batch.public_id}/setup/items/")
    rows = "name,what,right,many\n" + "".join(f"b{n},A cat on sofa {n},cat,{n + 1}\n" for n in range(3))
    page.get_by_label("Drop a file here").set_input_files(
        {"name": "pets.csv", "mimeType": "text/csv", "buffer": rows.encode()}
    )
    chosen = {"external_id": "name", "data.text": "what", "gold.label": "right"}
    menus = {name: page.locator(f'[id="column-{name}"]') for name in chosen}
    expect(menus["data.text"]).to_have_value("")
    held: list[Route] = []
    page.route(re.compile(r"/preview\?"), lambda route: held.append(route))
    for name, column in chosen.items():
        menus[name].select_option(column)
        # An answer to the first choice that comes late puts nothing back.
        if name != "gold.label":
            page.wait_for_timeout(400)
    while len(held) < 3:
        page.wait_for_timeout(50)
    for route in held:
        route.continue_()
    page.unroute(re.compile(r"/preview\?"))
    expect(page.get_by_text("3 rows were looked at, and all are right.")).to_be_visible()
    for name, column in chosen.items():
        expect(menus[name]).to_have_value(column)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator("#held")).to_contain_text("3")
    names, keys = market.beside(what_is_there, batch)
    assert (names, sorted(keys)) == (["b0", "b1", "b2"], ["b0", "b1", "b2"])


def test_a_file_that_was_chosen_before_the_page_was_ready_is_looked_at(market: Any, visit: Any) -> None:
    owner, project = market.beside(made)
    batch = market.beside(make.make_draft, project)
    page: Page = visit(owner, "/console/")
    held: list[Route] = []
    page.route("**/console/items*.js", lambda route: held.append(route))
    page.goto(f"/console/batches/{batch.public_id}/setup/items/", wait_until="commit")
    page.get_by_label("Drop a file here").set_input_files(
        {"name": "pets.csv", "mimeType": "text/csv", "buffer": CSV.encode()}
    )
    assert held, "the script is still on its way"
    held.pop().continue_()
    expect(page.locator('[id="column-data.text"]')).to_have_value("")
