"""Batches: terms, life and progress."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.accounts.queries import requester_for
from marketplace.api.asks import BatchAsk, EmptyAsk, TermsAsk, uuid_of, whole_numbers
from marketplace.api.gold import GoldCostShape, gold_cost
from marketplace.api.shapes import (
    BatchShape,
    EstimateShape,
    ProgressShape,
    batch_shape,
    estimate_shape,
    progress_shape,
)
from marketplace.batches.commands.create import Terms, change_terms, create_batch
from marketplace.batches.commands.lifecycle import close_batch, pause_batch, publish_batch, resume_batch
from marketplace.batches.costs import Platform
from marketplace.batches.models import OVERLAP_MAX, TOPUP_MAX, WEEK_S, Batch
from marketplace.batches.queries import batch_for, batches_of, estimate, progress
from marketplace.common.money import AMOUNT_MAX, BASIS_POINTS
from marketplace.projects.queries import project_for, version_of
from marketplace.rest.boundary import once, respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of
from marketplace.rest.permissions import IsRequesterKey
from marketplace.rest.requests import KeyRequest
from workers.assignments.commands.decide import cancel
from workers.assignments.hourly import hourly_for, pace_for, price_for

# By these terms the cost of a draft can be asked for before they are its own.
IF_TERMS = {
    "price_micros": (1, AMOUNT_MAX // 10**6),
    "overlap": (1, OVERLAP_MAX),
    "dispute_basis_points": (0, BASIS_POINTS),
    "topup_basis_points": (0, TOPUP_MAX),
}
PRICED_BY = {"hourly_micros": (1, AMOUNT_MAX // 10**6), "expected_s": (1, WEEK_S)}


class PriceShape(serializers.Serializer[Any]):
    seconds = serializers.FloatField(allow_null=True, help_text="Half of the answers take no longer")
    of = serializers.ChoiceField(
        choices=["batch", "project", "answers", "expected", "unknown"],
        help_text="Where that is from: this batch, other batches of the project, others with the same kinds of answers,"
        " or your own guess",
    )
    answers = serializers.IntegerField(help_text="From so many")
    price_micros = serializers.IntegerField(allow_null=True, help_text="What pays the target")
    hourly_micros = serializers.IntegerField(allow_null=True, help_text="What the batch's own price pays an hour")


def price_shape(batch: Batch, hourly_micros: int | None, expected_s: int | None) -> dict[str, Any]:
    """What is measured goes before a guess."""
    pace = pace_for(batch)
    guess = expected_s or batch.expected_s
    seconds = pace.median_s if pace else guess
    return {
        "seconds": seconds,
        "of": pace.of if pace else "expected" if guess else "unknown",
        "answers": pace.answers if pace else 0,
        "price_micros": price_for(seconds, hourly_micros) if seconds and hourly_micros else None,
        "hourly_micros": hourly_for(seconds, batch.price_micros) if seconds else None,
    }


class EstimateWithGoldShape(EstimateShape):
    gold = GoldCostShape()


class ProgressWithGoldShape(ProgressShape):
    gold = GoldCostShape()


class ProjectBatchesView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="Create a draft batch", tags=["batches"], request=BatchAsk, responses={201: BatchShape})
    def post(self, request: KeyRequest, project: UUID) -> HttpResponse:
        ask = dict(BatchAsk.of(request))
        number = ask.pop("version", None)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = project_for(request.user.pk, project, at_least="manager")
            made = create_batch(
                project=of,
                version=version_of(of, number),
                terms=Terms(**ask),
                platform=Platform(**settings.PLATFORM_TERMS),
            )
            return boundary.respond(batch_shape(made), status=201)


class BatchesView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="List batches",
        tags=["batches"],
        **listing(BatchShape, OpenApiParameter("requester", OpenApiTypes.UUID, description="of one organisation only")),
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        of = batches_of(request.user.pk)
        found = of.select_related("requester", "project", "version", "pilot", "continues")
        wanted = request.query_params.get("requester")
        if wanted is not None:
            found = found.filter(requester=requester_for(request.user.pk, uuid_of(wanted, "requester")))
        return page_of(request, found, batch_shape, allowed=["requester"])


class BatchView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="One batch", tags=["batches"], responses=BatchShape)
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        return respond(batch_shape(batch_for(request.user.pk, batch)))


class EstimateView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="What publishing would hold, under the batch's terms or others",
        tags=["batches"],
        parameters=[
            OpenApiParameter(name, {"type": "integer", "minimum": low, "maximum": high})
            for name, (low, high) in IF_TERMS.items()
        ],
        responses=EstimateWithGoldShape,
    )
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        asked = whole_numbers(request.query_params, IF_TERMS)
        of = batch_for(request.user.pk, batch)
        return respond(estimate_shape(estimate(of, if_terms=asked)) | {"gold": gold_cost(of)})


class TermsView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Change terms of a draft; those that are left out stay as they are",
        tags=["batches"],
        request=TermsAsk,
        responses=BatchShape,
    )
    def post(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        ask = TermsAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = batch_for(request.user.pk, batch, at_least="manager")
            platform = Platform(**settings.PLATFORM_TERMS)
            return boundary.respond(batch_shape(change_terms(batch_id=of.pk, platform=platform, **ask)))


class PriceView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="How long an answer will take, from measured work, and what price pays a target for the hour",
        tags=["batches"],
        parameters=[
            OpenApiParameter(name, {"type": "integer", "minimum": low, "maximum": high})
            for name, (low, high) in PRICED_BY.items()
        ],
        responses=PriceShape,
    )
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        asked = whole_numbers(request.query_params, PRICED_BY)
        of = batch_for(request.user.pk, batch)
        return respond(price_shape(of, asked.get("hourly_micros"), asked.get("expected_s")))


class ProgressView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Assignments by state, and the batch's money", tags=["batches"], responses=ProgressWithGoldShape
    )
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        of = batch_for(request.user.pk, batch)
        return respond(progress_shape(progress(of)) | {"gold": gold_cost(of)})


def step_view(name: str, step: Callable[..., Batch], about: str) -> type[APIView]:
    """A view that takes one step of a batch's life; each step may be repeated."""

    class StepView(APIView):
        permission_classes = [IsRequesterKey]

        @extend_schema(
            summary=about,
            tags=["batches"],
            request=EmptyAsk,
            responses=BatchShape,
            operation_id=f"batches_{name}",
        )
        def post(self, request: KeyRequest, batch: UUID) -> HttpResponse:
            EmptyAsk.of(request)
            with once(request) as boundary:
                return boundary.replay or boundary.respond(
                    batch_shape(step(batch_id=batch_for(request.user.pk, batch, at_least="manager").pk))
                )

    StepView.__name__ = f"Batch{name.title()}View"
    return StepView


STEPS = {
    "publish": (publish_batch, "Hold the worst case in escrow and open the batch"),
    "pause": (pause_batch, "Stop new claims"),
    "resume": (resume_batch, "Open a paused batch again"),
    "close": (close_batch, "Take no more claims; settle when all is decided and paid"),
    "cancel": (cancel, "Stop for good; submitted answers are still decided and paid"),
}
