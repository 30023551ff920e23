"""What happened becomes deliveries for those who want to be told: each once, in order, and for nobody else."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from marketplace.batches.commands.lifecycle import pause_batch, resume_batch
from marketplace.common.commands import forget_old
from marketplace.common.database import rows, run, value
from marketplace.common.transactions import one_transaction
from marketplace.webhooks.commands import noting, subscriptions
from marketplace.webhooks.models import Delivery, Event, Subscription
from marketplace.webhooks.tasks import note_events
from tests import factories as make
from tests.acts import broken_views, horizon, in_one
from tests.conftest import owner_connection
from tests.webhooks.subscribed import ALL, answer_all, note_all, subscribe
from workers.assignments.commands.decide import cancel

NEVER = {"min_share": 0.0, "max_share": 0.0, "probation": 0, "probation_share": 0.0}


def told(webhook: Subscription) -> list[tuple[str, Any]]:
    """Kind and data of each delivery, in order."""
    found = Delivery.objects.filter(subscription=webhook).order_by("pk").select_related("event")
    return [(one.event.kind, json.loads(one.event.body)["data"]) for one in found]


def kinds(webhook: Subscription) -> list[str]:
    return [kind for kind, _ in told(webhook)]


def test_a_batch_is_told_of_from_its_beginning_to_its_end_in_order(committed: str) -> None:
    requester = make.make_requester()
    project = make.make_project(requester)
    webhook, _ = subscribe(requester)
    batch = make.make_batch(tasks=2, overlap=2, project=project, gold_policy=NEVER)
    in_one(pause_batch, batch_id=batch.pk)
    in_one(resume_batch, batch_id=batch.pk)
    answer_all(batch, 2, 2)
    in_one(cancel, batch_id=batch.pk)
    note_all()

    assert kinds(webhook) == [
        "batch.published", "batch.paused", "batch.resumed", "task.completed", "task.completed", "batch.cancelled",
    ]  # fmt: skip
    assert told(webhook)[1][1] == {"name": "First", "reason": "manual"}
    assert sorted(data["task"] for kind, data in told(webhook) if kind == "task.completed") == ["t0", "t1"]
    event = Event.objects.earliest("pk")
    assert json.loads(event.body) == {
        "id": str(event.public_id), "type": "batch.published", "at": event.made_at.isoformat(),
        "requester": str(requester.public_id), "batch": str(batch.public_id), "data": {"name": "First"},
    }  # fmt: skip
    note_events()
    assert Delivery.objects.count() == 6
    assert broken_views() == []


def test_each_is_told_of_what_he_wants_and_of_his_own_only(committed: str) -> None:
    one, other = make.make_requester(), make.make_requester()
    everything, _ = subscribe(one)
    pauses, _ = subscribe(one, events=["batch.paused"])
    foreign, _ = subscribe(other)
    removed, _ = subscribe(one)
    in_one(subscriptions.remove_webhook, webhook_id=removed.pk)
    batch = make.make_batch(tasks=1, overlap=1, project=make.make_project(one), gold_policy=NEVER)
    in_one(pause_batch, batch_id=batch.pk)
    make.make_batch(tasks=1, overlap=1, gold_policy=NEVER)
    note_all()

    assert kinds(everything) == ["batch.published", "batch.paused"]
    assert kinds(pauses) == ["batch.paused"]
    assert kinds(foreign) == kinds(removed) == []
    assert Event.objects.count() == 2


def test_a_task_is_completed_when_each_of_its_places_has_an_answer_and_only_the_first_time(committed: str) -> None:
    requester = make.make_requester()
    webhook, _ = subscribe(requester, events=["task.completed"])
    batch = make.make_batch(tasks=1, overlap=2, project=make.make_project(requester), gold_policy=NEVER)
    answer_all(batch, 1, 1)
    note_all()
    assert told(webhook) == []

    answer_all(batch, 1, 1)
    note_all()
    assert told(webhook) == [("task.completed", {"task": "t0", "answers": 2})]

    # A rejection opens a place again, and its next answer is no news.
    with one_transaction(principal="test"):
        make.reject(batch, [batch.assignments.order_by("pk")[0]])
    answer_all(batch, 1, 1)
    note_all()
    assert len(told(webhook)) == 1


def test_nothing_is_kept_where_nobody_listens(committed: str) -> None:
    requester = make.make_requester()
    batch = make.make_batch(tasks=2, overlap=1, project=make.make_project(requester), gold_policy=NEVER)
    answer_all(batch, 2, 1)
    note_all()
    assert Event.objects.count() == 0


@pytest.mark.parametrize("how", ["pause", "disable"])
def test_what_happens_while_nothing_is_sent_is_kept_for_a_week(
    committed: str, clock: Callable[[timedelta], None], how: str
) -> None:
    requester = make.make_requester()
    project = make.make_project(requester)
    webhook, _ = subscribe(requester, events=["batch.published"])
    if how == "pause":
        in_one(subscriptions.pause_webhook, webhook_id=webhook.pk)
    else:
        run("UPDATE webhooks_subscription SET state = 'disabled'")
    make.make_batch(tasks=1, project=project)
    note_all()
    assert len(told(webhook)) == 1
    clock(timedelta(days=7, minutes=1))
    make.make_batch(tasks=1, project=project)
    note_all()
    assert len(told(webhook)) == 1
    in_one(subscriptions.resume_webhook, webhook_id=webhook.pk)
    make.make_batch(tasks=1, project=project)
    note_all()
    assert len(told(webhook)) == 2


@pytest.mark.parametrize("where", ["read", "_stored", "_deliver", "_of_tasks"])
def test_a_sweep_that_dies_anywhere_has_noted_nothing_or_all(
    committed: str, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    requester = make.make_requester()
    webhook, _ = subscribe(requester)
    batch = make.make_batch(tasks=3, overlap=1, project=make.make_project(requester), gold_policy=NEVER)
    answer_all(batch, 3, 1)
    horizon()
    real = getattr(noting, where)

    def die(*arguments: Any, **named: Any) -> Any:
        list(real(*arguments, **named) or [])
        raise KeyboardInterrupt

    monkeypatch.setattr(noting, where, die)
    with pytest.raises(KeyboardInterrupt):
        note_events()
    assert Delivery.objects.count() == Event.objects.count() == 0
    monkeypatch.setattr(noting, where, real)
    note_events()
    assert kinds(webhook) == ["batch.published", *["task.completed"] * 3]


@pytest.mark.parametrize("size", [1, 2, 500])
def test_sweeps_at_once_and_pages_of_any_size_tell_of_everything_once(
    committed: str, together: Callable[..., list[Any]], size: int
) -> None:
    requester = make.make_requester()
    webhook, _ = subscribe(requester)
    batch = make.make_batch(tasks=4, overlap=2, project=make.make_project(requester), gold_policy=NEVER)
    answer_all(batch, 4, 2)
    horizon()

    def sweep() -> None:
        for _round in range(30):
            with one_transaction(principal="test"):
                noting.note(limit=size)

    assert together([sweep] * 4) == [None] * 4
    assert kinds(webhook) == ["batch.published", *["task.completed"] * 4]


def test_an_event_seen_twice_is_told_once(committed: str) -> None:
    requester = make.make_requester()
    webhook, _ = subscribe(requester)
    batch = make.make_batch(tasks=2, overlap=1, project=make.make_project(requester), gold_policy=NEVER)
    answer_all(batch, 2, 1)
    note_all()
    before = kinds(webhook)
    with owner_connection(committed) as owner:
        # No reader can go back by itself.
        owner.execute("ALTER TABLE common_outboxcursor DISABLE TRIGGER cursor_step")
        owner.execute("UPDATE common_outboxcursor SET xid = '0', last_id = 0 WHERE reader = 'webhooks'")
    note_all()
    assert kinds(webhook) == before
    assert len(before) == 3


def test_what_was_told_is_forgotten_after_thirty_days(committed: str, clock: Callable[[timedelta], None]) -> None:
    requester = make.make_requester()
    webhook, _ = subscribe(requester, events=ALL)
    make.make_batch(tasks=1, project=make.make_project(requester))
    note_all()
    clock(timedelta(days=29))
    in_one(forget_old)
    assert len(told(webhook)) == 1
    clock(timedelta(days=1, minutes=1))
    in_one(forget_old)
    assert Event.objects.count() == Delivery.objects.count() == 0
    assert value("SELECT count(*) FROM webhooks_lane") == 1
    assert rows("SELECT 1 FROM webhooks_attempt") == []
