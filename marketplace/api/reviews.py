"""Rejections that wait for a look by somebody who is not of the requester."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.accounts.models import StaffRole
from marketplace.api.asks import DecisionAsk
from marketplace.common.errors import Unprocessable
from marketplace.common.transactions import one_transaction
from marketplace.rest.boundary import once, respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of
from marketplace.rest.permissions import staff
from marketplace.rest.requests import KeyRequest
from marketplace.results.commands.rejections import approve_review, lapse_reviews, refuse_review
from marketplace.results.models import RejectionReview
from marketplace.results.queries import ReviewedAnswer, review_of, reviewed_answers, reviews_in
from marketplace.results.states import Cause, ReviewState
from workers.assignments.states import RejectReason


class EvidenceShape(serializers.Serializer[Any]):
    answered = serializers.IntegerField(help_text="Answered places of the batch at the time")
    allowed = serializers.IntegerField(help_text="How many may be rejected without a review")
    asked = serializers.IntegerField()
    taken = serializers.IntegerField(help_text="Rejected before without a review")
    waiting = serializers.IntegerField(help_text="Already waiting then")
    week_taken = serializers.IntegerField(help_text="The same of all the requester's batches in seven days")
    week_allowed = serializers.IntegerField(help_text="How many of all of them may be rejected without a review")
    back = serializers.IntegerField(help_text="Out for repair then, or never come again")
    compared = serializers.IntegerField(help_text="Rejections of which could be said whether they agree with others")
    agreeing = serializers.IntegerField(help_text="How many of those do")
    disagreement = serializers.FloatField(help_text="Share of the batch's answers that disagree with most others")


class ReviewShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    state = serializers.ChoiceField(choices=ReviewState.choices)
    cause = serializers.ChoiceField(choices=Cause.choices)
    batch = serializers.UUIDField()
    requester = serializers.CharField()
    reason = serializers.ChoiceField(choices=RejectReason.choices)
    comment = serializers.CharField()
    answers = serializers.IntegerField()
    evidence = EvidenceShape()
    made_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    decision = serializers.CharField(allow_blank=True, help_text="Why it was decided so")


class ReviewedAnswerShape(serializers.Serializer[Any]):
    task = serializers.CharField(help_text="The task's external id")
    values = serializers.DictField()
    unclear = serializers.BooleanField()
    agreed = serializers.BooleanField(allow_null=True, help_text="Whether most other answers of the task say the same")
    state = serializers.CharField()


class OneReviewShape(ReviewShape):
    sample = ReviewedAnswerShape(many=True, help_text="Some of the answers, with nothing about who gave them")


def review_shape(review: RejectionReview) -> dict[str, Any]:
    return {
        "id": review.public_id,
        "state": review.state,
        "cause": review.cause,
        "batch": review.batch.public_id,
        "requester": review.batch.requester.name,
        "reason": review.reason,
        "comment": review.comment,
        "answers": review.answers,
        "evidence": review.evidence,
        "made_at": review.made_at,
        "decided_at": review.decided_at,
        "decision": review.decision,
    }


def reviewed_answer_shape(answer: ReviewedAnswer) -> dict[str, Any]:
    return {
        "task": answer.task,
        "values": answer.values,
        "unclear": answer.unclear,
        "agreed": answer.agreed,
        "state": answer.state,
    }


class ReviewsView(APIView):
    permission_classes = [staff(StaffRole.SUPPORT, StaffRole.QUALITY)]

    @extend_schema(
        summary="Rejections that wait for a review, or did",
        tags=["reviews"],
        **listing(ReviewShape, OpenApiParameter("state", str, enum=ReviewState.values)),
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        state = request.query_params.get("state")
        if state is not None and state not in ReviewState.values:
            raise Unprocessable("There is no such state.", errors=[{"field": "state", "message": "is not a state"}])
        with one_transaction(principal="due"):
            lapse_reviews()
        return page_of(request, reviews_in(state), review_shape, allowed=["state"])


class ReviewView(APIView):
    permission_classes = [staff(StaffRole.SUPPORT, StaffRole.QUALITY)]

    @extend_schema(summary="One review with some of its answers", tags=["reviews"], responses=OneReviewShape)
    def get(self, request: KeyRequest, review: UUID) -> HttpResponse:
        found = review_of(review)
        sample = [reviewed_answer_shape(answer) for answer in reviewed_answers(found)]
        return respond({**review_shape(found), "sample": sample})


def _decided(request: KeyRequest, review: UUID, command: Callable[..., RejectionReview]) -> HttpResponse:
    ask = DecisionAsk.of(request)
    with once(request) as boundary:
        if boundary.replay:
            return boundary.replay
        command(review=review, by=request.user.pk, reason=ask["reason"])
        return boundary.respond(review_shape(review_of(review)))


class ApproveView(APIView):
    permission_classes = [staff(StaffRole.SUPPORT, StaffRole.QUALITY)]

    @extend_schema(
        summary="Let the rejections take effect", tags=["reviews"], request=DecisionAsk, responses=ReviewShape
    )
    def post(self, request: KeyRequest, review: UUID) -> HttpResponse:
        return _decided(request, review, approve_review)


class RefuseView(APIView):
    permission_classes = [staff(StaffRole.SUPPORT, StaffRole.QUALITY)]

    @extend_schema(
        summary="Refuse the rejections; the answers stay submitted until they are accepted",
        tags=["reviews"],
        request=DecisionAsk,
        responses=ReviewShape,
    )
    def post(self, request: KeyRequest, review: UUID) -> HttpResponse:
        return _decided(request, review, refuse_review)
