"""Answers under review, results and exports."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.views import APIView

from marketplace.api.asks import AcceptAsk, AggregateAsk, RejectAsk
from marketplace.api.shapes import run_shape
from marketplace.batches.queries import batch_for
from marketplace.common.errors import NotFound, Unprocessable
from marketplace.common.transactions import one_transaction
from marketplace.rest.boundary import once
from marketplace.rest.pagination import page_of, page_of_rows
from marketplace.rest.permissions import IsRequesterKey
from marketplace.rest.requests import KeyRequest
from marketplace.results.commands import aggregate, gold_tasks, worker_names
from marketplace.results.export import as_csv, as_jsonl
from marketplace.results.models import Run
from marketplace.results.queries import RESULT_COLUMNS, answer_columns, answer_rows, result_rows, run_for
from workers.assignments.commands.decide import DECISIONS_MAX, accept_answers, apply_due, reject_answers
from workers.assignments.queries import answers_page
from workers.assignments.states import RejectReason

STATES = ("submitted", "accepted", "rejected", "upheld")


class AnswersView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Answers with their state", tags=["answers"], parameters=[OpenApiParameter("state", str, enum=STATES)]
    )
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        state = request.query_params.get("state")
        if state is not None and state not in STATES:
            raise Unprocessable("There is no such state.", errors=[{"field": "state", "message": f"one of {STATES}"}])
        of = batch_for(request.user.pk, batch)
        with one_transaction(principal="due"):
            apply_due(batch_id=of.pk)
        with one_transaction(principal="names"):
            names = worker_names(batch=of)

        def shape(row: dict[str, Any]) -> dict[str, Any]:
            shown = {name: cell for name, cell in row.items() if name not in ("cursor", "worker_id")}
            return {**shown, "worker": names.get(row["worker_id"], "")}

        return page_of_rows(
            request,
            lambda after, limit: answers_page(of.pk, state=state, after_id=after, limit=limit),
            shape,
            allowed=["state"],
        )


class AcceptView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="Accept answers; each becomes due for payment", tags=["answers"], request=AcceptAsk)
    def post(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        ask = AcceptAsk.of(request)
        if ask["all_submitted"] == ("answers" in ask):
            raise Unprocessable(
                "Say which answers.", errors=[{"field": "answers", "message": "give either answers or all_submitted"}]
            )
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = batch_for(request.user.pk, batch, at_least="reviewer")
            accepted = accept_answers(batch_id=of.pk, assignments=ask.get("answers"))
            remaining = ask["all_submitted"] and accepted == DECISIONS_MAX
            return boundary.respond({"accepted": accepted, "remaining": remaining})


class RejectView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="Reject answers with a reason; their places open again", tags=["answers"], request=RejectAsk)
    def post(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        ask = RejectAsk.of(request)
        with once(request) as boundary:
            return boundary.replay or boundary.respond(
                {
                    "rejected": reject_answers(
                        batch_id=batch_for(request.user.pk, batch, at_least="reviewer").pk,
                        assignments=ask["answers"],
                        reason=RejectReason(ask["reason"]),
                        comment=ask["comment"],
                    )
                }
            )


class ResultsView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="Aggregations of the batch", tags=["results"])
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        of = batch_for(request.user.pk, batch)
        return page_of(request, Run.objects.filter(batch=of), run_shape)

    @extend_schema(summary="Aggregate the accepted answers", tags=["results"], request=AggregateAsk)
    def post(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        ask = AggregateAsk.of(request)
        with once(request) as boundary:
            return boundary.replay or boundary.respond(
                run_shape(
                    aggregate(
                        batch_id=batch_for(request.user.pk, batch, at_least="reviewer").pk, method=ask.get("method")
                    )
                ),
                status=201,
            )


class ExportView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Results or raw answers as JSONL or CSV, streamed",
        tags=["results"],
        parameters=[OpenApiParameter("run", OpenApiTypes.UUID, description="a run; the newest where absent")],
        responses={(200, "application/x-ndjson"): OpenApiTypes.BINARY, (200, "text/csv"): OpenApiTypes.BINARY},
    )
    def get(self, request: KeyRequest, batch: UUID, what: str, form: str) -> StreamingHttpResponse:
        of = batch_for(request.user.pk, batch)
        rows: Iterator[dict[str, Any]]
        if what == "results":
            with one_transaction(principal="gold"):
                gold = gold_tasks(batch=of)
            columns, rows = RESULT_COLUMNS, result_rows(run_for(of, _uuid(request.query_params.get("run"))), gold)
        else:
            with one_transaction(principal="names"):
                names = worker_names(batch=of)
            columns, rows = answer_columns(of.version.interface), answer_rows(of, names)
        jsonl = form == "jsonl"
        pieces = as_jsonl(rows) if jsonl else as_csv(columns, rows)
        kind = "application/x-ndjson" if jsonl else "text/csv; charset=utf-8"
        response = StreamingHttpResponse(pieces, content_type=kind)
        response["Content-Disposition"] = f'attachment; filename="{what}-{of.public_id}.{form}"'
        response["Cache-Control"] = "private, no-store"
        return response


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        raise NotFound("The batch has no such results.") from None
