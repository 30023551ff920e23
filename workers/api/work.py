"""The worker's side: the board, claims, submissions, returns and earnings."""

from collections.abc import Callable
from random import SystemRandom
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.batches.models import Batch
from marketplace.batches.queries import offer_of, running_batches, visible_batch
from marketplace.common.errors import Unprocessable
from marketplace.common.transactions import one_transaction
from marketplace.rest.ask import Ask
from marketplace.rest.boundary import again, once, respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of, whole
from marketplace.rest.permissions import IsWorkerKey
from marketplace.rest.plain import PlainView
from marketplace.rest.requests import KeyRequest
from workers.api.boards import figures_of
from workers.api.devices import device_of
from workers.api.quick import PAGE_MAX, quick_count, quick_page
from workers.api.shapes import (
    BeatsShape,
    BoardBatchShape,
    BoardShape,
    ClaimedShape,
    EarningsShape,
    HeldLeaseShape,
    KeptShape,
    ReturnedShape,
    SubmittedShape,
    beat_shape,
    board_batch_shape,
    board_shape,
    earnings_shape,
    held_shape,
    kept_shape,
    lease_shape,
    submitted_shape,
)
from workers.assignments.audience.board import closures
from workers.assignments.commands.claim import claim
from workers.assignments.commands.decide import apply_due
from workers.assignments.commands.leases import extend_leases, return_lease, save_draft
from workers.assignments.commands.submit import NextPage, Submission, submit
from workers.assignments.errors import DueFirst, LeaseLost
from workers.assignments.queries import earnings, live_leases, repairs_in_hand
from workers.assignments.states import ReturnReason

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


class LeaseAsk(Ask):
    assignment = serializers.UUIDField()
    token = serializers.UUIDField()


class HeartbeatAsk(Ask):
    leases = LeaseAsk(many=True, allow_empty=False, max_length=PAGE_MAX)  # type: ignore[call-arg]


class DraftAsk(Ask):
    token = serializers.UUIDField()
    values = serializers.DictField()


class ReturnAsk(Ask):
    token = serializers.UUIDField()
    reason = serializers.ChoiceField(choices=ReturnReason.choices, default=ReturnReason.SKIP)
    comment = serializers.CharField(max_length=2_000, allow_blank=True, default="")


class BoardView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(
        summary="Batches that take work, and why one may not be open to you", tags=["work"], **listing(BoardShape)
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        def shapes(batches: list[Batch]) -> list[dict[str, Any]]:
            figures = figures_of(batches)
            closed = closures(batches, worker_id=request.worker_id, device=device_of(request))
            return [board_shape(batch, figures[batch.pk], closed.get(batch.pk)) for batch in batches]

        return page_of(request, running_batches().select_related("requester"), together=shapes)


class BoardBatchView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(summary="One batch with its interface and instructions", tags=["work"], responses=BoardBatchShape)
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        found = visible_batch(batch)
        closed = closures([found], worker_id=request.worker_id, device=device_of(request))
        return respond(board_batch_shape(found, figures_of([found])[found.pk], closed.get(found.pk)))


class ClaimView(PlainView):
    permission_classes = [IsWorkerKey]

    @extend_schema(
        summary="Top up to `count` live leases and return all of them",
        tags=["work"],
        request=ClaimAsk,
        responses={201: ClaimedShape},
    )
    def post(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        count = quick_count(request.data) or ClaimAsk.of(request)["count"]
        offer, device = offer_of(batch), device_of(request)

        def once_more(due_done: bool) -> HttpResponse:
            with once(request) as boundary:
                if boundary.replay:
                    return boundary.replay
                leases = claim(
                    worker_id=request.worker_id,
                    offer=offer,
                    count=count,
                    chance=CHANCE,
                    due_done=due_done,
                    device=device,
                )
                return boundary.respond({"assignments": [lease_shape(lease) for lease in leases]}, status=201)

        return _due_first(once_more)


class LeasesView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(
        summary="What you hold now",
        tags=["work"],
        parameters=[OpenApiParameter("state", str, enum=("leased",))],
        responses=listing(HeldLeaseShape)["responses"],
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        if request.query_params.get("state", "leased") != "leased":
            raise Unprocessable("There is no such state.", errors=[{"field": "state", "message": "must be leased"}])
        leases = live_leases(request.worker_id)
        repairs = repairs_in_hand(request.worker_id)
        return whole(request, [held_shape(lease, repairs.get(lease.id)) for lease in leases], allowed=["state"])


class SubmitView(PlainView):
    permission_classes = [IsWorkerKey]

    @extend_schema(
        summary="Submit a page of answers, and claim the next",
        tags=["work"],
        request=SubmitAsk,
        responses=SubmittedShape,
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        page, then = _page_asked(request)
        following = NextPage(offer_of(then[0]), then[1], device_of(request)) if then else None

        def once_more(due_done: bool) -> HttpResponse:
            with once(request) as boundary:
                if boundary.replay:
                    return boundary.replay
                done = submit(
                    worker_id=request.worker_id, page=page, then_claim=following, chance=CHANCE, due_done=due_done
                )
                body = submitted_shape(done)
                if any(outcome.outcome == "submitted" for outcome in done.outcomes):
                    return boundary.respond(body)
                # Nothing was stored as an answer, but drafts were: the refusal is kept with them.
                lost = "None of these leases is yours to submit any more; what you typed is kept as drafts."
                return boundary.refuse(LeaseLost(lost, **body))

        return _due_first(once_more)


class HeartbeatView(PlainView):
    permission_classes = [IsWorkerKey]

    @extend_schema(
        summary="Prolong the leases you are working on", tags=["work"], request=HeartbeatAsk, responses=BeatsShape
    )
    def put(self, request: KeyRequest) -> HttpResponse:
        leases = [(lease["assignment"], lease["token"]) for lease in HeartbeatAsk.of(request)["leases"]]
        with again(request):
            beats = extend_leases(worker_id=request.worker_id, leases=leases)
        return respond({"leases": [beat_shape(beat) for beat in beats]})


class DraftView(PlainView):
    permission_classes = [IsWorkerKey]

    @extend_schema(
        summary="Keep what you have typed so far, and prolong the lease",
        tags=["work"],
        request=DraftAsk,
        responses=KeptShape,
    )
    def put(self, request: KeyRequest, assignment: UUID) -> HttpResponse:
        ask = DraftAsk.of(request)
        with again(request):
            kept = save_draft(
                worker_id=request.worker_id, assignment=assignment, token=ask["token"], values=ask["values"]
            )
        return respond(kept_shape(kept))


class ReturnView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(summary="Give a place back", tags=["work"], request=ReturnAsk, responses=ReturnedShape)
    def post(self, request: KeyRequest, assignment: UUID) -> HttpResponse:
        ask = ReturnAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            return_lease(worker_id=request.worker_id, assignment=assignment, **ask)
            return boundary.respond({"assignment": assignment, "state": "returned"})


class EarningsView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(summary="Your money by currency", tags=["work"], responses=EarningsShape)
    def get(self, request: KeyRequest) -> HttpResponse:
        with one_transaction(principal="due"):
            apply_due()
        return respond({"currencies": [earnings_shape(earned) for earned in earnings(request.worker_id)]})


def _page_asked(request: KeyRequest) -> tuple[list[Submission], tuple[UUID, int] | None]:
    quick = quick_page(request.data)
    if quick is not None:
        return quick
    ask = SubmitAsk.of(request)
    then = ask.get("then_claim")
    return [Submission(**answer) for answer in ask["answers"]], (then["batch"], then["count"]) if then else None


def _due_first(run: Callable[[bool], HttpResponse]) -> HttpResponse:
    """Run a claim; where leases of its batch are past their end, apply that first, so that nothing needs a background
    process (R15)."""
    try:
        return run(False)
    except DueFirst as due:
        with one_transaction(principal="due"):
            apply_due(batch_id=due.batch_id)
        return run(True)
