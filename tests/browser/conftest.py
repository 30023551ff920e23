"""A market on real servers with people before it in Chromium. See README.md."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import grave_findings
from tests.browser.market import Market, open_market
from tests.conftest import Databases, own_database

expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")
def shared_market(
    databases: Databases,
    django_db_setup: None,
    django_db_blocker: Any,
    tmp_path_factory: pytest.TempPathFactory,
    chromium: str,
    request: pytest.FixtureRequest,
) -> Iterator[Market]:
    """What the tests of a module share: the database, the servers that its `SERVERS` names (else web and live), and the
    browser."""
    names = getattr(request.module, "SERVERS", ("web", "live"))
    folder = tmp_path_factory.mktemp("site")
    with (
        own_database(databases, django_db_blocker) as database,
        open_market(database, folder, chromium, *names) as made,
    ):
        yield made


@pytest.fixture
def market(shared_market: Market) -> Iterator[Market]:
    """The market of this module. After each test its windows are closed, and nothing may have gone wrong in them: no
    error on the console, no breach of the content security policy, no answer of 500 or above."""
    yield shared_market
    assert shared_market.end_visits() == []


@pytest.fixture
def visit(market: Market) -> Callable[..., Page]:
    """`visit(user, path, width=390, touch=True, dark=True)`: a page signed in as the user."""
    return market.visit


@pytest.fixture
def axe() -> Callable[[Page], None]:
    """`axe(page)`: axe-core finds nothing serious or critical on the page as it is now."""

    def check(page: Page) -> None:
        found = grave_findings(page)
        assert not found, f"{page.url}\n" + "\n".join(found)

    return check


@pytest.fixture
def shot() -> Callable[[Page, str], None]:
    """`shot(page, "board-dark")`: a picture of the page in the folder TOUCHSTONE_SHOTS, for those who want to look;
    without it none is made."""
    folder = os.environ.get("TOUCHSTONE_SHOTS")

    def take(page: Page, name: str, *, full: bool = True) -> None:
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(folder) / f"{name}.png", full_page=full, animations="disabled")

    return take
