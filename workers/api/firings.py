"""Which quality rules held of a worker, in words, for himself."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.batches.quality.catalogue import SANCTIONS
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of
from marketplace.rest.permissions import IsWorkerKey
from marketplace.rest.requests import KeyRequest
from workers.reputation.models import Firing
from workers.reputation.queries import firings_of


class OwnFigureShape(serializers.Serializer[Any]):
    metric = serializers.CharField()
    below = serializers.FloatField(required=False)
    above = serializers.FloatField(required=False)
    at_least = serializers.FloatField(required=False)
    at_most = serializers.FloatField(required=False)
    value = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    n = serializers.IntegerField()


class OwnFiringShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    project = serializers.CharField()
    batch = serializers.UUIDField()
    rule = serializers.CharField()
    words = serializers.CharField()
    figures = OwnFigureShape(many=True, help_text="Your own, as far as they do not tell which answers were looked at")
    answers_looked_at = serializers.IntegerField()
    measures = serializers.ListField(child=serializers.CharField(), help_text="What follows for you; see sanctions")
    made_at = serializers.DateTimeField()
    withdrawn_at = serializers.DateTimeField(allow_null=True, help_text="When it was found not to hold")
    withdrawn_because = serializers.CharField(allow_blank=True)


def own_firing_shape(firing: Firing) -> dict[str, Any]:
    withdrawal = getattr(firing, "withdrawal", None)
    return {
        "id": firing.public_id,
        "project": firing.project.name,
        "batch": firing.batch.public_id,
        "rule": firing.told["rule"],
        "words": firing.words,
        "figures": firing.told["figures"],
        "answers_looked_at": firing.told["answers_looked_at"],
        "measures": [
            wanted.outcome
            for wanted in sorted(firing.wanted.all(), key=lambda wanted: wanted.position)
            if wanted.kind in SANCTIONS
        ],
        "made_at": firing.made_at,
        "withdrawn_at": withdrawal and withdrawal.made_at,
        "withdrawn_because": withdrawal.reason if withdrawal else "",
    }


class OwnFirings(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(
        summary="The quality rules that held of you, with their reasons", tags=["work"], **listing(OwnFiringShape)
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        return page_of(request, firings_of(request.worker_id), own_firing_shape, descending=True)
