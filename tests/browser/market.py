"""The site on real servers with a committed database, and people before it in Chromium."""

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.db import connections
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Response, sync_playwright

from marketplace.accounts.models import User
from tests.browser.people import session_of
from tests.live.servers import Servers, serving, until

T = TypeVar("T")
CSRF = "c" * 32
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
HEIGHTS = {390: 844}
# The browser writes such a line for every refusal, and refusals are answers like others; of the responses see below.
REFUSED = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d")


class Market:
    """Servers on a database of their own, and the browser. Playwright runs a loop in this thread, so the database is
    asked in another: `beside`."""

    def __init__(self, servers: Servers, browser: Chromium) -> None:
        self.servers, self.browser = servers, browser
        self.complaints: list[str] = []
        self._allowed: list[re.Pattern[str]] = []
        self._contexts: list[BrowserContext] = []
        self._thread = ThreadPoolExecutor(1)

    @property
    def url(self) -> str:
        """Where the site is, without a slash at the end."""
        return self.servers.web_url

    def beside(self, function: Callable[..., T], *args: Any, **named: Any) -> T:
        """Run what speaks to the database in a thread, and leave no connection open there."""

        def run() -> T:
            try:
                return function(*args, **named)
            finally:
                connections.close_all()

        return self._thread.submit(run).result(300)

    def visit(
        self,
        user: User | None = None,
        path: str = "/",
        *,
        width: int = 1280,
        height: int | None = None,
        touch: bool = False,
        dark: bool = False,
        code: bool = False,
        **more: Any,
    ) -> Page:
        """A page in a window of its own, signed in as the user, with a `code` of the second factor if staff need one,
        opened at the path. `page.goto("/work/")` and
        `page.context.new_page()`, a second tab, are of the same site and person.

        Movement is reduced, so that nothing is measured half way. `more` goes to Playwright's `new_context`.
        """
        options: dict[str, Any] = {
            "base_url": self.url,
            "viewport": {"width": width, "height": height or HEIGHTS.get(width, 800)},
            "color_scheme": "dark" if dark else "light",
            "reduced_motion": "reduce",
            "has_touch": touch,
            "is_mobile": touch,
            "locale": "en-GB",
            **more,
        }
        context = self.browser.new_context(**options)
        self._contexts.append(context)
        context.set_default_timeout(30_000)
        context.on("console", self._heard)
        context.on("weberror", lambda error: self.complaints.append(f"uncaught: {error.error}"))
        context.on("response", self._answered)
        if user is not None:
            cookies = {"sessionid": self.beside(session_of, user, code=code), "csrftoken": CSRF}
            context.add_cookies([{"name": name, "value": text, "url": self.url} for name, text in cookies.items()])
        page = context.new_page()
        page.goto(path)
        return page

    def allow(self, *patterns: str) -> None:
        """What this test brings about on purpose and so is no complaint, as `WebSocket connection` where it kills the
        live server. Until the end of the test."""
        self._allowed += [re.compile(pattern) for pattern in patterns]

    def end_visits(self) -> list[str]:
        """Close all windows; what went wrong in them that nobody allowed."""
        for context in self._contexts:
            context.close()
        found = [one for one in self.complaints if not any(allowed.search(one) for allowed in self._allowed)]
        self._contexts, self._allowed, self.complaints = [], [], []
        return found

    def _heard(self, message: ConsoleMessage) -> None:
        # A breach of the content security policy is such an error too.
        if message.type == "error" and not REFUSED.search(message.text):
            self.complaints.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _answered(self, response: Response) -> None:
        missing = response.status == 404 and urlsplit(response.url).path.startswith("/static/")
        if response.status >= 500 or missing:
            self.complaints.append(f"{response.status}: {response.request.method} {response.url}")


def wait(page: Page, condition: str, limit_s: float = 60) -> None:
    """Until a condition in JavaScript is true, where no locator can say it. Asked from here again and again: the site's
    policy lets nobody evaluate text in the page itself, as `wait_for_function` does."""
    until(lambda: bool(page.evaluate(condition)), limit_s)


def own_redis() -> str:
    """The address of a numbered part of Redis that is this process's alone among those of a run: in a shared one a
    Celery worker would take the tasks of another test, and find nothing in its own database."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw14").removeprefix("gw")
    number, address = 1 + int(worker) % 15, urlsplit(settings.REDIS_URL)
    if address.scheme == "unix":
        return f"unix://{address.path}?db={number}"
    return address._replace(path=f"/{number}").geturl()


@contextmanager
def open_market(database: str, folder: Path, chromium: str, *names: str) -> Iterator[Market]:
    """The site on servers of these names (web, live, relay, worker, beat), and a browser, for the length of the block.

    Queues and caches are in a numbered part of Redis of their own, so that a Celery worker takes no other test's tasks.
    """
    own = own_redis()
    client = redis.Redis.from_url(own)
    client.flushdb()
    client.close()
    with serving(database, folder, *names, REDIS_URL=own) as servers, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        market = Market(servers, browser)
        try:
            yield market
        finally:
            market.end_visits()
            browser.close()
