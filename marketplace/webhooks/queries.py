"""Reads of webhooks."""

from uuid import UUID

from django.db.models import QuerySet

from marketplace.accounts.queries import own_of
from marketplace.common.errors import NotFound
from marketplace.webhooks.models import Attempt, Delivery, Subscription
from marketplace.webhooks.states import SubscriptionState

# Addresses may hold secrets of their receivers, so that even to read them takes a manager.
READER = "manager"


def webhooks_of(requester_id: int) -> QuerySet[Subscription]:
    """The organisation's webhooks, without those that were removed."""
    return Subscription.objects.filter(requester_id=requester_id).exclude(state=SubscriptionState.REMOVED)


def webhook_for(user_id: int, public_id: UUID) -> Subscription:
    """A webhook of an organisation whose manager the user is; raises `NotFound`, `RoleTooLow`."""
    known = Subscription.objects.exclude(state=SubscriptionState.REMOVED).select_related("requester")
    return own_of(known, user_id, public_id, at_least=READER, what="webhook")


def deliveries_of(webhook: Subscription, state: str | None = None) -> QuerySet[Delivery]:
    """What was sent to it and what waits, of one state where one is named."""
    found = Delivery.objects.filter(subscription=webhook).select_related("event__batch")
    return found if state is None else found.filter(state=state)


def delivery_for(webhook: Subscription, public_id: UUID) -> Delivery:
    """One delivery; raises `NotFound`."""
    found = deliveries_of(webhook).filter(public_id=public_id).first()
    if found is None:
        raise NotFound("There is no such delivery.")
    return found


def attempts_of(delivery: Delivery) -> QuerySet[Attempt]:
    """Every try of it, the first one first."""
    return delivery.attempts.order_by("number")
