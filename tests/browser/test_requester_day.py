"""A requester's whole day, at a desk and on a phone: a project from a template, a batch with a pilot, the rest with its
funds held, a look at it while it runs, a dispute settled, all accepted, and a data set that says what was answered.

All processes of the site run, so nothing but people moves the work on.
"""

import json
import re
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Locator, Page, expect

from marketplace.accounts.models import Requester, User
from marketplace.batches.models import Batch
from marketplace.batches.states import BatchKind
from marketplace.common.database import value
from marketplace.results.models import Run
from tests import factories as make
from tests.acts import broken, in_one
from tests.batches.test_pilots import names
from tests.browser.accessibility import wider_than_window
from tests.browser.market import Market
from tests.browser.test_axe_pages import settled
from tests.live.servers import until
from workers.assignments.commands.submit import Submission, submit
from workers.assignments.errors import NothingToClaim

pytestmark = [pytest.mark.stack, pytest.mark.browser]
SERVERS = ("web", "live", "relay", "worker", "beat")
# News wait until no older transaction runs, even one of another database: a busy machine may have some.
NEWS_MS = 90_000
NEWS_S = NEWS_MS / 1_000
LABELS = ["positive", "neutral", "negative"]
SAID = {"positive": "came early and works well", "neutral": "is 40 cm high", "negative": "broke after a day"}
THINGS = ["lamp", "kettle", "chair", "radio", "clock", "scarf", "tent", "mirror"]
ITEMS = {f"{thing}-{label}": f"The {thing} {SAID[label]}." for thing in THINGS for label in LABELS}
NAMES = {text: name for name, text in ITEMS.items()}
FEW = 10


@dataclass
class Day:
    """Somebody before the console, at one width."""

    market: Market
    page: Page
    width: int
    axe: Callable[[Page], None]
    shot: Callable[..., None]

    @property
    def desk(self) -> bool:
        return self.width > 500

    def look(self, name: str) -> None:
        """The page can be used by everybody, and is as wide as the window."""
        settled(self.page)
        self.axe(self.page)
        assert wider_than_window(self.page) == [], name
        self.shot(self.page, f"requester-{name}-{self.width}")

    def to(self, name: str) -> None:
        """To another page of the batch."""
        self.page.get_by_role("navigation", name="This batch").get_by_role("link", name=name).click()


def founded() -> tuple[Requester, User]:
    """An organisation with ten euros, and its owner."""
    requester = make.make_requester(10_000_000)
    return requester, make.owner_of(requester)


def truth(name: str) -> str:
    return name.rpartition("-")[2]


def mistaken(name: str) -> str:
    """What somebody says who is wrong."""
    return LABELS[LABELS.index(truth(name)) - 1]


def answered(batch: Batch, wrong: set[str]) -> None:
    """Somebody answers all there is; of some items not what is true."""
    worker = make.make_worker()
    with suppress(NothingToClaim):
        while leases := make.take(worker, batch, 10):
            said = [(lease, NAMES[lease.data["text"]]) for lease in leases]
            page = [
                Submission(lease.id, lease.token, {"sentiment": mistaken(name) if name in wrong else truth(name)})
                for lease, name in said
            ]
            in_one(submit, worker_id=worker.pk, page=page, then_claim=None, chance=Random(1))


def by_three(batch: Batch, wrong: set[str]) -> None:
    """Two who are right, and a third who is not always."""
    for mistakes in (set(), set(), wrong):
        answered(batch, mistakes)


def over(batch: Batch) -> bool:
    """All is decided and paid, and the results are made."""
    return Run.objects.filter(batch=batch, final=True).exists()


def disputes(batch: Batch) -> int:
    asked = "SELECT count(*) FROM results_consensus WHERE batch_id = %s AND settled AND disputed"
    return int(value(asked, [batch.pk]))


def pilot_and_rest(requester: Requester) -> tuple[Batch, Batch]:
    pilot = Batch.objects.get(requester=requester, kind=BatchKind.PILOT)
    return pilot, Batch.objects.get(pilot=pilot)


@pytest.mark.parametrize("width", [pytest.param(1280, marks=pytest.mark.slow), 390])
def test_the_day_of_a_requester(
    market: Market, visit: Callable[..., Page], axe: Callable[[Page], None], shot: Callable[..., None], width: int
) -> None:
    requester, owner = market.beside(founded)
    page = visit(owner, "/console/", width=width, touch=width < 500)
    day = Day(market, page, width, axe, shot)

    make_project(day)
    set_up(day)
    pilot, rest = market.beside(pilot_and_rest, requester)
    read_the_pilot(day, pilot)
    hold_the_funds(day, rest)
    doubtful = sorted(market.beside(names, rest))[:2]
    watch(day, rest, doubtful)
    review(day, rest, doubtful)

    # Each item once, as two of three said, but for the one whose third was right; and the answers of all three.
    [settled_by_hand, _other] = doubtful
    expected = {
        name: (
            ITEMS[name],
            mistaken(name) if name == settled_by_hand else truth(name),
            "adjudicated" if name in doubtful else "dawid_skene",
            sorted([truth(name), truth(name), mistaken(name) if name in doubtful else truth(name)]),
        )
        for name in market.beside(names, rest)
    }
    assert len(expected) == len(ITEMS) - FEW
    for number, (title, read) in enumerate([("JSON Lines", json_lines), ("Apache Parquet", parquet)], 1):
        assert read(export(day, title, number)) == expected

    trace(day, settled_by_hand)
    what_it_cost(day)
    assert market.beside(broken) == []


def make_project(day: Day) -> None:
    """From a template, and published as it is."""
    page = day.page
    expect(page.get_by_role("heading", name="Three steps to your first answers")).to_be_visible()
    day.look("home")
    page.get_by_role("main").get_by_role("link", name="Make a project").click()
    day.look("templates")
    page.get_by_label("Name of the project").fill("Reviews of goods")
    page.get_by_role("radio", name=re.compile("^Sort into classes")).check()
    page.get_by_role("button", name="Begin with it").click()
    expect(page.locator("[data-state]")).to_have_text("All is well.")
    day.look("editor")
    page.get_by_role("button", name="Save and publish…").click()
    page.get_by_role("button", name="Publish it").click()
    expect(page.get_by_role("main")).to_contain_text("Published. New batches can use it from now on.")
    day.look("project")


def set_up(day: Day) -> None:
    """Items, a price, and a few of them out as a pilot."""
    page = day.page
    page.get_by_role("link", name="New batch").click()
    page.get_by_label("Name", exact=True).fill("Reviews, March")
    expect(page.get_by_role("radio", name="With a pilot")).to_be_checked()
    page.get_by_role("button", name="Begin").click()
    rows = "".join(f"{name},{text}\n" for name, text in ITEMS.items())
    page.get_by_label("Drop a file here").set_input_files(
        {"name": "reviews.csv", "mimeType": "text/csv", "buffer": f"external_id,text\n{rows}".encode()}
    )
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator("#held")).to_contain_text(str(len(ITEMS)))
    expect(page.locator("#sample-task")).to_contain_text("The lamp came early")
    day.look("items")
    page.get_by_role("link", name="Go on").click()
    expect(page.get_by_role("heading", name="Known answers so far")).to_be_visible()
    page.get_by_role("link", name="Go on").click()
    page.get_by_label("Pay for an accepted answer").fill("0.05")
    # 72 answers, and four aside for disputes, of five cents and a tenth more.
    expect(page.locator('[data-figure="total_micros"]')).to_have_text("4.18\u00a0EUR")
    day.look("terms")
    page.get_by_role("button", name="Save and go on").click()
    expect(page.get_by_role("heading", name="Who may work on it")).to_be_visible()
    page.get_by_role("button", name="Save and go on").click()
    expect(page.get_by_role("heading", name="Rules", exact=True)).to_be_visible()
    page.get_by_role("button", name="Save and go on").click()
    page.get_by_label("Items in the pilot").fill(str(FEW))
    day.look("check")
    page.get_by_role("button", name="Publish the pilot").click()
    expect(page.get_by_text("The pilot is published. Its report grows here.")).to_be_visible()
    expect(told(page)).to_have_text("0 of 30")


def told(page: Page) -> Locator:
    """How far the pilot is."""
    return page.get_by_role("region", name="What the pilot says").locator(".meter .text")


def read_the_pilot(day: Day, pilot: Batch) -> None:
    """People answer it, its answers are paid, and its report lets the rest go."""
    market, page = day.market, day.page
    wrong = min(market.beside(names, pilot))
    market.beside(by_three, pilot, {wrong})
    day.to("Review")
    accept_all(day, 30)
    until(lambda: market.beside(over, pilot), NEWS_S)
    day.to("Pilot")
    expect(told(page)).to_have_text("30 of 30")
    expect(page.get_by_text("Nothing speaks against going on.")).to_be_visible()
    # Of the item that one got wrong, two pairs of answers differ.
    confused = page.get_by_role("table", name="Taken for each other").get_by_role("row").filter(has_text=wrong)
    expect(confused.get_by_role("cell").nth(1)).to_have_text("2")
    expect(page.get_by_role("table", name="Expected error")).to_be_visible()
    expect(page.get_by_role("region", name="The rest")).to_contain_text("2.475\u00a0EUR")
    day.look("pilot")
    page.get_by_role("button", name="Publish the rest").click()
    expect(page.get_by_text("The rest is published. Workers see it now.")).to_be_visible()


def hold_the_funds(day: Day, rest: Batch) -> None:
    """What the rest costs at most is out of reach for anything else."""
    page = day.page
    page.get_by_role("navigation", name="Acme Labels").get_by_role("link", name="Money").click()
    held = page.get_by_role("region", name="What batches hold").get_by_role("row")
    # 42 answers, and three aside for disputes.
    expect(held.filter(has=page.get_by_role("link", name=rest.name, exact=True))).to_contain_text("2.475\u00a0EUR")
    day.look("held")
    page.get_by_role("link", name=rest.name, exact=True).click()


def watch(day: Day, rest: Batch, doubtful: list[str]) -> None:
    """Figures move while one looks, and lead to the answers behind them."""
    page = day.page
    expect(page.locator("#live")).to_have_text("Live")
    expect(page.locator("[data-figure=places]")).to_have_text("42")
    day.market.beside(by_three, rest, set(doubtful))
    expect(page.locator("[data-figure=answered]")).to_have_text("42", timeout=NEWS_MS)
    one, other = (label.title() for label in (truth(doubtful[0]), mistaken(doubtful[0])))
    pairs = page.locator("table.heat").get_by_title(re.compile(f"^{one} and {other}: ")).get_by_role("link")
    expect(pairs).to_be_visible(timeout=NEWS_MS)
    expect(page.locator("#figures")).to_contain_text("Workers")
    day.look("watch")
    pairs.click()
    expect(page.get_by_role("heading", level=1, name="Tasks")).to_be_visible()
    day.look("tasks")
    page.get_by_role("link", name=doubtful[0]).click()
    cards = page.locator(".beside .card")
    expect(cards).to_have_count(3)
    for card, label in enumerate([one, one, other]):
        expect(cards.nth(card).get_by_role("radio", name=label)).to_be_checked()
    day.look("task")


def review(day: Day, rest: Batch, doubtful: list[str]) -> None:
    """The third was right once, by keys at the desk and by hand on a phone; then all are paid."""
    page = day.page
    until(lambda: day.market.beside(disputes, rest) == 2, NEWS_S)
    day.to("Review")
    for left in (2, 1):
        expect(page.get_by_role("link", name=f"Disagreements {left}")).to_be_visible()
        settled(page)
        shown = page.locator(".review-head code").inner_text()
        assert shown in doubtful
        if left == 2:
            day.look("review")
        choose(day, "Answer 3" if shown == doubtful[0] else "What all say together")
        expect(page.get_by_text("Settled. Results have it from the next aggregation on.")).to_be_visible()
    expect(page.get_by_text("Nothing waits here")).to_be_visible()
    accept_all(day, 42)
    until(lambda: day.market.beside(over, rest), NEWS_S)


def choose(day: Day, what: str) -> None:
    page = day.page
    sheet = page.get_by_role("dialog", name="This is the label")
    if day.desk:
        page.keyboard.press({"Answer 3": "3", "What all say together": "0"}[what])
        page.keyboard.press("Enter")
    else:
        page.get_by_role("radio", name=what).check()
        page.get_by_role("button", name="This is the label").click()
    expect(sheet).to_contain_text(what)
    sheet.get_by_role("radio", name="The instructions settle it").check()
    sheet.get_by_role("textbox", name="In words").fill("Irony counts as what it means.")
    day.shot(page, f"requester-settle-{day.width}", full=False)
    if day.desk:
        page.keyboard.press("Control+Enter")
    else:
        sheet.get_by_role("button", name="Settle it").click()


def accept_all(day: Day, count: int) -> None:
    page = day.page
    page.get_by_role("link", name="All waiting").click()
    day.look("waiting")
    page.get_by_role("button", name="Accept all that wait").click()
    expect(page.get_by_text(f"{count} answers accepted.")).to_be_visible()
    expect(page.get_by_text("No answer waits for a decision")).to_be_visible()


def export(day: Day, title: str, number: int) -> zipfile.ZipFile:
    """A version in this format, made and brought home."""
    page = day.page
    if number == 1:
        day.to("Data")
    else:
        page.get_by_role("link", name="Reviews, March").click()
    page.get_by_role("radio", name=re.compile(f"^{title}")).check()
    page.get_by_label("With the single answers").check()
    day.look("data")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("heading", name=f"Version {number}")).to_be_visible()
    # It follows by itself.
    expect(page.get_by_role("heading", name="Ready")).to_be_visible(timeout=NEWS_MS)
    expect(page.get_by_text("Nothing was lost in this format.")).to_be_visible()
    day.look("version")
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("Download")).click()
    return zipfile.ZipFile(BytesIO(Path(download.value.path()).read_bytes()))


def only(archive: zipfile.ZipFile, ending: str) -> bytes:
    """The one file of the archive that is called so."""
    [name] = [name for name in archive.namelist() if name.endswith(ending)]
    return archive.read(name)


def labels_in(answers: list[dict[str, Any]]) -> list[str]:
    return sorted(answer["values"]["sentiment"] for answer in answers)


def json_lines(archive: zipfile.ZipFile) -> dict[str, tuple[Any, ...]]:
    """Of each item its text, label, method, and the labels of its answers."""
    rows = [json.loads(line) for line in only(archive, ".jsonl").splitlines()]
    found = {
        row["external_id"]: (
            row["data"]["text"],
            row["values"]["sentiment"],
            row["method"]["sentiment"],
            labels_in(row["answers"]),
        )
        for row in rows
    }
    assert len(found) == len(rows)
    return found


def parquet(archive: zipfile.ZipFile) -> dict[str, tuple[Any, ...]]:
    """The same of a table."""
    rows = pq.read_table(BytesIO(only(archive, ".parquet"))).to_pylist()
    found = {
        row["external_id"]: (
            row["data.text"],
            row["sentiment"],
            row["sentiment.method"],
            labels_in(json.loads(row["answers"])),
        )
        for row in rows
    }
    assert len(found) == len(rows)
    return found


def trace(day: Day, name: str) -> None:
    """From a label back to the people whom it rests on."""
    page = day.page
    page.get_by_role("link", name="Reviews, March").click()
    page.get_by_role("link", name="Lineage of a label").click()
    page.get_by_label("Task").fill(name)
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("region", name="Settled by hand")).to_contain_text("Irony counts as what it means.")
    day.look("lineage")


def what_it_cost(day: Day) -> None:
    page = day.page
    page.get_by_role("navigation", name="Acme Labels").get_by_role("link", name="Money").click()
    # 72 answers of five cents and a tenth more.
    spent = page.locator(".sums > div").filter(has_text="Spent this month")
    expect(spent).to_contain_text("3.96\u00a0EUR")
    day.look("spent")
