"""Go on with new terms: stop a batch, and do the rest in another."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.api.asks import ContinueAsk
from marketplace.api.shapes import BatchShape, batch_shape
from marketplace.batches.commands.going_on import go_on
from marketplace.batches.costs import Platform
from marketplace.batches.models import Batch
from marketplace.batches.queries import batch_for, counts, goes_on_in, lacks
from marketplace.batches.states import BatchState
from marketplace.rest.boundary import once, respond
from marketplace.rest.permissions import IsRequesterKey
from marketplace.rest.requests import KeyRequest


class GoneOnShape(serializers.Serializer[Any]):
    batch = serializers.UUIDField()
    name = serializers.CharField()
    state = serializers.ChoiceField(choices=BatchState.choices)


class LacksShape(serializers.Serializer[Any]):
    tasks = serializers.IntegerField(help_text="With places that nobody has, and that would come over")
    places = serializers.IntegerField(help_text="Of theirs that nobody has")
    begun = serializers.IntegerField(help_text="Of these tasks, so many have answers or somebody at them")
    quarantined = serializers.IntegerField(help_text="Tasks that workers gave up: they come where you say so")
    quarantined_places = serializers.IntegerField()
    quarantined_begun = serializers.IntegerField()
    reserved = serializers.IntegerField(help_text="Tasks that are kept for somebody: they stay")
    gold = serializers.IntegerField(help_text="Your keys that nobody was shown: some come, to hide among the tasks")
    leased = serializers.IntegerField(help_text="In work now: they stay, and may still be sent")
    submitted = serializers.IntegerField(help_text="Answers that wait for your decision: they stay")
    continued_by = GoneOnShape(many=True)


def lacks_shape(batch: Batch) -> dict[str, Any]:
    under_way = counts(batch.pk)
    return {
        **asdict(lacks(batch)),
        "leased": under_way["leased"],
        "submitted": under_way["submitted"],
        "continued_by": [{"batch": one.public_id, "name": one.name, "state": one.state} for one in goes_on_in(batch)],
    }


class ContinueView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="What a batch leaves undone, and another would go on with", tags=["batches"], responses=LacksShape
    )
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        return respond(lacks_shape(batch_for(request.user.pk, batch)))

    @extend_schema(
        summary="Close a batch, and make a draft under new terms of what it leaves undone",
        tags=["batches"],
        request=ContinueAsk,
        responses={201: BatchShape},
    )
    def post(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        ask = ContinueAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = batch_for(request.user.pk, batch, at_least="manager")
            made = go_on(batch_id=of.pk, platform=Platform(**settings.PLATFORM_TERMS), **ask)
            return boundary.respond(batch_shape(made), status=201)
