"""More places and wishes for a review over HTTP."""

from datetime import timedelta

import pytest

from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.api.market import Market, make_market
from workers.assignments.commands.holds import hold_answers
from workers.assignments.commands.reopen import ask_review
from workers.assignments.models import Assignment
from workers.assignments.origin import Origin
from workers.profiles.commands import pseudonym_for

UNIT = make.PRICE + make.FEE


@pytest.fixture
def market(db: None) -> Market:
    return make_market(tasks=3, gold=1, overlap=2)


def test_a_manager_adds_places_and_reads_what_they_cost_and_which_tasks_got_none(market: Market) -> None:
    path = f"batches/{market.batch.public_id}/more-places"

    told = market["manager"].post(path, {"tasks": ["t0", "t2", "g0"], "by": 2}).expect(200)

    assert told == {"places": 4, "held_micros": 4 * UNIT, "passed_over": ["g0"]}
    progress = market["viewer"].get(f"batches/{market.batch.public_id}/progress").expect(200)
    assert progress["places"] == 3 * 2 + 2 + 4
    assert market["manager"].post(path, {"tasks": ["t0", "nothing"]}).expect(422)["type"] == "/problems/unknown-tasks"
    for wrong in ({"tasks": []}, {"tasks": ["t0"], "by": 0}, {"tasks": ["t0"], "by": 50}):
        market["manager"].post(path, wrong).expect(422)
    market["manager"].post(path, {"tasks": ["t0"], "up": 1}).expect(400)


def test_the_requester_sees_which_answers_to_look_at_and_why(market: Market) -> None:
    lease = market["worker"].post(f"worker/batches/{market.batch.public_id}/claim").expect(201)["assignments"][0]
    market["worker"].post(
        "worker/submissions",
        {"answers": [{"assignment": lease["id"], "token": lease["token"], "values": {"label": "cat"}}]},
    ).expect(200)
    answer = Assignment.objects.select_related("task").get()
    of = {"batch_id": market.batch.pk, "worker_id": market.worker.pk, "reason": "fast", "origin": Origin(1)}
    with one_transaction(principal="test"):
        ask_review(**of)
        hold_answers(**of, life=timedelta(days=5))
        name = pseudonym_for(worker_id=market.worker.pk, requester_id=market.requester.pk)
    path = f"batches/{market.batch.public_id}/review-wishes"

    [shown] = market["viewer"].get(f"{path}?state=open").expect(200)["results"]

    assert shown.pop("made_at").startswith("20")
    assert shown.pop("decide_by").startswith("20")
    assert shown == {
        "answer": str(answer.public_id),
        "task": answer.task.external_id,
        "worker": name,
        "reason": "fast",
        "done": False,
    }
    accept = f"batches/{market.batch.public_id}/answers/accept"
    assert market["reviewer"].post(accept, {"all_submitted": True}).expect(200)["accepted"] == 0
    assert market["reviewer"].post(accept, {"answers": [shown["answer"]]}).expect(200)["accepted"] == 1
    assert market["viewer"].get(f"{path}?state=open").expect(200)["results"] == []
    [done] = market["viewer"].get(f"{path}?state=done").expect(200)["results"]
    assert (done["done"], done["decide_by"]) == (True, None)
    market["viewer"].get(f"{path}?state=other").expect(422)


def test_reviewers_read_whose_answers_are_held_back_and_let_them_go_with_a_reason(market: Market) -> None:
    make.answer(market.worker, make.take(market.worker, market.batch, 2))
    with one_transaction(principal="test"):
        hold_answers(
            batch_id=market.batch.pk,
            worker_id=market.worker.pk,
            reason="fast",
            origin=Origin(1),
            life=timedelta(days=5),
        )
    path = f"batches/{market.batch.public_id}/holds"

    [shown] = market["reviewer"].get(path).expect(200)["results"]

    assert shown.pop("since").startswith("20") and shown.pop("until").startswith("20")
    assert shown == {"worker": market.known, "reasons": ["fast"], "waiting": 2}
    assert market["viewer"].get(path).code == "role-too-low"
    body = {"worker": market.known, "reason": "I looked at them."}
    assert market["viewer"].post(f"{path}/release", body).code == "role-too-low"
    assert market["reviewer"].post(f"{path}/release", {**body, "worker": "nobody"}).code == "unknown-workers"
    market["reviewer"].post(f"{path}/release", {**body, "reason": "  "}).expect(422)
    assert market["reviewer"].get(path).expect(200)["results"] != []

    assert market["reviewer"].post(f"{path}/release", body).expect(200) == {"holds": 1, "accepted": 0}

    assert market["reviewer"].get(path).expect(200)["results"] == []
    assert market["reviewer"].post(f"{path}/release", {**body, "reason": "Again."}).code == "holds-none"
