"""News: facts in words, by day, gathered; unread until they are read; and the same over the API."""

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace.streams.queries import UNREAD_WITHIN, epoch, head, read_up_to, unread
from marketplace.streams.routes import address_of_worker
from tests import factories as make
from tests.api.callers import caller_for
from tests.web.moneyed import limit, tell
from tests.web.visitors import client_of, key_in, text_of
from workers.api.news import NEWS
from workers.live import routes
from workers.profiles.models import Worker
from workers.web.news import ICONS

pytestmark = pytest.mark.django_db
Clock = Callable[[timedelta], None]
PAGE = "/work/news/"


def paid(worker: Worker, times: int = 1, first: int = 10**6, batch: object = None) -> None:
    shown = {"batch": str(batch or make.make_batch(1, name="Pets").public_id)}
    for number in range(times):
        tell(worker, "answer_accepted", {**shown, "assignments": [str(uuid4())]}, first=first + number)


def count_of(worker: Worker) -> int:
    return unread(address_of_worker(worker.pk), worker.user_id, kinds=NEWS)


def test_facts_beside_each_other_are_one_line_with_their_number() -> None:
    worker = make.make_worker()
    paid(worker, 3)

    page = text_of(client_of(worker.user).get(PAGE))

    assert "3 answers in “Pets” were accepted" in page


def test_what_he_did_himself_is_no_news() -> None:
    worker = make.make_worker()
    tell(worker, "place_taken", {"batch": str(uuid4()), "assignments": []})

    assert "Nothing new" in text_of(client_of(worker.user).get(PAGE))
    assert count_of(worker) == 0


def test_a_limit_is_told_with_its_words() -> None:
    worker, requester = make.make_worker(), make.make_requester()
    sanction = limit(worker, requester)
    tell(worker, "sanctioned", {"sanction": str(sanction.public_id), "measure": "slow_down"})

    page = text_of(client_of(worker.user).get(PAGE))

    assert "You are slowed down" in page
    assert "Please take your time." in page


def test_days_stand_apart(clock: Clock) -> None:
    worker, batch = make.make_worker(), make.make_batch(1, name="Pets")
    paid(worker, first=1, batch=batch.public_id)
    clock(timedelta(days=1))
    paid(worker, first=2, batch=batch.public_id)

    page = text_of(client_of(worker.user).get(PAGE))

    assert page.count("An answer in “Pets” was accepted") == 2


def test_news_is_new_until_it_is_read_and_never_again() -> None:
    worker = make.make_worker()
    paid(worker, 2)
    client, stream = client_of(worker.user), address_of_worker(worker.pk)
    shown = client.get(PAGE)
    assert ">2<span" in shown.content.decode()

    form = {"form_key": key_in(shown), "epoch": str(epoch()), "seq": str(head(stream))}
    assert client.post(f"{PAGE}read/", form).status_code == 303

    assert count_of(worker) == 0
    assert "badge count" not in client.get(PAGE).content.decode()
    paid(worker, first=2 * 10**6)
    assert count_of(worker) == 1


def test_the_mark_never_goes_back_nor_ahead_nor_into_another_epoch() -> None:
    worker = make.make_worker()
    paid(worker, 3)
    caller, stream = caller_for(worker.user, "worker"), address_of_worker(worker.pk)
    now = str(epoch())

    def note(of_epoch: str, seq: int) -> int:
        return int(caller.post("worker/news/read", {"epoch": of_epoch, "seq": seq}).expect(200)["seq"])

    assert note(str(uuid4()), 2) == 0
    assert note(now, 2) == 2
    assert note(now, 1) == 2
    assert note(now, 10**9) == 3
    assert read_up_to(stream, worker.user_id) == head(stream) == 3
    assert client_of(worker.user).post(f"{PAGE}read/", {"epoch": now, "seq": "x"}).status_code == 422


def test_the_api_lists_the_same_newest_first() -> None:
    worker = make.make_worker()
    paid(worker, 3)
    tell(worker, "place_taken", {"batch": str(uuid4()), "assignments": []}, first=5 * 10**6)
    caller = caller_for(worker.user, "worker")
    caller.post("worker/news/read", {"epoch": str(epoch()), "seq": 1}).expect(200)

    found = caller.all("worker/news", limit=2)

    assert [(one["seq"], one["unread"]) for one in found] == [(3, True), (2, True), (1, False)]
    assert caller.get("worker/news/read").expect(200)["unread"] == 2


def test_each_kind_of_news_is_one_that_streams_tell_and_has_words() -> None:
    events = [*routes.OF_WORK, *(getattr(routes, name) for name in (
        "AppealOpened", "AppealMoved", "AppealDecided", "Sanctioned", "SanctionLifted", "SkillGranted", "SkillRevoked",
        "ReputationShown",
    ))]  # fmt: skip

    assert set(NEWS) <= {routes.name_of(event.__name__) for event in events}
    assert set(NEWS) == set(ICONS)
    worker = make.make_worker()
    for number, kind in enumerate(NEWS):
        body = {"batch": str(uuid4()), "sanction": str(uuid4()), "appeal": str(uuid4()), "skill": str(uuid4())}
        tell(worker, kind, {**body, "measure": "limit", "assignments": []}, first=number + 1)
    assert "Something happened" not in text_of(client_of(worker.user).get(PAGE)).replace(
        "Something happened to your", ""
    )


def test_the_badge_asks_once_and_looks_no_further_back_than_it_says() -> None:
    worker = make.make_worker()
    paid(worker, 1)
    tell(worker, "place_taken", {}, times=UNREAD_WITHIN, first=2 * 10**6)

    assert count_of(worker) == 0


def test_the_page_asks_as_often_however_much_news_there_is() -> None:
    counts = []
    for many in (1, 12):
        worker = make.make_worker()
        for number in range(many):
            paid(worker, first=10**6 + 100 * number)
        client = client_of(worker.user)
        client.get(PAGE)
        with CaptureQueriesContext(connection) as asked:
            client.get(PAGE)
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 12
