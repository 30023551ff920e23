"""The worker's side: the board, claims, submissions, returns, earnings and reputation."""

from dataclasses import asdict
from random import SystemRandom
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.batches.models import Batch
from marketplace.batches.queries import visible_batch
from marketplace.batches.states import BatchState
from marketplace.common.errors import DomainError
from marketplace.common.transactions import one_transaction
from marketplace.rest.ask import Ask
from marketplace.rest.boundary import once, respond
from marketplace.rest.pagination import page_of
from marketplace.rest.permissions import IsWorkerKey
from marketplace.rest.requests import KeyRequest
from workers.assignments.audience import refusal
from workers.assignments.commands.claim import claim, return_lease
from workers.assignments.commands.decide import apply_due
from workers.assignments.commands.submit import NextPage, Outcome, Submission, Submitted, submit
from workers.assignments.errors import LeaseLost
from workers.assignments.queries import LeasedTask, due_in_batch, earnings, live_leases
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

    @extend_schema(summary="Batches that take work, and why one may not be open to you", tags=["work"])
    def get(self, request: KeyRequest) -> HttpResponse:
        worker_id = request.worker_id
        running = Batch.objects.filter(state=BatchState.PUBLISHED).select_related("requester")
        return page_of(request, running, lambda batch: board_shape(batch, worker_id))


class BoardBatchView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(summary="One batch with its interface and instructions", tags=["work"])
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        found = visible_batch(batch)
        return respond(
            {
                **board_shape(found, request.worker_id),
                "state": found.state,
                "interface": found.version.interface,
                "instructions": found.version.instructions,
                "version": found.version.number,
            }
        )


class ClaimView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(summary="Top up to `count` live leases and return all of them", tags=["work"], request=ClaimAsk)
    def post(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        ask = ClaimAsk.of(request)
        wanted = visible_batch(batch)
        if due_in_batch(wanted.pk):
            with one_transaction(principal="due"):
                apply_due(batch_id=wanted.pk)
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

    @extend_schema(summary="What you hold now", tags=["work"])
    def get(self, request: KeyRequest) -> HttpResponse:
        return respond({"results": [lease_shape(lease) for lease in live_leases(request.worker_id)], "next": None})


class SubmitView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(summary="Submit a page of answers, and claim the next", tags=["work"], request=SubmitAsk)
    def post(self, request: KeyRequest) -> HttpResponse:
        ask = SubmitAsk.of(request)
        then = ask.get("then_claim")
        wanted = visible_batch(then["batch"]) if then else None
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

    @extend_schema(summary="Give a place back", tags=["work"], request=ReturnAsk)
    def post(self, request: KeyRequest, assignment: UUID) -> HttpResponse:
        ask = ReturnAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            return_lease(worker_id=request.worker_id, assignment=assignment, token=ask["token"], reason=ask["reason"])
            return boundary.respond({"assignment": assignment, "state": "returned"})


class EarningsView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(summary="Your money by currency", tags=["work"])
    def get(self, request: KeyRequest) -> HttpResponse:
        with one_transaction(principal="due"):
            apply_due()
        return respond(
            {
                "currencies": [
                    {**asdict(earned), "earned_micros": earned.earned_micros} for earned in earnings(request.worker_id)
                ]
            }
        )


class ReputationView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(summary="Your standing in each project", tags=["work"])
    def get(self, request: KeyRequest) -> HttpResponse:
        return respond({"results": [asdict(shown) for shown in shown_to(request.worker_id)], "next": None})


def board_shape(batch: Batch, worker_id: int) -> dict[str, Any]:
    reason = refusal(batch.audience, worker_id=worker_id, project_id=batch.project_id)
    return {
        "id": batch.public_id,
        "name": batch.name,
        "requester": {"id": batch.requester.public_id, "name": batch.requester.name},
        "price_micros": batch.price_micros,
        "currency": batch.currency,
        "time_limit_s": batch.time_limit_s,
        "eligible": reason is None,
        "reason": reason,
    }


def lease_shape(lease: LeasedTask) -> dict[str, Any]:
    """The one shape of everything a worker is given to do; gold and ordinary tasks differ in nothing."""
    return {
        "id": lease.id,
        "token": lease.token,
        "batch": lease.batch,
        "data": lease.data,
        "draft": lease.draft,
        "lease_until": lease.lease_until,
        "price_micros": lease.price_micros,
        "currency": lease.currency,
        "version": lease.version,
    }


def outcome_shape(outcome: Outcome) -> dict[str, Any]:
    return {
        "assignment": outcome.assignment,
        "outcome": outcome.outcome,
        "revision": outcome.revision,
        "draft_kept": outcome.draft_kept,
    }


def submitted_shape(done: Submitted) -> dict[str, Any]:
    return {
        "outcomes": [outcome_shape(outcome) for outcome in done.outcomes],
        "claimed": [lease_shape(lease) for lease in done.claimed],
        "claim_problem": _refusal_shape(done.claim_problem),
    }


def _refusal_shape(refused: DomainError | None) -> dict[str, Any] | None:
    return None if refused is None else {"code": refused.code, "title": refused.title, "detail": refused.detail}
