"""What of an organisation needs somebody now: its batches, its money, and what waits for a decision."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.accounts.models import Requester
from marketplace.accounts.queries import requester_for
from marketplace.api.accounts import BalanceView
from marketplace.api.balances import balances_of
from marketplace.api.streams import OVER
from marketplace.batches.models import Batch
from marketplace.batches.queries import Standing, standings
from marketplace.batches.states import BatchState, PauseReason
from marketplace.projects.models import Project
from marketplace.rest.ask import refuse_unknown
from marketplace.rest.boundary import respond
from marketplace.rest.permissions import IsRequesterKey
from marketplace.rest.requests import KeyRequest
from marketplace.results.queries import reviews_in
from marketplace.results.states import ReviewState
from workers.appeals.queries import appeals_against
from workers.appeals.states import State


class BatchStandingShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    project = serializers.CharField(help_text="Its name")
    state = serializers.ChoiceField(choices=BatchState.choices)
    pause_reason = serializers.ChoiceField(choices=PauseReason.choices, allow_blank=True)
    places = serializers.IntegerField(help_text="Answers that are asked for, gold included")
    leased = serializers.IntegerField()
    submitted = serializers.IntegerField(help_text="Answers that wait for a decision")
    accepted = serializers.IntegerField()
    rejected = serializers.IntegerField()


class OverviewShape(serializers.Serializer[Any]):
    balances = BalanceView(many=True)
    projects = serializers.IntegerField()
    batches = BatchStandingShape(many=True, help_text="Those that are not over, the newest first")
    batches_over = serializers.IntegerField(help_text="How many are")
    answers_waiting = serializers.IntegerField(help_text="For your decision, in all of these batches")
    rejections_waiting = serializers.IntegerField(help_text="Reviews of rejections that staff have not decided")
    appeals_open = serializers.IntegerField(help_text="Against rejections of yours")


def overview_of(requester: Requester) -> dict[str, Any]:
    """All of it, as the console's first page shows it."""
    batches = standings(requester.pk)
    return {
        "balances": balances_of(requester),
        "projects": Project.objects.filter(requester=requester).count(),
        "batches": [standing_shape(batch) for batch in batches],
        "batches_over": Batch.objects.filter(requester=requester, state__in=OVER).count(),
        "answers_waiting": sum(batch.submitted for batch in batches),
        "rejections_waiting": reviews_in(ReviewState.OPEN).filter(batch__requester=requester).count(),
        "appeals_open": appeals_against(requester.pk).filter(state=State.OPEN).count(),
    }


def standing_shape(batch: Standing) -> dict[str, Any]:
    values = asdict(batch)
    return {"id": values.pop("public_id"), **values}


class OverviewView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="What needs attention: running batches, money, and what waits for a decision",
        tags=["accounts"],
        responses=OverviewShape,
    )
    def get(self, request: KeyRequest, requester: UUID) -> HttpResponse:
        refuse_unknown(request.query_params, ())
        return respond(overview_of(requester_for(request.user.pk, requester)))
