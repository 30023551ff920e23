"""Rejections, repairs and appeals as pages."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import factories as make
from tests.web.moneyed import make_histories, make_history
from tests.web.visitors import client_of, key_in, text_of
from workers.appeals.models import Appeal

pytestmark = pytest.mark.django_db
Clock = Callable[[timedelta], None]
REJECTIONS, APPEALS = "/work/rejections/", "/work/appeals/"


def test_a_rejection_shows_its_reason_and_what_it_cites() -> None:
    history = make_history()

    response = client_of(history.worker.user).get(REJECTIONS)

    page = text_of(response)
    assert page.count("The answer is wrong. This is a dog.") == 2
    assert "The instructions it cites (version 1) Say which animal it is." in page
    assert response.content.decode().count(f"/work/appeals/answer/{history.answers['rejected'][0]}/") == 1
    assert f"/work/appeals/answer/{history.answers['contested'][0]}/" not in response.content.decode()


def test_a_wanted_repair_leads_to_the_player() -> None:
    history = make_history()

    response = client_of(history.worker.user).get(REJECTIONS)

    assert "Something is missing. Please look again." in text_of(response)
    assert f'href="/work/batches/{history.batch.public_id}/do/"' in response.content.decode()


def test_a_rejection_is_contested_with_words_and_then_followed() -> None:
    history = make_history()
    client, answer = client_of(history.worker.user), history.answers["rejected"][0]
    address = f"/work/appeals/answer/{answer}/"
    form = {"form_key": key_in(client.get(address)), "words": "Look at its ears."}

    empty = client.post(address, {**form, "words": ""})
    sent = [client.post(address, form).status_code for _ in range(2)]

    assert empty.status_code == 422
    assert sent == [303, 303]
    assert Appeal.objects.filter(rejection__assignment__public_id=answer).count() == 1
    page = text_of(client.get(APPEALS))
    assert "Look at its ears." in page
    assert "If nobody decides, you have won" in page


def test_nobody_contests_what_is_not_his_or_was_not_rejected() -> None:
    history = make_history()
    stranger = client_of(make.make_worker().user)

    assert stranger.get(f"/work/appeals/answer/{history.answers['rejected'][0]}/").status_code == 404
    mine = client_of(history.worker.user)
    assert mine.get(f"/work/appeals/answer/{history.answers['paid'][0]}/").status_code == 404
    assert text_of(stranger.get(APPEALS)).count("It has whiskers.") == 0


def test_past_its_time_a_rejection_cannot_be_contested_and_an_appeal_is_won(clock: Clock) -> None:
    history = make_history()
    client = client_of(history.worker.user)
    clock(timedelta(days=8))

    page = text_of(client.get(REJECTIONS))

    assert "The time to contest it is over." in page
    assert "Contest it" not in page
    assert "Won: nobody decided in time" in text_of(client.get(APPEALS))
    detail = text_of(client.get(f"/work/earnings/answers/{history.answers['contested'][0]}/"))
    assert "Won on appeal" in detail


@pytest.mark.parametrize("path", [REJECTIONS, APPEALS])
def test_a_page_asks_as_often_however_many_there_are(path: str) -> None:
    counts = []
    for each in (1, 4):
        client = client_of(make_histories(each).user)
        client.get(path)
        with CaptureQueriesContext(connection) as asked:
            client.get(path)
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 14
