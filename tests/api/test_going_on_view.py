"""Going on with new terms over HTTP, as the console does it."""

import pytest

from marketplace.accounts.models import Act
from marketplace.batches.models import Batch
from tests import factories as make
from tests.api.described import findings
from tests.api.market import Market, make_market
from tests.gold.test_supply import NEVER


@pytest.fixture
def market(committed: str) -> Market:
    found = make_market()
    # In a project of its own, for keys like those of another batch wait.
    found.batch = make.make_batch(4, 2, project=make.make_project(found.requester), gold_policy=NEVER)
    return found


def at(market: Market) -> str:
    return f"batches/{market.batch.public_id}/continue"


def test_what_is_lacking_is_told_and_goes_on_once_under_new_terms(market: Market) -> None:
    owner = market["owner"]
    make.answer(market.worker, make.take(market.worker, market.batch, 1))
    make.take(market.other_worker, market.batch, 1)
    told = market["viewer"].get(at(market)).expect(200)
    assert told == {
        "tasks": 4, "places": 10, "begun": told["begun"], "quarantined": 0, "quarantined_places": 0,
        "quarantined_begun": 0, "reserved": 0, "gold": 2, "leased": 1, "submitted": 1, "continued_by": [],
    }  # fmt: skip
    assert told["begun"] in (1, 2)

    body = {"price_micros": 40_000, "time_limit_s": 60, "name": "Second"}
    made, again = (owner.post(at(market), body, key="the-same-key-twice").expect(201) for _ in range(2))

    assert made == again
    assert Batch.objects.filter(continues=market.batch).count() == 1
    assert (made["state"], made["name"], made["price_micros"], made["time_limit_s"]) == ("draft", "Second", 40_000, 60)
    assert made["continues"] == str(market.batch.public_id)
    assert made["audience"] == {"not": {"batch": {"id": str(market.batch.public_id)}}}
    cost = owner.get(f"batches/{made['id']}/estimate").expect(200)
    assert (cost["tasks"], cost["gold_tasks"], cost["places"]) == (6, 2, 10 + 2 * 3)
    assert owner.get(f"batches/{market.batch.public_id}").expect(200)["state"] == "closing"
    assert Act.objects.filter(act="money.batch_closed").count() == 1
    assert owner.get(at(market)).expect(200)["continued_by"] == [
        {"batch": made["id"], "name": "Second", "state": "draft"}
    ]
    assert owner.post(f"batches/{made['id']}/publish").expect(200)["state"] == "published"
    assert [finding for reply in market.said for finding in findings(reply)] == []


def test_a_draft_is_not_gone_on_with(market: Market) -> None:
    refused = market["owner"].post(f"batches/{market.draft.public_id}/continue", {})
    assert (refused.status, refused.code) == (409, "wrong-batch-state")
