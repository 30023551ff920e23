"""What reads everything is done when somebody of the staff asks for it, one at a time; a page shows what was found."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from django.db import connection
from django.urls import reverse

from marketplace.accounts.audit import LogAudit
from marketplace.api import checks
from marketplace.backoffice.views import log
from marketplace.common.database import value
from marketplace.common.models import Walk
from marketplace.common.promises import Finding
from marketplace.common.transactions import one_transaction
from marketplace.common.walks import WalkUnderWay, keep_walk, last_walk, only_walk
from marketplace.ledger.audit import Audit
from tests import factories as make
from tests.api.callers import caller_for
from tests.staff.desk import at_desk, desk, make_staff
from tests.web.visitors import key_in, text_of

PAGES = {"/staff/log/check/": "log", "/staff/money/books/": "check"}
# Loads every view: on a busy machine that takes longer than a test's transaction may sit idle.
reverse("staff_health")


def _never(*args: Any, **kwargs: Any) -> Any:
    raise AssertionError("nobody asked for a walk")


@pytest.fixture
def at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever walks fails."""
    for module, name in ((log, "audit_log"), (checks, "audit_log"), (checks, "audit"), (checks, "check_promises")):
        monkeypatch.setattr(module, name, _never)


@pytest.mark.django_db
@pytest.mark.parametrize("at", PAGES)
def test_who_looks_at_a_page_does_not_walk(at: str, at_rest: None) -> None:
    client = desk("finance")
    assert "Nobody has checked yet" in text_of(client.get(at))
    assert client.head(at).status_code == 200
    assert client.post(at, {}).status_code == 400, "a form without its key"
    assert not Walk.objects.exists()


@pytest.mark.django_db
def test_what_was_found_last_is_shown_to_all_and_not_what_was_found_before(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = "row 4 (act 9) does not say what was sealed"
    monkeypatch.setattr(log, "audit_log", lambda: LogAudit(rows=3, first_bad=bad))
    client, at = desk("support"), "/staff/log/check/"
    assert client.post(at, {"form_key": key_in(client.get(at))}).url == at
    page = text_of(desk("quality").get(at))
    assert f"The first bad row: {bad}" in page and "Yes: each of" not in page
    monkeypatch.setattr(log, "audit_log", lambda: LogAudit(rows=5, anchors=2))
    client.post(at, {"form_key": key_in(client.get(at))})
    page = text_of(desk("quality").get(at))
    assert "Yes: each of 5 rows" in page and "by 2 ends" in page and "row 4" not in page


@pytest.mark.django_db
def test_a_broken_promise_is_shown_with_the_first_row_that_breaks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Finding("inv_r01", "No place is taken twice.", ["task", "places"], 7, [(12, "t <b>3</b>")])
    monkeypatch.setattr(checks, "check_promises", lambda show: [broken, Finding("inv_r02", "Fine.", [], 0, [])])
    bad = "posting 2 of outside:bank is below zero: -5"
    monkeypatch.setattr(checks, "audit", lambda: Audit(transfers=4, first_bad=bad))
    monkeypatch.setattr(checks, "audit_log", lambda: LogAudit(rows=1))
    client, at = desk("finance"), "/staff/money/books/"
    client.post(at, {"form_key": key_in(client.get(at))})
    page = client.get(at)
    assert "No place is taken twice. 12, t <b>3</b> broken 7" in text_of(page)
    assert "t &lt;b&gt;3&lt;/b&gt;" in page.content.decode()
    assert bad in text_of(page) and "All 2 hold" not in text_of(page)


@pytest.mark.django_db
@pytest.mark.parametrize("role", ["support", "quality"])
def test_who_has_no_business_with_money_has_no_books_checked(role: str, at_rest: None) -> None:
    assert desk(role).post("/staff/money/books/", {"form_key": "k" * 20}).status_code == 403


@pytest.fixture
def walking(committed: str) -> Iterator[Callable[[], None]]:
    """A walk that is under way beside this one, until the event is set."""
    end, begun = Event(), Event()

    def walk() -> None:
        try:
            with only_walk():
                begun.set()
                # Not idle for so long that the server ends it.
                while not end.wait(1):
                    value("SELECT 1")
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as beside:
        done = beside.submit(walk)
        assert begun.wait(60)

        def ended() -> None:
            end.set()
            done.result()

        yield ended
        end.set()


def test_two_walks_are_not_under_way_at_once(walking: Callable[[], None], at_rest: None) -> None:
    staff = make_staff("finance")
    client, caller = at_desk(staff), caller_for(staff, "staff")
    for at in PAGES:
        refused = client.post(at, {"form_key": key_in(client.get(at))}, follow=True)
        assert (refused.status_code, "A check is under way." in text_of(refused)) == (200, True), at
    for path in ("check", "audit-log/check"):
        assert (caller.get(path).status, caller.get(path).code) == (409, "check-under-way")
    with pytest.raises(WalkUnderWay), only_walk():
        pass
    assert not Walk.objects.exists()


def test_once_a_walk_has_ended_the_next_may_begin(walking: Callable[[], None]) -> None:
    walking()
    make.make_deposit(make.make_requester())
    staff = make_staff("finance")
    client = at_desk(staff)
    for at, name in PAGES.items():
        client.post(at, {"form_key": key_in(client.get(at))})
        kept = last_walk(name)
        assert kept is not None
        found = kept.found if name == "log" else kept.found["log"]
        assert found["first_bad"] is None and found["rows"] > 0
    assert kept.found["books"]["transfers"] > 0 and kept.found["violations"] == 0
    assert caller_for(staff, "staff").get("audit-log/check").status == 200


@pytest.mark.django_db
def test_a_walk_is_kept_in_the_place_of_the_one_before_it() -> None:
    for found in ({"rows": 1}, {"rows": 2}):
        with one_transaction(principal="test"):
            keep_walk(name="log", found=found)
    assert [(walk.name, walk.found) for walk in Walk.objects.all()] == [("log", {"rows": 2})]
    assert last_walk("check") is None
