"""Setting a batch up over HTTP: terms, prices, columns, items, keys and pilots, as the console does it."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest

from marketplace.api import imports
from marketplace.batches.commands import imports as steps
from marketplace.batches.models import Batch, Import
from marketplace.batches.tasks import advance_imports
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.api.described import findings
from tests.api.market import Market, make_market
from tests.batches.test_column_names import table
from tests.contracts.bombs import MIB, named_often, one_value_often, picture, zip_beside
from workers.assignments.commands.decide import accept_answers
from workers.assignments.commands.pay import settle_due

CSV, JSONL, PARQUET = "text/csv", "application/x-ndjson", "application/vnd.apache.parquet"
ZIP = "application/zip"
MAPPED = f"?mapping={quote(json.dumps({'external_id': 'id', 'data.text': 'body'}))}"


@pytest.fixture
def market(committed: str) -> Market:
    return make_market()


def at(market: Market) -> str:
    return f"batches/{market.draft.public_id}"


def all_as_described(market: Market) -> bool:
    return [finding for reply in market.said for finding in findings(reply)] == []


def test_terms_of_a_draft_change_and_its_cost_is_asked_for_before(market: Market) -> None:
    owner = market["owner"]
    before = owner.get(f"{at(market)}/estimate").expect(200)
    asked = owner.get(f"{at(market)}/estimate?price_micros=40000&overlap=1").expect(200)
    assert (before["places"], before["reward_micros"]) == (6, 120_000)
    assert (asked["places"], asked["reward_micros"]) == (2, 80_000)

    changed = owner.post(f"{at(market)}/terms", {"price_micros": 40_000, "overlap": 1, "kind": "pilot"}).expect(200)

    assert (changed["price_micros"], changed["overlap"], changed["kind"], changed["name"]) == (
        40_000,
        1,
        "pilot",
        "Draft",
    )
    assert owner.get(f"{at(market)}/estimate").expect(200)["reward_micros"] == 80_000
    wrong = owner.post(f"{at(market)}/terms", {"overlap": 51, "audience": {"age": {}}})
    assert (wrong.status, {error["field"] for error in wrong.json["errors"]}) == (422, {"overlap"})
    refused = owner.get(f"{at(market)}/estimate?overlap=51")
    assert (refused.status, refused.json["errors"][0]["field"]) == (422, "overlap")
    assert owner.get(f"{at(market)}/estimate?prize=1").code == "unknown-field"
    assert all_as_described(market)


def test_a_price_is_suggested_from_a_guess_and_later_from_what_was_measured(market: Market) -> None:
    owner = market["owner"]
    path = f"{at(market)}/price?hourly_micros=12000000"
    unknown = owner.get(path).expect(200)
    assert (unknown["of"], unknown["price_micros"], unknown["hourly_micros"]) == ("unknown", None, None)
    guessed = owner.get(f"{path}&expected_s=30").expect(200)
    assert (guessed["of"], guessed["seconds"], guessed["price_micros"]) == ("expected", 30, 100_000)
    assert guessed["hourly_micros"] == 2_400_000

    batch = make.make_batch(6, project=market.project, overlap=1, lease_cap=100)
    worker = make.make_worker()
    make.answer(worker, make.take(worker, batch, 6))
    with one_transaction(principal="test"):
        accept_answers(batch_id=batch.pk, assignments=list(batch.assignments.values_list("public_id", flat=True)))
    with one_transaction(principal="test"):
        settle_due(worker_id=worker.pk)

    measured = owner.get(f"{path}&expected_s=30").expect(200)
    assert (measured["of"], measured["answers"]) == ("project", 6)
    # A page takes a second at least, which its six answers share.
    assert 0 < measured["seconds"] < 30
    assert all_as_described(market)


def test_a_file_with_columns_of_its_own_is_looked_at_and_imported(market: Market) -> None:
    owner = market["owner"]
    body = b"id,body\nx,A cow\ny,\n"
    seen = owner.post(f"{at(market)}/imports/preview", raw=body, content_type=CSV).expect(200)
    assert (seen["columns"], seen["mapping"]) == (["id", "body"], {"external_id": "id", "data.text": "body"})
    assert [(error["row"], error["field"]) for error in seen["row_errors"]] == [(2, "data.text")]
    assert [one["name"] for one in seen["can_be"]][:3] == ["external_id", "data.text", "gold.label"]

    refused = owner.post(f"{at(market)}/imports{MAPPED}", raw=body, content_type=CSV)
    assert (refused.status, refused.json["errors"][0]["row"]) == (422, 2)
    mended = body.replace(b"y,", b"y,A pig")
    done = owner.post(f"{at(market)}/imports{MAPPED}", raw=mended, content_type=CSV).expect(201)
    assert (done["tasks"], done["mapping"]) == (2, {"external_id": "id", "data.text": "body"})
    items = owner.all(f"{at(market)}/items")
    assert [(one["task"], one["data"]["text"]) for one in items][-2:] == [("x", "A cow"), ("y", "A pig")]
    assert all_as_described(market)


def test_a_table_of_parquet_is_looked_at_and_imported(market: Market) -> None:
    body = table(id=["x", "y"], body=["A cow", "A pig"])
    owner = market["owner"]
    seen = owner.post(f"{at(market)}/imports/preview", raw=body, content_type=PARQUET).expect(200)
    assert (seen["columns"], seen["looked_at"]) == (["id", "body"], 2)
    done = owner.post(f"{at(market)}/imports{MAPPED}", raw=body, content_type=PARQUET).expect(201)
    assert done["tasks"] == 2
    wrong = owner.post(f"{at(market)}/imports{MAPPED}", raw=b"PAR1", content_type=PARQUET)
    assert (wrong.status, wrong.code) == (422, "unreadable-file")
    assert all_as_described(market)


@pytest.mark.parametrize("path", ["imports", "imports/preview"])
def test_a_file_that_unpacks_too_far_is_refused_and_nothing_is_kept(market: Market, path: str) -> None:
    bombs = {ZIP: named_often(60_000), PARQUET: one_value_often(MIB, 2_000)}
    for kind, body in bombs.items():
        reply = market["owner"].post(f"{at(market)}/{path}", raw=body, content_type=kind)
        assert (reply.status, reply.code) == (422, "import-too-large"), kind
    assert (market.draft.imports.count(), market.draft.tasks.count()) == (1, 2)
    assert all_as_described(market)


@pytest.mark.parametrize("path", ["imports", "imports/preview"])
def test_where_there_is_no_room_for_a_file_it_is_asked_for_later(
    market: Market, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    body = zip_beside("a.png", [picture()], beside={"b.png": picture()})
    with monkeypatch.context() as full:
        # The device that always is.
        full.setattr(imports, "TemporaryFile", lambda: Path("/dev/full").open("w+b"))  # noqa: SIM115
        reply = market["owner"].post(f"{at(market)}/{path}", raw=body, content_type=ZIP)
    assert (reply.status, reply.code) == (503, "unavailable")
    assert "no room" in reply.json["detail"]
    assert market.draft.imports.count() == 1
    assert market["owner"].post(f"{at(market)}/imports/preview", raw=body, content_type=ZIP).status == 200


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_large_file_keeps_its_mapping_on_its_way(market: Market, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(imports, "WHOLE_BYTES_MAX", 300)
    for module in (imports, steps):
        monkeypatch.setattr(module, "PART_BYTES", 100)
    texts = [f"animal number {n}" for n in range(40)]
    if kind == "csv":
        body = "\n".join(["id,body", *(f"n{n},{text}" for n, text in enumerate(texts))]).encode()
    else:
        body = table(id=[f"n{n}" for n in range(40)], body=texts)
    owner = market["owner"]
    sent = owner.post(f"{at(market)}/imports{MAPPED}", raw=body, content_type=CSV if kind == "csv" else PARQUET)
    taken = sent.expect(202)
    advance_imports()
    done = owner.get(f"{at(market)}/imports/{taken['id']}").expect(200)
    assert (done["state"], done["tasks"], done["row_errors"]) == ("done", 40, [])
    assert Import.objects.get(public_id=taken["id"]).mapping == {"external_id": "id", "data.text": "body"}


@pytest.mark.parametrize(
    ("mapping", "code"),
    [
        ('{"data.other": "body"}', "invalid-mapping"),
        ('{"data.text": 5}', "invalid-mapping"),
        ("{}", "invalid-mapping"),
        ("[]", "malformed"),
        ("{", "malformed"),
        ('{"data.text": "a", "data.text": "b"}', "malformed"),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused_and_nothing_is_done(market: Market, mapping: str, code: str) -> None:
    for path in ("imports", "imports/preview"):
        reply = market["owner"].post(f"{at(market)}/{path}?mapping={quote(mapping)}", raw=b"a\n1\n", content_type=CSV)
        assert reply.code == code, path
    assert market.draft.imports.count() == 1


def test_keys_are_given_seen_and_taken_back(market: Market) -> None:
    owner = market["owner"]
    keys = {"keys": [{"task": "t0", "key": {"label": "dog"}}]}
    assert owner.post(f"{at(market)}/gold/keys", keys).expect(200) == {"changed": 1}
    assert [(one["task"], one["key"]) for one in owner.all(f"{at(market)}/items?gold=true")] == [
        ("t0", {"label": "dog"})
    ]
    assert [one["task"] for one in owner.all(f"{at(market)}/items?gold=false")] == ["t1"]
    assert owner.get(f"{at(market)}/estimate").expect(200)["gold_tasks"] == 1
    wrong = owner.post(f"{at(market)}/gold/keys", {"keys": [{"task": "t1", "key": {"label": "whale"}}]})
    assert (wrong.status, wrong.code, wrong.json["errors"][0]["item"]) == (422, "invalid-keys", 0)
    assert market["viewer"].get(f"{at(market)}/items").code == "role-too-low"

    assert owner.post(f"{at(market)}/gold/remove", {"tasks": ["t0"]}).expect(200) == {"changed": 1}
    assert owner.post(f"{at(market)}/items/remove", {"tasks": ["t0"]}).expect(200) == {"changed": 1}
    assert [one["task"] for one in owner.all(f"{at(market)}/items")] == ["t1"]
    assert owner.post(f"{at(market)}/items/remove", {"tasks": ["t0"]}).code == "no-such-items"
    assert all_as_described(market)


def test_a_pilot_is_published_reported_on_and_followed(market: Market) -> None:
    owner = market["owner"]
    owner.post(f"{at(market)}/imports", raw=_rows(30), content_type=JSONL).expect(201)
    pilot = owner.post(f"{at(market)}/pilot", {"items": 4}).expect(201)
    assert (pilot["state"], pilot["kind"]) == ("published", "pilot")
    rest = owner.get(at(market)).expect(200)
    assert (rest["state"], rest["pilot"]) == ("draft", pilot["id"])

    for number in range(3):
        worker = make.make_worker()
        leases = make.take(worker, Batch.objects.get(public_id=UUID(pilot["id"])), 4)
        make.answer(worker, leases, "cat" if number else "dog")
    report = market["viewer"].get(f"batches/{pilot['id']}/pilot-report").expect(200)

    assert (report["answers"], report["done"], report["unclear_share"]) == (12, 1.0, 0.0)
    [field] = report["agreement"]
    [confused] = field["confused"]
    assert {confused["one"], confused["other"]} == {"cat", "dog"}
    [forecast] = report["forecasts"]
    assert (forecast["batch"], forecast["cost"]["tasks"]) == (str(market.draft.public_id), 28)
    assert (report["run"], report["quality"]) == (None, [])
    assert "agreement" in {one["about"] for one in report["concerns"]}

    again = owner.post(f"batches/{pilot['id']}/copy", {"items": True, "name": "Again"}).expect(201)
    assert owner.get(f"batches/{again['id']}/estimate").expect(200)["tasks"] == 32
    assert owner.get(at(market)).expect(200)["state"] == "cancelled"
    assert owner.get(f"batches/{again['id']}/pilot-report").code == "not-published"
    assert all_as_described(market)


def _rows(count: int) -> bytes:
    rows: list[dict[str, Any]] = [{"external_id": f"n{n}", "data": {"text": f"text {n}"}} for n in range(count)]
    return "\n".join(map(json.dumps, rows)).encode()


def test_what_a_draft_lacks_is_told_with_its_step_until_it_can_be_published(market: Market) -> None:
    empty = make.make_draft(market.project, time_limit_s=20)
    path = f"batches/{empty.public_id}/missing"

    told = market["viewer"].get(path).expect(200)

    assert [(one["what"], one["step"], one["stops"]) for one in told["missing"]] == [
        ("items", "items", True), ("time", "terms", False), ("rules", "quality", False),
    ]  # fmt: skip
    assert (told["ready"], told["missing_micros"]) == (False, 0)
    make.add_rows(empty, make.rows(2))
    told = market["viewer"].get(path).expect(200)
    assert ("ready", True) in told.items()
    assert [one["what"] for one in told["missing"]] == ["gold", "time", "rules"]
    make.spend_all(empty)
    told = market["viewer"].get(path).expect(200)
    assert (told["ready"], told["missing_micros"]) == (False, 6 * (make.PRICE + make.FEE))
    assert market["viewer"].get(f"batches/{market.batch.public_id}/missing").code == "wrong-batch-state"


def test_a_draft_is_told_when_it_would_be_done_only_by_batches_of_its_project(market: Market) -> None:
    path = f"batches/{market.draft.public_id}/forecast"
    told = market["viewer"].get(path).expect(200)
    assert told == {"places": 6, "calendar": None}
    batch = make.make_batch(10, project=market.project, name="Before", overlap=1, lease_cap=100)
    worker = make.make_worker()
    make.answer(worker, make.take(worker, batch, 10))
    told = market["viewer"].get(path).expect(200)
    assert (told["calendar"]["name"], told["calendar"]["answers"]) == ("Before", 10)
