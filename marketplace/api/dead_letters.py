"""What was put aside because it kept killing its process: for staff to see, and to have it tried again."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.accounts.commands.acts import record
from marketplace.accounts.models import StaffRole
from marketplace.api.asks import EmptyAsk
from marketplace.common.database import one
from marketplace.common.models import DeadLetter
from marketplace.common.sweeps import retry
from marketplace.rest.boundary import once
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of
from marketplace.rest.permissions import staff
from marketplace.rest.requests import KeyRequest


class DeadLetterShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=("sweep", "answer"))
    sweep = serializers.CharField(allow_null=True, help_text="The sweep that is parked")
    assignment = serializers.UUIDField(allow_null=True, help_text="The assignment whose answer is not scored")
    batch = serializers.UUIDField(allow_null=True)
    error = serializers.CharField(help_text="How the last run ended")
    times = serializers.IntegerField()
    first_at = serializers.DateTimeField()
    parked_at = serializers.DateTimeField()
    retried_at = serializers.DateTimeField(allow_null=True)


def dead_letter_shape(letter: DeadLetter) -> dict[str, Any]:
    assignment, batch = None, None
    if letter.kind == "answer":
        assignment, batch = one(
            "SELECT a.public_id, b.public_id FROM assignments_assignment a JOIN batches_batch b ON b.id = a.batch_id"
            " WHERE a.id = %s",
            [int(letter.subject.partition(":")[0])],
        ) or (None, None)
    return {
        "id": letter.public_id,
        "kind": letter.kind,
        "sweep": letter.subject if letter.kind == "sweep" else None,
        "assignment": assignment,
        "batch": batch,
        "error": letter.error,
        "times": letter.times,
        "first_at": letter.first_at,
        "parked_at": letter.parked_at,
        "retried_at": letter.retried_at,
    }


class DeadLettersView(APIView):
    permission_classes = [staff(StaffRole.SUPERUSER)]

    @extend_schema(
        summary="Sweeps and items that were put aside, newest first", tags=["operations"], **listing(DeadLetterShape)
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        return page_of(request, DeadLetter.objects.all(), dead_letter_shape, descending=True)


class RetryView(APIView):
    permission_classes = [staff(StaffRole.SUPERUSER)]

    @extend_schema(
        summary="Try it again, with three tries anew",
        tags=["operations"],
        request=EmptyAsk,
        responses=DeadLetterShape,
    )
    def post(self, request: KeyRequest, letter: UUID) -> HttpResponse:
        EmptyAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            tried = retry(public_id=letter)
            record("configuration.letter_retried", subject="dead_letter", subject_id=letter)
            return boundary.respond(dead_letter_shape(tried))
