"""The worker's side: the board, claims, submissions, returns, earnings and reputation."""

from random import SystemRandom
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.batches.models import Batch
from marketplace.batches.queries import visible_batch
from marketplace.batches.states import BatchState
from marketplace.common.errors import Unprocessable
from marketplace.common.transactions import one_transaction
from marketplace.rest.ask import Ask
from marketplace.rest.boundary import once, respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of, whole
from marketplace.rest.permissions import IsWorkerKey
from marketplace.rest.requests import KeyRequest
from workers.api.shapes import (
    BoardBatchShape,
    BoardShape,
    ClaimedShape,
    EarningsShape,
    LeaseShape,
    ReturnedShape,
    StandingShape,
    SubmittedShape,
    board_batch_shape,
    board_shape,
    earnings_shape,
    lease_shape,
    standing_shape,
    submitted_shape,
)
from workers.assignments.commands.claim import claim, return_lease
from workers.assignments.commands.decide import apply_due
from workers.assignments.commands.submit import NextPage, Submission, submit
from workers.assignments.errors import LeaseLost
from workers.assignments.queries import due_in_batch, earnings, live_leases
from workers.reputation.queries import shown_to

PAGE_MAX = 100
CHANCE = SystemRandom()


class ClaimAsk(Ask):
    count = serializers.IntegerField(min_value=1, max_value=PAGE_MAX, default=1)


class AnswerAsk(Ask):
    assignment = serializers.UUIDField()
    token = serializers.UUIDField()
    values = serializers.DictField(default=dict)
    unclear = serializers.BooleanField(default=False)


class NextAsk(Ask):
    batch = serializers.UUIDField()
    count = serializers.IntegerField(min_value=1, max_value=PAGE_MAX, default=1)


class SubmitAsk(Ask):
    answers = AnswerAsk(many=True, allow_empty=False, max_length=PAGE_MAX)  # type: ignore[call-arg]
    then_claim = NextAsk(required=False)


class ReturnAsk(Ask):
    token = serializers.UUIDField()
    reason = serializers.CharField(max_length=100, allow_blank=True, default="")


class BoardView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(
        summary="Batches that take work, and why one may not be open to you", tags=["work"], **listing(BoardShape)
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        worker_id = request.worker_id
        running = Batch.objects.filter(state=BatchState.PUBLISHED).select_related("requester")
        return page_of(request, running, lambda batch: board_shape(batch, worker_id))


class BoardBatchView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(summary="One batch with its interface and instructions", tags=["work"], responses=BoardBatchShape)
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        return respond(board_batch_shape(visible_batch(batch), request.worker_id))


class ClaimView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(
        summary="Top up to `count` live leases and return all of them",
        tags=["work"],
        request=ClaimAsk,
        responses={201: ClaimedShape},
    )
    def post(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        ask = ClaimAsk.of(request)
        wanted = _up_to_date(batch)
        with once(request) as boundary:
            return boundary.replay or boundary.respond(
                {
                    "assignments": [
                        lease_shape(lease)
                        for lease in claim(
                            worker_id=request.worker_id, batch_id=wanted.pk, count=ask["count"], chance=CHANCE
                        )
                    ]
                },
                status=201,
            )


class LeasesView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(
        summary="What you hold now",
        tags=["work"],
        parameters=[OpenApiParameter("state", str, enum=("leased",))],
        responses=listing(LeaseShape)["responses"],
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        if request.query_params.get("state", "leased") != "leased":
            raise Unprocessable("There is no such state.", errors=[{"field": "state", "message": "must be leased"}])
        leases = live_leases(request.worker_id)
        return whole(request, [lease_shape(lease) for lease in leases], allowed=["state"])


class SubmitView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(
        summary="Submit a page of answers, and claim the next",
        tags=["work"],
        request=SubmitAsk,
        responses=SubmittedShape,
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        ask = SubmitAsk.of(request)
        then = ask.get("then_claim")
        wanted = _up_to_date(then["batch"]) if then else None
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            done = submit(
                worker_id=request.worker_id,
                page=[Submission(**answer) for answer in ask["answers"]],
                then_claim=NextPage(wanted.pk, then["count"]) if wanted and then else None,
                chance=CHANCE,
            )
            body = submitted_shape(done)
            if any(outcome.outcome == "submitted" for outcome in done.outcomes):
                return boundary.respond(body)
            # Nothing was stored as an answer, but drafts were: the refusal is kept with them.
            return boundary.refuse(
                LeaseLost("None of these leases is yours to submit any more; what you typed is kept as drafts.", **body)
            )


class ReturnView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(summary="Give a place back", tags=["work"], request=ReturnAsk, responses=ReturnedShape)
    def post(self, request: KeyRequest, assignment: UUID) -> HttpResponse:
        ask = ReturnAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            return_lease(worker_id=request.worker_id, assignment=assignment, token=ask["token"], reason=ask["reason"])
            return boundary.respond({"assignment": assignment, "state": "returned"})


class EarningsView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(summary="Your money by currency", tags=["work"], responses=EarningsShape)
    def get(self, request: KeyRequest) -> HttpResponse:
        with one_transaction(principal="due"):
            apply_due()
        return respond({"currencies": [earnings_shape(earned) for earned in earnings(request.worker_id)]})


class ReputationView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(
        summary="Your standing in each project", tags=["work"], responses=listing(StandingShape)["responses"]
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        return whole(request, [standing_shape(standing) for standing in shown_to(request.worker_id)])


def _up_to_date(batch: UUID) -> Batch:
    """The batch, with what is past its time applied first, so that a claim needs no background process (R15)."""
    found = visible_batch(batch)
    if due_in_batch(found.pk):
        with one_transaction(principal="due"):
            apply_due(batch_id=found.pk)
    return found
