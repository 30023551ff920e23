"""The ES module in a real browser against the real servers: nothing lost or twice when the live server dies."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from marketplace.common.database import rows
from tests import factories as make
from tests.browser.market import CSRF, Market, open_market, wait
from tests.live.servers import until
from tests.live.telling import tell

pytestmark = [pytest.mark.stack, pytest.mark.browser]

NEUTRAL = "/design/"
BEGIN = """
async ([url, cursor, csrf]) => {
  const {LiveSocket, askTicket} = await import("/static/pages/live.js");
  const ticket = () => askTicket("/api/v1/tickets", "worker", {csrf});
  window.facts = [];
  window.tasks = [];
  window.board = [];
  window.states = [];
  window.live = new LiveSocket(url, {ticket, cursor});
  live.addEventListener("fact", ({detail}) => facts.push(detail.seq));
  live.addEventListener("tasks", ({detail}) => tasks.push(...detail.assignments));
  live.addEventListener("topic", ({detail}) => board.push(detail));
  live.addEventListener("status", ({detail}) => states.push(detail));
  live.start();
}
"""


class Browser:
    """A page of the site, signed in as a worker."""

    def __init__(self, market: Market) -> None:
        self.servers, self.beside = market.servers, market.beside
        self.worker = market.beside(make.make_worker)
        # A page that has no socket of its own.
        self.page = market.visit(self.worker.user, NEUTRAL)

    def begin(self, cursor: Any = None) -> None:
        self.page.evaluate(BEGIN, [f"{self.servers.live_url}/ws/worker/", cursor, CSRF])

    def wait(self, condition: str) -> None:
        wait(self.page, condition)


@pytest.fixture
def browser(committed: str, tmp_path: Path, chromium: str) -> Iterator[Browser]:
    with open_market(committed, tmp_path, chromium, "web", "live") as market:
        yield Browser(market)


def test_a_page_sees_every_fact_once_over_the_death_of_the_server(browser: Browser) -> None:
    page, worker, servers = browser.page, browser.worker, browser.servers
    browser.begin()
    browser.wait("live.counts.snapshots === 1")
    browser.beside(tell, worker.pk, 5)
    browser.wait("facts.length === 5")
    for reached in (105, 205):
        servers.kill("live")
        browser.beside(tell, worker.pk, 100)
        servers.start("live")
        browser.wait(f"facts.length >= {reached}")
    browser.beside(tell, worker.pk, 1)
    browser.wait("facts.length >= 206")

    assert page.evaluate("facts") == list(range(1, 207))
    counts = page.evaluate("live.counts")
    assert (counts["snapshots"], counts["duplicates"], counts["gaps"]) == (1, 0, 0)
    assert counts["resumes"] >= 2
    assert page.evaluate("states[0]") == "connecting" and page.evaluate("states.at(-1)") == "live"

    assert browser.beside(rows, "SELECT count(*) FROM accounts_ticket") == [(0,)]

    # Another page goes on where this one left off.
    cursor = page.evaluate("live.cursor")
    page.evaluate("live.stop()")
    browser.beside(tell, worker.pk, 2)
    page.goto(NEUTRAL)
    browser.begin(cursor)
    browser.wait("facts.length === 2")
    assert page.evaluate("facts") == [207, 208]
    assert page.evaluate("live.counts.snapshots") == 0


def test_what_a_page_asks_while_the_server_is_dead_is_done_once(browser: Browser) -> None:
    page, servers = browser.page, browser.servers
    batch = browser.beside(lambda: str(make.make_batch(tasks=6, overlap=1).public_id))
    browser.begin()
    browser.wait("live.counts.snapshots === 1")
    servers.kill("live")
    page.evaluate(
        "(batch) => { live.command('claim', {batch, count: 2}).then((reply) => (window.reply = reply)); }", batch
    )
    servers.start("live")
    browser.wait("window.reply !== undefined")
    reply = page.evaluate("reply")
    assert reply["status"] == 201 and len(reply["body"]["assignments"]) == 2
    assert browser.beside(rows, "SELECT count(*) FROM assignments_assignment") == [(2,)]

    # Stream mode: what he holds already, and one more; each of them once, whatever happens to the connection.
    page.evaluate("(batch) => live.stream(batch, 3)", batch)
    browser.wait("tasks.length === 3")
    servers.kill("live")
    servers.start("live")
    browser.wait("live.counts.resumes >= 2")
    until(lambda: bool(browser.beside(rows, "SELECT count(*) = 3 FROM assignments_assignment")[0][0]))
    given = page.evaluate("tasks.map(({id}) => id)")
    assert len(given) == len(set(given)) == 3


def test_a_page_follows_the_board(browser: Browser) -> None:
    batch = browser.beside(lambda: make.make_batch(tasks=6, overlap=1))
    browser.begin()
    browser.wait("live.counts.snapshots === 1")
    browser.page.evaluate("live.subscribe('board')")
    browser.wait("board.length === 1")
    assert list(browser.page.evaluate("live.topics.get('board').state")) == [str(batch.public_id)]
