"""Pages: what runs, sign-in, and refusals in words."""

import re
from base64 import b64encode
from hashlib import sha256
from typing import Any

import pytest
from django.core import mail
from django.core.cache import caches
from django.db import OperationalError
from django.test import Client

from marketplace.accounts.models import User
from marketplace.pages import queries
from tests import factories as make
from tests.api_client import PASSWORD, Api, new_email, signed_up

PAGES = ["/", "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"]
OWN_PAGES = ["/accounts/email/", "/accounts/logout/", "/accounts/password/change/", "/accounts/2fa/"]


def browser() -> Client:
    return Client(REMOTE_ADDR=Api().address, raise_request_exception=False)


def signed_in() -> tuple[Client, User]:
    client, user = browser(), signed_up()
    response = client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert response.status_code == 302, response.content
    return client, user


def require_strict(response: Any) -> None:
    """Nothing inline that runs or styles but the map of imports, and a policy that stops all but that very text."""
    assert response.status_code == 200
    page = response.content.decode()
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", page)
    policy = parse_policy(response["Content-Security-Policy"])
    digests = []
    for attributes, text in re.findall(r"<script([^>]*)>(.*?)</script>", page, re.DOTALL):
        if 'type="importmap"' in attributes:
            digests.append(f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'")
        else:
            assert ("src=" in attributes and not text) or 'type="application/json"' in attributes
    assert policy["default-src"] == ["'self'"]
    assert policy["style-src"] == ["'self'"]
    assert policy["script-src"] == ["'self'", *digests]
    assert len(digests) == 1


def parse_policy(text: str) -> dict[str, list[str]]:
    """Sources by directive."""
    return {name: sources for name, *sources in (part.split() for part in text.split(";"))}


@pytest.mark.parametrize("path", PAGES)
def test_pages_for_everybody_are_whole_and_strict(db: None, path: str) -> None:
    response = browser().get(path)

    require_strict(response)
    page = response.content.decode()
    assert '<html lang="en">' in page
    assert page.count("<h1>") == 1
    assert "pages/tokens.css" in page


@pytest.mark.parametrize("path", OWN_PAGES)
def test_ones_own_pages_are_strict_and_closed_to_strangers(db: None, path: str) -> None:
    client, _ = signed_in()

    require_strict(client.get(path))
    stranger = browser().get(path)
    assert stranger.status_code == 302


def test_the_home_page_says_what_runs(db: None, settings: Any) -> None:
    settings.LIVE_URL = "ws://live.example.org:9000"
    make.make_batch(tasks=1)

    page = " ".join(browser().get("/").content.decode().split())

    assert "<dt>Version</dt><dd>0.1.0</dd>" in page
    assert re.search(r"<dd>PostgreSQL \d+(\.\d+)?, reachable</dd>", page)
    assert re.search(r"<dd>(Valkey|Redis) [\d.]+, reachable</dd>", page)
    assert "<code>ws://live.example.org:9000</code>" in page
    assert "<dt>Open batches</dt> <dd>1</dd>" in page
    for address in ("/api/v1/docs", "/accounts/login/", "/accounts/signup/"):
        assert f'href="{address}"' in page


def test_the_home_page_stands_without_redis(db: None, settings: Any) -> None:
    settings.REDIS_URL = "unix:///nowhere/valkey.sock?db=0"

    response = browser().get("/")

    assert response.status_code == 200
    assert "not reachable: sign-in and live hints" in " ".join(response.content.decode().split())


def test_health_follows_the_database(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    well = browser().get("/health/")
    monkeypatch.setattr("marketplace.pages.views.database_version", _fail)
    ill = browser().get("/health/")

    assert (well.status_code, well.json()) == (200, {"status": "ok", "database": True})
    assert (ill.status_code, ill.json()) == (503, {"status": "unavailable", "database": False})
    assert "no-store" in well["Cache-Control"]


def _fail() -> str:
    raise OperationalError("gone")


def test_somebody_signs_in_signs_out_and_signs_in(db: None) -> None:
    client, user = signed_in()
    assert user.email in client.get("/").content.decode()
    client.post("/accounts/logout/")
    assert user.email not in client.get("/").content.decode()
    client.post("/accounts/login/", {"login": user.email.upper(), "password": PASSWORD})
    assert user.email in client.get("/").content.decode()

    assert not user.is_staff
    key = Api(basic=(user.email, PASSWORD)).post("/keys", {"name": "k", "scopes": ["worker"]})
    assert key.status_code == 201


def test_a_wrong_password_is_told_at_its_form(db: None) -> None:
    user = signed_up()

    response = browser().post("/accounts/login/", {"login": user.email, "password": "wrong"})

    assert response.status_code == 200
    assert 'class="errorlist' in response.content.decode()


def test_a_forgotten_password_is_reset_by_mail(db: None) -> None:
    user, client = signed_up(), browser()

    client.post("/accounts/password/reset/", {"email": user.email})

    (message,) = mail.outbox
    (link,) = re.findall(r"http://testserver(/accounts/password/reset/key/\S+)", message.body)
    form = client.get(link, follow=True)
    require_strict(form)
    new = "another good password"
    client.post(form.redirect_chain[-1][0], {"password1": new, "password2": new})
    user.refresh_from_db()
    assert user.check_password(new)


def test_an_unknown_address_gets_the_same_answer_to_a_reset(db: None) -> None:
    known = browser().post("/accounts/password/reset/", {"email": signed_up().email})
    unknown = browser().post("/accounts/password/reset/", {"email": new_email()})

    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])


def test_guessing_at_the_form_is_stopped(db: None) -> None:
    user = signed_up()
    statuses = [
        browser().post("/accounts/login/", {"login": user.email, "password": f"wrong {n}"}).status_code
        for n in range(12)
    ]
    right = browser().post("/accounts/login/", {"login": user.email, "password": PASSWORD})

    assert (statuses[:10], statuses[10:]) == ([200] * 10, [429] * 2)
    assert right.status_code == 429, "the right password must wait too"
    assert 0 < int(right["Retry-After"]) <= 900


def test_without_redis_the_sign_in_form_is_closed_in_words(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from redis.exceptions import ConnectionError

    def refuse(*_: Any, **__: Any) -> None:
        raise ConnectionError("no server")

    monkeypatch.setattr(type(caches["default"]), "get", refuse)
    monkeypatch.setattr(type(caches["default"]), "add", refuse)

    response = browser().post("/accounts/login/", {"login": signed_up().email, "password": PASSWORD})

    assert response.status_code == 503
    assert "Not available just now" in response.content.decode()
    assert response["Retry-After"] == "5"


def test_a_page_that_is_not_there_says_so_without_asking_the_database(db: None, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        response = browser().get("/nothing/here")

    assert response.status_code == 404
    assert "<h1>Not found</h1>" in response.content.decode()


def test_an_error_of_ours_shows_nothing_of_the_inside(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> queries.SiteState:
        raise KeyError("hunter2")

    monkeypatch.setattr("marketplace.pages.views.site_state", fail)

    response = browser().get("/")

    assert response.status_code == 500
    assert "Something went wrong" in response.content.decode()
    assert "hunter2" not in response.content.decode()


def test_a_form_without_its_token_is_refused_in_words(db: None) -> None:
    client = Client(enforce_csrf_checks=True)

    response = client.post("/accounts/login/", {"login": "a@example.org", "password": "x"})

    assert response.status_code == 403
    assert "This form has expired" in response.content.decode()


def test_styles_are_served(db: None) -> None:
    response = browser().get("/static/pages/tokens.css")

    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/css")
