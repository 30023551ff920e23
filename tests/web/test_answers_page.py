"""The history of answers: every outcome in words, filters, pages, one's own only, and no sign of known answers."""

import re
from random import Random
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.api.callers import caller_for
from tests.web.moneyed import History, make_histories, make_history
from tests.web.visitors import client_of, text_of

pytestmark = pytest.mark.django_db
PAGE = "/work/earnings/answers/"
OUTCOMES = {
    "waiting": "Waiting", "paid": "Paid", "due": "Accepted", "rejected": "Rejected", "repair": "Back for repair",
}  # fmt: skip


def shown(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return re.findall(rf'href="{PAGE}([0-9a-f-]{{36}})/"', response.content.decode())


def ids(history: History, *names: str) -> set[str]:
    return {str(one) for name in names for one in history.answers[name]}


def test_every_answer_is_there_with_what_came_of_it() -> None:
    history = make_history()
    client = client_of(history.worker.user)

    assert set(shown(client.get(PAGE))) == ids(history, *history.answers)
    for name, words in OUTCOMES.items():
        detail = text_of(client.get(f"{PAGE}{history.answers[name][0]}/"))
        assert words in detail
        assert "Cat" in detail
        assert ("Not paid (it would have been 0.02 EUR)" in detail) == (name == "rejected")
        assert "0.02 EUR" in detail
    assert text_of(client.get(PAGE)).count("Not paid (it would have been 0.02 EUR)") == 2


def test_answers_are_filtered_by_outcome_and_batch() -> None:
    history = make_history()
    other = make_history(worker=history.worker)
    client = client_of(history.worker.user)

    waiting = client.get(f"{PAGE}?outcome=waiting&batch={history.batch.public_id}")
    rejected = client.get(f"{PAGE}?outcome=rejected")

    assert set(shown(waiting)) == ids(history, "waiting")
    assert set(shown(rejected)) == ids(history, "rejected", "contested") | ids(other, "rejected", "contested")


def test_pages_follow_each_other_without_losing_or_repeating_one() -> None:
    worker = make_histories(6)
    client = client_of(worker.user)

    first = client.get(PAGE)
    [after] = re.findall(r'href="(\?after=[^"]+)" rel="next"', first.content.decode())
    second = client.get(f"{PAGE}{after}")

    assert (len(shown(first)), len(shown(second))) == (30, 6)
    assert len({*shown(first), *shown(second)}) == 36


def test_an_answer_of_somebody_else_is_not_there() -> None:
    history = make_history()
    other = client_of(make.make_worker().user)

    assert shown(other.get(PAGE)) == []
    assert other.get(f"{PAGE}{history.answers['paid'][0]}/").status_code == 404


def test_known_answers_look_like_all_others() -> None:
    worker = make.make_worker()
    batch = make.make_batch(4, gold=4, overlap=1, lease_cap=10)
    make.answer(worker, make.take(worker, batch, 8), label="dog")
    caller = caller_for(worker.user, "worker")

    answers = caller.all("worker/answers")

    gold = [one for one in answers if "known" in caller.get(f"worker/answers/{one['id']}").json["data"]["text"]]
    assert 0 < len(gold) < len(answers)
    assert {tuple(sorted(one)) for one in answers} == {tuple(sorted(answers[0]))}
    own = ("id", "submitted_at")
    assert len({repr({k: v for k, v in one.items() if k not in own}) for one in answers}) == 1


def test_the_api_tells_what_the_page_does() -> None:
    history = make_history()
    caller = caller_for(history.worker.user, "worker")

    by_id = {one["id"]: one for one in caller.all("worker/answers", limit=2)}
    rejected = by_id[str(history.answers["rejected"][0])]

    assert {by_id[one]["outcome"] for one in ids(history, "contested")} == {"rejected"}
    assert rejected["rejected"]["comment"] == "This is a dog."
    assert rejected["rejected"]["appealable"] is True
    assert by_id[str(history.answers["contested"][0])]["rejected"]["appealable"] is False
    assert by_id[str(history.answers["repair"][0])]["returned"]["comment"] == "Please look again."
    whole = caller.get(f"worker/answers/{rejected['id']}").expect(200)
    assert whole["cited_instructions"] == "Say which animal it is."
    assert caller.get("worker/answers?outcome=gold").status == 422
    assert caller.get("worker/answers?batch=none").status == 422


def test_the_page_asks_as_often_however_many_answers_there_are() -> None:
    counts = []
    for each in (1, 4):
        client = client_of(make_histories(each).user)
        client.get(PAGE)
        with CaptureQueriesContext(connection) as asked:
            client.get(PAGE)
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 8


def test_an_answer_is_said_with_the_labels_that_were_chosen() -> None:
    interface = {
        "data": [{"name": "text", "type": "text"}],
        "answer": [
            {"name": "mood", "type": "rating", "points": 2, "labels": ["Angry", "Delighted"]},
            {"name": "names", "type": "spans", "of": "text", "labels": [{"value": "pers", "title": "Person"}]},
        ],
    }
    worker = make.make_worker()
    batch = make.make_draft(make.make_project(interface=interface), overlap=1)
    make.add_rows(batch, [{"external_id": "t1", "data": {"text": "Björn writes"}}])
    [lease] = make.take(worker, make.published(batch), 1)
    spans = {"spans": [{"id": "1", "label": "pers", "start": 0, "end": 5}], "relations": []}
    with one_transaction(principal="test"):
        page = [make.Submission(lease.id, lease.token, {"mood": 2, "names": spans})]
        make.submit(worker_id=worker.pk, page=page, then_claim=None, chance=Random(1))
        make.reject(batch, [lease])
    client = client_of(worker.user)

    for address in (PAGE, "/work/rejections/"):
        assert "2 Delighted; Person" in text_of(client.get(address))
    for address in (f"{PAGE}{lease.id}/", f"/work/appeals/answer/{lease.id}/"):
        said = text_of(client.get(address))
        assert "2 Delighted" in said
        assert "Person “Björn”" in said
