"""Deliveries: signed, in order, tried again for a day, and nothing lost or doubled unseen, whoever dies."""

import json
import random
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection

from marketplace.accounts.models import Notice
from marketplace.batches.commands.lifecycle import pause_batch, resume_batch
from marketplace.batches.models import Batch
from marketplace.common.database import rows, run, value
from marketplace.common.transactions import one_transaction
from marketplace.webhooks import tasks
from marketplace.webhooks.commands import subscriptions
from marketplace.webhooks.commands.sending import LANES_EACH, Held, Outcome, record, take_due
from marketplace.webhooks.models import Attempt, Delivery, Subscription
from marketplace.webhooks.states import TRIES_MAX, WAITS_S, DeliveryState, Kind, SubscriptionState, next_wait_s
from tests import factories as make
from tests.acts import broken_views, in_one
from tests.webhooks.receiver import Came, Receiver
from tests.webhooks.subscribed import is_signed, note_all, said, subscribe

Clock = Callable[[timedelta], None]
GOOD = Outcome(200, "", 5)
BAD = Outcome(500, "it answered with this status", 5)


@pytest.fixture
def requester(committed: str) -> Any:
    return make.make_requester()


def lively(requester: Any, times: int = 1) -> Batch:
    """A batch that was published, and then paused and resumed so many times."""
    batch = make.make_batch(tasks=1, project=make.make_project(requester))
    for _ in range(times):
        in_one(pause_batch, batch_id=batch.pk)
        in_one(resume_batch, batch_id=batch.pk)
    return batch


def take(limit: int = 10) -> list[Held]:
    with one_transaction(principal="test"):
        return take_due(limit=limit)


def end(held: Held, outcome: Outcome, *, go_on: bool = False) -> Held | None:
    with one_transaction(principal="test"):
        return record(held, outcome, draw=0.0, go_on=go_on)


def states(webhook: Subscription) -> list[str]:
    return list(Delivery.objects.filter(subscription=webhook).order_by("pk").values_list("state", flat=True))


def told_of(receiver: Receiver, batch: Batch) -> list[str]:
    return [said(came)["type"] for came in receiver.came if said(came)["batch"] == str(batch.public_id)]


CYCLE = ["batch.published", "batch.paused", "batch.resumed"]


def test_a_webhook_arrives_signed_and_its_log_says_so_and_no_more(requester: Any, receiver: Receiver) -> None:
    _, secret = subscribe(requester, receiver.url)
    lively(requester, times=0)
    note_all()
    tasks.send_due()

    (came,) = receiver.came
    delivery = Delivery.objects.get()
    assert came.body.decode() == delivery.event.body
    assert is_signed(came, secret)
    assert not is_signed(came, "whsec_another")
    assert came.headers["Touchstone-Delivery"] == str(delivery.public_id)
    assert came.headers["Touchstone-Event"] == "batch.published"
    assert came.headers["Content-Type"] == "application/json"
    at = int(came.headers["Touchstone-Signature"].partition(",")[0].removeprefix("t="))
    assert abs(at - value("SELECT extract(epoch FROM market_now())")) < 300
    (attempt,) = Attempt.objects.all()
    assert (attempt.status, attempt.error, attempt.number, delivery.state) == (200, "", 1, "delivered")
    assert attempt.duration_ms is not None
    # Neither what the receiver answered nor the secret is to be found in any table.
    for table in ("subscription", "event", "lane", "delivery", "attempt"):
        text = str(rows(f"SELECT t::text FROM webhooks_{table} t"))
        assert "what-is-inside" not in text
        assert secret not in text
    assert broken_views() == []


def test_the_next_of_a_batch_waits_for_the_one_before_and_other_batches_do_not(
    requester: Any, receiver: Receiver, clock: Clock
) -> None:
    webhook, _ = subscribe(requester, receiver.url)
    stuck, free = lively(requester), lively(requester)
    bad = str(stuck.public_id)
    receiver.choose = lambda came: 503 if said(came)["batch"] == bad else 200
    note_all()
    tasks.send_due()

    assert told_of(receiver, free) == CYCLE
    assert told_of(receiver, stuck) == ["batch.published"]
    clock(timedelta(seconds=15))
    tasks.send_due()
    assert told_of(receiver, stuck) == ["batch.published"] * 2
    receiver.choose = None
    clock(timedelta(minutes=1))
    tasks.send_due()
    assert told_of(receiver, stuck) == ["batch.published"] * 2 + CYCLE
    assert set(states(webhook)) == {"delivered"}
    assert broken_views() == []


def test_tries_are_ten_and_go_on_for_a_day_and_chance_makes_each_wait_longer_only() -> None:
    for draw in (0.0, 0.5, 0.999):
        waits = [next_wait_s(tries=tries, kind=Kind.BATCH_SETTLED, draw=draw) for tries in range(1, TRIES_MAX + 1)]
        assert waits[-1] is None
        assert len(waits) >= 8
        assert 24 * 3_600 <= sum(wait for wait in waits[:-1] if wait is not None) <= 30 * 3_600
        assert all(base <= (wait or 0) <= 1.2 * base for base, wait in zip(WAITS_S, waits[:-1], strict=True))
    draws = random.Random(1)
    spread = {next_wait_s(tries=3, kind=Kind.BATCH_SETTLED, draw=draws.random()) for _ in range(100)}
    assert len(spread) == 100
    assert next_wait_s(tries=1, kind=Kind.TEST, draw=0) is None


def test_after_the_last_try_it_is_given_up_the_webhook_disabled_and_the_owner_told_once(
    requester: Any, clock: Clock
) -> None:
    webhook, _ = subscribe(requester)
    lively(requester)
    lively(requester)
    note_all()
    tries = 0
    for wait_s in (*WAITS_S, None):
        held = take()
        assert len(held) == 2
        tries += 1
        assert [one.tries for one in held] == [tries] * 2
        for one in held:
            end(one, BAD)
        assert take() == []
        if wait_s is not None:
            clock(timedelta(seconds=wait_s - 1))
            assert take() == []
            clock(timedelta(seconds=1))
    webhook.refresh_from_db()
    assert (tries, webhook.state) == (TRIES_MAX, SubscriptionState.DISABLED)
    assert sorted(states(webhook)) == ["given_up"] * 2 + ["waiting"] * 4
    notice = Notice.objects.get(user=make.owner_of(requester))
    assert str(webhook.public_id) in notice.text
    clock(timedelta(days=1))
    assert take() == []

    in_one(subscriptions.resume_webhook, webhook_id=webhook.pk)
    assert [json.loads(one.body)["type"] for one in take()] == ["batch.paused"] * 2
    assert broken_views() == []


def test_resuming_tries_at_once_what_would_have_waited_for_hours(requester: Any, clock: Clock) -> None:
    webhook, _ = subscribe(requester)
    lively(requester, times=0)
    note_all()
    for wait_s in WAITS_S[:7]:
        end(take()[0], BAD)
        clock(timedelta(seconds=wait_s))
    end(take()[0], BAD)
    in_one(subscriptions.pause_webhook, webhook_id=webhook.pk)
    clock(timedelta(days=2))
    assert take() == []
    in_one(subscriptions.resume_webhook, webhook_id=webhook.pk)
    assert [one.tries for one in take()] == [9]


def test_a_sender_that_dies_leaves_its_try_written_down_and_another_sends_it_again(
    requester: Any, clock: Clock
) -> None:
    subscribe(requester)
    lively(requester)
    note_all()
    (dead,) = take()
    assert take() == []
    clock(timedelta(seconds=59))
    assert take() == []
    clock(timedelta(seconds=2))
    (held,) = take()
    assert (held.delivery_id, held.tries, held.body) == (dead.delivery_id, 2, dead.body)
    first, second = Attempt.objects.order_by("number")
    assert "cut off" in first.error
    assert first.ended_at is not None
    assert second.ended_at is None
    # It was not dead, only late: what it says now decides nothing.
    assert end(dead, GOOD, go_on=True) is None
    assert Delivery.objects.get(pk=held.delivery_id).state == DeliveryState.WAITING
    assert end(held, GOOD, go_on=True) is not None
    assert broken_views() == []


def test_a_delivery_that_kills_its_senders_is_given_up_too(requester: Any, clock: Clock) -> None:
    webhook, _ = subscribe(requester)
    lively(requester)
    note_all()
    for _ in range(TRIES_MAX):
        assert len(take()) == 1
        clock(timedelta(seconds=61))
    assert take() == []
    webhook.refresh_from_db()
    assert webhook.state == SubscriptionState.DISABLED
    assert states(webhook) == ["given_up", "waiting", "waiting"]


def test_a_slow_receiver_keeps_nobody_waiting_but_himself(requester: Any) -> None:
    slow, _ = subscribe(requester)
    for _ in range(5):
        lively(requester, times=0)
    note_all()
    other = make.make_requester()
    quick, _ = subscribe(other)
    lively(other, times=0)
    note_all()

    def counts(held: list[Held]) -> dict[int, int]:
        of = dict(Delivery.objects.values_list("pk", "subscription_id"))
        return {webhook.pk: sum(of[one.delivery_id] == webhook.pk for one in held) for webhook in (slow, quick)}

    first = take(limit=16)
    assert counts(first) == {slow.pk: LANES_EACH, quick.pk: 1}
    assert take(limit=16) == []
    end(next(one for one in first), GOOD)
    assert len(take(limit=16)) == 1


def test_senders_at_once_send_everything_once_and_in_order(
    requester: Any, receiver: Receiver, together: Callable[..., list[Any]]
) -> None:
    subscribe(requester, receiver.url)
    batches = [lively(requester, times=3) for _ in range(4)]
    note_all()
    assert together([lambda: tasks._send_for(30)] * 3) == [None] * 3
    # A sender that found nothing to do has gone; what became free after it is for the next sweep.
    tasks.send_due()
    for batch in batches:
        assert told_of(receiver, batch) == [CYCLE[0], *CYCLE[1:] * 3]
    assert len({came.headers["Touchstone-Delivery"] for came in receiver.came}) == len(receiver.came) == 28
    assert broken_views() == []


def test_no_transaction_is_open_while_a_receiver_is_asked(requester: Any, receiver: Receiver) -> None:
    """A slow receiver must hold neither the horizon nor a lock."""
    subscribe(requester, receiver.url)
    lively(requester, times=0)
    note_all()
    seen: list[Any] = []

    def look(came: Came) -> int:
        # As the same role, for others are not shown what it does.
        of_us = "datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
        seen.append(rows(f"SELECT state, xact_start FROM pg_stat_activity WHERE {of_us}"))
        connection.close()
        return 200

    receiver.choose = look
    tasks.send_due()
    (found,) = seen
    assert set(found) == {("idle", None)}


def test_redirects_and_refusals_are_failures_in_words_of_ours(requester: Any, receiver: Receiver) -> None:
    subscribe(requester, receiver.url, events=["batch.published"])
    inside, _ = subscribe(requester, receiver.url, events=["batch.published"])
    run("UPDATE webhooks_subscription SET url = 'https://127.0.0.1:1/' WHERE id = %s", [inside.pk])
    receiver.answers = [302]
    lively(requester, times=0)
    note_all()
    tasks.send_due()
    found = rows("SELECT status, error FROM webhooks_attempt ORDER BY status NULLS LAST")
    assert found[0] == (302, "redirects are not followed")
    assert found[1][0] is None
    assert found[1][1].startswith("Its port is none of")
    assert len(receiver.came) == 1


def test_two_secrets_sign_while_one_replaces_the_other(requester: Any, receiver: Receiver, clock: Clock) -> None:
    webhook, first = subscribe(requester, receiver.url)
    _, second = in_one(subscriptions.rotate_secret, webhook_id=webhook.pk, overlap=timedelta(hours=1))
    lively(requester, times=0)
    note_all()
    tasks.send_due()
    clock(timedelta(hours=1, seconds=1))
    lively(requester, times=0)
    note_all()
    tasks.send_due()
    assert first != second
    assert [(is_signed(came, first), is_signed(came, second)) for came in receiver.came] == [
        (True, True),
        (False, True),
    ]


def test_a_secret_that_cannot_be_read_any_more_sends_nothing_unsigned(
    requester: Any, receiver: Receiver, settings: Any
) -> None:
    subscribe(requester, receiver.url)
    lively(requester, times=0)
    note_all()
    settings.SECRET_KEY = "another"
    tasks.send_due()
    assert receiver.came == []
    assert "can no longer be read" in Attempt.objects.get().error


def test_a_test_goes_out_once_whether_the_webhook_is_active_or_not(requester: Any, receiver: Receiver) -> None:
    webhook, secret = subscribe(requester, receiver.url, events=["batch.settled"])
    in_one(subscriptions.pause_webhook, webhook_id=webhook.pk)
    receiver.answers = [500]
    for _ in range(2):
        in_one(subscriptions.send_test, webhook_id=webhook.pk)
        tasks.send_due()
    webhook.refresh_from_db()
    assert [said(came)["type"] for came in receiver.came] == ["test"] * 2
    assert all(is_signed(came, secret) for came in receiver.came)
    assert states(webhook) == ["given_up", "delivered"]
    assert webhook.state == SubscriptionState.PAUSED
    assert Notice.objects.count() == 0


def test_a_replay_sends_the_same_events_again_in_order_and_tests_not(
    requester: Any, receiver: Receiver, clock: Clock
) -> None:
    webhook, _ = subscribe(requester, receiver.url)
    old = lively(requester)
    note_all()
    in_one(subscriptions.send_test, webhook_id=webhook.pk)
    tasks.send_due()
    clock(timedelta(hours=1))
    since = value("SELECT market_now()")
    new = lively(requester)
    note_all()
    tasks.send_due()
    first = {said(came)["id"]: came.body for came in receiver.came}
    receiver.came.clear()

    assert in_one(subscriptions.replay_since, webhook_id=webhook.pk, since=since) == 3
    tasks.send_due()
    assert (told_of(receiver, new), told_of(receiver, old)) == (CYCLE, [])
    assert all(first[said(came)["id"]] == came.body for came in receiver.came)

    receiver.came.clear()
    one = Delivery.objects.filter(event__batch=old).earliest("pk")
    again = in_one(subscriptions.replay_delivery, delivery=one)
    tasks.send_due()
    assert [came.headers["Touchstone-Delivery"] for came in receiver.came] == [str(again.public_id)]
    assert in_one(subscriptions.replay_since, webhook_id=webhook.pk, since=since, until=since) == 0
    assert in_one(subscriptions.replay_since, webhook_id=webhook.pk, since=since - timedelta(hours=2)) == 6
    assert broken_views() == []


def test_what_is_removed_is_sent_nothing(requester: Any, receiver: Receiver) -> None:
    webhook, _ = subscribe(requester, receiver.url)
    lively(requester)
    note_all()
    in_one(subscriptions.remove_webhook, webhook_id=webhook.pk)
    tasks.send_due()
    assert receiver.came == []


def test_a_pause_stops_a_lane_in_the_middle(requester: Any) -> None:
    webhook, _ = subscribe(requester)
    lively(requester)
    note_all()
    (held,) = take()
    in_one(subscriptions.pause_webhook, webhook_id=webhook.pk)
    assert end(held, GOOD, go_on=True) is None
    assert states(webhook) == ["delivered", "waiting", "waiting"]
    assert take() == []
    assert broken_views() == []


def test_noting_beside_sending_forgets_nobody(requester: Any, together: Callable[..., list[Any]]) -> None:
    """A lane that is found empty just when something comes into it is due all the same."""
    subscribe(requester)
    batch = lively(requester, times=0)
    note_all()
    stop = threading.Event()

    def sending() -> int:
        sent = 0
        while not (stop.is_set() and not (left := take())):
            for held in left if stop.is_set() else take():
                following: Held | None = held
                while following is not None:
                    sent += 1
                    following = end(following, GOOD, go_on=True)
        return sent

    def happening() -> None:
        try:
            for _ in range(15):
                in_one(pause_batch, batch_id=batch.pk)
                in_one(resume_batch, batch_id=batch.pk)
                note_all()
        finally:
            stop.set()

    sent, none = together([sending, happening])
    assert (sent, none) == (31, None)
    assert broken_views() == []


@pytest.mark.parametrize(
    ("attack", "constraint"),
    [
        ("UPDATE webhooks_delivery SET state = 'delivered' WHERE id = (SELECT max(id) FROM webhooks_delivery)",
         "still waits"),
        ("UPDATE webhooks_delivery SET state = 'waiting' WHERE id = (SELECT min(id) FROM webhooks_delivery)",
         "ends once"),
        ("UPDATE webhooks_attempt SET status = 200", "ends once"),
        ("UPDATE webhooks_event SET body = '{}'", "permission denied|append-only"),
        ("INSERT INTO webhooks_delivery (public_id, lane_id, subscription_id, event_id, state, is_replay, tries)"
         " SELECT gen_random_uuid(), lane_id, subscription_id, event_id, 'waiting', false, 0 FROM webhooks_delivery",
         "delivery_once"),
        ("UPDATE webhooks_subscription SET requester_id = requester_id + 1", "permission denied|stays whose"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("who", ["runtime", "owner"])
def test_the_database_itself_refuses_to_skip_or_to_rewrite(
    requester: Any, as_owner: psycopg.Connection[Any], attack: str, constraint: str, who: str
) -> None:
    subscribe(requester)
    lively(requester)
    note_all()
    end(take()[0], GOOD)
    with pytest.raises(Exception, match=constraint):
        if who == "owner":
            as_owner.execute(attack)
        else:
            run(attack)
