"""Hostile content in a real browser (R30): nothing of it runs, reads a cookie, leads away or loads but a picture."""

import csv
import io
import re
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Request, Route, expect

from marketplace.accounts.models import User
from tests.browser.hostile_pages import LOOKS, Hostile, Look, add_others, add_pack, hostile_market, looks_of
from tests.browser.market import Market
from tests.contracts.hostile import TEXTS, packs
from tests.crowd import png

pytestmark = [pytest.mark.stack, pytest.mark.browser]
WATCH = Path(__file__).with_name("hostile_watch.js").read_text()
FAULTS = Path(__file__).with_name("hostile_faults.js").read_text()
PLANTED = (
    "<img src=x onerror=hit()><iframe></iframe><a href=javascript:hit()>x</a><form action=https://evil.example/></form>"
    "<b style='background:url(//evil.example)'>x</b>"
)
PIXEL = b64decode(png.data_uri([[200] * 4 for _ in range(4)]).partition(",")[2])


@pytest.fixture(scope="module")
def world(shared_market: Market) -> Hostile:
    made = shared_market.beside(hostile_market)
    for number in range(len(packs())):
        shared_market.beside(add_pack, made, number)
    shared_market.beside(add_others, made)
    return made


class Watched:
    """A window in which everything that goes out is written down."""

    def __init__(self, market: Market, user: User | None, *, code: bool = False) -> None:
        self.market = market
        self.page: Page = market.visit(user, "/health/", code=code)
        self.asked: list[str] = []
        self.away: list[str] = []
        context = self.page.context
        context.add_init_script(WATCH)
        context.route(re.compile(r"^https?://(?!127\.0\.0\.1[:/])"), self._answer)
        context.on("request", self._note)
        context.on("page", lambda page: self.away.append(f"a window: {page.url}"))
        self.page.on("dialog", lambda dialog: (self.away.append(f"a dialog: {dialog.message}"), dialog.dismiss()))
        self.page.on("download", lambda download: self.away.append(f"a download: {download.url}"))

    def _answer(self, route: Route) -> None:
        """There is nobody out there; a picture is one pixel, all else is nothing."""
        if route.request.resource_type in ("image", "media"):
            route.fulfill(content_type="image/png", body=PIXEL)
        else:
            route.fulfill(content_type="text/plain", body="")

    def _note(self, request: Request) -> None:
        if urlsplit(request.url).scheme in ("http", "https") and urlsplit(request.url).hostname != "127.0.0.1":
            # Where pictures lie is their requesters' choice; nothing else may be fetched from there.
            if request.resource_type not in ("image", "media"):
                self.asked.append(f"{request.resource_type} {request.url}")
            if (given := request.headers.get("cookie")) is not None:
                self.asked.append(f"with cookies {given}: {request.url}")

    def look(self, look: Look) -> list[str]:
        """Go there, wait until all of it is there, and say what is wrong with it."""
        self.asked, self.away = [], []
        self.page.goto(look.path)
        return self.wrong(look)

    def wrong(self, look: Look) -> list[str]:
        """What is wrong with the page that it looks at, once all of it is there."""
        expect(self.page.locator(look.ready).first).to_be_attached()
        expect(self.page.locator("[aria-busy=true]")).to_have_count(0)
        self.page.wait_for_load_state("load")
        seen: dict[str, list[str]] = self.page.evaluate(FAULTS)
        wrong = [f"ran: {stack}" for stack in seen["hits"]]
        wrong += [f"read cookies: {stack}" for stack in seen["reads"]]
        wrong += [*seen["found"], *self.asked, *self.away]
        if urlsplit(self.page.url).netloc != urlsplit(self.market.url).netloc:
            wrong.append(f"is at {self.page.url}")
        return [f"{look.path[:120]}: {one}" for one in wrong]


@pytest.fixture
def watched(market: Market) -> Iterator[Callable[..., Watched]]:
    yield lambda user, **more: Watched(market, user, **more)


@pytest.mark.parametrize("kind", LOOKS, ids=lambda kind: kind.__name__)
def test_nothing_hostile_runs_reads_or_leads_anywhere(
    market: Market, watched: Callable[..., Watched], world: Hostile, kind: Any
) -> None:
    windows: dict[int | None, Watched] = {}
    wrong, looks = [], looks_of(world, kind)
    for look in looks:
        key = look.user.pk if look.user else None
        if key not in windows:
            windows[key] = watched(look.user, code=look.code)
        wrong += windows[key].look(look)
    assert wrong == [], "\n".join(wrong[:40])
    print(f"\n{len(TEXTS)} texts on {len(looks)} pages")
    assert len(looks) > 20


def test_what_would_run_is_noticed(market: Market, watched: Callable[..., Watched]) -> None:
    """Otherwise the silence of the others would say nothing."""
    window = watched(None)
    market.allow("HIT", "Content Security Policy", "Refused to")
    assert window.look(Look("/", None, "h1")) == []
    window.page.evaluate("() => { window.hit(); document.cookie; }")
    window.page.evaluate("(planted) => document.body.insertAdjacentHTML('beforeend', planted)", PLANTED)
    seen = window.page.evaluate(FAULTS)
    assert len(seen["hits"]) >= 1
    assert len(seen["reads"]) == 1
    assert {one.partition(":")[0] for one in seen["found"]} >= {
        "a handler", "never here", "leads to javascript", "sends away", "is styled",
    }  # fmt: skip


def test_what_is_typed_into_a_form_comes_back_as_words(market: Market, watched: Callable[..., Watched]) -> None:
    window = watched(None)
    for text in TEXTS[17:40]:
        window.page.goto("/accounts/login/")
        window.page.locator("form").last.evaluate("(form) => { form.noValidate = true; }")
        window.page.get_by_label("Email").first.fill(text.replace("\n", " "))
        window.page.get_by_label("Password").first.fill("wrong")
        window.page.get_by_role("button", name="Sign In").click()
        window.page.wait_for_load_state("load")
        seen = window.page.evaluate(FAULTS)
        assert (seen["hits"], seen["reads"], seen["found"]) == ([], [], []), text


def test_names_of_columns_and_files_are_words_where_they_are_mapped(
    market: Market, watched: Callable[..., Watched], world: Hostile
) -> None:
    """What the page draws by itself from a file that nobody has looked at: columns, cells, and errors beside rows."""
    window = watched(world.owner)
    for number, texts in enumerate(packs()):
        plain = [text.replace("\n", " ").replace("\r", " ").replace("\x00", "") for text in texts]
        table = io.StringIO()
        csv.writer(table).writerows([["external_id", *dict.fromkeys(plain)], *[["", *dict.fromkeys(plain)]] * 2])
        path = f"/console/batches/{world.things[number]['draft']}/setup/items/"
        window.page.goto(path)
        window.page.get_by_label("Drop a file here").set_input_files(
            {"name": f"{plain[0][:80]}.csv", "mimeType": "text/csv", "buffer": table.getvalue().encode()}
        )
        ready = "#mapping select, #problems:not([hidden]), #said:not(:empty)"
        assert window.wrong(Look(path, world.owner, ready)) == [], number
