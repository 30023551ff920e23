"""Batches: terms, life and progress."""

from collections.abc import Callable
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.views import APIView

from marketplace.accounts.queries import requester_for
from marketplace.api.asks import BatchAsk, EmptyAsk, uuid_of
from marketplace.api.gold import GoldCostShape, gold_cost
from marketplace.api.shapes import (
    BatchShape,
    EstimateShape,
    ProgressShape,
    batch_shape,
    estimate_shape,
    progress_shape,
)
from marketplace.batches.commands.create import Terms, create_batch
from marketplace.batches.commands.lifecycle import close_batch, pause_batch, publish_batch, resume_batch
from marketplace.batches.costs import Platform
from marketplace.batches.models import Batch
from marketplace.batches.queries import batch_for, batches_of, estimate, progress
from marketplace.projects.queries import project_for, version_of
from marketplace.rest.boundary import once, respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of
from marketplace.rest.permissions import IsRequesterKey
from marketplace.rest.requests import KeyRequest
from workers.assignments.commands.decide import cancel


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
        found = batches_of(request.user.pk).select_related("requester", "project", "version")
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

    @extend_schema(summary="What publishing would hold", tags=["batches"], responses=EstimateWithGoldShape)
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        of = batch_for(request.user.pk, batch)
        return respond(estimate_shape(estimate(of)) | {"gold": gold_cost(of)})


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
