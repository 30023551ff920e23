"""A requester's statement: his money in a period, what it was spent on, and every posting of his accounts."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.accounts.commands.acts import record
from marketplace.accounts.models import Requester
from marketplace.accounts.queries import requester_for
from marketplace.api.asks import uuid_of
from marketplace.api.pseudonyms import with_pseudonyms
from marketplace.api.shapes import SealShape
from marketplace.billing.queries import (
    Account,
    Statement,
    account_of,
    accounts_of,
    held_now,
    line_pages,
    statement_of,
)
from marketplace.billing.statements import HELD, Spent
from marketplace.common.cells import as_csv
from marketplace.common.errors import Unprocessable
from marketplace.common.money import exact
from marketplace.ledger.periods import lines
from marketplace.rest.boundary import once, respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of_rows
from marketplace.rest.periods import NAMES, PERIOD_PARAMETERS, period_asked
from marketplace.rest.permissions import IsRequesterKey
from marketplace.rest.requests import KeyRequest

COLUMNS = [
    *("made_at", "account", "project_name", "batch", "batch_name", "kind", "amount", "currency", "balance_after"),
    *("source", "destination", "key", "seal", "leaf"),
]
PLACES = ("funds", *HELD)
PLACE = OpenApiParameter("place", str, enum=PLACES, default="funds", description="Other than funds needs a batch")
BATCH = OpenApiParameter("batch", OpenApiTypes.UUID, description="Whose escrow, dispute reserve or top-up reserve")


class SpentShape(serializers.Serializer[Any]):
    rewards_micros = serializers.IntegerField()
    upheld_micros = serializers.IntegerField(help_text="Paid after a rejection was overturned")
    topups_micros = serializers.IntegerField()
    bonuses_micros = serializers.IntegerField()
    fees_micros = serializers.IntegerField()
    total_micros = serializers.IntegerField()


def spent_shape(spent: Spent) -> dict[str, Any]:
    return {**asdict(spent), "total_micros": spent.total_micros}


class BatchSpentShape(SpentShape):
    batch = serializers.UUIDField(allow_null=True, help_text="None for what belongs to no batch")
    batch_name = serializers.CharField(allow_blank=True)
    project = serializers.UUIDField(allow_null=True)


class ProjectSpentShape(SpentShape):
    project = serializers.UUIDField()
    project_name = serializers.CharField()


class RequesterStatementShape(serializers.Serializer[Any]):
    first = serializers.DateField()
    last = serializers.DateField()
    currency = serializers.CharField()
    opening_micros = serializers.IntegerField(help_text="Free and held")
    funds_opening_micros = serializers.IntegerField()
    held_opening_micros = serializers.IntegerField()
    deposits_micros = serializers.IntegerField()
    taken_back_micros = serializers.IntegerField(help_text="Deposits that were taken back")
    holds_micros = serializers.IntegerField(help_text="Set aside for batches")
    refunds_micros = serializers.IntegerField(help_text="Given back by batches")
    spent = SpentShape()
    fees_of_funds_micros = serializers.IntegerField(help_text="Of the fees, what was paid from free funds")
    other_of_funds_micros = serializers.IntegerField()
    other_of_held_micros = serializers.IntegerField()
    funds_closing_micros = serializers.IntegerField()
    held_closing_micros = serializers.IntegerField()
    closing_micros = serializers.IntegerField()
    held_now_micros = serializers.IntegerField(help_text="At this moment, whatever the period")
    batches = BatchSpentShape(many=True)
    projects = ProjectSpentShape(many=True)


def statement_shape(statement: Statement, held_now_micros: int) -> dict[str, Any]:
    books = statement.books
    names = (
        *("opening_micros", "funds_opening_micros", "held_opening_micros", "deposits_micros", "taken_back_micros"),
        *("holds_micros", "refunds_micros", "fees_of_funds_micros", "other_of_funds_micros", "other_of_held_micros"),
        *("funds_closing_micros", "held_closing_micros", "closing_micros"),
    )
    return {
        "first": statement.period.first,
        "last": statement.period.last,
        "currency": statement.currency,
        **{name: getattr(books, name) for name in names},
        "spent": spent_shape(books.total),
        "held_now_micros": held_now_micros,
        "batches": [_batch_shape(statement, batch_id, spent) for batch_id, spent in books.spent.items()],
        "projects": [
            {"project": project, "project_name": name, **spent_shape(spent)}
            for project, (name, spent) in statement.projects().items()
        ],
    }


def _batch_shape(statement: Statement, batch_id: int | None, spent: Spent) -> dict[str, Any]:
    batch = statement.batches.get(batch_id) if batch_id is not None else None
    return {
        "batch": batch.id if batch else None,
        "batch_name": batch.name if batch else "",
        "project": batch.project if batch else None,
        **spent_shape(spent),
    }


class RequesterLineShape(serializers.Serializer[Any]):
    made_at = serializers.DateTimeField()
    kind = serializers.CharField()
    delta_micros = serializers.IntegerField()
    balance_after_micros = serializers.IntegerField()
    currency = serializers.CharField()
    key = serializers.CharField()
    source = serializers.CharField(help_text="A worker by the name under which you know him")  # type: ignore[assignment]
    destination = serializers.CharField()
    reverses = serializers.CharField(allow_null=True)
    source_hash = serializers.CharField(help_text="What stands for the source in the leaf")
    destination_hash = serializers.CharField()
    memo_hash = serializers.CharField()
    seal = SealShape(allow_null=True, help_text="None for the first seconds")


def requester_line_shape(line: dict[str, Any]) -> dict[str, Any]:
    names = (
        *("made_at", "kind", "delta_micros", "balance_after_micros", "currency", "key", "source", "destination"),
        *("reverses", "source_hash", "destination_hash", "memo_hash", "seal"),
    )
    return {name: line[name] for name in names}


class StatementView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="The organisation's money in a period, and what it was spent on",
        tags=["money"],
        parameters=PERIOD_PARAMETERS,
        responses=RequesterStatementShape,
    )
    def get(self, request: KeyRequest, requester: UUID) -> HttpResponse:
        of = requester_for(request.user.pk, requester)
        period, currency = period_asked(request)
        return respond(statement_shape(statement_of(of, currency, period), held_now(of, currency)))


class StatementLinesView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Every posting of one of the organisation's accounts in a period, oldest first",
        tags=["money"],
        **listing(RequesterLineShape, *PERIOD_PARAMETERS, PLACE, BATCH),
    )
    def get(self, request: KeyRequest, requester: UUID) -> HttpResponse:
        of = requester_for(request.user.pk, requester)
        period, currency = period_asked(request, also=("cursor", "limit", "place", "batch"))
        place, batch = _place_asked(request)
        account = account_of(of, currency, period, place=place, batch=batch)

        def page(after: int, limit: int) -> Sequence[dict[str, Any]]:
            return with_pseudonyms(of, lines(account.stretch, after=after, limit=limit)) if account else []

        return page_of_rows(request, page, requester_line_shape, allowed=(*NAMES, "place", "batch"))


class StatementCsvView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Every posting of all the organisation's accounts in a period as CSV, streamed",
        tags=["money"],
        parameters=PERIOD_PARAMETERS,
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: KeyRequest, requester: UUID) -> StreamingHttpResponse:
        of = requester_for(request.user.pk, requester)
        period, currency = period_asked(request)
        accounts = accounts_of(of, currency, period)
        with once(request):
            after = {"currency": currency, "first": period.first, "last": period.last}
            record("export.statement", subject="requester", subject_id=of.public_id, after=after)
        response = StreamingHttpResponse(as_csv(COLUMNS, _cells(of, accounts)), content_type="text/csv; charset=utf-8")
        name = f"statement-{of.public_id}-{period.first}-{period.last}-{currency}.csv"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        response["Cache-Control"] = "private, no-store"
        return response


def _place_asked(request: KeyRequest) -> tuple[str, UUID | None]:
    place, batch = request.query_params.get("place", "funds"), request.query_params.get("batch")
    errors = []
    if place not in PLACES:
        errors.append({"field": "place", "message": f"one of {', '.join(PLACES)}"})
    elif (place == "funds") != (batch is None):
        errors.append({"field": "batch", "message": "belongs to every place but funds"})
    if errors:
        raise Unprocessable("Some values are not valid.", errors=errors)
    return place, uuid_of(batch, "batch") if batch is not None else None


def _cells(requester: Requester, accounts: Sequence[Account]) -> Iterator[dict[str, Any]]:
    for account, page in line_pages(accounts):
        batch = account.batch
        for line in with_pseudonyms(requester, page):
            yield {
                **{name: line[name] for name in ("kind", "currency", "source", "destination", "key")},
                "made_at": line["made_at"].isoformat(),
                "account": account.place,
                "project_name": batch.project_name if batch else None,
                "batch": str(batch.id) if batch else None,
                "batch_name": batch.name if batch else None,
                "amount": Decimal(exact(line["delta_micros"])),
                "balance_after": Decimal(exact(line["balance_after_micros"])),
                "seal": line["seal"]["seq"] if line["seal"] else None,
                "leaf": line["seal"]["leaf"] if line["seal"] else None,
            }
