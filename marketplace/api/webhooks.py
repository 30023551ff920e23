"""Webhooks: where an organisation is told of events, what was sent there, and sending it again."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.accounts.queries import requester_for
from marketplace.common.errors import Unprocessable
from marketplace.rest.ask import Ask, EmptyAsk
from marketplace.rest.boundary import again, once, respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of
from marketplace.rest.permissions import IsRequesterKey
from marketplace.rest.requests import KeyRequest
from marketplace.webhooks.addresses import URL_MAX
from marketplace.webhooks.commands import subscriptions as commands
from marketplace.webhooks.models import DESCRIPTION_MAX, Attempt, Delivery, Subscription
from marketplace.webhooks.queries import (
    READER,
    attempts_of,
    deliveries_of,
    delivery_for,
    webhook_for,
    webhooks_of,
)
from marketplace.webhooks.states import (
    ROTATION_DEFAULT,
    ROTATION_MAX,
    SUBSCRIBABLE,
    DeliveryState,
    Kind,
    SubscriptionState,
)

KINDS = [kind.value for kind in SUBSCRIBABLE]


class WebhookAsk(Ask):
    url = serializers.CharField(max_length=URL_MAX, help_text="https, a public host")
    events = serializers.ListField(
        child=serializers.ChoiceField(choices=KINDS),
        min_length=1,
        max_length=len(KINDS),
        help_text="What it is told of",
    )
    description = serializers.CharField(max_length=DESCRIPTION_MAX, allow_blank=True, default="")


class RotateAsk(Ask):
    overlap_s = serializers.IntegerField(
        min_value=0,
        max_value=int(ROTATION_MAX.total_seconds()),
        default=int(ROTATION_DEFAULT.total_seconds()),
        help_text="For so long the secret before signs as well",
    )


class ReplayAsk(Ask):
    since = serializers.DateTimeField()
    until = serializers.DateTimeField(required=False, help_text="Left out: until now")


class WebhookShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    requester = serializers.UUIDField()
    url = serializers.CharField()
    events = serializers.ListField(child=serializers.ChoiceField(choices=KINDS))
    description = serializers.CharField(allow_blank=True)
    state = serializers.ChoiceField(choices=SubscriptionState.choices)
    state_since = serializers.DateTimeField()
    previous_secret_until = serializers.DateTimeField(allow_null=True, help_text="Until then two secrets sign")
    made_at = serializers.DateTimeField()


class NewWebhookShape(WebhookShape):
    secret = serializers.CharField(help_text="Shown this once; it signs what is sent")


class AttemptOfDeliveryShape(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    began_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    status = serializers.IntegerField(allow_null=True, help_text="The receiver's; what else he answers is not kept")
    duration_ms = serializers.IntegerField(allow_null=True)
    error = serializers.CharField(allow_blank=True)


class DeliveryShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    event = serializers.UUIDField(help_text="The same in every delivery of it")
    type = serializers.ChoiceField(choices=Kind.choices)
    batch = serializers.UUIDField(allow_null=True)
    state = serializers.ChoiceField(choices=DeliveryState.choices)
    is_replay = serializers.BooleanField()
    tries = serializers.IntegerField()
    happened_at = serializers.DateTimeField()
    made_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class WholeDeliveryShape(DeliveryShape):
    body = serializers.CharField(help_text="Exactly what is sent and signed")
    attempts = AttemptOfDeliveryShape(many=True)


class ReplayedShape(serializers.Serializer[Any]):
    replayed = serializers.IntegerField()


def webhook_shape(webhook: Subscription) -> dict[str, Any]:
    same = ("url", "events", "description", "state", "state_since", "made_at")
    return {
        "id": webhook.public_id,
        "requester": webhook.requester.public_id,
        "previous_secret_until": webhook.previous_until,
        **{name: getattr(webhook, name) for name in same},
    }


def delivery_shape(delivery: Delivery) -> dict[str, Any]:
    event = delivery.event
    return {
        "id": delivery.public_id,
        "event": event.public_id,
        "type": event.kind,
        "batch": None if event.batch is None else event.batch.public_id,
        "happened_at": event.made_at,
        **{name: getattr(delivery, name) for name in ("state", "is_replay", "tries", "made_at", "ended_at")},
    }


def attempt_shape(attempt: Attempt) -> dict[str, Any]:
    names = ("number", "began_at", "ended_at", "status", "duration_ms", "error")
    return {name: getattr(attempt, name) for name in names}


class WebhooksView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="The organisation's webhooks", tags=["webhooks"], **listing(WebhookShape))
    def get(self, request: KeyRequest, requester: UUID) -> HttpResponse:
        of = requester_for(request.user.pk, requester, at_least=READER)
        return page_of(request, webhooks_of(of.pk).select_related("requester"), webhook_shape)

    @extend_schema(
        summary="Be told of events at an address; the answer shows the secret, this once",
        tags=["webhooks"],
        request=WebhookAsk,
        responses={201: NewWebhookShape},
    )
    def post(self, request: KeyRequest, requester: UUID) -> HttpResponse:
        ask = WebhookAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = requester_for(request.user.pk, requester, at_least="manager")
            webhook, secret = commands.add_webhook(requester_id=of.pk, by=request.user, **ask)
            return boundary.respond({**webhook_shape(webhook), "secret": secret}, status=201, secret=True)


class WebhookView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="One webhook", tags=["webhooks"], responses=WebhookShape)
    def get(self, request: KeyRequest, webhook: UUID) -> HttpResponse:
        return respond(webhook_shape(webhook_for(request.user.pk, webhook)))

    @extend_schema(
        summary="Say anew where it goes and what it is told of; what waits goes there too",
        tags=["webhooks"],
        request=WebhookAsk,
        responses=WebhookShape,
    )
    def put(self, request: KeyRequest, webhook: UUID) -> HttpResponse:
        ask = WebhookAsk.of(request)
        with again(request):
            of = webhook_for(request.user.pk, webhook)
            changed = commands.change_webhook(webhook_id=of.pk, **ask)
        return respond(webhook_shape(changed))


class _StepView(APIView):
    """A step that takes nothing and answers with the webhook."""

    permission_classes = [IsRequesterKey]
    command: Any = None

    def post(self, request: KeyRequest, webhook: UUID) -> HttpResponse:
        EmptyAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = webhook_for(request.user.pk, webhook)
            return boundary.respond(webhook_shape(type(self).command(webhook_id=of.pk)))


@extend_schema(
    summary="Send nothing for now; what happens within a week is kept",
    tags=["webhooks"],
    request=EmptyAsk,
    responses=WebhookShape,
)
class PauseView(_StepView):
    command = commands.pause_webhook


@extend_schema(
    summary="Send again, whether it was paused or disabled",
    tags=["webhooks"],
    request=EmptyAsk,
    responses=WebhookShape,
)
class ResumeView(_StepView):
    command = commands.resume_webhook


@extend_schema(summary="Send nothing any more, for good", tags=["webhooks"], request=EmptyAsk, responses=WebhookShape)
class RemoveView(_StepView):
    command = commands.remove_webhook


class RotateView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="A new secret, shown this once; the one before signs too for a while",
        tags=["webhooks"],
        request=RotateAsk,
        responses={201: NewWebhookShape},
    )
    def post(self, request: KeyRequest, webhook: UUID) -> HttpResponse:
        ask = RotateAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = webhook_for(request.user.pk, webhook)
            changed, secret = commands.rotate_secret(webhook_id=of.pk, overlap=timedelta(seconds=ask["overlap_s"]))
            return boundary.respond({**webhook_shape(changed), "secret": secret}, status=201, secret=True)


class TestView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Send a test now, once; look at its delivery for what came of it",
        tags=["webhooks"],
        request=EmptyAsk,
        responses={201: DeliveryShape},
    )
    def post(self, request: KeyRequest, webhook: UUID) -> HttpResponse:
        EmptyAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = webhook_for(request.user.pk, webhook)
            return boundary.respond(delivery_shape(commands.send_test(webhook_id=of.pk)), status=201)


class ReplayView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Send everything of a time again, in order",
        tags=["webhooks"],
        request=ReplayAsk,
        responses={201: ReplayedShape},
    )
    def post(self, request: KeyRequest, webhook: UUID) -> HttpResponse:
        ask = ReplayAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = webhook_for(request.user.pk, webhook)
            return boundary.respond({"replayed": commands.replay_since(webhook_id=of.pk, **ask)}, status=201)


class DeliveriesView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="What was sent and what waits, newest first",
        tags=["webhooks"],
        **listing(DeliveryShape, OpenApiParameter("state", str, enum=DeliveryState.values)),
    )
    def get(self, request: KeyRequest, webhook: UUID) -> HttpResponse:
        of = webhook_for(request.user.pk, webhook)
        state = request.query_params.get("state")
        if state is not None and state not in DeliveryState.values:
            raise Unprocessable(
                "There is no such state.", errors=[{"field": "state", "message": "must be one of the states"}]
            )
        return page_of(request, deliveries_of(of, state), delivery_shape, descending=True, allowed=["state"])


class DeliveryView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="One delivery with every attempt", tags=["webhooks"], responses=WholeDeliveryShape)
    def get(self, request: KeyRequest, webhook: UUID, delivery: UUID) -> HttpResponse:
        one = delivery_for(webhook_for(request.user.pk, webhook), delivery)
        attempts = [attempt_shape(attempt) for attempt in attempts_of(one)]
        return respond({**delivery_shape(one), "body": one.event.body, "attempts": attempts})


class DeliveryReplayView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Send one delivery's event again", tags=["webhooks"], request=EmptyAsk, responses={201: DeliveryShape}
    )
    def post(self, request: KeyRequest, webhook: UUID, delivery: UUID) -> HttpResponse:
        EmptyAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            one = delivery_for(webhook_for(request.user.pk, webhook), delivery)
            return boundary.respond(delivery_shape(commands.replay_delivery(delivery=one)), status=201)
