"""Whom an audience lets in, and why not the others."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.batches.audience import audience_errors
from marketplace.batches.errors import TermsInvalid
from marketplace.batches.queries import batch_for
from marketplace.projects.queries import project_for
from marketplace.rest.ask import Ask
from marketplace.rest.boundary import once, respond
from marketplace.rest.permissions import IsRequesterKey
from marketplace.rest.requests import KeyRequest
from workers.assignments.audience.explanation import Explanation, explain


class AudienceAsk(Ask):
    audience = serializers.DictField()


class ExcludedShape(serializers.Serializer[Any]):
    path = serializers.CharField(help_text="Of the condition, as audience.all[1].country")
    rule = serializers.CharField(help_text="Its name, as country")
    words = serializers.CharField()
    workers = serializers.IntegerField(allow_null=True, help_text="Whom it keeps out; null for fewer than five")
    only_by_this = serializers.IntegerField(
        allow_null=True, help_text="Whom nothing else keeps out; null for fewer than five"
    )


class ExplanationShape(serializers.Serializer[Any]):
    qualify = serializers.IntegerField(
        allow_null=True, help_text="null for fewer than five; all but fewer than five are told as all"
    )
    of = serializers.IntegerField(help_text="Workers with an open account; several accounts of one person count once")
    estimate = serializers.BooleanField(
        help_text="Country, languages, device, content and age of the account are counted apart, from each other and"
        " from whom you picked: where an audience asks for several, the counts are put together as if they were"
        " independent"
    )
    excluded_by = ExcludedShape(many=True)
    text = serializers.CharField(help_text="As: 12 of 340 workers qualify; most are excluded by country.")


def explanation_shape(explained: Explanation) -> dict[str, Any]:
    return asdict(explained)


class BatchAudienceView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="How many workers a batch is open to", tags=["batches"], responses=ExplanationShape)
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        of = batch_for(request.user.pk, batch)
        explained = explain(of.audience, project_id=of.project_id)
        return respond(explanation_shape(explained))


class AudiencePreviewView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="How many workers an audience would let in",
        tags=["projects"],
        request=AudienceAsk,
        responses=ExplanationShape,
    )
    def post(self, request: KeyRequest, project: UUID) -> HttpResponse:
        audience = AudienceAsk.of(request)["audience"]
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = project_for(request.user.pk, project)
            errors = audience_errors(audience, requester_id=of.requester_id)
            if errors:
                raise TermsInvalid("The audience has errors.", errors=errors)
            explained = explain(audience, project_id=of.pk)
            return boundary.respond(explanation_shape(explained))
