"""A batch while it runs: where it stands, what its answers look like, and the tasks behind every figure."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.api.agreement import FieldAgreementShape, agreement_shape
from marketplace.api.asks import text_of
from marketplace.api.shapes import CountsShape, SpentShape, rounded
from marketplace.batches.queries import batch_for
from marketplace.batches.states import BatchState, PauseReason
from marketplace.common.errors import Unprocessable
from marketplace.common.transactions import one_transaction
from marketplace.rest.ask import refuse_unknown
from marketplace.rest.boundary import respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of_rows
from marketplace.rest.permissions import IsRequesterKey
from marketplace.rest.requests import KeyRequest
from marketplace.results.commands.figures import want_figures
from marketplace.results.queries.agreement import external_ids
from marketplace.results.queries.figures import Kept, kept_figures
from marketplace.results.queries.standing import batch_state
from marketplace.results.queries.tasks import SHOWS, Wanted, task_of, tasks_page
from workers.assignments.queries import given_up_page
from workers.assignments.states import ReturnReason
from workers.profiles.commands import pseudonyms

GIVEN_UP = tuple(reason.value for reason in ReturnReason if reason != ReturnReason.SKIP)


class MoneyShape(SpentShape):
    currency = serializers.CharField()


class WaitingShape(serializers.Serializer[Any]):
    reviews = serializers.IntegerField(help_text="Answers that you are asked to look at yourself")
    contested = serializers.IntegerField(help_text="Rejections that their workers contest")
    held_workers = serializers.IntegerField(help_text="Workers whose answers are held back until you look at them")


class SureShape(serializers.Serializer[Any]):
    tasks = serializers.IntegerField(help_text="Looked at")
    mean_posterior = serializers.FloatField()
    sure = serializers.IntegerField(help_text="Tasks that several people answer alike beyond doubt")


class HourlyPayShape(serializers.Serializer[Any]):
    median_micros = serializers.IntegerField()
    low_micros = serializers.IntegerField()
    high_micros = serializers.IntegerField()
    median_s = serializers.FloatField()
    answers = serializers.IntegerField()
    of = serializers.ChoiceField(choices=["batch", "project"])


class WatchedBatchShape(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=BatchState.choices)
    pause_reason = serializers.ChoiceField(choices=PauseReason.choices, allow_blank=True)
    progress = CountsShape()
    money = MoneyShape()
    wanted = WaitingShape(help_text="What waits for your word")
    agreement = SureShape(allow_null=True, help_text="How sure the answers make their tasks; null before there are any")
    places_left = serializers.IntegerField(help_text="Nobody holds or has answered them; 0 where nothing can be taken")
    places_closed = serializers.IntegerField(help_text="Nobody is given them any more, so their money goes back")
    answers_per_minute = serializers.FloatField(help_text="Over the last five minutes")
    workers_active = serializers.IntegerField()
    workers_waiting = serializers.IntegerField()
    pay_per_hour = HourlyPayShape(allow_null=True)
    forecast_s = serializers.IntegerField(allow_null=True, help_text="How long the rest takes at the present pace")
    forecast_low_s = serializers.IntegerField(allow_null=True, help_text="With `forecast_high_s`: by chance")
    forecast_high_s = serializers.IntegerField(allow_null=True)


class GivenShape(serializers.Serializer[Any]):
    label = serializers.CharField(allow_blank=True, help_text="Empty for a step of numbers")  # type: ignore[assignment]
    answers = serializers.IntegerField()
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)


class MatrixShape(serializers.Serializer[Any]):
    labels = serializers.ListField(child=serializers.CharField())
    pairs = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField()),
        help_text="Row i, column j: pairs of answers to one task of which one says label i and the other label j",
    )
    left_out = serializers.IntegerField(help_text="Labels that are too rare to be here")


class FieldLookShape(serializers.Serializer[Any]):
    agreement = FieldAgreementShape()
    given = GivenShape(many=True)
    matrix = MatrixShape(allow_null=True, help_text="null where answers are not one label each")


class StepShape(serializers.Serializer[Any]):
    since = serializers.DateTimeField()
    answers = serializers.IntegerField()


class WorkerLookShape(serializers.Serializer[Any]):
    worker = serializers.CharField(help_text="The name under which you know the worker; other requesters know another")
    answers = serializers.IntegerField()
    unclear = serializers.IntegerField()
    rejected = serializers.IntegerField()
    median_s = serializers.FloatField(allow_null=True, help_text="From taking a task to sending it")
    score = serializers.FloatField(help_text="How often the worker is expected to be right in the project")
    low = serializers.FloatField(help_text="Of the 95 % credible interval")
    high = serializers.FloatField()
    evidence = serializers.IntegerField(help_text="Judged answers behind the score")
    tasks = serializers.IntegerField(help_text="Compared with others' answers, in the first field")
    agreement = serializers.FloatField(allow_null=True)


class HardTaskShape(serializers.Serializer[Any]):
    task = serializers.CharField(help_text="The task's external id")
    posterior = serializers.FloatField()
    answers = serializers.IntegerField()
    unclear = serializers.IntegerField()
    settled = serializers.BooleanField(help_text="Whether no more answers are awaited")


class LookShape(serializers.Serializer[Any]):
    tasks = serializers.IntegerField(help_text="Whose answers were compared")
    of_tasks = serializers.IntegerField(help_text="Tasks with two answers or more")
    answers = serializers.IntegerField(help_text="To the tasks that were compared")
    newest = serializers.IntegerField(help_text="Of so many of the newest answers it is told what they say")
    unclear = serializers.IntegerField(help_text="Answers that say that it is unclear")
    given_up = serializers.DictField(child=serializers.IntegerField(), help_text="Tasks given back, by reason")
    steps = StepShape(many=True)
    step_s = serializers.IntegerField()
    workers = WorkerLookShape(many=True, help_text="Those with most answers")
    more_workers = serializers.IntegerField(help_text="How many more there are")
    hardest = HardTaskShape(many=True)
    fields = FieldLookShape(many=True)  # type: ignore[assignment]


class FiguresShape(serializers.Serializer[Any]):
    made_at = serializers.DateTimeField(allow_null=True, help_text="null before they were worked out at all")
    changed = serializers.BooleanField(help_text="Whether answers came or were decided since: ask again in a while")
    figures = LookShape(allow_null=True)


class TaskStandingShape(serializers.Serializer[Any]):
    task = serializers.CharField(help_text="The task's external id")
    places = serializers.IntegerField()
    answers = serializers.IntegerField()
    unclear = serializers.IntegerField(help_text="Of these, how many say that it is unclear")
    posterior = serializers.FloatField(allow_null=True, help_text="How sure it is, by its least sure field")
    values = serializers.DictField(allow_null=True, help_text="What the answers come to so far, by field")
    settled = serializers.BooleanField(help_text="Whether no more answers are awaited")
    quarantined_at = serializers.DateTimeField(allow_null=True)


class WholeTaskShape(TaskStandingShape):
    data = serializers.DictField(help_text="What a worker is shown")  # type: ignore[assignment]


class GivenUpShape(serializers.Serializer[Any]):
    task = serializers.CharField(help_text="The task's external id")
    worker = serializers.CharField(help_text="The name under which you know the worker; other requesters know another")
    reason = serializers.ChoiceField(choices=GIVEN_UP)
    comment = serializers.CharField(allow_blank=True)


def task_shape(row: dict[str, Any]) -> dict[str, Any]:
    """A task as `results.queries.tasks` has it, without its place."""
    values = row["values"] and {name: found["value"] for name, found in row["values"].items()}
    return rounded({name: row[name] for name in row if name != "cursor"} | {"values": values})


def figures_shape(kept: Kept | None, names: dict[int, str], tasks: dict[int, str]) -> dict[str, Any]:
    """`names` are the requester's names for the workers; no other id of a worker leaves the site (R43)."""
    if kept is None:
        return {"made_at": None, "changed": True, "figures": None}
    look = kept.look
    alone = ("tasks", "of_tasks", "answers", "newest", "unclear", "given_up", "step_s", "more_workers")
    found = {name: getattr(look, name) for name in alone} | {
        "steps": [asdict(one) for one in look.steps],
        "hardest": [asdict(one) for one in look.hardest],
        "workers": [
            {"worker": names[one.worker_id]} | {name: told for name, told in asdict(one).items() if name != "worker_id"}
            for one in look.workers
            if one.worker_id in names
        ],
        "fields": [
            {
                "agreement": agreement_shape(one.agreement, names, tasks),
                "given": [asdict(line) for line in one.given],
                "matrix": one.matrix and asdict(one.matrix),
            }
            for one in look.fields
        ],
    }
    return {"made_at": kept.made_at, "changed": kept.changed, "figures": rounded(found)}


class StandingView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Where a batch stands: counts, money, pace and forecast; the same as the topic of its socket",
        tags=["batches"],
        responses=WatchedBatchShape,
    )
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        refuse_unknown(request.query_params, [])
        return respond(batch_state(batch_for(request.user.pk, batch).pk))


class FiguresView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="What the answers of a batch look like, as it was worked out last; asking has it worked out anew",
        tags=["batches"],
        responses=FiguresShape,
    )
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        refuse_unknown(request.query_params, [])
        of = batch_for(request.user.pk, batch)
        with one_transaction(principal="figures"):
            want_figures(batch_id=of.pk)
        kept = kept_figures(of)
        ids = kept.look.worker_ids if kept else set()
        with one_transaction(principal="names"):
            names = pseudonyms(requester_id=of.requester_id, worker_ids=ids)
        return respond(figures_shape(kept, names, external_ids(kept.look.task_ids) if kept else {}))


class TasksView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Tasks of a batch with what was answered so far, by external id",
        tags=["batches"],
        **listing(
            TaskStandingShape,
            OpenApiParameter("show", str, enum=[name for name in SHOWS if name], description="Those of this kind only"),
            OpenApiParameter("field", str, description="With `one` and `other`: in this field"),
            OpenApiParameter("one", str, description="one answer says this"),
            OpenApiParameter("other", str, description="and another this"),
        ),
    )
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        of = batch_for(request.user.pk, batch)
        show = request.query_params.get("show", "")
        if show not in SHOWS or (not show and "show" in request.query_params):
            known = ", ".join(name for name in SHOWS if name)
            raise Unprocessable("There is no such kind.", errors=[{"field": "show", "message": f"one of {known}"}])
        wanted = Wanted(show, None, *(text_of(request.query_params, name) for name in ("field", "one", "other")))
        return page_of_rows(
            request,
            lambda after, limit: tasks_page(of.pk, wanted, after=after, limit=limit),
            task_shape,
            first="",
            allowed=["show", "field", "one", "other"],
        )


class TaskView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="One task of a batch with its data and what was answered so far",
        tags=["batches"],
        parameters=[OpenApiParameter("task", str, required=True, description="The task's external id")],
        responses=WholeTaskShape,
    )
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        refuse_unknown(request.query_params, ["task"])
        of = batch_for(request.user.pk, batch)
        task = text_of(request.query_params, "task")
        if task is None:
            raise Unprocessable("Say which task.", errors=[{"field": "task", "message": "is needed"}])
        return respond(task_shape(task_of(of.pk, task)))


class GivenUpView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Tasks that workers gave back, and what they say of them",
        tags=["batches"],
        **listing(GivenUpShape, OpenApiParameter("reason", str, enum=GIVEN_UP)),
    )
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        of = batch_for(request.user.pk, batch)
        reason = request.query_params.get("reason")
        if reason is not None and reason not in GIVEN_UP:
            known = ", ".join(GIVEN_UP)
            raise Unprocessable("There is no such reason.", errors=[{"field": "reason", "message": f"one of {known}"}])
        names: dict[int, str] = {}

        def fetch(after: int, limit: int) -> list[dict[str, Any]]:
            page = given_up_page(of.pk, reason=reason, after_id=after, limit=limit)
            with one_transaction(principal="names"):
                names.update(pseudonyms(requester_id=of.requester_id, worker_ids={row["worker_id"] for row in page}))
            return page

        shown = ("task", "reason", "comment")
        return page_of_rows(
            request,
            fetch,
            lambda row: {name: row[name] for name in shown} | {"worker": names[row["worker_id"]]},
            allowed=["reason"],
        )
