"""What an organisation has and holds, what it spent month by month, what it paid in, and how to pay in."""

from collections.abc import Iterator
from dataclasses import asdict
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.accounts.commands.acts import record
from marketplace.accounts.models import Requester
from marketplace.accounts.queries import requester_for
from marketplace.api.statements import SpentShape, spent_shape
from marketplace.billing.models import Deposit
from marketplace.billing.queries import MonthSpent, deposits_of, holds_of, pay_in_reference, spent_by_month
from marketplace.common.cells import as_csv
from marketplace.common.errors import Unprocessable
from marketplace.common.money import exact
from marketplace.ledger.periods import today
from marketplace.rest.ask import refuse_unknown
from marketplace.rest.boundary import once, respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of, whole
from marketplace.rest.periods import currency_asked
from marketplace.rest.permissions import IsRequesterKey
from marketplace.rest.requests import KeyRequest

MONTHS, MONTHS_MAX = 6, 24
PARTS = ("rewards", "upheld", "topups", "bonuses", "fees", "total")
COLUMNS = ["month", "project", "batch", "batch_name", *PARTS, "currency"]
PARAMETERS = [
    OpenApiParameter("months", OpenApiTypes.INT, default=MONTHS, description=f"At most {MONTHS_MAX}"),
    OpenApiParameter("currency", {"type": "string", "pattern": "^[A-Z]{3}$", "default": "EUR"}),
]


class BatchHoldShape(serializers.Serializer[Any]):
    batch = serializers.UUIDField()
    name = serializers.CharField()
    project = serializers.CharField()
    state = serializers.CharField()
    currency = serializers.CharField()
    escrow_micros = serializers.IntegerField(help_text="For work that may yet be paid")
    disputes_micros = serializers.IntegerField(help_text="For rejections that may be overturned")
    topup_micros = serializers.IntegerField(help_text="To bring pay to its hourly target")
    total_micros = serializers.IntegerField()


class SpentMonthBatchShape(SpentShape):
    batch = serializers.UUIDField(allow_null=True)
    batch_name = serializers.CharField(allow_blank=True)
    project_name = serializers.CharField(allow_blank=True)


class SpentMonthShape(SpentShape):
    month = serializers.DateField(help_text="Its first day, by UTC")
    batches = SpentMonthBatchShape(many=True)


class OwnTakenBackShape(serializers.Serializer[Any]):
    reason = serializers.CharField()
    made_at = serializers.DateTimeField()


class OwnDepositShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    amount_micros = serializers.IntegerField()
    currency = serializers.CharField()
    channel = serializers.CharField()
    reference = serializers.CharField()
    made_at = serializers.DateTimeField()
    taken_back = OwnTakenBackShape(allow_null=True)


class PayInShape(serializers.Serializer[Any]):
    reference = serializers.CharField(help_text="Write it on the transfer: by it your money is known")
    account = serializers.CharField(allow_blank=True, help_text="Where to; empty where this site does not say")


def own_deposit_shape(deposit: Deposit) -> dict[str, Any]:
    """Without who recorded it and what he saw, which are for staff."""
    reversal = getattr(deposit, "reversal", None)
    names = ("amount_micros", "currency", "channel", "reference", "made_at")
    return {
        "id": deposit.public_id,
        **{name: getattr(deposit, name) for name in names},
        "taken_back": {"reason": reversal.reason, "made_at": reversal.made_at} if reversal else None,
    }


def month_shape(month: MonthSpent) -> dict[str, Any]:
    return {
        "month": month.first,
        **spent_shape(month.total),
        "batches": [
            {
                "batch": batch.id if batch else None,
                "batch_name": batch.name if batch else "",
                "project_name": batch.project_name if batch else "",
                **spent_shape(spent),
            }
            for batch, spent in month.batches
        ],
    }


def pay_in(requester: Requester) -> dict[str, str]:
    """How the organisation pays in."""
    return {"reference": pay_in_reference(requester.public_id), "account": settings.PAY_IN_ACCOUNT}


class HoldsView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="What your batches hold now", tags=["money"], responses=listing(BatchHoldShape)["responses"])
    def get(self, request: KeyRequest, requester: UUID) -> HttpResponse:
        of = requester_for(request.user.pk, requester)
        return whole(request, [{**asdict(held), "total_micros": held.total_micros} for held in holds_of(of.pk)])


class SpendingView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="What was spent in each of the last months, and on which batches",
        tags=["money"],
        parameters=PARAMETERS,
        responses=listing(SpentMonthShape)["responses"],
    )
    def get(self, request: KeyRequest, requester: UUID) -> HttpResponse:
        of = requester_for(request.user.pk, requester)
        found = _months(request, of)
        return whole(request, [month_shape(month) for month in found], allowed=["months", "currency"])


class SpendingCsvView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="The same as CSV, a line for each month and batch",
        tags=["money"],
        parameters=PARAMETERS,
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: KeyRequest, requester: UUID) -> StreamingHttpResponse:
        of = requester_for(request.user.pk, requester)
        currency = currency_asked(request)
        cells = _cells(_months(request, of), currency)
        with once(request):
            record("export.spending", subject="requester", subject_id=of.public_id, after={"currency": currency})
        response = StreamingHttpResponse(as_csv(COLUMNS, cells), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="spending-{of.public_id}.csv"'
        response["Cache-Control"] = "private, no-store"
        return response


class OwnDepositsView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="What you paid in", tags=["money"], **listing(OwnDepositShape))
    def get(self, request: KeyRequest, requester: UUID) -> HttpResponse:
        of = requester_for(request.user.pk, requester)
        return page_of(request, deposits_of(of.pk), own_deposit_shape, descending=True)


class PayInView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="How to pay in, and the reference by which it is yours", tags=["money"], responses=PayInShape
    )
    def get(self, request: KeyRequest, requester: UUID) -> HttpResponse:
        refuse_unknown(request.query_params, [])
        return respond(pay_in(requester_for(request.user.pk, requester)))


def _months(request: KeyRequest, requester: Requester) -> list[MonthSpent]:
    refuse_unknown(request.query_params, ["months", "currency"])
    text = request.query_params.get("months", str(MONTHS))
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= MONTHS_MAX):
        message = f"is a whole number from 1 to {MONTHS_MAX}"
        raise Unprocessable("Some values are not valid.", errors=[{"field": "months", "message": message}])
    return spent_by_month(requester, currency_asked(request), int(text), until=today())


def _cells(months: list[MonthSpent], currency: str) -> Iterator[dict[str, Any]]:
    for month in months:
        for batch, spent in month.batches:
            yield {
                "month": f"{month.first:%Y-%m}",
                "project": batch.project_name if batch else None,
                "batch": str(batch.id) if batch else None,
                "batch_name": batch.name if batch else None,
                **{name: Decimal(exact(getattr(spent, f"{name}_micros"))) for name in PARTS},
                "currency": currency,
            }
