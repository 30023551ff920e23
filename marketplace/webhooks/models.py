"""Where requesters want to be told of events, what they are told, and every attempt to do so."""

from uuid import uuid4

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from marketplace.accounts.models import MARKET_NOW, Requester, User
from marketplace.batches.models import Batch
from marketplace.webhooks.addresses import URL_MAX
from marketplace.webhooks.states import DeliveryState, Kind, SubscriptionState

DESCRIPTION_MAX = 200
ERROR_MAX = 200


class Subscription(models.Model):
    """One address of an organisation's, and what it is told of. `previous_secret` signs too until its time is over."""

    public_id = models.UUIDField(default=uuid4, unique=True, editable=False)
    requester = models.ForeignKey(Requester, on_delete=models.PROTECT, related_name="webhooks")
    url = models.CharField(max_length=URL_MAX)
    events = ArrayField(models.CharField(max_length=20))
    description = models.CharField(max_length=DESCRIPTION_MAX, blank=True, default="")
    state = models.CharField(max_length=8, choices=SubscriptionState.choices, default=SubscriptionState.ACTIVE)
    state_since = models.DateTimeField(db_default=MARKET_NOW)
    secret = models.BinaryField()
    previous_secret = models.BinaryField(null=True)
    previous_until = models.DateTimeField(null=True)
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    made_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=SubscriptionState.values), name="webhook_state"),
            models.CheckConstraint(
                condition=Q(events__contained_by=Kind.values) & Q(events__len__gt=0), name="webhook_events"
            ),
            models.CheckConstraint(
                condition=Q(previous_secret=None, previous_until=None)
                | Q(previous_secret__isnull=False, previous_until__isnull=False),
                name="webhook_previous",
            ),
        ]


class Event(models.Model):
    """What is told, once, in exactly the bytes that are signed. `source` is what it came from: one event for each."""

    public_id = models.UUIDField(default=uuid4, unique=True, editable=False)
    requester = models.ForeignKey(Requester, on_delete=models.PROTECT, related_name="+", db_index=False)
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    source = models.CharField(max_length=60, unique=True)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    body = models.TextField()
    made_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["made_at"], name="webhookevent_made")]


class Lane(models.Model):
    """The deliveries of one batch to one subscription, which go out one after another; tests have one of their own.

    `due_at` is when the first that waits is to be tried, and null when none waits. Whoever holds `lease` sends it.
    """

    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="lanes", db_index=False)
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    due_at = models.DateTimeField(null=True)
    lease = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["subscription", "batch"], name="lane_once", nulls_distinct=False),
        ]
        indexes = [
            models.Index(fields=["subscription", "due_at"], condition=~Q(due_at=None), name="lane_due"),
            models.Index(fields=["lease_until"], condition=~Q(lease_until=None), name="lane_held"),
        ]


class Delivery(models.Model):
    """One event on its way to one subscription, and what came of it. A replay is another delivery of the same event."""

    public_id = models.UUIDField(default=uuid4, unique=True, editable=False)
    lane = models.ForeignKey(Lane, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="deliveries")
    state = models.CharField(max_length=9, choices=DeliveryState.choices, default=DeliveryState.WAITING)
    is_replay = models.BooleanField(default=False)
    tries = models.PositiveSmallIntegerField(default=0)
    made_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # An event is told once to each; more often only when a person asks for it.
            models.UniqueConstraint(
                fields=["event", "subscription"], condition=Q(is_replay=False), name="delivery_once"
            ),
            models.CheckConstraint(
                condition=Q(state=DeliveryState.WAITING, ended_at=None)
                | Q(state__in=[DeliveryState.DELIVERED, DeliveryState.GIVEN_UP], ended_at__isnull=False),
                name="delivery_state",
            ),
        ]
        indexes = [
            models.Index(fields=["lane", "id"], condition=Q(state=DeliveryState.WAITING), name="delivery_waiting"),
            models.Index(fields=["subscription", "id"], name="delivery_of_webhook"),
            models.Index(fields=["ended_at"], condition=~Q(ended_at=None), name="delivery_ended"),
        ]


class Attempt(models.Model):
    """One try, written before it begins; what came back but its status is not kept. One that never ended was cut off
    with its process, and may have arrived."""

    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="attempts")
    number = models.PositiveSmallIntegerField()
    began_at = models.DateTimeField(db_default=MARKET_NOW, editable=False)
    ended_at = models.DateTimeField(null=True)
    status = models.PositiveSmallIntegerField(null=True)
    duration_ms = models.PositiveIntegerField(null=True)
    error = models.CharField(max_length=ERROR_MAX, blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["delivery", "number"], name="attempt_number")]
