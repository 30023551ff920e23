"""Streams over plain HTTP: a snapshot with its cursor, what follows it once and in order, and who is online."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.conf import settings

from marketplace.common.transactions import one_transaction
from marketplace.streams import presence
from marketplace.streams.commands import append, trim
from marketplace.streams.presence import online, present
from marketplace.streams.queries import epoch
from marketplace.streams.routes import Fact, address_of_requester, address_of_worker
from tests import factories as make
from tests.api.market import Market, make_market
from workers.assignments.commands.waiting import wait_for_work


def happen(stream: str, *numbers: int) -> None:
    with one_transaction(principal="test"):
        append([Fact(number, stream, "answer_accepted", {"assignments": [str(number)]}) for number in numbers])


def ask(cursor: dict[str, Any]) -> str:
    return f"epoch={cursor['epoch']}&after={cursor['seq']}"


@pytest.fixture
def nobody_there() -> Iterator[None]:
    """Redis as it is while no live server runs."""
    names = [presence._name(kind) for kind in presence.KINDS]
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.delete(*names)
    yield
    client.delete(*names)


def test_a_worker_begins_with_a_snapshot_and_reads_on_from_its_cursor(market: Market) -> None:
    stream, worker = address_of_worker(market.worker.pk), market["worker"]
    happen(stream, 1, 2)
    lease = worker.post(f"worker/batches/{market.batch.public_id}/claim").expect(201)["assignments"][0]

    snapshot = worker.get("worker/snapshot").expect(200)

    assert set(snapshot) == {"cursor", "worker", "leases", "earnings", "sanctions", "waiting"}
    assert snapshot["cursor"] == {"epoch": str(epoch()), "seq": 2}
    assert snapshot["worker"] == {"id": str(market.worker.public_id)}
    assert snapshot["leases"] == worker.get("worker/assignments").json["results"]
    assert [held["id"] for held in snapshot["leases"]] == [lease["id"]]
    assert snapshot["earnings"] == worker.get("worker/earnings").json["currencies"]
    assert snapshot["sanctions"] == worker.get("worker/sanctions").json["results"]
    assert [one["id"] for one in snapshot["sanctions"]] == [str(market.sanction.public_id)]

    happen(stream, 3, 4)
    page = worker.get(f"worker/stream?{ask(snapshot['cursor'])}").expect(200)

    assert [(fact["seq"], fact["kind"], fact["body"]) for fact in page["facts"]] == [
        (3, "answer_accepted", {"assignments": ["3"]}),
        (4, "answer_accepted", {"assignments": ["4"]}),
    ]
    assert {(fact["type"], fact["epoch"]) for fact in page["facts"]} == {("fact", str(epoch()))}
    assert set(page["facts"][0]) == {"type", "epoch", "seq", "kind", "at", "body"}
    assert worker.get(f"worker/stream?{ask(page['cursor'])}").expect(200) == {"facts": [], "cursor": page["cursor"]}


def test_the_snapshot_names_the_batches_of_which_a_worker_waits_for_work(market: Market) -> None:
    make_market()
    with one_transaction(principal="test"):
        wait_for_work(worker_id=market.worker.pk, batch_id=market.batch.pk, window=2)

    assert market["worker"].get("worker/snapshot").expect(200)["waiting"] == [str(market.batch.public_id)]
    assert market["other worker"].get("worker/snapshot").expect(200)["waiting"] == []


def test_a_sanction_that_is_over_is_not_in_the_snapshot(market: Market) -> None:
    market["staff"].post(f"sanctions/{market.sanction.public_id}/lift", {"reason": "mistake"}).expect(200)

    assert market["worker"].get("worker/snapshot").expect(200)["sanctions"] == []


def test_what_happens_while_a_snapshot_is_made_is_read_after_it(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workers.api import streams

    stream, original = address_of_worker(market.worker.pk), streams.live_leases

    def meanwhile(worker_id: int) -> Any:
        happen(stream, 1)
        return original(worker_id)

    monkeypatch.setattr(streams, "live_leases", meanwhile)
    cursor = market["worker"].get("worker/snapshot").expect(200)["cursor"]

    assert [fact["seq"] for fact in market["worker"].get(f"worker/stream?{ask(cursor)}").json["facts"]] == [1]


def test_a_long_stream_comes_in_pages_without_a_gap_or_a_repeat(market: Market) -> None:
    happen(address_of_worker(market.worker.pk), *range(1, 451))
    cursor, seen, pages = {"epoch": str(epoch()), "seq": 0}, [], 0
    while True:
        page = market["worker"].get(f"worker/stream?{ask(cursor)}").expect(200)
        if not page["facts"]:
            break
        seen += [fact["seq"] for fact in page["facts"]]
        cursor, pages = page["cursor"], pages + 1

    assert (seen, pages) == ([*range(1, 451)], 3)


def test_without_a_cursor_there_are_no_facts_and_the_newest_cursor(market: Market) -> None:
    happen(address_of_worker(market.worker.pk), 1, 2, 3)

    page = market["worker"].get("worker/stream").expect(200)

    assert page == {"facts": [], "cursor": {"epoch": str(epoch()), "seq": 3}}


def test_a_cursor_that_says_nothing_any_more_asks_for_a_snapshot_and_says_why(market: Market, clock: Any) -> None:
    stream, worker = address_of_worker(market.worker.pk), market["worker"]
    happen(stream, 1, 2)
    clock(timedelta(days=8))
    happen(stream, 3)
    with one_transaction(principal="test"):
        trim(100)

    for cursor, answer in {
        (str(epoch()), 1): {"snapshot_required": "expired"},
        (str(epoch()), 4): {"snapshot_required": "ahead"},
        (str(uuid4()), 2): {"snapshot_required": "epoch"},
    }.items():
        assert worker.get(f"worker/stream?epoch={cursor[0]}&after={cursor[1]}").expect(200) == answer
    kept = worker.get(f"worker/stream?epoch={epoch()}&after=2").expect(200)
    assert [fact["seq"] for fact in kept["facts"]] == [3]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("epoch=x&after=0", "epoch"), ("epoch={e}&after=-1", "after"), ("epoch={e}&after=1.5", "after"),
        ("epoch={e}&after=%D9%A1", "after"), ("epoch={e}&after=9999999999999999999", "after"), ("after=0", "epoch"),
        ("epoch={e}", "after"), ("epoch=&after=", "after"), ("epoch=%00&after=1", "epoch"),
    ],
)  # fmt: skip
def test_a_cursor_that_is_none_is_refused_and_named(market: Market, query: str, field: str) -> None:
    for who, path in (("worker", "worker"), ("owner", f"requesters/{market.requester.public_id}")):
        reply = market[who].get(f"{path}/stream?{query.format(e=epoch())}")
        assert (reply.status, reply.code, reply.json["field"]) == (400, "malformed", field)


def test_streams_and_presence_take_no_parameter_but_their_own(market: Market) -> None:
    at = f"requesters/{market.requester.public_id}"
    for who, path in (
        ("worker", "worker/stream"), ("worker", "worker/snapshot"), ("owner", f"{at}/stream"),
        ("owner", f"{at}/snapshot"), ("owner", f"{at}/presence"), ("staff", "presence"),
    ):  # fmt: skip
        assert market[who].get(f"{path}?stream=staff").code == "unknown-field", path


def test_each_stream_is_its_owners_alone(market: Market) -> None:
    theirs = make_market()
    happen(address_of_worker(market.worker.pk), 1)
    happen(address_of_requester(market.requester.pk), 2)
    begin = f"epoch={epoch()}&after=0"

    def seen(of: Market, who: str, path: str) -> list[Any]:
        return [fact["body"] for fact in of[who].get(f"{path}/stream?{begin}").expect(200)["facts"]]

    assert seen(market, "worker", "worker") == [{"assignments": ["1"]}]
    assert seen(market, "viewer", f"requesters/{market.requester.public_id}") == [{"assignments": ["2"]}]
    assert seen(market, "other worker", "worker") == []
    assert seen(theirs, "worker", "worker") == []
    assert seen(theirs, "owner", f"requesters/{theirs.requester.public_id}") == []


def test_a_requesters_snapshot_has_his_role_and_the_batches_that_are_not_over(market: Market) -> None:
    happen(address_of_requester(market.requester.pk), 1)
    make_market()
    over = make.make_draft(market.project, name="Over")
    market["owner"].post(f"batches/{over.public_id}/cancel").expect(200)

    snapshot = market["viewer"].get(f"requesters/{market.requester.public_id}/snapshot").expect(200)

    assert snapshot["cursor"] == {"epoch": str(epoch()), "seq": 1}
    assert (snapshot["requester"]["id"], snapshot["requester"]["role"]) == (str(market.requester.public_id), "viewer")
    assert [batch["name"] for batch in snapshot["batches"]] == ["Draft", market.batch.name]
    at = f"batches/{market.batch.public_id}"
    assert snapshot["batches"][1] == market["viewer"].get(at).json


def test_who_is_online_counts_each_account_once_until_it_is_not_heard_of(
    market: Market, nobody_there: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    market["worker"].post(f"worker/batches/{market.batch.public_id}/claim").expect(201)
    other = make_market()
    other["worker"].post(f"worker/batches/{other.batch.public_id}/claim", {"count": 2}).expect(201)
    at = f"requesters/{market.requester.public_id}/presence"
    assert market["viewer"].get(at).expect(200) == {"workers_online": 0, "working": 1}

    assert present("worker", [1, 2]) and present("worker", {2, 3}) and present("requester", [1])

    assert market["viewer"].get(at).expect(200) == {"workers_online": 3, "working": 1}
    assert market["staff"].get("presence").expect(200) == {
        "workers_online": 3, "requesters_online": 1, "staff_online": 0, "working": 2,
    }  # fmt: skip
    now = presence.time.time()
    monkeypatch.setattr(presence.time, "time", lambda: now + presence.ALIVE_S + 1)
    present("worker", [3])
    assert market["viewer"].get(at).expect(200)["workers_online"] == 1


def test_a_lease_that_ran_out_is_no_work_in_hand(market: Market, clock: Any, nobody_there: None) -> None:
    market["worker"].post(f"worker/batches/{market.batch.public_id}/claim").expect(201)
    assert market["staff"].get("presence").expect(200)["working"] == 1

    clock(timedelta(days=1))

    assert market["staff"].get("presence").expect(200)["working"] == 0


def test_without_redis_nobody_knows_who_is_online_and_the_rest_is_said(
    market: Market, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    monkeypatch.setattr(presence, "_client", None)

    assert present("worker", [1]) is False
    assert online("worker") is None
    at = f"requesters/{market.requester.public_id}/presence"
    assert market["viewer"].get(at).expect(200) == {"workers_online": None, "working": 0}


def test_more_accounts_than_fit_in_one_message_are_all_counted(nobody_there: None) -> None:
    assert present("worker", range(1, 2 * presence.AT_ONCE + 2))

    assert online("worker") == 2 * presence.AT_ONCE + 1
