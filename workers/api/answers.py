"""The history of a worker's own answers, each with its outcome."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.common.errors import Unprocessable
from marketplace.rest.boundary import respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of_rows
from marketplace.rest.permissions import IsWorkerKey
from marketplace.rest.requests import KeyRequest
from workers.assignments.history import Outcome, OwnAnswer, WholeAnswer, own_answer, own_answers
from workers.assignments.states import RejectReason


class AnsweredBatchShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    requester = serializers.CharField()


class AnswerRejectedShape(serializers.Serializer[Any]):
    reason = serializers.ChoiceField(choices=RejectReason.choices)
    comment = serializers.CharField()
    version = serializers.IntegerField(help_text="The instructions that it cites")
    made_at = serializers.DateTimeField()
    appeal_until = serializers.DateTimeField()
    contested = serializers.BooleanField()
    appealable = serializers.BooleanField()


class AnswerReturnedShape(serializers.Serializer[Any]):
    reason = serializers.ChoiceField(choices=RejectReason.choices)
    comment = serializers.CharField()
    made_at = serializers.DateTimeField()


class OwnAnswerShape(serializers.Serializer[Any]):
    id = serializers.UUIDField(help_text="Of the assignment")
    batch = AnsweredBatchShape()
    outcome = serializers.ChoiceField(
        choices=Outcome.choices,
        help_text="`due` is accepted and paid next; `repair` came back to you, `not_repaired` and you did not send it",
    )
    upheld = serializers.BooleanField(help_text="Rejected first, and won afterwards")
    unclear = serializers.BooleanField()
    values = serializers.DictField(help_text="As you sent it last")
    submitted_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    price_micros = serializers.IntegerField()
    currency = serializers.CharField()
    version = serializers.IntegerField(help_text="Of the instructions that you were shown")
    rejected = AnswerRejectedShape(allow_null=True)
    returned = AnswerReturnedShape(allow_null=True, help_text="Why it came back for repair")


class WholeAnswerShape(OwnAnswerShape):
    data = serializers.DictField(help_text="What you were shown")  # type: ignore[assignment]
    interface = serializers.DictField()
    instructions = serializers.CharField(allow_blank=True)
    cited_instructions = serializers.CharField(
        allow_blank=True, help_text="Those that a rejection cites; otherwise the same as `instructions`"
    )


def own_answer_shape(answer: OwnAnswer) -> dict[str, Any]:
    """The one shape of every answer, whatever its task was for."""
    rejected, returned = answer.rejected, answer.returned
    return {
        "id": answer.id,
        "batch": asdict(answer.batch),
        "outcome": answer.outcome,
        "upheld": answer.upheld,
        "unclear": answer.unclear,
        "values": answer.values,
        "submitted_at": answer.submitted_at,
        "decided_at": answer.decided_at,
        "price_micros": answer.price_micros,
        "currency": answer.currency,
        "version": answer.version,
        "rejected": None
        if rejected is None
        else {
            "reason": rejected.reason,
            "comment": rejected.comment,
            "version": rejected.version,
            "made_at": rejected.made_at,
            "appeal_until": rejected.appeal_until,
            "contested": rejected.contested,
            "appealable": answer.appealable,
        },
        "returned": None if returned is None else asdict(returned),
    }


def whole_answer_shape(whole: WholeAnswer) -> dict[str, Any]:
    return {
        **own_answer_shape(whole.answer),
        "data": whole.data,
        "interface": whole.interface,
        "instructions": whole.instructions,
        "cited_instructions": whole.cited_instructions,
    }


class AnswersView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(
        summary="Your answers and what came of each, the last first",
        tags=["work"],
        **listing(
            OwnAnswerShape,
            OpenApiParameter("batch", OpenApiTypes.UUID, description="Of this batch only"),
            OpenApiParameter("outcome", str, enum=Outcome.values, description="With this outcome only"),
        ),
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        batch, outcome = _batch(request), _outcome(request)

        def fetch(after: int, limit: int) -> list[dict[str, Any]]:
            found = own_answers(request.worker_id, limit=limit, before=after or None, batch=batch, outcome=outcome)
            return [{"cursor": answer.cursor, "answer": answer} for answer in found]

        return page_of_rows(request, fetch, lambda row: own_answer_shape(row["answer"]), allowed=("batch", "outcome"))


class AnswerView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(summary="One of your answers, with what you were shown", tags=["work"], responses=WholeAnswerShape)
    def get(self, request: KeyRequest, answer: UUID) -> HttpResponse:
        return respond(whole_answer_shape(own_answer(request.worker_id, answer)))


def _batch(request: KeyRequest) -> UUID | None:
    text = request.query_params.get("batch")
    try:
        return None if text is None else UUID(text)
    except ValueError:
        raise _wrong("batch", "is the id of a batch") from None


def _outcome(request: KeyRequest) -> str | None:
    text = request.query_params.get("outcome")
    if text is not None and text not in Outcome.values:
        raise _wrong("outcome", f"is one of {', '.join(Outcome.values)}")
    return text


def _wrong(field: str, message: str) -> Unprocessable:
    return Unprocessable("Some values are not valid.", errors=[{"field": field, "message": message}])
