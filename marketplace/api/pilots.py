"""Pilots: begin one, read what it showed, and go on from there."""

from dataclasses import asdict
from random import SystemRandom
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.api.agreement import FieldAgreementShape, agreement_shape
from marketplace.api.asks import CopyAsk, PilotAsk
from marketplace.api.result_quality import FieldQualityShape
from marketplace.api.shapes import (
    BatchShape,
    EstimateShape,
    ProgressShape,
    RunShape,
    batch_shape,
    estimate_shape,
    progress_shape,
    rounded,
    run_shape,
)
from marketplace.api.watching import MatrixShape
from marketplace.batches.commands.pilots import copy_batch, start_pilot
from marketplace.batches.costs import Platform
from marketplace.batches.models import Batch
from marketplace.batches.queries import batch_for
from marketplace.common.transactions import one_transaction
from marketplace.projects.queries import version_of
from marketplace.rest.boundary import once, respond
from marketplace.rest.permissions import IsRequesterKey
from marketplace.rest.requests import KeyRequest
from marketplace.results.commands.names import gold_keys, worker_names
from marketplace.results.queries.agreement import external_ids
from marketplace.results.queries.pilot import PilotReport, pilot_report
from marketplace.results.queries.quality import answers_of_results
from workers.gold.queries import verdicts_in


class MeasuredPayShape(serializers.Serializer[Any]):
    median_micros = serializers.IntegerField(help_text="An hour, of half of the answers at least")
    low_micros = serializers.IntegerField(help_text="Of three quarters at least")
    high_micros = serializers.IntegerField(help_text="Of a quarter at least")
    median_s = serializers.FloatField(help_text="Half of the answers took no longer")
    answers = serializers.IntegerField()
    of = serializers.ChoiceField(choices=["batch", "project"])


class GoldMetShape(serializers.Serializer[Any]):
    judged = serializers.IntegerField(help_text="Answers to items with a known answer")
    passed = serializers.IntegerField()
    low = serializers.FloatField(help_text="With `high`: 95 % credible bounds of the share that passes")
    high = serializers.FloatField()


class ForecastShape(serializers.Serializer[Any]):
    batch = serializers.UUIDField(help_text="The draft that waits")
    cost = EstimateShape()
    work_s = serializers.FloatField(allow_null=True, help_text="Of people's time in all")
    finish_s = serializers.FloatField(allow_null=True, help_text="To the last answer, at the pilot's pace")


class FieldMatrixShape(MatrixShape):
    field = serializers.CharField()


class ConcernShape(serializers.Serializer[Any]):
    about = serializers.ChoiceField(
        choices=["few", "agreement", "unclear", "gold", "pay"], help_text="`few`: not enough was seen to judge"
    )
    words = serializers.CharField()


class PilotReportShape(serializers.Serializer[Any]):
    progress = ProgressShape()
    answers = serializers.IntegerField()
    done = serializers.FloatField(help_text="The share of places that have an answer")
    unclear = serializers.IntegerField()
    unclear_share = serializers.FloatField(allow_null=True)
    pay = MeasuredPayShape(allow_null=True)
    gold = GoldMetShape()
    agreement = FieldAgreementShape(many=True)
    matrices = FieldMatrixShape(many=True, help_text="Of each field with one label an answer")
    run = RunShape(allow_null=True)
    quality = FieldQualityShape(many=True)
    forecasts = ForecastShape(many=True)
    concerns = ConcernShape(many=True, help_text="What to mend or wait for before the rest is published; none: go on")


def report_of(batch: Batch) -> PilotReport:
    """The report for those who may see the batch: of keys it tells numbers alone."""
    with one_transaction(principal="gold"):
        keys, met = gold_keys(batch=batch), verdicts_in(batch.pk)
    return pilot_report(batch, keys=keys, gold=met)


def report_shape(batch: Batch, report: PilotReport) -> dict[str, Any]:
    with one_transaction(principal="names"):
        names = worker_names(batch=batch)
    tasks = external_ids(task_id for found in report.agreement for one in found.confused for task_id in one.task_ids)
    low, high = report.gold.bounds
    rests_on = {} if report.run is None else answers_of_results(report.run)
    return {
        "progress": progress_shape(report.progress),
        "answers": report.answers,
        "done": rounded(report.done),
        "unclear": report.unclear,
        "unclear_share": rounded(report.unclear_share),
        "pay": None if report.pay is None else asdict(report.pay),
        "gold": rounded({"judged": report.gold.judged, "passed": report.gold.right, "low": low, "high": high}),
        "agreement": [agreement_shape(found, names, tasks) for found in report.agreement],
        "matrices": [{"field": name, **asdict(found)} for name, found in report.matrices.items()],
        "run": None if report.run is None else run_shape(report.run),
        "quality": [
            rounded(asdict(found) | {"answers": [asdict(one) for one in rests_on.get(found.field, [])]})
            for found in report.quality
        ],
        "forecasts": [
            {
                "batch": one.rest,
                "cost": estimate_shape(one.cost),
                "work_s": rounded(one.work_s),
                "finish_s": rounded(one.finish_s),
            }
            for one in report.forecasts
        ],
        "concerns": [asdict(one) for one in report.concerns],
    }


class PilotView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Publish some items of a draft as a pilot; the rest waits in the draft",
        tags=["batches"],
        request=PilotAsk,
        responses={201: BatchShape},
    )
    def post(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        ask = PilotAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = batch_for(request.user.pk, batch, at_least="manager")
            made = start_pilot(batch_id=of.pk, items=ask["items"], chance=SystemRandom())
            return boundary.respond(batch_shape(made), status=201)


class PilotReportView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="What a pilot showed, and what that says of the rest", tags=["batches"], responses=PilotReportShape
    )
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        of = batch_for(request.user.pk, batch)
        return respond(report_shape(of, report_of(of)))


class CopyView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Make a draft with the terms of a batch, under a version of its project, with its items or without",
        tags=["batches"],
        request=CopyAsk,
        responses={201: BatchShape},
    )
    def post(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        ask = CopyAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = batch_for(request.user.pk, batch, at_least="manager")
            made = copy_batch(
                batch_id=of.pk,
                version=version_of(of.project, ask.get("version")),
                platform=Platform(**settings.PLATFORM_TERMS),
                items=ask["items"],
                name=ask.get("name", ""),
            )
            return boundary.respond(batch_shape(made), status=201)
