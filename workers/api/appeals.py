"""The worker's side of rejections, sanctions and appeals."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.common.database import value
from marketplace.common.errors import Unprocessable
from marketplace.rest.ask import Ask
from marketplace.rest.boundary import once
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of, page_of_rows
from marketplace.rest.permissions import IsWorkerKey
from marketplace.rest.requests import KeyRequest
from workers.appeals.commands.open import contest_answer, contest_sanction
from workers.appeals.due import settle_late
from workers.appeals.models import Appeal
from workers.appeals.queries import appeal_of, appeals_of
from workers.appeals.states import Kind, Method, State
from workers.assignments.queries import rejections_page
from workers.assignments.states import RejectReason

WORDS_MAX = 5_000


class AppealAsk(Ask):
    assignment = serializers.UUIDField(required=False, help_text="Whose rejection you contest")
    sanction = serializers.UUIDField(required=False, help_text="Or the sanction")
    words = serializers.CharField(max_length=WORDS_MAX, help_text="Why; whoever judges reads it")


class AppealStepShape(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=Kind.choices)
    reason = serializers.CharField()
    made_at = serializers.DateTimeField()


class AppealShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    assignment = serializers.UUIDField(allow_null=True)
    sanction = serializers.UUIDField(allow_null=True)
    words = serializers.CharField()
    state = serializers.ChoiceField(
        choices=State.choices, help_text="`upheld` and, where nobody decided in time, `lapsed` are won"
    )
    method = serializers.ChoiceField(
        choices=Method.choices, help_text="Others who do the same task and know of nothing, or a person"
    )
    opened_at = serializers.DateTimeField()
    decide_by = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    steps = AppealStepShape(many=True)


class RejectionShape(serializers.Serializer[Any]):
    assignment = serializers.UUIDField()
    batch = serializers.UUIDField()
    batch_name = serializers.CharField()
    state = serializers.ChoiceField(choices=("rejected", "upheld"))
    reason = serializers.ChoiceField(choices=RejectReason.choices)
    comment = serializers.CharField()
    version = serializers.IntegerField(help_text="The instructions that it cites: those you were shown")
    made_at = serializers.DateTimeField()
    appeal_until = serializers.DateTimeField()
    appealable = serializers.BooleanField()


def appeal_shape(appeal: Appeal) -> dict[str, Any]:
    """Without who did what: to the worker the platform speaks."""
    return {
        "id": appeal.public_id,
        "assignment": appeal.rejection and appeal.rejection.assignment.public_id,
        "sanction": appeal.sanction and appeal.sanction.public_id,
        "words": appeal.words,
        "state": appeal.state,
        "method": appeal.method,
        "opened_at": appeal.opened_at,
        "decide_by": appeal.decide_by,
        "decided_at": appeal.decided_at,
        "steps": [
            {"kind": step.kind, "reason": step.reason, "made_at": step.made_at}
            for step in sorted(appeal.steps.all(), key=lambda step: step.pk)
        ],
    }


def rejection_shape(row: dict[str, Any], now: Any) -> dict[str, Any]:
    shown = ("assignment", "batch", "batch_name", "state", "reason", "comment", "version", "made_at")
    return {name: row[name] for name in shown} | {
        "appeal_until": row["until"],
        "appealable": row["state"] == "rejected" and not row["contested"] and row["until"] > now,
    }


class RejectionsView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(
        summary="Your rejected answers: why, and until when you may contest it",
        tags=["work"],
        **listing(RejectionShape),
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        now = value("SELECT market_now()")
        return page_of_rows(
            request,
            lambda after, limit: rejections_page(request.worker_id, after_id=after, limit=limit),
            lambda row: rejection_shape(row, now),
        )


class AppealsView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(summary="Your appeals", tags=["work"], **listing(AppealShape))
    def get(self, request: KeyRequest) -> HttpResponse:
        settle_late()
        return page_of(request, appeals_of(request.worker_id), appeal_shape)

    @extend_schema(
        summary="Contest a rejection or a sanction, once; whoever judges is not the requester",
        tags=["work"],
        request=AppealAsk,
        responses={201: AppealShape},
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        ask = AppealAsk.of(request)
        if ("assignment" in ask) == ("sanction" in ask):
            raise Unprocessable(
                "Say what you contest.", errors=[{"field": "assignment", "message": "give either it or a sanction"}]
            )
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            if "assignment" in ask:
                made = contest_answer(worker_id=request.worker_id, assignment=ask["assignment"], words=ask["words"])
            else:
                made = contest_sanction(worker_id=request.worker_id, sanction=ask["sanction"], words=ask["words"])
            return boundary.respond(appeal_shape(appeal_of(made.public_id)), status=201)
