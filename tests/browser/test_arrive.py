"""Somebody comes to the site for the first time: signs up, enters the code of his mail, sets a second factor up, and
comes back with it."""

import re
from typing import Any
from uuid import uuid4

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from playwright.sync_api import Page, expect

from tests.api_client import PASSWORD

pytestmark = [pytest.mark.stack, pytest.mark.browser]
SERVERS = ("web",)


def mailed_code(market: Any) -> str:
    """Mail goes to the server's own output here, as in the embedded default."""
    codes = re.findall(r"^([A-Z0-9]{4}-[A-Z0-9]{4})$", market.servers.log("web"), re.MULTILINE)
    return str(codes[-1])


def code_now(secret: str, ahead: int = 0) -> str:
    return str(format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time())) + ahead)))


def press(page: Page, name: str) -> None:
    page.locator("main").get_by_role("button", name=name, exact=True).press("Enter")


def test_somebody_signs_up_and_comes_back_with_a_second_factor(market: Any, visit: Any, axe: Any, shot: Any) -> None:
    email = f"new-{uuid4().hex[:8]}@example.org"
    page = visit(None, "/", width=390, touch=True)
    axe(page)
    page.locator(".front").get_by_role("link", name="Open an account").click()
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    axe(page)
    press(page, "Sign up")

    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    axe(page)
    shot(page, "verify-390")
    page.get_by_label("Code").fill(mailed_code(market))
    press(page, "Go on")
    expect(page).to_have_url(re.compile("/work/start/$"))

    page.goto("/accounts/2fa/totp/activate/")
    page.get_by_label("Password").fill(PASSWORD)
    press(page, "Go on")
    secret = page.locator("code.secret").inner_text()
    axe(page)
    page.get_by_label("Authenticator code").fill(code_now(secret))
    press(page, "Turn it on")
    expect(page.locator(".codes li")).to_have_count(10)
    recovery = page.locator(".codes li").first.inner_text()
    axe(page)

    page.get_by_role("button", name="Your account").press("Enter")
    page.get_by_role("button", name="Sign out").press("Enter")
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    press(page, "Sign in")
    expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
    axe(page)
    page.get_by_label("Code", exact=True).fill(recovery)
    press(page, "Sign in")

    page.goto("/accounts/sessions/")
    expect(page.locator(".rows li")).to_have_count(1)
    axe(page)


def test_the_pieces_of_all_pages_are_sound_in_both_schemes(market: Any, visit: Any, axe: Any) -> None:
    for dark in (False, True):
        page = visit(None, "/design/", dark=dark)
        expect(page.locator("[data-modules]")).to_contain_text("1,482.36 EUR · 2 min 30 s · 99 % · Ctrl Z")
        axe(page)
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="A sheet")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog", name="A sheet")).to_be_hidden()
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280
