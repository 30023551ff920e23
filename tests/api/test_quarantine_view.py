"""The requester's view of quarantine over HTTP: why, by whom, and back to work."""

import pytest

from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.api.market import Market, make_market
from workers.assignments.commands.quarantine import refund_quarantined
from workers.profiles.commands import pseudonym_for


@pytest.fixture
def market(db: None) -> Market:
    return make_market(tasks=3, gold=0, overlap=2, max_attempts=2)


def give_up(market: Market, who: str, reason: str, comment: str) -> str:
    """The worker takes one task and gives it back; its text."""
    lease = market[who].post(f"worker/batches/{market.batch.public_id}/claim").expect(201)["assignments"][0]
    body = {"token": lease["token"], "reason": reason, "comment": comment}
    market[who].post(f"worker/assignments/{lease['id']}/return", body).expect(200)
    return str(lease["data"]["text"])


def spoil(market: Market) -> str:
    """Both workers give one task up, the first by leave of the second, who is given it in the end; its external id."""
    text = give_up(market, "worker", "broken", "the image is black")
    while give_up(market, "other worker", "too_hard", "cannot see a thing") != text:
        pass
    return text.replace("animal ", "t")


def test_the_requester_sees_why_workers_gave_a_task_up(market: Market) -> None:
    task = spoil(market)
    path = f"batches/{market.batch.public_id}/quarantine"
    with one_transaction(principal="test"):
        refund_quarantined()
        names = {
            who.pk: pseudonym_for(worker_id=who.pk, requester_id=market.requester.pk)
            for who in (market.worker, market.other_worker)
        }

    [shown] = market["viewer"].get(path).expect(200)["results"]

    since = shown.pop("since")
    assert since.startswith("20")
    assert shown == {
        "task": task,
        "attempts": 2,
        "places": 0,
        "refunded_places": 2,
        "reasons": [{"reason": "broken", "workers": 1}, {"reason": "too_hard", "workers": 1}],
        "comments": [
            {"worker": names[market.worker.pk], "reason": "broken", "comment": "the image is black"},
            {"worker": names[market.other_worker.pk], "reason": "too_hard", "comment": "cannot see a thing"},
        ],
    }
    told = market["viewer"].get(f"batches/{market.batch.public_id}/progress").expect(200)
    assert (told["quarantined"], told["refunded_micros"]) == (1, 2 * (make.PRICE + make.FEE))


def test_pages_of_quarantine_hold_each_task_once(db: None) -> None:
    market = make_market(tasks=5, gold=0, overlap=1, max_attempts=1)
    for _task in range(5):
        give_up(market, "worker", "other", "")
    found = market["viewer"].all(f"batches/{market.batch.public_id}/quarantine?limit=2")
    assert sorted(row["task"] for row in found) == ["t0", "t1", "t2", "t3", "t4"]


def test_a_manager_puts_tasks_back_to_work(market: Market) -> None:
    task = spoil(market)
    path = f"batches/{market.batch.public_id}/quarantine"
    market["reviewer"].post(f"{path}/release", {"tasks": [task]}).expect(403)
    assert market["manager"].post(f"{path}/release", {"tasks": [task, "none"]}).code == "unknown-tasks"
    assert market["manager"].post(f"{path}/release", {"tasks": [task]}).expect(200) == {"released": 1}
    assert market["manager"].post(f"{path}/release", {"tasks": [task]}).expect(200) == {"released": 0}
    assert market["viewer"].get(path).expect(200)["results"] == []


def test_a_paused_batch_says_why_in_a_sentence(db: None) -> None:
    market = make_market(tasks=12, gold=0, overlap=1, max_attempts=1)
    for _task in range(10):
        give_up(market, "worker", "broken", "")
    from workers.assignments.tasks import refund_quarantined as sweep

    assert market["viewer"].get(f"batches/{market.batch.public_id}").expect(200)["pause_explanation"] == ""
    sweep()
    shown = market["viewer"].get(f"batches/{market.batch.public_id}").expect(200)
    assert (shown["state"], shown["pause_reason"]) == ("paused", "broken_tasks")
    assert "given up by several workers" in shown["pause_explanation"]
