"""What error is to be expected of results, and on which answers they rest."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.api.asks import uuid_of
from marketplace.api.review import LookedAtShape, RulingShape, look_shape, ruling_shape
from marketplace.api.shapes import RunShape, rounded, run_shape
from marketplace.batches.models import Batch
from marketplace.batches.queries import batch_for
from marketplace.common.transactions import one_transaction
from marketplace.rest.ask import refuse_unknown
from marketplace.rest.boundary import respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of_rows
from marketplace.rest.permissions import IsRequesterKey
from marketplace.rest.requests import KeyRequest
from marketplace.results.commands.names import gold_keys
from marketplace.results.models import Run
from marketplace.results.queries import run_for
from marketplace.results.queries.lineage import Lineage, lineage_of
from marketplace.results.queries.quality import answers_of_results, provenance_page, quality_of, versions_of_run
from workers.profiles.commands import pseudonyms

RUN = OpenApiParameter("run", OpenApiTypes.UUID, description="An aggregation; the newest where absent")


class BinShape(serializers.Serializer[Any]):
    low = serializers.FloatField(help_text="Confidence above this")
    high = serializers.FloatField(help_text="and at most this")
    results = serializers.IntegerField(help_text="Of known truth")
    claimed = serializers.FloatField(help_text="Their mean confidence")
    right = serializers.FloatField(help_text="The share of right ones")


class AnswersOfShape(serializers.Serializer[Any]):
    answers = serializers.IntegerField()
    results = serializers.IntegerField(help_text="How many rest on so many answers")


class FieldQualityShape(serializers.Serializer[Any]):
    field = serializers.CharField()
    results = serializers.IntegerField(help_text="Of unknown truth")
    claimed = serializers.FloatField(allow_null=True, help_text="Their error by their own confidence")
    expected = serializers.FloatField(allow_null=True, help_text="The same, corrected by gold")
    low = serializers.FloatField(allow_null=True, help_text="Of the 95 % interval")
    high = serializers.FloatField(allow_null=True)
    gold = serializers.IntegerField(help_text="Results of known truth")
    gold_right = serializers.FloatField(allow_null=True)
    calibration_error = serializers.FloatField(allow_null=True)
    brier = serializers.FloatField(allow_null=True)
    table = BinShape(many=True)
    note = serializers.CharField(allow_blank=True)
    answers = AnswersOfShape(many=True)


class AnswersUnderShape(serializers.Serializer[Any]):
    version = serializers.IntegerField(help_text="Of the instructions that workers were shown")
    answers = serializers.IntegerField()


class QualityReportShape(serializers.Serializer[Any]):
    run = RunShape()
    fields = FieldQualityShape(many=True)  # type: ignore[assignment]
    versions = AnswersUnderShape(many=True)


class ObjectSupportShape(serializers.Serializer[Any]):
    share = serializers.FloatField(help_text="Of the answers: those that have the object")
    at_50 = serializers.FloatField(help_text="Those that have it alike by 0.5 at least")
    at_75 = serializers.FloatField()


class ResultOfShape(serializers.Serializer[Any]):
    field = serializers.CharField()
    value = serializers.JSONField(allow_null=True)
    confidence = serializers.FloatField()
    answers = serializers.IntegerField()
    method = serializers.CharField()
    objects = ObjectSupportShape(many=True, required=False, help_text="In the order of a value that has objects")


class RestsOnShape(serializers.Serializer[Any]):
    answer = serializers.UUIDField()
    worker = serializers.CharField(help_text="The name under which you know the worker")
    version = serializers.IntegerField(help_text="Of the instructions that the worker was shown")
    revision = serializers.IntegerField(help_text="1, or 2 for an answer that was given back for repair")
    fields = serializers.ListField(  # type: ignore[assignment]
        child=serializers.CharField(), help_text="In which it says something"
    )


class ProvenanceShape(serializers.Serializer[Any]):
    task = serializers.CharField(help_text="The task's external id")
    results = ResultOfShape(many=True)
    answers = RestsOnShape(many=True)


class UsedShape(LookedAtShape):
    revision = serializers.IntegerField(help_text="1, or 2 for an answer that was given back for repair")
    fields = serializers.ListField(  # type: ignore[assignment]
        child=serializers.CharField(), help_text="In which it says something"
    )


class LineageShape(serializers.Serializer[Any]):
    task = serializers.CharField(help_text="The task's external id")
    data = serializers.DictField()  # type: ignore[assignment]
    run = RunShape()
    results = ResultOfShape(many=True)
    answers = UsedShape(many=True, help_text="On which the results rest")
    unused = LookedAtShape(many=True, help_text="Unpaid then, without a vote, or later")
    adjudications = RulingShape(many=True, help_text="The last one first")
    datasets = serializers.ListField(child=serializers.IntegerField(), help_text="Versions made from this aggregation")


class QualityReportView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="What error is to be expected of results, by what they claim and by what gold says of that",
        tags=["results"],
        parameters=[RUN],
        responses=QualityReportShape,
    )
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        refuse_unknown(request.query_params, ["run"])
        of = batch_for(request.user.pk, batch)
        run = _run(request, of)
        with one_transaction(principal="gold"):
            gold = gold_keys(batch=of)
        rests_on = answers_of_results(run)
        return respond(
            {
                "run": run_shape(run),
                "fields": [
                    rounded(asdict(found) | {"answers": [asdict(one) for one in rests_on.get(found.field, [])]})
                    for found in quality_of(run, gold)
                ],
                "versions": [
                    {"version": number, "answers": answers} for number, answers in versions_of_run(run).items()
                ],
            }
        )


class ProvenanceView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="On which answers, of whom and under which instructions, the results of each task rest",
        tags=["results"],
        **listing(ProvenanceShape, RUN),
    )
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        of = batch_for(request.user.pk, batch)
        run = _run(request, of)
        names: dict[int, str] = {}

        def fetch(after: int, limit: int) -> list[dict[str, Any]]:
            page = provenance_page(run, after_id=after, limit=limit)
            workers = {answer["worker_id"] for row in page for answer in row["answers"]}
            with one_transaction(principal="names"):
                names.update(pseudonyms(requester_id=of.requester_id, worker_ids=workers))
            return page

        return page_of_rows(
            request,
            fetch,
            lambda row: _provenance(row, names),
            allowed=["run"],
        )


class LineageView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Where the label of one task comes from: method, answers, what was settled by hand, and versions",
        tags=["results"],
        parameters=[OpenApiParameter("task", str, required=True, description="External id"), RUN],
        responses=LineageShape,
    )
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        refuse_unknown(request.query_params, ["task", "run"])
        of = batch_for(request.user.pk, batch)
        found = lineage_of(of, _run(request, of), request.query_params.get("task", ""))
        workers = {look.worker_id for look in (*(used.look for used in found.used), *found.unused)}
        with one_transaction(principal="names"):
            names = pseudonyms(requester_id=of.requester_id, worker_ids=workers)
        return respond(lineage_shape(found, names))


def lineage_shape(found: Lineage, names: dict[int, str]) -> dict[str, Any]:
    """`names` are the requester's names for the workers (R43)."""
    return {
        "task": found.task,
        "data": found.data,
        "run": run_shape(found.run),
        "results": rounded(found.results),
        "answers": [
            {**look_shape(used.look, names), "revision": used.revision, "fields": used.fields} for used in found.used
        ],
        "unused": [look_shape(look, names) for look in found.unused],
        "adjudications": [ruling_shape(ruling) for ruling in found.rulings],
        "datasets": found.datasets,
    }


def _provenance(row: dict[str, Any], names: dict[int, str]) -> dict[str, Any]:
    shown = ("answer", "version", "revision", "fields")
    return {
        "task": row["task"],
        "results": rounded(row["results"]),
        "answers": [
            {name: answer[name] for name in shown} | {"worker": names.get(answer["worker_id"], "")}
            for answer in row["answers"]
        ],
    }


def _run(request: KeyRequest, batch: Batch) -> Run:
    wanted = request.query_params.get("run")
    return run_for(batch, uuid_of(wanted, "run") if wanted else None)
