"""Agreement, expected error and provenance over HTTP, as a requester reads them."""

from typing import Any

import pytest

from marketplace.batches.models import Batch
from marketplace.common.transactions import one_transaction
from marketplace.results.commands.aggregate import aggregate
from marketplace.results.tasks import make_figures
from tests import factories as make
from tests.api.market import Market, make_market
from workers.assignments.commands.decide import accept_answers
from workers.profiles.commands import pseudonym_for, pseudonyms


@pytest.fixture
def market(db: None) -> Market:
    return make_market()


@pytest.fixture
def batch(market: Market) -> Batch:
    """Ten tasks; the first two workers agree, the third always says dog."""
    batch = make.make_batch(10, project=market.project, overlap=3,
                            gold_policy={"min_share": 0, "max_share": 0, "probation": 0})  # fmt: skip
    for number in range(3):
        worker = make.make_worker()
        leases = sorted(make.take(worker, batch, 10), key=lambda lease: str(lease.data))
        for at, lease in enumerate(leases):
            make.answer(worker, [lease], "cat" if at % 2 and number < 2 else "dog")
    return batch


def get(market: Market, batch: Batch, what: str) -> Any:
    return market["viewer"].get(f"batches/{batch.public_id}/{what}").expect(200)


def test_a_requester_reads_how_far_workers_agree_and_what_to_do(market: Market, batch: Batch) -> None:
    found = get(market, batch, "agreement")
    counts = ("tasks", "of_tasks", "answers", "unclear", "discounted")
    assert [found[name] for name in counts] == [10, 10, 30, 0, 0]
    [field] = found["fields"]
    figures = {figure["name"]: figure for figure in field["figures"]}
    # Five tasks unanimous, five in which one of three pairs agrees.
    assert figures["agreement"]["value"] == pytest.approx(2 / 3, abs=1e-6)
    assert figures["agreement"]["low"] < figures["agreement"]["value"] < figures["agreement"]["high"]
    assert field["words"] == "fair" and field["advice"].startswith("Agreement is fair (0.")
    [confusion] = field["confused"]
    assert (confusion["one"], confusion["other"], confusion["pairs"], len(confusion["tasks"])) == ("cat", "dog", 10, 3)
    assert [version["version"] for version in field["versions"]] == [1]


def test_workers_are_named_as_the_requester_knows_them_and_in_no_other_way(market: Market, batch: Batch) -> None:
    ids = sorted(set(batch.assignments.values_list("worker_id", flat=True)))
    names = []
    for worker_id in ids:
        with one_transaction(principal="test"):
            names.append(pseudonym_for(worker_id=worker_id, requester_id=market.requester.pk))
    [field] = get(market, batch, "agreement")["fields"]
    by_name = {one["worker"]: one for one in field["workers"]}
    assert set(by_name) == set(names)
    assert by_name[names[2]]["alpha"] < by_name[names[0]]["alpha"]
    pairs = {frozenset((one["one"], one["other"])): one for one in field["pairs"]}
    assert pairs[frozenset(names[:2])]["agreement"] == pairs[frozenset(names[:2])]["kappa"] == 1.0


@pytest.mark.parametrize("what", ["agreement", "pilot-report", "figures"])
def test_no_list_of_workers_stands_in_the_order_of_accounts(market: Market, what: str) -> None:
    batch = make.make_batch(2, project=market.project, overlap=9,
                            gold_policy={"min_share": 0, "max_share": 0, "probation": 0})  # fmt: skip
    workers = [make.make_worker() for _ in range(9)]
    for worker in workers:
        make.answer(worker, make.take(worker, batch, 2))
    make_figures(batch.pk)
    with one_transaction(principal="test"):
        codes = pseudonyms(requester_id=market.requester.pk, worker_ids=[worker.pk for worker in workers])
    place = {codes[worker.pk]: at for at, worker in enumerate(workers)}
    found = get(market, batch, what)
    if what == "figures":
        listed = [found["figures"]["workers"], found["figures"]["fields"][0]["agreement"]["workers"]]
        pairs = found["figures"]["fields"][0]["agreement"]["pairs"]
    else:
        [field] = found["agreement" if what == "pilot-report" else "fields"]
        listed, pairs = [field["workers"]], field["pairs"]
    for one in listed:
        order = [place[row["worker"]] for row in one]
        assert sorted(order) == list(range(9)) and order not in (list(range(9)), list(range(8, -1, -1)))
    sides = {place[row["one"]] < place[row["other"]] for row in pairs}
    assert len(pairs) == 36 and sides == {True, False}


def test_a_field_that_is_not_asked_for_is_named(market: Market, batch: Batch) -> None:
    path = f"batches/{batch.public_id}/agreement"
    assert len(market["viewer"].get(f"{path}?field=label").expect(200)["fields"]) == 1
    refused = market["viewer"].get(f"{path}?field=other").expect(422)
    assert refused["errors"] == [{"field": "field", "message": "is not asked for"}]
    market["viewer"].get(f"{path}?fields=label").expect(400)


def test_a_batch_without_answers_has_a_report_that_says_so(market: Market) -> None:
    [field] = get(market, market.batch, "agreement")["fields"]
    assert (field["answers"], field["words"], field["advice"]) == (0, "unknown", "")
    assert {figure["value"] for figure in field["figures"]} == {None}


def test_expected_error_and_provenance_are_those_of_a_run(market: Market, batch: Batch) -> None:
    market["viewer"].get(f"batches/{batch.public_id}/quality-report").expect(404)
    with one_transaction(principal="test"):
        accept_answers(batch_id=batch.pk, assignments=None)
    with one_transaction(principal="test"):
        made = aggregate(batch_id=batch.pk, method="majority")
    report = get(market, batch, f"quality-report?run={made.public_id}")
    assert report["run"]["id"] == str(made.public_id)
    assert report["versions"] == [{"version": 1, "answers": 30}]
    [field] = report["fields"]
    assert field["claimed"] == field["expected"] == pytest.approx((5 * 0 + 5 / 3) / 10, abs=1e-6)
    assert field["answers"] == [{"answers": 3, "results": 10}]
    assert (field["gold"], field["low"], field["table"]) == (0, None, [])
    first = get(market, batch, "results/provenance?limit=6")
    assert len(first["results"]) == 6 and first["next"]
    row = first["results"][0]
    assert set(row) == {"task", "results", "answers"}
    assert [set(answer) for answer in row["answers"]] == [{"answer", "worker", "version", "revision", "fields"}] * 3
    shown = {one["worker"] for one in get(market, batch, "agreement")["fields"][0]["workers"]}
    assert {answer["worker"] for row in first["results"] for answer in row["answers"]} == shown
    market["viewer"].get(f"batches/{batch.public_id}/results/provenance?run=nonsense").expect(422)
