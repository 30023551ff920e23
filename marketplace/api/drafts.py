"""What is in a draft, before it is published: its items and their known answers."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.api.asks import ItemsAsk, SetKeysAsk
from marketplace.api.shapes import rounded
from marketplace.batches.commands.items import set_keys, take_keys, take_out
from marketplace.batches.errors import WrongState
from marketplace.batches.missing import LACKS, lacking
from marketplace.batches.queries import batch_for, estimate
from marketplace.batches.states import BatchState
from marketplace.common.errors import Unprocessable
from marketplace.common.transactions import one_transaction
from marketplace.rest.ask import refuse_unknown
from marketplace.rest.boundary import once, respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of_rows, without_cursor
from marketplace.rest.permissions import IsRequesterKey
from marketplace.rest.requests import KeyRequest
from marketplace.results.queries.forecast import calendar_of
from workers.gold.commands.audit import note_look
from workers.gold.queries import Item, items_page


class ItemShape(serializers.Serializer[Any]):
    task = serializers.CharField(help_text="The item's external id")
    data = serializers.DictField()  # type: ignore[assignment]
    overlap = serializers.IntegerField()
    reserved = serializers.BooleanField()
    key = serializers.DictField(allow_null=True, help_text="The known answer of a gold item")


class ItemsChangedShape(serializers.Serializer[Any]):
    changed = serializers.IntegerField(help_text="How many items")


class LackShape(serializers.Serializer[Any]):
    what = serializers.ChoiceField(choices=list(LACKS))
    step = serializers.CharField(help_text="Of the set-up, where it is mended")
    words = serializers.CharField()
    stops = serializers.BooleanField(help_text="Whether it keeps the draft from being published")


class MissingShape(serializers.Serializer[Any]):
    ready = serializers.BooleanField(help_text="Whether publishing would be refused for nothing that is told here")
    missing = LackShape(many=True)
    missing_micros = serializers.IntegerField(help_text="What your funds lack for the worst case")


class CalendarShape(serializers.Serializer[Any]):
    finish_s = serializers.FloatField(help_text="To the last answer, at the pace of the project's last batch")
    low_s = serializers.FloatField(help_text="At the fastest pace of its last batches, moved by chance")
    high_s = serializers.FloatField(help_text="At the slowest")
    batches = serializers.IntegerField(help_text="How many batches were looked at")
    answers = serializers.IntegerField(help_text="Of the last one, that its pace is reckoned from")
    name = serializers.CharField(help_text="Of the last one")


class DraftForecastShape(serializers.Serializer[Any]):
    places = serializers.IntegerField(help_text="Answers wanted")
    calendar = CalendarShape(allow_null=True, help_text="null where no batch of the project has ten answers")


def item_shape(item: Item) -> dict[str, Any]:
    return {name: getattr(item, name) for name in ("task", "data", "overlap", "reserved", "key")}


class ItemsView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Items of the batch with their known answers, as they came",
        tags=["batches"],
        **listing(
            ItemShape,
            OpenApiParameter(
                "gold", OpenApiTypes.STR, enum=["true", "false"], description="Those only that have one, or none"
            ),
        ),
    )
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        of = batch_for(request.user.pk, batch, at_least="reviewer")
        given = request.query_params.get("gold")
        if given not in (None, "true", "false"):
            raise Unprocessable(
                "Some values are not valid.", errors=[{"field": "gold", "message": "must be true or false"}]
            )
        gold = None if given is None else given == "true"

        def fetch(after: int, limit: int) -> list[dict[str, Any]]:
            with one_transaction(principal="gold"):
                note_look(batch_id=of.pk, user_id=request.user.pk, what="keys")
                found = items_page(of, gold=gold, after_id=after, limit=limit)
            return [item_shape(item) | {"cursor": item.cursor} for item in found]

        return page_of_rows(request, fetch, without_cursor, allowed=["gold"])


class ItemsRemoveView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Take items out of a draft for good", tags=["batches"], request=ItemsAsk, responses=ItemsChangedShape
    )
    def post(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        ask = ItemsAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = batch_for(request.user.pk, batch, at_least="manager")
            return boundary.respond({"changed": take_out(batch_id=of.pk, tasks=ask["tasks"])})


class KeysSetView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Make items of a draft gold by their known answers, or give gold other ones",
        tags=["gold"],
        request=SetKeysAsk,
        responses=ItemsChangedShape,
    )
    def post(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        ask = SetKeysAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = batch_for(request.user.pk, batch, at_least="manager")
            return boundary.respond({"changed": set_keys(batch_id=of.pk, keys=ask["keys"])})


class KeysRemoveView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Make gold items of a draft ordinary again",
        tags=["gold"],
        request=ItemsAsk,
        responses=ItemsChangedShape,
    )
    def post(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        ask = ItemsAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = batch_for(request.user.pk, batch, at_least="manager")
            return boundary.respond({"changed": take_keys(batch_id=of.pk, tasks=ask["tasks"])})


class MissingView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="What a draft lacks before it can be published, and what is worth a thought",
        tags=["batches"],
        responses=MissingShape,
    )
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        refuse_unknown(request.query_params, ())
        of = batch_for(request.user.pk, batch)
        if of.state != BatchState.DRAFT:
            raise WrongState("This batch was published: nothing is missing.", state=of.state)
        cost = estimate(of)
        found = lacking(of, cost)
        return respond(
            {
                "ready": not cost.missing_micros and not any(one.stops for one in found),
                "missing": [
                    {"what": one.name, "step": one.step, "words": one.words, "stops": one.stops} for one in found
                ],
                "missing_micros": cost.missing_micros,
            }
        )


class DraftForecastView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="When a draft would be done, by how the last batches of its project went",
        tags=["batches"],
        responses=DraftForecastShape,
    )
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        refuse_unknown(request.query_params, ())
        of = batch_for(request.user.pk, batch)
        places = estimate(of).places
        calendar = calendar_of(of, places)
        return respond({"places": places, "calendar": rounded(asdict(calendar)) if calendar else None})
