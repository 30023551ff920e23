"""What a worker may know of how he is judged: his scores, and why they moved."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of, whole
from marketplace.rest.permissions import IsWorkerKey
from marketplace.rest.requests import KeyRequest
from workers.reputation.models import Change
from workers.reputation.queries import Shown, changes_of, shown_to, skills_of

FACET = "`project`; `type:` and a type of answer, over all projects of that type; `global`, over all projects"


class StandingShape(serializers.Serializer[Any]):
    facet = serializers.CharField(help_text=FACET)
    project = serializers.CharField(allow_null=True, help_text="Its name; null beyond projects")
    score = serializers.FloatField(help_text="How probably your next answer is right")
    low = serializers.FloatField(help_text="With a probability of 95 % between this …")
    high = serializers.FloatField(help_text="… and this")
    evidence = serializers.IntegerField(help_text="How many judgements it rests on")


class ChangeShape(serializers.Serializer[Any]):
    facet = serializers.CharField(help_text=FACET)
    project = serializers.CharField(help_text="The project that brought it about")
    score_from = serializers.FloatField()
    score_to = serializers.FloatField()
    low = serializers.FloatField(help_text="Of what it moved to")
    high = serializers.FloatField(help_text="Of what it moved to")
    judged = serializers.IntegerField(help_text="So many answers in the project were judged since the last change")
    agreed = serializers.IntegerField(help_text="Of these, in agreement with what is known to be right")
    taken_back = serializers.IntegerField(help_text="Earlier judgements that were found to be wrong since then")
    words = serializers.CharField()
    made_at = serializers.DateTimeField()


def standing_shape(shown: Shown) -> dict[str, Any]:
    return {
        "facet": shown.facet,
        "project": shown.project,
        "score": shown.score,
        "low": shown.low,
        "high": shown.high,
        "evidence": shown.evidence,
    }


def change_shape(change: Change) -> dict[str, Any]:
    return {
        "facet": change.facet,
        "project": change.project.name,
        "score_from": change.score_from,
        "score_to": change.score_to,
        "low": change.low,
        "high": change.high,
        "judged": change.judged,
        "agreed": change.agreed,
        "taken_back": change.taken_back,
        "words": change.words,
        "made_at": change.made_at,
    }


class ReputationView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(
        summary="Your standing in each project and beyond",
        description="Each moves with every 20th answer in a project, and with nothing else.",
        tags=["work"],
        responses=listing(StandingShape)["responses"],
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        shown = [*shown_to(request.worker_id), *skills_of(request.worker_id)]
        return whole(request, [standing_shape(standing) for standing in shown])


class ReputationChangesView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(summary="Why your standing moved, the latest change first", tags=["work"], **listing(ChangeShape))
    def get(self, request: KeyRequest) -> HttpResponse:
        return page_of(request, changes_of(request.worker_id), change_shape, descending=True)
