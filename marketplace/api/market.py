"""How the market and its servers go, and where quality suffers: for staff."""

from dataclasses import asdict
from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.accounts.commands.acts import record
from marketplace.accounts.models import StaffRole
from marketplace.api.looks import note_look
from marketplace.api.worker_parts import StaffFiringShape, staff_firing_shape
from marketplace.common.cells import as_csv
from marketplace.common.transactions import one_transaction
from marketplace.pages.servers import servers
from marketplace.rest.ask import refuse_unknown
from marketplace.rest.boundary import once, respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of
from marketplace.rest.permissions import IsStaffKey, staff
from marketplace.rest.requests import KeyRequest
from marketplace.results.queries.market import (
    agreement_of_running,
    gold_audits,
    judged_lately,
    market_health,
    rules_firing,
    troubled_batches,
    troubled_days,
)
from workers.reputation.queries import firings_everywhere


class HealthShape(serializers.Serializer[Any]):
    market = serializers.DictField(help_text="People, work, what is late, and alerts, as staff's socket tells them too")
    servers = serializers.DictField(help_text="PostgreSQL, Redis and Celery; null for one that does not answer")


class AgreeingShape(serializers.Serializer[Any]):
    id = serializers.UUIDField(help_text="Of the batch")
    name = serializers.CharField()
    requester = serializers.UUIDField()
    requester_name = serializers.CharField()
    field = serializers.CharField(help_text="Its first field")
    answers = serializers.IntegerField()
    alpha = serializers.FloatField(help_text="Krippendorff's, with its 95 % interval")
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    words = serializers.CharField(help_text="Of Landis and Koch for alpha")
    made_at = serializers.DateTimeField(help_text="When it was worked out for whoever watched the batch")


class TroubledDayShape(serializers.Serializer[Any]):
    day = serializers.DateField()
    firings = serializers.IntegerField(help_text="How often a rule held of somebody")
    workers = serializers.IntegerField(help_text="Of how many workers")
    rejections = serializers.IntegerField(help_text="Answers that were rejected")


class QualityShape(serializers.Serializer[Any]):
    batches = serializers.ListField(child=serializers.DictField(), help_text="In trouble, the oddest first")
    agreement = AgreeingShape(many=True, help_text="Of running batches, those that agree least first")
    days = TroubledDayShape(many=True, help_text="Of the last fourteen, the oldest first")
    rules = serializers.ListField(child=serializers.DictField(), help_text="That fired within seven days")
    gold = serializers.DictField(child=serializers.IntegerField(), help_text="Keys of running batches, by state")
    judged_tasks = serializers.IntegerField(help_text="Whose answers were brought together within seven days")
    mean_posterior = serializers.FloatField(allow_null=True, help_text="How sure they are on average")


def quality_overview() -> dict[str, Any]:
    """Where quality suffers now. Opens a transaction of its own, for the gold reader counts keys."""
    with one_transaction(principal="gold"):
        batches, gold = troubled_batches(), gold_audits()
    tasks, mean = judged_lately()
    return {
        "batches": [asdict(one) for one in batches],
        "agreement": [asdict(one) for one in agreement_of_running()],
        "days": [asdict(one) for one in troubled_days()],
        "rules": [asdict(one) for one in rules_firing()],
        "gold": gold,
        "judged_tasks": tasks,
        "mean_posterior": mean,
    }


class MarketHealthView(APIView):
    permission_classes = [IsStaffKey]

    @extend_schema(summary="How the market and its servers go", tags=["operations"], responses=HealthShape)
    def get(self, request: KeyRequest) -> HttpResponse:
        refuse_unknown(request.query_params, ())
        return respond({"market": market_health(), "servers": asdict(servers())})


class MarketQualityView(APIView):
    permission_classes = [staff(StaffRole.QUALITY, StaffRole.SUPPORT)]

    @extend_schema(summary="Where quality suffers", tags=["operations"], responses=QualityShape)
    def get(self, request: KeyRequest) -> HttpResponse:
        refuse_unknown(request.query_params, ())
        return respond(quality_overview())


class MarketDaysCsvView(APIView):
    permission_classes = [staff(StaffRole.QUALITY, StaffRole.SUPPORT)]

    @extend_schema(
        summary="Rules that fired and answers that were rejected, day by day, as CSV",
        tags=["operations"],
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        refuse_unknown(request.query_params, ())
        with once(request):
            record("export.figures", subject="market", subject_id="quality", after={"table": "days"})
        body = b"".join(as_csv(["day", "firings", "workers", "rejections"], (asdict(one) for one in troubled_days())))
        name = "market-quality-days.csv"
        return HttpResponse(
            body,
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"},
        )


class FiringsEverywhereView(APIView):
    permission_classes = [staff(StaffRole.QUALITY, StaffRole.SUPPORT)]

    @extend_schema(
        summary="Rules that held of somebody anywhere on the site, the newest first",
        tags=["operations"],
        **listing(StaffFiringShape),
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        note_look(request, "firings", "all")
        return page_of(request, firings_everywhere(), staff_firing_shape, descending=True)
