"""The same over HTTP: what worker, requester, staff and a named person see and may do."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests import factories as make
from tests.acts import broken
from tests.api.callers import caller_for
from tests.api.market import Market, make_market
from workers.assignments.models import Assignment
from workers.profiles.commands import pseudonym_for

Forward = Callable[[timedelta], None]
pytestmark = pytest.mark.django_db


@pytest.fixture
def market(db: None) -> Market:
    return make_market(tasks=8, gold=0)


def answer(market: Market, count: int = 1, label: str = "cat", who: str = "worker") -> list[str]:
    """Claim and answer; the ids of the assignments."""
    path = f"worker/batches/{market.batch.public_id}/claim"
    leases = market[who].post(path, {"count": count}).expect(201)["assignments"]
    page = [{"assignment": one["id"], "token": one["token"], "values": {"label": label}} for one in leases]
    market[who].post("worker/submissions", {"answers": page}).expect(200)
    return [one["id"] for one in leases]


def reject(market: Market, answers: list[str], status: int = 200, **more: Any) -> Any:
    body = {"answers": answers, "reason": "wrong", "comment": "It barks.", **more}
    return market["reviewer"].post(f"batches/{market.batch.public_id}/answers/reject", body).expect(status)


def test_an_answer_goes_back_and_its_worker_is_told_why(market: Market) -> None:
    [one] = answer(market)
    ask = {"answers": [one], "reason": "incomplete", "comment": "Which cat?"}
    path = f"batches/{market.batch.public_id}/answers/return"
    assert market["viewer"].post(path, ask).code == "role-too-low"
    assert market["reviewer"].post(path, ask).expect(200) == {"returned": 1}

    [lease] = market["worker"].get("worker/assignments").expect(200)["results"]
    assert (lease["id"], lease["draft"]) == (one, {"label": "cat"})
    assert (lease["repair"]["reason"], lease["repair"]["comment"]) == ("incomplete", "Which cat?")
    page = [{"assignment": one, "token": lease["token"], "values": {"label": "dog"}}]
    market["worker"].post("worker/submissions", {"answers": page}).expect(200)
    assert market["reviewer"].post(path, ask).code == "answer-not-returnable"
    assert broken() == []


def test_a_rejection_needs_words_and_the_instructions_that_were_shown(market: Market) -> None:
    [one] = answer(market)
    path = f"batches/{market.batch.public_id}/answers/reject"
    for body in ({"comment": ""}, {"comment": "  "}, {}):
        refused = market["reviewer"].post(path, {"answers": [one], "reason": "wrong", **body})
        assert (refused.status, refused.json["errors"][0]["field"]) == (422, "comment")
    refused = market["reviewer"].post(path, {"answers": [one], "reason": "wrong", "comment": "No.", "version": 2})
    assert (refused.status, refused.code) == (422, "rejection-invalid")
    assert reject(market, [one], version=1) == {"rejected": 1, "waiting": 0, "review": None, "cause": None}

    [told] = market["worker"].get("worker/rejections").expect(200)["results"]
    assert (told["assignment"], told["reason"], told["comment"], told["version"]) == (one, "wrong", "It barks.", 1)
    assert told["appealable"]
    assert market["other worker"].get("worker/rejections").expect(200)["results"] == []


def test_too_many_rejections_wait_for_staff_and_everybody_sees_how_much_is_rejected(market: Market) -> None:
    answers = answer(market, 8)
    done = reject(market, answers, 202)
    assert (done["rejected"], done["waiting"], done["cause"]) == (0, 8, "count")

    [review] = market["staff"].get("rejection-reviews?state=open").expect(200)["results"]
    assert (review["id"], review["answers"], review["evidence"]["allowed"]) == (done["review"], 8, 5)
    one = market["staff"].get(f"rejection-reviews/{done['review']}").expect(200)
    assert len(one["sample"]) == 8
    assert "worker" not in one["sample"][0]
    approve = market["staff"].post(f"rejection-reviews/{done['review']}/approve", {"reason": "Empty."})
    assert approve.expect(200)["state"] == "approved"
    late = market["staff"].post(f"rejection-reviews/{done['review']}/refuse", {"reason": "No."})
    assert (late.status, late.code) == (409, "review-decided")

    [shown] = [
        one["requester"] for one in market["worker"].all("worker/batches") if one["id"] == str(market.batch.public_id)
    ]
    assert (shown["rejection_rate"], shown["rejections"], shown["rejections_upheld"]) == (1.0, 8, 0)
    own = market["viewer"].get(f"requesters/{market.requester.public_id}").expect(200)
    assert own["rejection_rate"] == 1.0
    assert broken() == []


def test_an_appeal_runs_through_all_hands(market: Market, clock: Forward) -> None:
    [one] = answer(market)
    reject(market, [one])
    ask = {"assignment": one, "words": "Look at the ears."}
    assert market["other worker"].post("worker/appeals", ask).code == "rejection-not-contestable"
    assert market["worker"].post("worker/appeals", {"words": "x"}).status == 422
    made = market["worker"].post("worker/appeals", ask).expect(201)
    assert (made["state"], made["assignment"], made["sanction"]) == ("open", one, None)
    assert not market["worker"].get("worker/rejections").expect(200)["results"][0]["appealable"]

    # The requester knows the worker by his own name for him, and speaks.
    path = f"requesters/{market.requester.public_id}/appeals"
    [theirs] = market["viewer"].get(path).expect(200)["results"]
    assert theirs["worker"] == pseudonym_for(worker_id=market.worker.pk, requester_id=market.requester.pk)
    assert str(market.worker.public_id) not in str(theirs)
    statement = {"words": "It barks in the sound file."}
    assert market["viewer"].post(f"{path}/{made['id']}/statement", statement).code == "role-too-low"
    market["reviewer"].post(f"{path}/{made['id']}/statement", statement).expect(201)

    # Staff name somebody, who sees what he needs and decides; nobody else learns of it.
    expert = make.make_user()
    named = caller_for(expert, "requester")
    assert named.get(f"appeals/{made['id']}").status == 404
    member = make.owner_of(market.requester)
    to = {"email": member.email, "reason": "He knows."}
    assert market["staff"].post(f"appeals/{made['id']}/adjudicator", to).code == "not-impartial"
    to = {"email": expert.email, "reason": "A zoologist."}
    market["staff"].post(f"appeals/{made['id']}/adjudicator", to).expect(200)
    shown = named.get(f"appeals/{made['id']}").expect(200)
    assert (shown["values"], shown["data"]["text"][:6]) == ({"label": "cat"}, "animal")
    assert [step["kind"] for step in shown["steps"]] == ["opened", "statement", "named"]
    decide = {"decision": "uphold", "reason": "It is a cat."}
    assert market["owner"].post(f"appeals/{made['id']}/decide", decide).status == 404
    named.post(f"appeals/{made['id']}/decide", decide).expect(200)
    assert market["staff"].post(f"appeals/{made['id']}/decide", decide).code == "appeal-over"

    [mine] = market["worker"].get("worker/appeals").expect(200)["results"]
    assert (mine["state"], mine["steps"][-1]["reason"]) == ("upheld", "It is a cat.")
    assert expert.email not in str(mine)
    assert Assignment.objects.get(public_id=one).state == "upheld"
    assert broken() == []


def test_reading_appeals_applies_their_deadline(market: Market, clock: Forward) -> None:
    [one] = answer(market)
    reject(market, [one])
    market["worker"].post("worker/appeals", {"assignment": one, "words": "A cat."}).expect(201)
    clock(timedelta(hours=73))
    [mine] = market["worker"].get("worker/appeals").expect(200)["results"]
    assert mine["state"] == "lapsed"
    (euro,) = market["worker"].get("worker/earnings").expect(200)["currencies"]
    assert euro["due_micros"] >= make.PRICE
