"""Standing as a page: scores with intervals and reasons, skills, and limits with what may be told of their evidence."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import factories as make
from tests.web.moneyed import grant, limit
from tests.web.visitors import client_of, key_in, text_of
from workers.appeals.models import Appeal

pytestmark = pytest.mark.django_db
PAGE = "/work/standing/"


def test_a_new_worker_is_told_when_he_will_see_a_score() -> None:
    page = text_of(client_of(make.make_worker().user).get(PAGE))

    assert "Nothing limits you." in page
    assert "With your 20th answer in a project" in page


def test_scores_are_shown_with_their_interval_and_why_they_moved() -> None:
    worker, batch = make.make_worker(), make.make_batch(1)
    make.judge(worker, batch, 1, 1, 0)

    response = client_of(worker.user).get(PAGE)

    page = text_of(response)
    assert response.content.decode().count('class="interval"') == 3
    assert re.search(r"\d+ %, between \d+ % and \d+ %", page)
    assert "3 more could be judged: 2 agreed with what is known to be right" in page
    assert "rests on 3 judgements" in page


def test_skills_say_from_whom_and_until_when() -> None:
    worker, requester = make.make_worker(), make.make_requester()
    grant(worker, requester)

    page = text_of(client_of(worker.user).get(PAGE))

    assert "Reads cats from Acme Labels" in page
    assert "90 %" in page
    assert "Rests on: exam of May" in page
    assert "Without end" in page


def test_a_limit_shows_its_figures_but_none_of_what_was_looked_at_secretly() -> None:
    worker, requester = make.make_worker(), make.make_requester()
    limit(worker, requester)

    page = text_of(client_of(worker.user).get(PAGE))

    assert "You are slowed down in the work of Acme Labels" in page
    assert re.search(r"· until \d+ \w+ \d{4}, \d\d:\d\d UTC", page)
    assert re.search(r"Contest it until \d+ \w+ \d{4}, \d\d:\d\d UTC", page)
    assert "Please take your time." in page
    assert "Between two tasks 30 s have to pass." in page
    assert "share of very fast answers: measured 0.4" in page
    assert "gold" not in page.lower()
    assert "Nothing limits you." not in page


def test_a_limit_is_contested_once_and_by_its_worker_only() -> None:
    worker, requester = make.make_worker(), make.make_requester()
    sanction = limit(worker, requester)
    client, address = client_of(worker.user), f"/work/appeals/limit/{sanction.public_id}/"
    form = {"form_key": key_in(client.get(address)), "words": "I read fast."}

    assert client_of(make.make_worker().user).get(address).status_code == 404
    assert client.post(address, {**form, "words": " "}).status_code == 422
    assert client.post(address, form).status_code == 303
    assert client.post(address, form).status_code == 303
    second = client.post(address, {**form, "words": "Again."})

    assert second.status_code == 422
    for again in (second, client.get(address)):
        assert "This cannot be contested any more" in text_of(again)
        assert "There is no such sanction" not in text_of(again)
        assert b"<textarea" not in again.content
    assert [appeal.words for appeal in Appeal.objects.filter(worker=worker)] == ["I read fast."]
    assert "You have contested it" in text_of(client.get(PAGE))


def test_the_page_asks_as_often_however_much_there_is() -> None:
    counts = []
    for many in (1, 4):
        worker, requester = make.make_worker(), make.make_requester()
        for number in range(many):
            limit(worker, requester)
            grant(worker, requester, f"Skill {number}")
            make.judge(worker, make.make_batch(1), 1)
        client = client_of(worker.user)
        client.get(PAGE)
        with CaptureQueriesContext(connection) as asked:
            client.get(PAGE)
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 20
