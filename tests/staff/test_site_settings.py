"""What the environment sets: shown to staff, and written down whenever the site starts with other values."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import DatabaseError, connection

from marketplace.accounts.models import Configuration
from marketplace.api.apps import _keep_configuration
from marketplace.api.configuration import keep_at_start, settings_now
from marketplace.common.database import run
from marketplace.common.transactions import one_transaction
from tests.api.callers import caller_for
from tests.staff.desk import desk, make_staff, told
from tests.web.visitors import text_of


@pytest.fixture
def started(db: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Begins as a process of the site does, within the test's transaction."""
    monkeypatch.setattr(connection, "close", lambda: None)
    return keep_at_start


def test_a_start_with_the_same_values_writes_nothing_and_one_with_others_says_from_what_to_what(
    started: Any, settings: Any
) -> None:
    started()
    started()
    assert Configuration.objects.count() == 1
    before = settings.PLATFORM_TERMS["fee_basis_points"]
    settings.PLATFORM_TERMS = {**settings.PLATFORM_TERMS, "fee_basis_points": 1_234}
    settings.PAYOUT_DAILY_COUNT = 3
    started()
    started()
    assert Configuration.objects.count() == 2
    newest, first = caller_for(make_staff("support"), "staff").get("configuration/history").expect(200)["results"]
    assert {(one["group"], one["name"], one["before"], one["after"]) for one in newest["changes"]} == {
        ("terms", "fee_basis_points", before, 1_234),
        ("payouts", "daily_count", 5, 3),
    }
    assert (newest["by"], newest["first"], first["first"], first["changes"]) == ("deployment", False, True, [])
    page = text_of(desk("support").get("/staff/configuration/"))
    assert "Fee on each paid answer 10.00% 12.34%" in page.replace("\xa0", " ").replace(" %", "%")
    assert [(row.actor, row.via, row.after) for row in told("configuration.deployed")] == [
        (None, "deployment", {"changes": 0}),
        (None, "deployment", {"changes": 2}),
    ]


@pytest.mark.parametrize("role", ["support", "finance", "quality"])
def test_every_role_reads_what_the_site_is_set_to_on_the_page_as_over_the_api(db: None, role: str) -> None:
    staff = make_staff(role)
    told_now = caller_for(staff, "staff").get("configuration").expect(200)
    assert told_now == settings_now() and told_now["providers"]["manual"] is True
    page = text_of(desk(role).get("/staff/configuration/"))
    for words in ("Terms of the platform", "A rejection can be contested for", "Staff look from", "Sign up", "manual"):
        assert words in page, words


def test_the_clock_of_the_site_writes_it_down_and_its_failure_stops_nothing(
    started: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _keep_configuration(sender=None)
    assert Configuration.objects.count() == 1

    def broken(settings: Any) -> bool:
        raise DatabaseError("no such table")

    monkeypatch.setattr("marketplace.api.configuration.keep_configuration", broken)
    _keep_configuration(sender=None)
    assert Configuration.objects.count() == 1


def test_processes_that_start_together_write_one_row(committed: str) -> None:
    def start(_: int) -> None:
        keep_at_start()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(start, range(4)))
    assert Configuration.objects.count() == 1


@pytest.mark.parametrize(
    "attack", ["UPDATE accounts_configuration SET settings = '{}'", "DELETE FROM accounts_configuration"]
)
def test_nobody_rewrites_it(started: Any, attack: str) -> None:
    started()
    with pytest.raises(DatabaseError), one_transaction(principal="test"):
        run(attack.format("accounts_configuration"))


def test_the_whole_check_is_kept_over_the_api_and_shown_on_the_page(db: None) -> None:
    finance, support = caller_for(make_staff("finance"), "staff"), caller_for(make_staff("support"), "staff")
    assert finance.get("check/last").status == 404
    made = finance.post("check/last").expect(201)
    assert made["violations"] == 0 and made["books"]["first_bad"] is None and made["log"]["first_bad"] is None
    assert finance.get("check/last").expect(200) == made
    assert "Every posting, balance and seal follows" in text_of(desk("finance").get("/staff/money/books/"))
    whole, part = finance.get("check").expect(200), support.get("check").expect(200)
    assert whole["books"]["transfers"] == 0 and {one["first"] for one in whole["promises"]} == {""}
    assert part["books"] is None and {one["first"] for one in part["promises"]} == {None}
    assert (support.get("check/last").status, support.post("check/last").status) == (403, 403)
