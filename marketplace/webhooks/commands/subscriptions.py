"""Adding webhooks, changing them, and asking for what they are to be sent again."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from marketplace.accounts.commands.acts import record
from marketplace.accounts.models import User
from marketplace.common.database import MarketNow, rows, run, value, wait_sweep_lock
from marketplace.common.errors import Unprocessable
from marketplace.common.transactions import require_transaction
from marketplace.webhooks.egress import EgressRefused, require_usable
from marketplace.webhooks.errors import StillWaiting, TooManyWebhooks, UrlRefused, WebhookRemoved
from marketplace.webhooks.locks import lanes_for_update, subscription_for_update
from marketplace.webhooks.models import Delivery, Event, Lane, Subscription
from marketplace.webhooks.queries import webhooks_of
from marketplace.webhooks.signing import kept, new_secret
from marketplace.webhooks.states import DeliveryState, Kind, SubscriptionState

WEBHOOKS_MAX = 20
REPLAY_MAX = 10_000


def add_webhook(
    *, requester_id: int, url: str, events: Sequence[str], by: User, description: str = ""
) -> tuple[Subscription, str]:
    """A new webhook and its secret, which nobody is shown again. It is told of what happens from now on.

    Raises `UrlRefused`, `TooManyWebhooks`.
    """
    require_transaction()
    _require_usable(url)
    wait_sweep_lock(f"webhooks-of:{requester_id}")
    if webhooks_of(requester_id).count() >= WEBHOOKS_MAX:
        raise TooManyWebhooks(f"An organisation has at most {WEBHOOKS_MAX}. Remove one first.")
    secret = new_secret()
    made = Subscription.objects.create(
        requester_id=requester_id, url=url, events=_distinct(events), description=description, secret=kept(secret),
        made_by=by,
    )  # fmt: skip
    made.refresh_from_db()
    record(
        "configuration.webhook_added",
        subject="webhook",
        subject_id=made.public_id,
        by=by.pk,
        after={"requester": made.requester.public_id, "events": made.events},
    )
    return made, secret


def change_webhook(*, webhook_id: int, url: str, events: Sequence[str], description: str) -> Subscription:
    """Say anew where it goes and what it is told of; what waits goes to the new address. Raises `UrlRefused`,
    `WebhookRemoved`."""
    require_transaction()
    _require_usable(url)
    webhook = _live(webhook_id)
    # An address may hold a secret of its receiver: the log tells only that it changed.
    before = {"events": webhook.events}
    after = {"events": _distinct(events), "url_changed": url != webhook.url}
    webhook.url, webhook.events, webhook.description = url, _distinct(events), description
    webhook.save(update_fields=["url", "events", "description"])
    record("configuration.webhook_changed", subject="webhook", subject_id=webhook.public_id, before=before, after=after)
    return webhook


def rotate_secret(*, webhook_id: int, overlap: timedelta) -> tuple[Subscription, str]:
    """A new secret, shown once. For so long the one before signs as well; one from before that does no more."""
    require_transaction()
    webhook, secret = _live(webhook_id), new_secret()
    webhook.previous_secret = webhook.secret if overlap else None
    webhook.previous_until = value("SELECT market_now() + %s", [overlap]) if overlap else None
    webhook.secret = kept(secret)
    webhook.save(update_fields=["secret", "previous_secret", "previous_until"])
    record("configuration.secret_rotated", subject="webhook", subject_id=webhook.public_id)
    return webhook, secret


def pause_webhook(*, webhook_id: int) -> Subscription:
    """Send nothing until it is resumed; what happens within a week is kept for then. Repeatable."""
    return _move(webhook_id, SubscriptionState.PAUSED)


def resume_webhook(*, webhook_id: int) -> Subscription:
    """Send again, at once and in order what waits, whether it was paused or disabled. Repeatable."""
    require_transaction()
    lanes_for_update(webhook_id)
    webhook = _move(webhook_id, SubscriptionState.ACTIVE)
    run(
        "UPDATE webhooks_lane SET due_at = market_now() WHERE subscription_id = %s AND due_at > market_now()"
        " AND lease IS NULL",
        [webhook_id],
    )
    return webhook


def remove_webhook(*, webhook_id: int) -> Subscription:
    """Send nothing any more, for good."""
    webhook = _move(webhook_id, SubscriptionState.REMOVED)
    record("configuration.webhook_removed", subject="webhook", subject_id=webhook.public_id)
    return webhook


def send_test(*, webhook_id: int) -> Delivery:
    """Send an event of the kind `test` now, once, whether the webhook is active or not.

    Raises `StillWaiting` while the last one has not ended, and `WebhookRemoved`.
    """
    require_transaction()
    run(
        "INSERT INTO webhooks_lane AS l (subscription_id, due_at) VALUES (%s, market_now())"
        " ON CONFLICT (subscription_id, batch_id) DO UPDATE SET due_at = coalesce(l.due_at, excluded.due_at)",
        [webhook_id],
    )
    webhook = _live(webhook_id)
    lane = Lane.objects.get(subscription=webhook, batch=None)
    if lane.deliveries.filter(state=DeliveryState.WAITING).exists():
        raise StillWaiting("The test before this one has not ended yet.")
    public_id, now = uuid4(), value("SELECT market_now()")
    body = body_of(public_id, Kind.TEST, now, webhook.requester.public_id, None, {"webhook": str(webhook.public_id)})
    event = Event.objects.create(
        public_id=public_id, requester=webhook.requester, source=f"test:{public_id}", kind=Kind.TEST, body=body,
        made_at=now,
    )  # fmt: skip
    made = Delivery.objects.create(lane=lane, subscription=webhook, event=event)
    made.refresh_from_db()
    return made


def replay_delivery(*, delivery: Delivery) -> Delivery:
    """Send the same event again, behind what waits of its batch. Raises `StillWaiting`, `WebhookRemoved`."""
    require_transaction()
    _wake([delivery.lane_id])
    _live(delivery.subscription_id)
    if Delivery.objects.get(pk=delivery.pk).state == DeliveryState.WAITING:
        raise StillWaiting("It has not been sent yet, and will be.")
    made = Delivery.objects.create(
        lane_id=delivery.lane_id, subscription_id=delivery.subscription_id, event=delivery.event, is_replay=True
    )
    made.refresh_from_db()
    return made


def replay_since(*, webhook_id: int, since: datetime, until: datetime | None = None) -> int:
    """Send again, in order, every event of these times that this webhook was sent or was to be sent; returns how many.

    Those that wait anyway, and tests, are left out. Raises `Unprocessable` where there are more than `REPLAY_MAX`.
    """
    require_transaction()
    lanes_for_update(webhook_id)
    _live(webhook_id)
    found = rows(
        "SELECT d.lane_id, d.event_id FROM webhooks_delivery d JOIN webhooks_event e ON e.id = d.event_id"
        " WHERE d.subscription_id = %s AND NOT d.is_replay AND d.state <> 'waiting' AND e.kind <> 'test'"
        " AND e.made_at >= %s AND (%s::timestamptz IS NULL OR e.made_at < %s) ORDER BY d.event_id LIMIT %s",
        [webhook_id, since, until, until, REPLAY_MAX + 1],
    )
    if len(found) > REPLAY_MAX:
        raise Unprocessable(
            f"There are more than {REPLAY_MAX}.",
            errors=[{"field": "until", "message": f"must leave at most {REPLAY_MAX} events"}],
        )
    if found:
        _wake(sorted({lane for lane, _ in found}))
        run(
            "INSERT INTO webhooks_delivery (public_id, lane_id, subscription_id, event_id, state, is_replay, tries)"
            " SELECT gen_random_uuid(), lane, %s, event, 'waiting', true, 0"
            " FROM unnest(%s::bigint[], %s::bigint[]) AS f(lane, event) ORDER BY event",
            [webhook_id, [lane for lane, _ in found], [event for _, event in found]],
        )
    return len(found)


def body_of(public_id: Any, kind: str, at: datetime, requester: Any, batch: Any | None, data: dict[str, Any]) -> str:
    """The text that is signed and sent."""
    said = {
        "id": str(public_id), "type": str(kind), "at": at.isoformat(), "requester": str(requester),
        "batch": None if batch is None else str(batch), "data": data,
    }  # fmt: skip
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def _distinct(events: Sequence[str]) -> list[str]:
    return [kind.value for kind in Kind if kind in events]


def _require_usable(url: str) -> None:
    try:
        require_usable(url)
    except EgressRefused as refused:
        raise UrlRefused(str(refused), errors=[{"field": "url", "message": str(refused)}]) from None


def _live(webhook_id: int) -> Subscription:
    webhook = subscription_for_update(webhook_id)
    if webhook.state == SubscriptionState.REMOVED:
        raise WebhookRemoved("It was removed.")
    return webhook


def _move(webhook_id: int, state: SubscriptionState) -> Subscription:
    require_transaction()
    webhook = _live(webhook_id)
    if webhook.state != state:
        webhook.state = state
        webhook.save(update_fields=["state"])
        webhook.refresh_from_db(fields=["state_since"])
    return webhook


def _wake(lane_ids: Sequence[int]) -> None:
    """Something waits in these lanes, from now on. Locks them."""
    Lane.objects.filter(pk__in=lane_ids, due_at=None).update(due_at=MarketNow())
    run("SELECT 1 FROM webhooks_lane WHERE id = ANY(%s) ORDER BY batch_id FOR NO KEY UPDATE", [list(lane_ids)])
