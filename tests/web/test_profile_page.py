"""What a worker says of himself is shown, changed, and acts at once."""

import pytest

from tests import factories as make
from tests.payouts.people import enrol
from tests.web.visitors import key_in, text_of, visitor

pytestmark = pytest.mark.django_db


def test_a_profile_shows_what_is_known_and_is_changed_as_a_whole() -> None:
    client, worker = visitor(country="DE", languages=["de", "pt-BR"], content=["hate"])
    page = client.get("/work/profile/")
    html = page.content.decode()
    assert '<option value="DE" selected>' in html
    assert 'value="pt-BR"' in html
    assert html.count("checked") == 2
    said = {"country": "AT", "languages": ["fr"], "other_languages": "gsw", "form_key": key_in(page)}
    done = client.post("/work/profile/", said)
    assert (done.status_code, done.url) == (303, "/work/profile/")
    worker.refresh_from_db()
    assert (worker.country, worker.languages, worker.content) == ("AT", ["fr", "gsw"], [])
    assert "Saved." in text_of(client.get("/work/profile/"))


def test_a_form_that_is_sent_twice_changes_the_profile_once() -> None:
    client, worker = visitor()
    said = {"country": "AT", "form_key": key_in(client.get("/work/profile/"))}
    client.post("/work/profile/", said)
    client.post("/work/profile/", {"country": "CH", "form_key": key_in(client.get("/work/profile/"))})
    assert client.post("/work/profile/", said).status_code == 303
    worker.refresh_from_db()
    assert worker.country == "CH"


def test_what_is_agreed_to_opens_a_batch_and_closes_it_again() -> None:
    client, _worker = visitor()
    make.make_batch(name="Wounds", audience={"content": {"agrees": ["medical"]}})

    def agree(*content: str) -> str:
        client.post("/work/profile/", {"content": content, "form_key": key_in(client.get("/work/profile/"))})
        return text_of(client.get("/work/"))

    assert "1 open to you" in agree("medical")
    assert "0 open to you" in agree()


def test_what_is_wrong_stays_in_the_form_and_changes_nothing() -> None:
    client, worker = visitor(country="DE")
    said = {"country": "AT", "other_languages": "%%", "form_key": key_in(client.get("/work/profile/"))}
    refused = client.post("/work/profile/", said)
    assert refused.status_code == 422
    assert "“%%” is no language tag" in text_of(refused)
    assert 'value="%%"' in refused.content.decode() and '<option value="AT" selected>' in refused.content.decode()
    worker.refresh_from_db()
    assert worker.country == "DE"


def test_a_profile_says_whether_there_is_a_second_factor() -> None:
    client, worker = visitor()
    assert "needed for payouts" in text_of(client.get("/work/profile/"))
    enrol(worker.user)
    assert "needed for payouts" not in text_of(client.get("/work/profile/"))
