"""Gold as its requester knows it: each key and how it fares, his word on it, and what was committed to."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.accounts.models import StaffRole
from marketplace.batches.models import Batch
from marketplace.batches.queries import any_batch, batch_for
from marketplace.batches.states import KeyOrigin, KeyState
from marketplace.common.errors import Unprocessable
from marketplace.common.transactions import one_transaction
from marketplace.rest.ask import Ask, refuse_unknown
from marketplace.rest.boundary import once, respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of_rows, without_cursor
from marketplace.rest.permissions import IsRequesterKey, staff
from marketplace.rest.requests import KeyRequest
from workers.gold.commands.audit import confirm_key, note_look, retire_key
from workers.gold.queries import GoldCost, KeyView, cost_of, keys_page, openings_page, roots_of

WHY = ("", "alike", "ask")


class KeysAsk(Ask):
    tasks = serializers.ListField(
        child=serializers.CharField(max_length=200, trim_whitespace=False),
        min_length=1,
        max_length=1_000,
        help_text="External ids",
    )


class GoldCostShape(serializers.Serializer[Any]):
    planned_places = serializers.IntegerField(help_text="At most, by the terms and the keys there are")
    planned_share = serializers.FloatField(help_text="Of all places of the batch")
    planned_micros = serializers.IntegerField(help_text="What these places cost, with fees")
    places = serializers.IntegerField(help_text="So far")
    share = serializers.FloatField()
    micros = serializers.IntegerField()
    words = serializers.CharField()


class DetectabilityShape(serializers.Serializer[Any]):
    score = serializers.FloatField(help_text="0 … 1: how easily workers could find out, of these parts together")
    alike = serializers.FloatField(help_text="Other keys of the project are as good as the same")
    linked = serializers.FloatField(help_text="The share of those who met it who have another account")
    size = serializers.FloatField(help_text="How extreme the size of its payload is among ordinary ones")


class KeyShape(serializers.Serializer[Any]):
    task = serializers.CharField(help_text="The task's external id")
    key = serializers.DictField()
    origin = serializers.ChoiceField(choices=KeyOrigin.choices)
    state = serializers.ChoiceField(choices=KeyState.choices)
    why = serializers.ChoiceField(
        choices=WHY,
        help_text="What it waits for: your word (`ask`); or, for good, it is too much like another (`alike`)",
    )
    alike = serializers.CharField(allow_null=True, help_text="The external id of the other")
    posterior = serializers.FloatField(allow_null=True, help_text="How sure the crowd is, where it gave the key")
    shown = serializers.IntegerField()
    cap = serializers.IntegerField()
    judged = serializers.IntegerField(help_text="Answers compared with it")
    passed = serializers.IntegerField()
    pass_rate = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(help_text="With `high`: 95 % credible bounds of the pass rate")
    high = serializers.FloatField()
    instead = serializers.DictField(allow_null=True, help_text="What those who failed said most often")
    instead_answers = serializers.IntegerField()
    detectability = DetectabilityShape()
    added_at = serializers.DateTimeField()


class ConfirmedShape(serializers.Serializer[Any]):
    confirmed = serializers.IntegerField(help_text="Keys; those that were live already are not counted")


class RetiredShape(serializers.Serializer[Any]):
    retired = serializers.IntegerField(help_text="Keys; those that were retired already are not counted")


class RootShape(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    root_hash = serializers.CharField(help_text="SHA-256, in hexadecimal")
    leaves = serializers.IntegerField(help_text="How many leaves the tree has; it says nothing of the keys")
    made_at = serializers.DateTimeField()


class CommitmentShape(serializers.Serializer[Any]):
    roots = RootShape(many=True)


class OpeningShape(serializers.Serializer[Any]):
    task = serializers.CharField(help_text="The task's external id")
    key = serializers.DictField()
    number = serializers.IntegerField(help_text="Of the commitment")
    salt = serializers.CharField(help_text="In hexadecimal")
    text = serializers.CharField(help_text="What follows the salt in the leaf, to the byte")
    index = serializers.IntegerField(help_text="The place of the leaf among the sorted ones")
    path = serializers.ListField(child=serializers.CharField(), help_text="The nodes beside its way to the root")


OPENINGS = listing(OpeningShape)


def cost_shape(cost: GoldCost) -> dict[str, Any]:
    return asdict(cost) | {"words": cost.words}


def gold_cost(batch: Batch) -> dict[str, Any]:
    """What gold costs of the batch, for its requester."""
    with one_transaction(principal="gold"):
        return cost_shape(cost_of(batch))


def key_shape(key: KeyView) -> dict[str, Any]:
    shown = (
        "task", "key", "origin", "state", "why", "alike", "posterior", "shown", "cap", "judged", "passed", "low",
        "high", "instead", "instead_answers", "added_at",
    )  # fmt: skip
    return {name: getattr(key, name) for name in shown} | {
        "pass_rate": key.passed / key.judged if key.judged else None,
        "detectability": {"score": key.parts.detectability, **asdict(key.parts)},
    }


class GoldView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Keys of the batch, how often each was shown and how it fares",
        tags=["gold"],
        **listing(KeyShape, OpenApiParameter("state", OpenApiTypes.STR, enum=KeyState.values)),
    )
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        of = batch_for(request.user.pk, batch, at_least="reviewer")
        state = request.query_params.get("state")
        if state is not None and state not in KeyState.values:
            message = f"must be one of {', '.join(KeyState.values)}"
            raise Unprocessable("Some values are not valid.", errors=[{"field": "state", "message": message}])

        def fetch(after: int, limit: int) -> list[dict[str, Any]]:
            with one_transaction(principal="gold"):
                note_look(batch_id=of.pk, user_id=request.user.pk, what="keys")
                found = keys_page(of, state=state, after_id=after, limit=limit)
            return [key_shape(key) | {"cursor": key.cursor} for key in found]

        return page_of_rows(request, fetch, without_cursor, allowed=["state"])


class ConfirmView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Say that keys are right: those that waited for your word, or were flagged, are used",
        tags=["gold"],
        request=KeysAsk,
        responses=ConfirmedShape,
    )
    def post(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        ask = KeysAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = batch_for(request.user.pk, batch, at_least="manager")
            return boundary.respond({"confirmed": confirm_key(batch_id=of.pk, tasks=ask["tasks"])})


class RetireView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Give keys up for good; whatever was judged by them counts no more",
        tags=["gold"],
        request=KeysAsk,
        responses=RetiredShape,
    )
    def post(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        ask = KeysAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = batch_for(request.user.pk, batch, at_least="manager")
            return boundary.respond({"retired": retire_key(batch_id=of.pk, tasks=ask["tasks"])})


class CommitmentView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="What binds the market to the batch's keys", tags=["gold"], responses=CommitmentShape)
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        refuse_unknown(request.query_params, [])
        of = batch_for(request.user.pk, batch)
        return respond({"roots": [root.as_json() for root in roots_of(of.pk, whole_hours=False)]})


class OpeningsView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="The keys with what shows that they were committed to", tags=["gold"], **OPENINGS)
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        return openings(request, batch_for(request.user.pk, batch, at_least="reviewer"))


class StaffOpeningsView(APIView):
    permission_classes = [staff(StaffRole.QUALITY)]

    @extend_schema(
        summary="The keys of any batch with what shows that they were committed to", tags=["operations"], **OPENINGS
    )
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        return openings(request, any_batch(batch))


def openings(request: KeyRequest, batch: Batch) -> HttpResponse:
    """A page of all openings of a batch, for those who may know its keys."""

    def fetch(after: int, limit: int) -> list[dict[str, Any]]:
        with one_transaction(principal="gold"):
            note_look(batch_id=batch.pk, user_id=request.user.pk, what="openings")
            found = openings_page(batch.pk, after_id=after, limit=limit)
        return [{"task": opened.task, **opened.as_json(), "cursor": opened.cursor} for opened in found]

    return page_of_rows(request, fetch, without_cursor)
