"""Webhooks over HTTP: the secret is shown once, addresses inside are refused by name, and the log says every try."""

from typing import Any
from uuid import uuid4

import pytest

from marketplace.common.models import Idempotency
from marketplace.webhooks.commands import subscriptions
from marketplace.webhooks.models import Delivery
from marketplace.webhooks.tasks import send_due
from tests.api.described import findings
from tests.api.market import Market, make_market
from tests.webhooks.receiver import Receiver
from tests.webhooks.subscribed import is_signed

WEBHOOK = {"url": "https://hooks.example.org/in", "events": ["batch.settled", "task.completed"]}


@pytest.fixture
def market(db: None) -> Market:
    return make_market()


def at(market: Market) -> str:
    return f"requesters/{market.requester.public_id}/webhooks"


def test_a_secret_is_shown_once_and_a_repeat_of_the_same_request_shows_the_same(market: Market) -> None:
    made = market["owner"].post(at(market), WEBHOOK, key="one").expect(201)
    assert market["owner"].post(at(market), WEBHOOK, key="one").expect(201) == made
    secret = made.pop("secret")
    assert len(secret) > 40
    assert made["events"] == ["batch.settled", "task.completed"]
    assert made["state"] == "active"

    (shown,) = market["manager"].get(at(market)).expect(200)["results"]
    assert shown == made == market["owner"].get(f"webhooks/{made['id']}").expect(200)
    assert secret.encode() not in bytes(Idempotency.objects.get(key="one").body)
    rotated = market["owner"].post(f"webhooks/{made['id']}/rotate", {"overlap_s": 0}).expect(201)
    assert rotated["secret"] not in ("", secret)
    assert rotated["previous_secret_until"] is None
    assert market["owner"].post(f"webhooks/{made['id']}/rotate").expect(201)["previous_secret_until"] is not None
    assert [finding for reply in market.said for finding in findings(reply)] == []


@pytest.mark.parametrize(
    "url",
    ["http://hooks.example.org/", "https://127.0.0.1/", "https://[::ffff:10.0.0.1]/", "https://169.254.169.254/",
     "https://2130706433/", "https://a:b@hooks.example.org/", "https://hooks.example.org:22/",
     "https://localhost/", "x"],
)  # fmt: skip
def test_an_address_inside_is_refused_where_it_is_named(market: Market, url: str) -> None:
    made = market["owner"].post(at(market), WEBHOOK).expect(201)
    replies = [
        market["owner"].post(at(market), {**WEBHOOK, "url": url}),
        market["owner"].call("PUT", f"webhooks/{made['id']}", {**WEBHOOK, "url": url}),
    ]
    for reply in replies:
        assert (reply.status, reply.code, reply.json["errors"][0]["field"]) == (422, "webhook-url-refused", "url")
    assert [one["url"] for one in market["owner"].all(at(market))] == [WEBHOOK["url"]]


@pytest.mark.parametrize("events", [[], ["test"], ["batch.paid"], "batch.settled", [5], None])
def test_events_that_nobody_can_be_told_of_are_refused(market: Market, events: Any) -> None:
    assert market["owner"].post(at(market), {**WEBHOOK, "events": events}).status == 422


def test_an_organisation_has_at_most_so_many(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "WEBHOOKS_MAX", 2)
    first = market["owner"].post(at(market), WEBHOOK).expect(201)
    market["owner"].post(at(market), WEBHOOK).expect(201)
    assert market["owner"].post(at(market), WEBHOOK).code == "too-many-webhooks"
    assert market["owner"].post(f"webhooks/{first['id']}/remove").expect(200)["state"] == "removed"
    market["owner"].post(at(market), WEBHOOK).expect(201)


def test_what_is_removed_is_gone(market: Market) -> None:
    made = market["owner"].post(at(market), WEBHOOK).expect(201)
    hook = f"webhooks/{made['id']}"
    market["owner"].post(f"{hook}/remove").expect(200)
    assert market["owner"].all(at(market)) == []
    for reply in (
        market["owner"].get(hook),
        market["owner"].call("PUT", hook, WEBHOOK),
        *(market["owner"].post(f"{hook}/{step}") for step in ("resume", "pause", "test", "rotate", "remove")),
        market["owner"].get(f"{hook}/deliveries"),
    ):
        assert reply.code == "not-found"


def test_deliveries_of_one_webhook_are_not_found_under_another(market: Market) -> None:
    one, other = (market["owner"].post(at(market), WEBHOOK).expect(201)["id"] for _ in range(2))
    delivery = market["owner"].post(f"webhooks/{one}/test").expect(201)["id"]
    market["owner"].get(f"webhooks/{one}/deliveries/{delivery}").expect(200)
    assert market["owner"].get(f"webhooks/{other}/deliveries/{delivery}").code == "not-found"
    assert market["owner"].post(f"webhooks/{other}/deliveries/{delivery}/replay").code == "not-found"
    assert market["owner"].get(f"webhooks/{one}/deliveries?state=gone").status == 422
    assert market["owner"].get(f"webhooks/{one}/deliveries?status=waiting").code == "unknown-field"
    assert len(market["owner"].all(f"webhooks/{one}/deliveries?state=waiting")) == 1


def test_a_test_from_the_request_to_the_log(committed: str, receiver: Receiver) -> None:
    market = make_market()
    made = market["owner"].post(at(market), {**WEBHOOK, "url": receiver.url}).expect(201)
    hook = f"webhooks/{made['id']}"
    receiver.answers = [503]
    failed = market["owner"].post(f"{hook}/test").expect(201)
    assert market["owner"].post(f"{hook}/test").code == "delivery-waiting"
    assert market["owner"].post(f"{hook}/deliveries/{failed['id']}/replay").code == "delivery-waiting"
    send_due()
    again = market["owner"].post(f"{hook}/deliveries/{failed['id']}/replay").expect(201)
    send_due()

    assert all(is_signed(came, made["secret"]) for came in receiver.came)
    assert [came.headers["Touchstone-Delivery"] for came in receiver.came] == [failed["id"], again["id"]]
    logged = [market["owner"].get(f"{hook}/deliveries/{one['id']}").expect(200) for one in (failed, again)]
    assert [(one["state"], one["tries"], one["event"], one["is_replay"]) for one in logged] == [
        ("given_up", 1, failed["event"], False), ("delivered", 1, failed["event"], True),
    ]  # fmt: skip
    assert [[(a["number"], a["status"]) for a in one["attempts"]] for one in logged] == [[(1, 503)], [(1, 200)]]
    assert logged[0]["body"].encode() == receiver.came[0].body
    # What the receiver said is nowhere in what the requester reads.
    assert not [reply for reply in market.said if b"what-is-inside" in reply.body]
    assert [finding for reply in market.said for finding in findings(reply)] == []
    assert market["owner"].post(f"{hook}/replay", {"since": "2026-01-01T00:00:00Z"}).expect(201) == {"replayed": 0}
    assert Delivery.objects.count() == 2
    assert market["owner"].get(f"{hook}/deliveries/{uuid4()}").code == "not-found"
