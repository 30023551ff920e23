"""A worker's statement: his money in a period, what an hour brought, and every posting."""

from collections.abc import Iterator
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.common.cells import as_csv
from marketplace.common.money import exact
from marketplace.common.transactions import one_transaction
from marketplace.ledger.periods import Period
from marketplace.rest.boundary import respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of_rows, whole
from marketplace.rest.periods import NAMES, PERIOD_PARAMETERS, period_asked
from marketplace.rest.permissions import IsWorkerKey
from marketplace.rest.requests import KeyRequest
from workers.assignments.commands.decide import apply_due
from workers.assignments.commands.pay import GROUP, settle_due
from workers.earnings.days import BATCHES_MAX, earned_by_batch, earned_days
from workers.earnings.queries import WorkerStatement, earned_lines, worker_statement

# So many groups of payments are settled before a statement at most; what is left shows as due.
GROUPS_MAX = 20
LINES_AT_ONCE = 1_000
COLUMNS = [
    *("made_at", "kind", "requester", "batch", "batch_name", "amount", "currency", "balance_after", "source"),
    *("destination", "key", "seal", "leaf"),
]


class HoursShape(serializers.Serializer[Any]):
    worked_s = serializers.IntegerField(help_text="On decided answers, within their leases; each moment once")
    rejected_s = serializers.IntegerField(help_text="Of these, for answers that were rejected")
    expired_s_max = serializers.IntegerField(help_text="Leases that ran out, at most; not in `worked_s`")
    returned_s_max = serializers.IntegerField(help_text="Leases that were given back, at most; not in `worked_s`")
    rejected = serializers.IntegerField()
    expired = serializers.IntegerField()
    returned = serializers.IntegerField()
    paid_micros = serializers.IntegerField(help_text="For these answers, settled or due, with bonuses and top-ups")
    per_hour_micros = serializers.IntegerField(allow_null=True, help_text="Paid for an hour worked; none without time")


class WorkerStatementShape(serializers.Serializer[Any]):
    first = serializers.DateField()
    last = serializers.DateField()
    currency = serializers.CharField()
    opening_micros = serializers.IntegerField()
    earned_micros = serializers.IntegerField(help_text="Settled in the period: the next four together")
    rewards_micros = serializers.IntegerField()
    upheld_micros = serializers.IntegerField(help_text="Rejected first, won by appeal")
    topups_micros = serializers.IntegerField()
    bonuses_micros = serializers.IntegerField()
    returned_micros = serializers.IntegerField(help_text="Came back after it had been paid out")
    withdrawn_from_micros = serializers.IntegerField(help_text="Left the account for a withdrawal")
    other_micros = serializers.IntegerField()
    closing_micros = serializers.IntegerField()
    due_micros = serializers.IntegerField(help_text="Accepted in the period and not settled yet")
    pending_micros = serializers.IntegerField(help_text="Submitted in the period and undecided")
    withdrawing_opening_micros = serializers.IntegerField()
    withdrawn_micros = serializers.IntegerField(help_text="Paid out")
    other_withdrawing_micros = serializers.IntegerField()
    withdrawing_closing_micros = serializers.IntegerField(help_text="On its way out at the end of the period")
    hours = HoursShape()


def worker_statement_shape(statement: WorkerStatement) -> dict[str, Any]:
    fields = asdict(statement)
    period = fields.pop("period")
    return {**fields, **period, "earned_micros": statement.earned_micros}


class LineRequesterShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()


class LineBatchShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    requester = LineRequesterShape()


class LineSealShape(serializers.Serializer[Any]):
    seq = serializers.IntegerField()
    leaf = serializers.CharField()
    hash = serializers.CharField()


class WorkerLineShape(serializers.Serializer[Any]):
    made_at = serializers.DateTimeField()
    kind = serializers.CharField()
    batch = LineBatchShape(allow_null=True)
    delta_micros = serializers.IntegerField()
    balance_after_micros = serializers.IntegerField()
    currency = serializers.CharField()
    key = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    destination = serializers.CharField()
    reverses = serializers.CharField(allow_null=True)
    memo_hash = serializers.CharField(help_text="What stands for the memo in the leaf")
    seal = LineSealShape(allow_null=True, help_text="None for the first seconds")


def worker_line_shape(line: dict[str, Any]) -> dict[str, Any]:
    names = (
        *("made_at", "kind", "batch", "delta_micros", "balance_after_micros", "currency", "key", "source"),
        *("destination", "reverses", "memo_hash", "seal"),
    )
    return {name: line[name] for name in names}


class StatementView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(
        summary="Your money in a period, and what an hour brought",
        tags=["work"],
        parameters=PERIOD_PARAMETERS,
        responses=WorkerStatementShape,
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        period, currency = period_asked(request)
        settle_now(request.worker_id)
        return respond(worker_statement_shape(worker_statement(request.worker_id, currency, period)))


class StatementLinesView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(
        summary="Every posting of your account in a period, oldest first, with the balance after it",
        tags=["work"],
        **listing(WorkerLineShape, *PERIOD_PARAMETERS),
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        period, currency = period_asked(request, also=("cursor", "limit"))
        return page_of_rows(
            request,
            lambda after, limit: earned_lines(request.worker_id, currency, period, after=after, limit=limit),
            worker_line_shape,
            allowed=NAMES,
        )


class DayShape(serializers.Serializer[Any]):
    day = serializers.DateField()
    answers = serializers.IntegerField(help_text="Accepted, or won on appeal, on this day")
    answers_micros = serializers.IntegerField(help_text="For these, paid or paid next")
    extras_micros = serializers.IntegerField(help_text="Bonuses and top-ups")
    earned_micros = serializers.IntegerField(help_text="Both together")


class BatchEarnedShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    requester = serializers.CharField()
    answers = serializers.IntegerField(help_text="Submitted in the period, whatever came of them")
    waiting = serializers.IntegerField(help_text="Of these, undecided")
    rejected = serializers.IntegerField(help_text="Of these, rejected")
    paid_micros = serializers.IntegerField(help_text="For these, paid or paid next, with bonuses and top-ups")
    waiting_micros = serializers.IntegerField(help_text="If all that is undecided is accepted")
    worked_s = serializers.IntegerField(help_text="On decided answers")
    per_hour_micros = serializers.IntegerField(allow_null=True, help_text="Paid for an hour worked; none without time")


class DaysView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(
        summary="What each day of a period brought",
        tags=["work"],
        parameters=PERIOD_PARAMETERS,
        responses=listing(DayShape)["responses"],
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        period, currency = period_asked(request)
        days = earned_days(request.worker_id, currency, period)
        return whole(request, [{**asdict(day), "earned_micros": day.earned_micros} for day in days], allowed=NAMES)


class EarnedBatchesView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(
        summary=f"What each batch brought in a period: the {BATCHES_MAX} that brought most",
        tags=["work"],
        parameters=PERIOD_PARAMETERS,
        responses=listing(BatchEarnedShape)["responses"],
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        period, currency = period_asked(request)
        found = earned_by_batch(request.worker_id, currency, period)
        return whole(request, map(asdict, found), allowed=NAMES)


class StatementCsvView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(
        summary="The same postings as CSV, streamed",
        tags=["work"],
        parameters=PERIOD_PARAMETERS,
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: KeyRequest) -> StreamingHttpResponse:
        period, currency = period_asked(request)
        settle_now(request.worker_id)
        response = StreamingHttpResponse(
            as_csv(COLUMNS, _cells(request.worker_id, currency, period)), content_type="text/csv; charset=utf-8"
        )
        name = f"statement-{period.first}-{period.last}-{currency}.csv"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        response["Cache-Control"] = "private, no-store"
        return response


def settle_now(worker_id: int) -> None:
    """A statement shows what is due by its time, and needs no background process for it."""
    with one_transaction(principal="due"):
        apply_due()
    for _group in range(GROUPS_MAX):
        with one_transaction(principal="due"):
            if settle_due(worker_id=worker_id) < GROUP:
                return


def _cells(worker_id: int, currency: str, period: Period) -> Iterator[dict[str, Any]]:
    after = 0
    while page := earned_lines(worker_id, currency, period, after=after, limit=LINES_AT_ONCE):
        for line in page:
            batch = line["batch"]
            yield {
                **{name: line[name] for name in ("kind", "currency", "source", "destination", "key")},
                "made_at": line["made_at"].isoformat(),
                "requester": batch["requester"]["name"] if batch else None,
                "batch": str(batch["id"]) if batch else None,
                "batch_name": batch["name"] if batch else None,
                "amount": Decimal(exact(line["delta_micros"])),
                "balance_after": Decimal(exact(line["balance_after_micros"])),
                "seal": line["seal"]["seq"] if line["seal"] else None,
                "leaf": line["seal"]["leaf"] if line["seal"] else None,
            }
        after = page[-1]["cursor"]
