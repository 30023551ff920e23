"""How far workers agree, and what to do about it."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.api.shapes import rounded
from marketplace.batches.models import Batch
from marketplace.batches.queries import batch_for
from marketplace.common.errors import Unprocessable
from marketplace.common.lots import lots_of
from marketplace.common.transactions import one_transaction
from marketplace.rest.ask import refuse_unknown
from marketplace.rest.boundary import respond
from marketplace.rest.permissions import IsRequesterKey
from marketplace.rest.requests import KeyRequest
from marketplace.results.commands.names import worker_names
from marketplace.results.queries.agreement import compared_answers, external_ids
from marketplace.results.reports.agreement import WORK, field_agreement
from marketplace.results.reports.figures import FieldAgreement, Figure, PartAgreement

LEVELS = ("nominal", "ordinal", "interval", "score")


class IntervalShape(serializers.Serializer[Any]):
    value = serializers.FloatField(allow_null=True, help_text="null where the answers do not determine it")
    low = serializers.FloatField(allow_null=True, help_text="Of the 95 % interval over tasks")
    high = serializers.FloatField(allow_null=True)


class NamedFigureShape(IntervalShape):
    name = serializers.CharField(
        help_text="`agreement`: how often two answers to a task agree by the type's rule; `score`: how alike they are;"
        " `krippendorff`: alpha; `fleiss`, `cohen`: kappas of single labels; `iou`, `dice`, `f1_50`, `span_f1`,"
        " `word_error_rate`, `character_error_rate`: where the answers have such parts"
    )


class ClassAgreementShape(serializers.Serializer[Any]):
    label = serializers.CharField()  # type: ignore[assignment]
    given = serializers.IntegerField()
    agreement = IntervalShape(help_text="How often another worker says it too where one does")
    alpha = IntervalShape(help_text="Krippendorff's alpha of this label or another")


class ConfusionShape(serializers.Serializer[Any]):
    one = serializers.CharField()
    other = serializers.CharField()
    pairs = serializers.IntegerField(help_text="Of answers to one task")
    share = serializers.FloatField(help_text="Of all pairs of answers that are compared")
    tasks = serializers.ListField(child=serializers.CharField(), help_text="External ids of some")


class WorkerAgreementShape(serializers.Serializer[Any]):
    worker = serializers.CharField(help_text="The name under which you know the worker")
    tasks = serializers.IntegerField()
    agreement = serializers.FloatField()
    alpha = serializers.FloatField(allow_null=True, help_text="What it would be if all disagreed as this one")


class PairAgreementShape(serializers.Serializer[Any]):
    one = serializers.CharField(help_text="A worker, by the name under which you know him")
    other = serializers.CharField()
    tasks = serializers.IntegerField(help_text="Which both did")
    agreement = serializers.FloatField()
    kappa = serializers.FloatField(allow_null=True, help_text="Cohen's, of single labels")


class PartShape(serializers.Serializer[Any]):
    tasks = serializers.IntegerField()
    answers = serializers.IntegerField()
    agreement = IntervalShape()
    alpha = IntervalShape()


class VersionAgreementShape(PartShape):
    version = serializers.IntegerField(help_text="Of the instructions that workers were shown")


class PeriodAgreementShape(PartShape):
    since = serializers.DateTimeField(help_text="The last answer to each of the tasks was given from then on")
    until = serializers.DateTimeField(help_text="and before then")


class FieldAgreementShape(serializers.Serializer[Any]):
    field = serializers.CharField()
    type = serializers.CharField()
    level = serializers.ChoiceField(choices=LEVELS, help_text="How alpha compares two answers")
    answers = serializers.IntegerField()
    tasks = serializers.IntegerField(help_text="With two answers or more")
    compared = serializers.IntegerField(help_text="How many of these tasks were compared")
    figures = NamedFigureShape(many=True)
    words = serializers.CharField(help_text="Of Landis and Koch for alpha, or `unknown`")
    advice = serializers.CharField(allow_blank=True, help_text="What to do first where agreement is below 0.6")
    classes = ClassAgreementShape(many=True)
    confused = ConfusionShape(many=True, help_text="The labels that are most often taken for each other")
    workers = WorkerAgreementShape(many=True, help_text="Those with most tasks")
    pairs = PairAgreementShape(many=True, help_text="Those workers who share most tasks")
    versions = VersionAgreementShape(many=True)
    periods = PeriodAgreementShape(many=True)


class AgreementShape(serializers.Serializer[Any]):
    tasks = serializers.IntegerField(help_text="Whose answers were looked at")
    of_tasks = serializers.IntegerField(help_text="Tasks with two answers or more")
    answers = serializers.IntegerField(help_text="To the tasks that were looked at; rejected ones are not among them")
    unclear = serializers.IntegerField(help_text="Of these, how many say that it is unclear")
    discounted = serializers.IntegerField(help_text="Of these, how many do not count")
    fields = FieldAgreementShape(many=True)  # type: ignore[assignment]


def agreement_shape(found: FieldAgreement, names: dict[int, str], tasks: dict[int, str]) -> dict[str, Any]:
    """`names` are the requester's names for the workers; `tasks` external ids."""
    return rounded(
        {
            **{name: getattr(found, name) for name in ("field", "type", "level", "answers", "tasks", "compared")},
            "figures": [{"name": name, **asdict(figure)} for name, figure in found.figures.items()],
            "words": found.words,
            "advice": found.advice,
            "classes": [asdict(one) for one in found.classes],
            "confused": [
                {
                    **{name: getattr(one, name) for name in ("one", "other", "pairs", "share")},
                    "tasks": [tasks[task_id] for task_id in one.task_ids],
                }
                for one in found.confused
            ],
            "workers": [
                {
                    "worker": names[one.worker_id],
                    **{name: getattr(one, name) for name in ("tasks", "agreement", "alpha")},
                }
                for one in found.workers
                if one.worker_id in names
            ],
            "pairs": [
                {
                    "one": names[one.one],
                    "other": names[one.other],
                    **{name: getattr(one, name) for name in ("tasks", "agreement", "kappa")},
                }
                for one in found.pairs
                if one.one in names and one.other in names
            ],
            "versions": [{"version": one.version, **_part(one)} for one in found.versions],
            "periods": [{"since": one.since, "until": one.until, **_part(one)} for one in found.periods],
        }
    )


def _part(one: PartAgreement) -> dict[str, Any]:
    def shown(figure: Figure) -> dict[str, Any]:
        return asdict(figure)

    return {"tasks": one.tasks, "answers": one.answers, "agreement": shown(one.agreement), "alpha": shown(one.alpha)}


class AgreementView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="How far the workers of the batch agree, and what to do about it",
        tags=["results"],
        parameters=[OpenApiParameter("field", str, description="This answer field only")],
        responses=AgreementShape,
    )
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        refuse_unknown(request.query_params, ["field"])
        of = batch_for(request.user.pk, batch)
        declared = _fields(of, request.query_params.get("field"))
        with one_transaction(principal="names"):
            names = worker_names(batch=of)
        compared = compared_answers(of.pk)
        work, lots = WORK // len(declared), lots_of(of.public_id)
        reports = [field_agreement(field, compared.said, work=work, lots=lots) for field in declared]
        tasks = external_ids(task_id for report in reports for one in report.confused for task_id in one.task_ids)
        counts = ("tasks", "of_tasks", "answers", "unclear", "discounted")
        return respond(
            {
                **{name: getattr(compared, name) for name in counts},
                "fields": [agreement_shape(report, names, tasks) for report in reports],
            }
        )


def _fields(batch: Batch, name: str | None) -> list[dict[str, Any]]:
    fields: Iterable[dict[str, Any]] = batch.version.interface["answer"]
    found = [field for field in fields if name is None or field["name"] == name]
    if not found:
        raise Unprocessable("There is no such field.", errors=[{"field": "field", "message": "is not asked for"}])
    return found
