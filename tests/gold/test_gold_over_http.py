"""What requesters, staff and workers are told of gold over HTTP, and what is refused."""

from typing import Any

import pytest

from marketplace.accounts.models import Act
from marketplace.batches.commands.lifecycle import close_batch
from marketplace.common.database import rows
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.api.market import Market, make_market
from workers.assignments.commands.decide import accept_answers, finish_batch
from workers.assignments.commands.pay import settle_due
from workers.gold.commands import score_due
from workers.gold.commitment import Opening, verify

pytestmark = pytest.mark.django_db
ALWAYS = {"min_share": 1.0, "max_share": 1.0, "probation": 0, "probation_share": 1.0}


@pytest.fixture
def market() -> Market:
    made = make_market(gold=0)
    made.batch = make.make_batch(6, 2, project=made.project, gold_policy=ALWAYS)
    return made


def make_answers(market: Market, label: str = "dog") -> None:
    make.answer(market.worker, make.take(market.worker, market.batch, 3), label)
    with one_transaction(principal="score"):
        while score_due():
            pass


def settled(market: Market) -> None:
    with one_transaction(principal="test"):
        close_batch(batch_id=market.batch.pk)
    with one_transaction(principal="test"):
        accept_answers(batch_id=market.batch.pk, assignments=None)
    with one_transaction(principal="test"):
        settle_due(batch_id=market.batch.pk)
    for _ in range(3):
        with one_transaction(principal="test"):
            finish_batch(batch_id=market.batch.pk)


def checked(root: dict[str, Any], opening: dict[str, Any], task: str) -> bool:
    return verify(
        root=bytes.fromhex(root["root_hash"]),
        leaves=root["leaves"],
        opening=Opening(
            bytes.fromhex(opening["salt"]),
            opening["text"],
            opening["index"],
            tuple(map(bytes.fromhex, opening["path"])),
        ),
        external_id=task,
        key=opening["key"],
    )


def test_a_requester_sees_how_his_keys_fare_and_that_he_looked_is_written_down(market: Market) -> None:
    make_answers(market)
    [key, other] = market["owner"].get(f"batches/{market.batch.public_id}/gold").expect(200)["results"]
    assert (key["task"], key["origin"], key["state"], key["shown"], key["cap"]) == ("g0", "requester", "live", 1, 3)
    assert (key["judged"], key["passed"], key["pass_rate"], key["instead"]) == (1, 0, 0.0, {"label": "dog"})
    assert 0 <= key["detectability"]["score"] <= 1
    assert other["task"] == "g1"
    assert rows("SELECT what, count(*) FROM gold_look GROUP BY what") == [("keys", 1)]
    assert market["owner"].get(f"batches/{market.batch.public_id}/gold?state=flagged").expect(200)["results"] == []
    assert market["owner"].get(f"batches/{market.batch.public_id}/gold?state=secret").status == 422
    assert market["viewer"].get(f"batches/{market.batch.public_id}/gold").status == 403


def test_results_that_say_which_tasks_are_gold_are_a_look_at_it(market: Market) -> None:
    make_answers(market)
    at = f"batches/{market.batch.public_id}"
    market["owner"].post(f"{at}/answers/accept", {"all_submitted": True}).expect(200)
    market["owner"].post(f"{at}/results", {"method": "majority"}).expect(201)
    for form in ("csv", "jsonl"):
        assert market["viewer"].get(f"{at}/exports/results.{form}").status == 200
    assert market["viewer"].get(f"{at}/exports/answers.csv").status == 200, "these do not say it"
    looks = list(Act.objects.filter(act="gold.viewed").values_list("subject_id", "after", "actor__memberships__role"))
    assert looks == [(str(market.batch.public_id), {"what": "results"}, "viewer")] * 2
    assert rows("SELECT what, count(*) FROM gold_look GROUP BY what") == [("results", 2)]


def test_results_of_a_batch_without_gold_are_no_look_at_it(market: Market) -> None:
    batch, worker = make.make_batch(1, project=market.project, overlap=1), make.make_worker()
    make.answer(worker, make.take(worker, batch, 1))
    at = f"batches/{batch.public_id}"
    market["owner"].post(f"{at}/answers/accept", {"all_submitted": True}).expect(200)
    market["owner"].post(f"{at}/results", {"method": "majority"}).expect(201)
    assert market["viewer"].get(f"{at}/exports/results.csv").status == 200
    assert rows("SELECT count(*) FROM gold_look") == [(0,)]


def test_the_queue_of_keys_is_shown_by_no_list_that_leaves_no_row(market: Market) -> None:
    reply = market["reviewer"].get(f"batches/{market.batch.public_id}/review-queue?queue=gold")
    assert reply.status == 422 and b"g0" not in reply.body
    assert rows("SELECT count(*) FROM gold_look") == [(0,)]


def test_what_gold_costs_is_told_before_and_while_the_batch_runs(market: Market) -> None:
    path = f"batches/{market.batch.public_id}"
    before = market["owner"].get(f"{path}/estimate").expect(200)["gold"]
    assert (before["places"], before["micros"]) == (0, 0)
    assert before["words"] == "Gold costs 100.0\u00a0% of this batch at most."
    make_answers(market)
    now = market["owner"].get(f"{path}/progress").expect(200)["gold"]
    assert (now["places"], now["micros"], now["share"]) == (2, 2 * (make.PRICE + make.FEE), 2 / 24)
    assert now["words"].startswith("Gold has cost 8.3\u00a0% of this batch so far")


def test_keys_are_retired_by_their_requester_and_repeats_change_nothing(market: Market) -> None:
    path = f"batches/{market.batch.public_id}/gold"
    assert market["owner"].post(f"{path}/confirm", {"tasks": ["g0"]}).expect(200) == {"confirmed": 0}
    assert market["owner"].post(f"{path}/retire", {"tasks": ["g0"]}).expect(200) == {"retired": 1}
    assert market["owner"].post(f"{path}/retire", {"tasks": ["g0"]}).expect(200) == {"retired": 0}
    assert market["owner"].post(f"{path}/confirm", {"tasks": ["g0"]}).code == "key-stays"
    assert market["owner"].post(f"{path}/retire", {"tasks": ["t0"]}).code == "no-such-key"
    assert market["owner"].post(f"{path}/retire", {"tasks": ["g1"], "why": "x"}).status in (400, 422)
    assert market["reviewer"].post(f"{path}/retire", {"tasks": ["g1"]}).status == 403


def test_a_worker_can_check_what_he_was_judged_by_once_the_batch_is_settled(market: Market) -> None:
    make_answers(market)
    path = f"worker/batches/{market.batch.public_id}/commitment"
    [root] = market["worker"].get(path).expect(200)["roots"]
    assert market["worker"].get(f"{path}/openings").expect(200)["results"] == []
    settled(market)
    assert market["worker"].get(path).expect(200)["roots"] == [root]
    opened = market["worker"].get(f"{path}/openings").expect(200)["results"]
    assert [one["score"] for one in opened] == [0.0, 0.0]
    assert all(checked(root, one, task) for one, task in zip(opened, ("g0", "g1"), strict=True))
    mine = {str(row[0]) for row in rows("SELECT public_id FROM assignments_assignment")}
    assert {one["assignment"] for one in opened} <= mine
    assert market["other worker"].get(f"{path}/openings").expect(200)["results"] == []


def test_requester_and_staff_can_check_every_key_from_publication_on(market: Market) -> None:
    [root] = market["owner"].get(f"batches/{market.batch.public_id}/commitment").expect(200)["roots"]
    for who, path in (("owner", f"batches/{market.batch.public_id}/commitment"),
                      ("staff", f"commitments/{market.batch.public_id}")):  # fmt: skip
        opened = market[who].get(f"{path}/openings").expect(200)["results"]
        assert [one["task"] for one in opened] == ["g0", "g1"]
        assert all(checked(root, one, one["task"]) for one in opened)


@pytest.mark.parametrize(
    ("gold", "field"),
    [
        ({"budget": 1.5}, "gold.budget"),
        ({"budget": True}, "gold.budget"),
        ({"budget": "much"}, "gold.budget"),
        ({"refill": "sometimes"}, "gold.refill"),
        ({"refill": ["auto"]}, "gold.refill"),
        ({"secret": 1}, "gold.secret"),
    ],
)
def test_a_policy_that_means_nothing_is_refused(market: Market, gold: dict[str, Any], field: str) -> None:
    terms = {"name": "B", "price_micros": 1_000, "overlap": 1, "gold": gold}
    refused = market["owner"].post(f"projects/{market.project.public_id}/batches", terms)
    assert refused.status == 422
    assert field in [error["field"] for error in refused.json["errors"]]
