"""A reviewer's day: answers settled, rejected and given back by keys alone, and an export that is made, opened and
read; and every page of it can be used by everybody, on a phone too."""

import io
import json
import re
import zipfile
from collections.abc import Callable
from random import Random
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from marketplace.accounts.models import User
from marketplace.batches.models import Batch
from marketplace.common.database import rows
from marketplace.results.commands.aggregate import aggregate
from marketplace.results.tasks import build_datasets
from tests import factories as make
from tests.acts import in_one
from tests.browser import batches
from tests.browser.market import Market
from tests.browser.people import make_worker
from tests.browser.test_axe_pages import faults_of, settled
from tests.console.reviewed import NO_GOLD, disputed
from tests.results.test_consensus import make_consensus
from workers.assignments.commands.decide import accept_answers
from workers.assignments.commands.submit import Submission, submit

pytestmark = [pytest.mark.stack, pytest.mark.browser]


def make_disputed() -> tuple[Batch, User]:
    """Three of five tasks are in dispute: two say cat, one says dog."""
    batch = disputed(5, disputes=3)
    return batch, make.owner_of(batch.requester)


def make_boxed() -> tuple[Batch, User]:
    """A picture on which two workers have drawn different boxes."""
    batch = batches.make_batch("boxes", 1, overlap=2, gold=NO_GOLD)
    for left in (80.0, 300.0):
        worker = make_worker()
        box = {"label": "dark", "x": left, "y": 60.0, "width": 100.0, "height": 90.0}
        [lease] = make.take(worker, batch)
        in_one(
            submit,
            worker_id=worker.pk,
            page=[Submission(lease.id, lease.token, {"answer": [box]})],
            then_claim=None,
            chance=Random(1),
        )
    make_consensus(batch)
    return batch, make.owner_of(batch.requester)


def states(batch: Batch) -> dict[str, int]:
    return dict(
        rows("SELECT state, count(*) FROM assignments_assignment WHERE batch_id = %s GROUP BY state", [batch.pk])
    )


def rulings(batch: Batch) -> list[tuple[Any, ...]]:
    return rows("SELECT values, reason, words FROM results_adjudication WHERE batch_id = %s ORDER BY id", [batch.pk])


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_a_review_is_done_by_keys_alone(market: Market, visit: Callable[..., Page], shot: Callable[..., None]) -> None:
    batch, owner = market.beside(make_disputed)
    page = visit(owner, f"/console/batches/{batch.public_id}/review/")
    settled(page)
    shot(page, "review-1280")

    press(page, "?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    press(page, "Escape")
    # Until it is gone, its button has the focus and takes the key.
    expect(page.locator("dialog:has(.shortcuts)")).to_have_count(0)

    press(page, "Enter")
    expect(page.get_by_text("Choose an answer first, by its number.").first).to_be_visible()
    press(page, "3")
    expect(page.locator("input[name=look]:checked")).to_have_count(1)
    press(page, "Enter")
    expect(page.get_by_role("dialog", name="This is the label")).to_be_visible()
    shot(page, "review-settle", full=False)
    press(page, "Enter")
    expect(page.get_by_text("Settled. Results have it")).to_be_visible()

    settled(page)
    press(page, "e")
    own = page.get_by_role("dialog", name="Another label")
    expect(own.get_by_role("radio", name="Dog")).to_be_visible()
    press(page, "2")
    expect(own.get_by_role("radio", name="Dog")).to_be_checked()
    press(page, "Enter")
    expect(page.get_by_text("Settled. Results have it")).to_be_visible()
    assert [(values, reason) for values, reason, _words in market.beside(rulings, batch)] == [
        ({"label": "dog"}, "plain"),
        ({"label": "dog"}, "plain"),
    ]

    settled(page)
    press(page, "3", "r")
    expect(page.get_by_role("dialog", name="Reject the answer")).to_be_visible()
    shot(page, "review-reject", full=False)
    page.keyboard.type("It is a cat: look at the ears.")
    press(page, "Control+Enter")
    expect(page.get_by_text("1 answer rejected.")).to_be_visible()
    settled(page)
    press(page, "2", "p")
    expect(page.get_by_role("dialog", name="Back for repair")).to_be_visible()
    page.keyboard.type("Say which animal, please.")
    press(page, "Control+Enter")
    expect(page.get_by_text("1 answer is back with its worker.")).to_be_visible()
    settled(page)
    press(page, "1", "a")
    expect(page.get_by_text("1 answer accepted.")).to_be_visible()
    assert market.beside(states, batch) == {"submitted": 12, "rejected": 1, "leased": 1, "accepted": 1}


def test_answers_are_drawn_over_the_picture_that_they_are_about(
    market: Market, visit: Callable[..., Page], shot: Callable[..., None]
) -> None:
    batch, owner = market.beside(make_boxed)
    page = visit(owner, f"/console/batches/{batch.public_id}/review/?queue=disagreements&task=t0")
    settled(page)
    expect(page.locator(".look")).to_have_count(3)
    expect(page.locator(".look .tool-boxes")).to_have_count(3)
    shot(page, "review-boxes")
    assert faults_of(page) == []


def make_pictured() -> tuple[Batch, User]:
    """Two workers differ about how many there are on a picture."""
    batch = batches.make_batch("number", 1, overlap=2, gold=NO_GOLD)
    for number in (3, 9):
        worker = make_worker()
        [lease] = make.take(worker, batch)
        in_one(
            submit,
            worker_id=worker.pk,
            page=[Submission(lease.id, lease.token, {"answer": number})],
            then_claim=None,
            chance=Random(1),
        )
    make_consensus(batch)
    return batch, make.owner_of(batch.requester)


def test_an_item_is_seen_with_its_answers_and_what_can_be_done(market: Market, visit: Callable[..., Page]) -> None:
    batch, owner = market.beside(make_pictured)
    path = f"/console/batches/{batch.public_id}/review/?queue=disagreements&task=t0"
    wide = visit(owner, path, width=1280, height=900)
    settled(wide)
    expect(wide.locator(".review-item .view")).to_be_visible()
    item, answer = wide.locator(".review-item"), wide.locator(".look").first
    bar = wide.locator(".review-bar")
    for part in (item, answer):
        expect(part).to_be_visible()
        assert part.bounding_box()["y"] + 150 < bar.bounding_box()["y"]
    assert item.bounding_box()["x"] + item.bounding_box()["width"] <= answer.bounding_box()["x"]

    narrow = visit(owner, path, width=390, height=844, touch=True)
    settled(narrow)
    assert narrow.locator(".review-bar").bounding_box()["height"] < 844 / 8, "one row"
    assert narrow.evaluate("document.documentElement.scrollWidth") <= 390
    # What is beyond the edge is reached by the keyboard and the finger.
    narrow.locator(".review-bar [data-act=next]").scroll_into_view_if_needed()
    expect(narrow.locator(".review-bar [data-act=next]")).to_be_in_viewport()


def test_an_export_is_made_opened_and_read(market: Market, visit: Callable[..., Page]) -> None:
    batch, owner = market.beside(make_disputed)
    market.beside(lambda: in_one(accept_answers, batch_id=batch.pk, assignments=None))
    page = visit(owner, f"/console/batches/{batch.public_id}/data/")
    page.get_by_role("button", name="Aggregate").click()
    expect(page.get_by_text("The results are made.")).to_be_visible()
    page.get_by_role("radio", name=re.compile("JSON Lines")).check()
    page.get_by_role("textbox", name="Splits").fill("train 60, test 40")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("heading", name="Version 1")).to_be_visible()

    market.beside(build_datasets)

    expect(page.get_by_text("Ready")).to_be_visible()
    expect(page.get_by_text("Nothing was lost in this format.")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("Download")).click()
    with open(download.value.path(), "rb") as file:
        archive = zipfile.ZipFile(io.BytesIO(file.read()))
    files = [name for name in archive.namelist() if name.endswith(".jsonl")]
    items = [json.loads(line) for name in files for line in archive.read(name).splitlines()]
    assert {item["external_id"]: item["values"]["label"] for item in items} == {f"t{n}": "cat" for n in range(5)}
    page.goto(f"/console/batches/{batch.public_id}/lineage/?task=t0")
    expect(page.get_by_role("heading", name="Answers that it rests on")).to_be_visible()


@pytest.fixture(scope="module")
def world(shared_market: Market) -> tuple[dict[str, UUID], User]:
    """Ids for the addresses, and somebody who may see all of them."""

    def build() -> tuple[dict[str, UUID], User]:
        batch, owner = make_disputed()
        in_one(accept_answers, batch_id=batch.pk, assignments=None, limit=3)
        in_one(aggregate, batch_id=batch.pk, method="majority")
        named = {"batch": batch, "project": batch.project, "requester": batch.requester}
        return {name: one.public_id for name, one in named.items()}, owner

    return shared_market.beside(build)


@pytest.mark.slow  # `test_axe_desks` walks them too
@pytest.mark.parametrize(
    "path",
    [
        "batches/{batch}/review/",
        "batches/{batch}/review/?queue=sample",
        "batches/{batch}/review/?queue=gold",
        "batches/{batch}/review/answers/",
        "batches/{batch}/review/given-up/",
        "batches/{batch}/review/appeals/",
        "projects/{project}/data/",
        "batches/{batch}/data/",
        "batches/{batch}/lineage/?task=t0",
        "batches/{batch}/bonuses/",
        "{requester}/money/",
        "{requester}/money/spending/",
        "{requester}/money/statement/",
        "{requester}/money/invoices/",
        "{requester}/money/pay-in/",
    ],
)
def test_a_page_has_no_grave_fault(
    market: Market,
    visit: Callable[..., Page],
    shot: Callable[..., None],
    world: tuple[dict[str, UUID], User],
    path: str,
) -> None:
    ids, owner = world
    page = visit(owner, "/console/" + path.format(**ids))
    name = re.sub(r"\W+", "-", path.format(batch="b", project="p", requester="r")).strip("-")
    settled(page)
    shot(page, f"{name}-1280")
    assert faults_of(page) == []
    page.emulate_media(color_scheme="light")
    shot(page, f"{name}-390")
