"""What a worker holds, from whom and until when."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of
from marketplace.rest.permissions import IsWorkerKey
from marketplace.rest.requests import KeyRequest
from workers.profiles.models import Grant, SkillKind
from workers.profiles.queries import held_by


class GrantorShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()


class HeldShape(serializers.Serializer[Any]):
    requester = GrantorShape()
    kind = serializers.ChoiceField(choices=SkillKind.choices)
    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    value = serializers.FloatField(allow_null=True, help_text="From 0 to 1; null for a qualification")
    evidence = serializers.CharField(help_text="What it rests on")
    granted_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)


def held_shape(grant: Grant) -> dict[str, Any]:
    skill = grant.skill
    return {
        "requester": {"id": skill.requester.public_id, "name": skill.requester.name},
        "kind": skill.kind,
        "name": skill.name,
        "description": skill.description,
        "value": grant.value,
        "evidence": grant.evidence,
        "granted_at": grant.granted_at,
        "expires_at": grant.expires_at,
    }


class HeldSkills(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(
        summary="The skills and qualifications that you hold, from whom and until when",
        tags=["work"],
        **listing(HeldShape),
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        return page_of(request, held_by(request.worker_id), held_shape)
