"""Records before the eyes of staff: found, opened, followed to what belongs to them, wide and on a phone."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import grave_findings, wider_than_window
from tests.browser.people import make_worker
from tests.browser.test_admin_day import signed_in
from tests.browser.worlds import with_past
from tests.staff.desk import make_staff

pytestmark = [pytest.mark.stack, pytest.mark.browser]


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_staff_find_a_worker_and_what_he_answered(market: Any, visit: Any, shot: Any, width: int, dark: bool) -> None:
    past = market.beside(lambda: with_past(make_worker("Bob <b>Boole</b>")))
    user, worker = market.beside(make_staff, "quality"), str(past.worker.public_id)
    page = signed_in(visit, market, user, "/staff/records/", width=width, dark=dark)
    expect(page.get_by_role("heading", name="Records")).to_be_visible()
    assert grave_findings(page) + wider_than_window(page) == []
    shot(page, f"records-{width}")
    page.get_by_role("link", name="Workers", exact=True).click()
    page.get_by_label("Search").fill(worker)
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)
    assert grave_findings(page) + wider_than_window(page) == []
    shot(page, f"records-list-{width}")
    page.locator("tbody th a").click()
    page.get_by_role("link", name="Assignments and answers").click()
    expect(page.locator("tbody tr")).to_have_count(4)
    assert grave_findings(page) + wider_than_window(page) == []
    shot(page, f"records-assignments-{width}")
    page.get_by_label("State").select_option("rejected")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.locator("tbody th a").click()
    expect(page.get_by_text("This is plainly a dog.").first).to_be_visible()
    assert grave_findings(page) + wider_than_window(page) == []
    shot(page, f"records-answer-{width}")
