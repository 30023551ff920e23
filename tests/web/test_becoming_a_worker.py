"""Somebody who has signed up becomes a worker, once, and goes where he wanted to go."""

import pytest
from django.test import Client

from tests import factories as make
from tests.web.visitors import client_of, key_in, text_of, visitor
from workers.profiles.models import Worker

pytestmark = pytest.mark.django_db
SAID = {
    "country": "AT",
    "languages": ["de", "en"],
    "other_languages": "gsw, pt-BR",
    "content": ["medical"],
    "of_age": "on",
    "own_work": "on",
}


def test_a_person_says_who_he_is_and_sees_the_board() -> None:
    user = make.make_user()
    client = client_of(user)
    page = client.get("/work/start/?next=/work/%3Fq%3Dcats")
    said = SAID | {"form_key": key_in(page), "next": "/work/?q=cats"}
    done = client.post("/work/start/", said)
    assert (done.status_code, done.url) == (303, "/work/?q=cats")
    worker = Worker.objects.get(user=user)
    assert (worker.country, worker.languages, worker.content) == ("AT", ["de", "en", "gsw", "pt-BR"], ["medical"])
    assert worker.of_age_at is not None
    # A double click, and a look back.
    assert client.post("/work/start/", said).url == "/work/?q=cats"
    assert client.get("/work/start/").url == "/work/"
    assert Worker.objects.filter(user=user).count() == 1
    assert "Welcome." in text_of(client.get("/work/"))


def test_country_and_languages_may_be_left_out_and_consents_may_not() -> None:
    user = make.make_user()
    client = client_of(user)
    key = key_in(client.get("/work/start/"))
    refused = client.post("/work/start/", {"form_key": key, "country": "", "other_languages": "tlh"})
    assert refused.status_code == 422
    assert "You can work here once you are of age." in text_of(refused)
    assert "tick this to begin" in text_of(refused)
    assert 'value="tlh"' in refused.content.decode()
    assert not Worker.objects.filter(user=user).exists()
    done = client.post("/work/start/", {"form_key": key_in(refused), "of_age": "on", "own_work": "on"})
    assert (done.status_code, done.url) == (303, "/work/")
    worker = Worker.objects.get(user=user)
    assert (worker.country, worker.languages, worker.content) == ("", [], [])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"country": "XX"}, "Select a valid choice"),
        ({"other_languages": "German!"}, "“German!” is no language tag"),
        ({"other_languages": ", ".join(f"x{n}" for n in range(31))}, "is no language tag"),
        ({"other_languages": ", ".join(f"qa{chr(97 + n)}" for n in range(26)) + ", xaa, xab, xac"}, "at most 30"),
        ({"content": ["kittens"]}, "Select a valid choice"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_made(wrong: dict[str, object], words: str) -> None:
    user = make.make_user()
    client = client_of(user)
    refused = client.post("/work/start/", SAID | wrong | {"form_key": key_in(client.get("/work/start/"))})
    assert refused.status_code == 422
    assert words in text_of(refused)
    assert not Worker.objects.filter(user=user).exists()


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_nobody_is_led_elsewhere(to: str) -> None:
    client = client_of(make.make_user())
    page = client.get("/work/start/", {"next": to})
    done = client.post("/work/start/", SAID | {"form_key": key_in(page), "next": to})
    assert done.url == "/work/"
    assert client.get("/work/start/", {"next": to}).url == "/work/"


def test_strangers_sign_in_first_and_workers_are_there_already() -> None:
    assert Client().get("/work/start/").url.startswith("/accounts/login/")
    client, worker = visitor(country="FR")
    done = client.post("/work/start/", SAID | {"form_key": "k" * 22})
    assert done.url == "/work/"
    worker.refresh_from_db()
    assert worker.country == "FR"
