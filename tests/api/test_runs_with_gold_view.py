"""Runs with gold over HTTP: asked for, told of the run, and refused in words."""

from typing import Any

import pytest

from marketplace.common.transactions import one_transaction
from marketplace.results.models import Run
from tests import factories as make
from tests.api.market import Market, make_market
from workers.assignments.commands.decide import accept_answers


@pytest.fixture
def market(db: None) -> Market:
    return make_market()


def test_a_requester_asks_for_a_run_with_gold_and_reads_that_it_cannot_be_judged_by_it(market: Market) -> None:
    policy = {"min_share": 0.5, "max_share": 0.5, "probation": 10, "probation_share": 1.0}
    batch = make.make_batch(4, 4, project=market.project, overlap=1, gold_policy=policy)
    worker = make.make_worker()
    make.answer(worker, make.take(worker, batch, 8))
    with one_transaction(principal="t"):
        accept_answers(batch_id=batch.pk, assignments=None)
    path = f"batches/{batch.public_id}"

    def report(**ask: Any) -> tuple[bool, bool, dict[str, Any]]:
        run = market["reviewer"].post(f"{path}/results", ask).expect(201)
        told = market["viewer"].get(f"{path}/quality-report?run={run['id']}").expect(200)
        assert told["run"] == run
        return run["with_gold"], Run.objects.get(public_id=run["id"]).with_gold, told["fields"][0]

    told, kept, field = report(with_gold=True)
    assert told and kept
    assert (field["gold"], field["table"], field["low"]) == (0, [], None)
    assert field["note"].startswith("These results were made with the gold keys")
    told, kept, field = report()
    assert not told and not kept
    assert field["gold"] > 0 and field["gold_right"] == 1.0
    shown = market["viewer"].get(f"{path}/results").expect(200)["results"]
    assert [run["with_gold"] for run in shown] == [True, False]


def test_with_gold_is_yes_or_no(market: Market) -> None:
    refused = market["reviewer"].post(f"batches/{market.batch.public_id}/results", {"with_gold": "some"}).expect(422)
    assert [error["field"] for error in refused["errors"]] == ["with_gold"]
