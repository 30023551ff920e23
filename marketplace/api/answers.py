"""Answers under review, results and exports."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.views import APIView

from marketplace.accounts.commands.acts import record
from marketplace.api.asks import AcceptAsk, AggregateAsk, RejectAsk, RepairAsk, moment_of, text_of, uuid_of
from marketplace.api.shapes import (
    ANSWER_STATES,
    AcceptedShape,
    AnswerShape,
    BackShape,
    RejectedShape,
    RunShape,
    answer_shape,
    run_shape,
)
from marketplace.batches.models import Batch
from marketplace.batches.queries import batch_for
from marketplace.common.cells import as_csv
from marketplace.common.errors import Unprocessable
from marketplace.common.transactions import one_transaction
from marketplace.rest.ask import refuse_unknown
from marketplace.rest.boundary import once
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of, page_of_rows
from marketplace.rest.permissions import IsRequesterKey
from marketplace.rest.requests import KeyRequest
from marketplace.results.commands.aggregate import aggregate
from marketplace.results.commands.names import gold_tasks, worker_names
from marketplace.results.commands.rejections import Why, give_back, reject, reject_all
from marketplace.results.export import as_jsonl
from marketplace.results.models import Run
from marketplace.results.queries import RESULT_COLUMNS, answer_columns, answer_rows, result_rows, run_for
from workers.assignments.commands.decide import DECISIONS_MAX, accept_answers, apply_due
from workers.assignments.queries import Sought, answers_page
from workers.assignments.states import RejectReason
from workers.gold.commands.audit import note_look
from workers.profiles.commands import pseudonyms
from workers.profiles.queries import workers_by_pseudonym


class AnswersView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Answers with their state",
        tags=["answers"],
        **listing(
            AnswerShape,
            OpenApiParameter("state", str, enum=ANSWER_STATES),
            OpenApiParameter("task", str, description="To the task with this external id only"),
            OpenApiParameter("worker", str, description="Of the worker whom you know by this name only"),
            OpenApiParameter("unclear", bool, description="Only those that say so, or only those that do not"),
            OpenApiParameter("since", OpenApiTypes.DATETIME, description="Sent from then on"),
            OpenApiParameter("until", OpenApiTypes.DATETIME, description="and before then"),
            OpenApiParameter("field", str, description="With `label`: in this field"),
            OpenApiParameter("label", str, description="they say this"),
        ),
    )
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        of = batch_for(request.user.pk, batch)
        asked = request.query_params
        sought = _sought(of, asked)
        with one_transaction(principal="due"):
            apply_due(batch_id=of.pk)
        names: dict[int, str] = {}

        def fetch(after: int, limit: int) -> list[dict[str, Any]]:
            page = answers_page(of.pk, sought, after_id=after, limit=limit) if sought else []
            with one_transaction(principal="names"):
                names.update(pseudonyms(requester_id=of.requester_id, worker_ids={row["worker_id"] for row in page}))
            return page

        return page_of_rows(
            request,
            fetch,
            lambda row: answer_shape(row, names),
            allowed=["state", "task", "worker", "unclear", "since", "until", "field", "label"],
        )


def _sought(batch: Batch, asked: Mapping[str, str]) -> Sought | None:
    """What the parameters ask for; None where it is a worker whom the requester does not know."""
    for name, known in (("state", ANSWER_STATES), ("unclear", ("true", "false"))):
        if name in asked and asked[name] not in known:
            message = f"one of {', '.join(known)}"
            raise Unprocessable(f"There is no such {name}.", errors=[{"field": name, "message": message}])
    task, worker, field, label = (text_of(asked, name) for name in ("task", "worker", "field", "label"))
    worker_id = workers_by_pseudonym(batch.requester_id, [worker]).get(worker) if worker else None
    if worker and worker_id is None:
        return None
    unclear = asked["unclear"] == "true" if "unclear" in asked else None
    since, until = (moment_of(asked, name) for name in ("since", "until"))
    return Sought(asked.get("state"), task, worker_id, unclear, field, label, since, until)


class AcceptView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Accept answers; each becomes due for payment",
        tags=["answers"],
        request=AcceptAsk,
        responses=AcceptedShape,
    )
    def post(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        ask = AcceptAsk.of(request)
        _either(ask)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = batch_for(request.user.pk, batch, at_least="reviewer")
            accepted = accept_answers(batch_id=of.pk, assignments=ask.get("answers"))
            remaining = ask["all_submitted"] and accepted == DECISIONS_MAX
            return boundary.respond({"accepted": accepted, "remaining": remaining})


class RejectView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Reject answers with a reason; their places open again. Many, or against consensus, wait for a review",
        tags=["answers"],
        request=RejectAsk,
        responses={200: RejectedShape, 202: RejectedShape},
    )
    def post(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        ask = RejectAsk.of(request)
        _either(ask)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = batch_for(request.user.pk, batch, at_least="reviewer")
            why = Why(RejectReason(ask["reason"]), ask["comment"], request.user.pk, ask.get("version"))
            if ask["all_submitted"]:
                done = reject_all(batch_id=of.pk, why=why)
            else:
                done = reject(batch_id=of.pk, assignments=ask["answers"], why=why)
            return boundary.respond(asdict(done), status=202 if done.waiting else 200)


class BackView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Give answers back for repair, each once; as many at a time as may be rejected without a review",
        tags=["answers"],
        request=RepairAsk,
        responses=BackShape,
    )
    def post(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        ask = RepairAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = batch_for(request.user.pk, batch, at_least="reviewer")
            why = Why(RejectReason(ask["reason"]), ask["comment"], request.user.pk)
            given = give_back(batch_id=of.pk, assignments=ask["answers"], why=why)
            return boundary.respond({"returned": given})


class ResultsView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="Aggregations of the batch", tags=["results"], **listing(RunShape))
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        of = batch_for(request.user.pk, batch)
        return page_of(request, Run.objects.filter(batch=of), run_shape)

    @extend_schema(
        summary="Aggregate the accepted answers",
        tags=["results"],
        request=AggregateAsk,
        responses={201: RunShape},
    )
    def post(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        ask = AggregateAsk.of(request)
        with once(request) as boundary:
            return boundary.replay or boundary.respond(
                run_shape(
                    aggregate(
                        batch_id=batch_for(request.user.pk, batch, at_least="reviewer").pk,
                        method=ask.get("method"),
                        with_gold=ask["with_gold"],
                    )
                ),
                status=201,
            )


def _either(ask: dict[str, Any]) -> None:
    if ask["all_submitted"] == ("answers" in ask):
        raise Unprocessable(
            "Say which answers.", errors=[{"field": "answers", "message": "give either answers or all_submitted"}]
        )


def export_view(what: str, form: str) -> type[APIView]:
    """A view that streams the results or the raw answers of a batch in one form."""
    kind = {"jsonl": "application/x-ndjson", "csv": "text/csv"}[form]
    about = {"results": "Aggregated results", "answers": "Paid and payable answers"}[what]
    run = OpenApiParameter("run", OpenApiTypes.UUID, description="An aggregation; the newest where absent")
    allowed = ["run"] if what == "results" else []

    class ExportView(APIView):
        permission_classes = [IsRequesterKey]

        @extend_schema(
            summary=f"{about} as {form.upper()}, streamed",
            tags=["results"],
            parameters=[run] if allowed else [],
            responses={(200, kind): OpenApiTypes.STR},
        )
        def get(self, request: KeyRequest, batch: UUID) -> StreamingHttpResponse:
            refuse_unknown(request.query_params, allowed)
            of = batch_for(request.user.pk, batch)
            columns, rows = _results(request, of) if what == "results" else _answers(of)
            with once(request):
                record(f"export.{what}", subject="batch", subject_id=of.public_id, after={"format": form})
            pieces = as_jsonl(rows) if form == "jsonl" else as_csv(columns, rows)
            response = StreamingHttpResponse(pieces, content_type=kind if form == "jsonl" else f"{kind}; charset=utf-8")
            response["Content-Disposition"] = f'attachment; filename="{what}-{of.public_id}.{form}"'
            response["Cache-Control"] = "private, no-store"
            return response

    ExportView.__name__ = f"{what.title()}{form.title()}View"
    return ExportView


def _results(request: KeyRequest, batch: Batch) -> tuple[list[str], Iterator[dict[str, Any]]]:
    wanted = request.query_params.get("run")
    run = run_for(batch, uuid_of(wanted, "run") if wanted else None)
    with one_transaction(principal="gold"):
        gold = gold_tasks(batch=batch)
        # The results say which tasks these are.
        if gold:
            note_look(batch_id=batch.pk, user_id=request.user.pk, what="results")
    return RESULT_COLUMNS, result_rows(run, gold)


def _answers(batch: Batch) -> tuple[list[str], Iterator[dict[str, Any]]]:
    with one_transaction(principal="names"):
        names = worker_names(batch=batch)
    return answer_columns(batch.version.interface), answer_rows(batch, names)
