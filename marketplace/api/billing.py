"""What staff do with money: deposits and their correction, reports of banks, and what the platform owes."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.views import APIView

from marketplace.accounts.commands.acts import record
from marketplace.accounts.models import StaffRole
from marketplace.accounts.queries import any_requester
from marketplace.api.asks import CHANNEL, DepositAsk
from marketplace.billing.commands.deposits import record_deposit, reverse_deposit
from marketplace.billing.commands.reconcile import reconcile_deposits
from marketplace.billing.models import BANK, Deposit, DepositReport
from marketplace.billing.queries import AGEING, AGES, PLACES, Liabilities, deposits, liabilities, reports
from marketplace.common.cells import as_csv
from marketplace.common.errors import Unprocessable
from marketplace.common.money import exact
from marketplace.ledger.addresses import funds_of
from marketplace.ledger.queries import balance
from marketplace.rest.ask import Ask, refuse_unknown
from marketplace.rest.boundary import once, respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of
from marketplace.rest.parsing import AnyBodyParser
from marketplace.rest.permissions import staff
from marketplace.rest.requests import KeyRequest


class ReverseAsk(Ask):
    reason = serializers.CharField(max_length=2_000)


class TakenBackShape(serializers.Serializer[Any]):
    reason = serializers.CharField()
    by = serializers.UUIDField()
    made_at = serializers.DateTimeField()
    transfer = serializers.CharField()


class DepositShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    transfer = serializers.CharField(help_text="The key of its transfer")
    requester = serializers.UUIDField()
    amount_micros = serializers.IntegerField()
    currency = serializers.CharField()
    channel = serializers.CharField()
    reference = serializers.CharField()
    evidence = serializers.CharField()
    recorded_by = serializers.UUIDField(allow_null=True)
    made_at = serializers.DateTimeField()
    taken_back = TakenBackShape(allow_null=True)


class RecordedDepositShape(DepositShape):
    funds_micros = serializers.IntegerField(help_text="What the requester has now")


def deposit_shape(deposit: Deposit) -> dict[str, Any]:
    reversal = getattr(deposit, "reversal", None)
    return {
        "id": deposit.public_id,
        "transfer": deposit.transfer_key,
        "requester": deposit.requester.public_id,
        "amount_micros": deposit.amount_micros,
        "currency": deposit.currency,
        "channel": deposit.channel,
        "reference": deposit.reference,
        "evidence": deposit.evidence,
        "recorded_by": deposit.recorded_by.public_id if deposit.recorded_by else None,
        "made_at": deposit.made_at,
        "taken_back": None
        if reversal is None
        else {
            "reason": reversal.reason,
            "by": reversal.reversed_by.public_id,
            "made_at": reversal.made_at,
            "transfer": reversal.transfer_key,
        },
    }


def recorded_deposit_shape(deposit: Deposit) -> dict[str, Any]:
    funds = balance(funds_of(deposit.requester.public_id), deposit.currency)
    return {**deposit_shape(deposit), "funds_micros": funds}


class ReportedShape(serializers.Serializer[Any]):
    reference = serializers.CharField()
    amount = serializers.CharField(help_text="As a decimal number")
    currency = serializers.CharField()
    date = serializers.DateField()


class DifferentShape(ReportedShape):
    recorded_amount = serializers.CharField()
    recorded_currency = serializers.CharField()


class FindingsShape(serializers.Serializer[Any]):
    missing_here = ReportedShape(many=True, help_text="Reported and not recorded")
    missing_there = ReportedShape(many=True, help_text="Recorded in these days and not reported")
    different = DifferentShape(many=True, help_text="Recorded with another amount or currency")


class DepositReportShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    channel = serializers.CharField()
    first = serializers.DateField()
    last = serializers.DateField()
    sha256 = serializers.CharField(help_text="Of the file, in hexadecimal")
    rows = serializers.IntegerField()
    matched = serializers.IntegerField()
    findings = FindingsShape()
    uploaded_by = serializers.UUIDField()
    made_at = serializers.DateTimeField()


def report_shape(report: DepositReport) -> dict[str, Any]:
    return {
        "id": report.public_id,
        "channel": report.channel,
        "first": report.day_from,
        "last": report.day_to,
        "sha256": bytes(report.sha256).hex(),
        "rows": report.rows,
        "matched": report.matched,
        "findings": report.findings,
        "uploaded_by": report.uploaded_by.public_id,
        "made_at": report.made_at,
    }


AgesShape = type("AgesShape", (serializers.Serializer,), {name: serializers.IntegerField() for name in AGES})
AgeingShape = type("AgeingShape", (serializers.Serializer,), {what: AgesShape() for what in AGEING})
PlacesShape = type("PlacesShape", (serializers.Serializer,), {name: serializers.IntegerField() for name in PLACES})


class CurrencyLiabilitiesShape(serializers.Serializer[Any]):
    currency = serializers.CharField()
    owed_micros = serializers.IntegerField(help_text="What belongs to requesters and workers")
    sum_micros = serializers.IntegerField(help_text="Of all places; anything but 0 is an error")
    places_micros = PlacesShape(help_text="What lies where")
    ages_micros = AgeingShape(
        help_text="For how long it has lain: on its way out, held for batches, earned and not claimed"
    )


class LiabilitiesShape(serializers.Serializer[Any]):
    currencies = CurrencyLiabilitiesShape(many=True)


def liabilities_shape(of: Liabilities) -> dict[str, Any]:
    return {
        "currency": of.currency,
        "owed_micros": of.owed_micros,
        "sum_micros": of.sum_micros,
        "places_micros": of.places,
        "ages_micros": of.ages,
    }


class DepositsView(APIView):
    permission_classes = [staff(StaffRole.FINANCE)]

    @extend_schema(summary="Every deposit", tags=["operations"], **listing(DepositShape))
    def get(self, request: KeyRequest) -> HttpResponse:
        return page_of(request, deposits(), deposit_shape)

    @extend_schema(
        summary="Record a deposit with its evidence",
        tags=["money"],
        request=DepositAsk,
        responses={201: RecordedDepositShape},
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        ask = dict(DepositAsk.of(request))
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            requester = any_requester(ask.pop("requester"))
            deposit = record_deposit(requester=requester, recorded_by=request.user, **ask)
            return boundary.respond(recorded_deposit_shape(deposit), status=201)


class DepositReverseView(APIView):
    permission_classes = [staff(StaffRole.FINANCE)]

    @extend_schema(
        summary="Take a deposit back, as long as its money is not spent",
        tags=["money"],
        request=ReverseAsk,
        responses=RecordedDepositShape,
    )
    def post(self, request: KeyRequest, deposit: UUID) -> HttpResponse:
        ask = ReverseAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            back = reverse_deposit(deposit=deposit, reason=ask["reason"], by=request.user)
            return boundary.respond(recorded_deposit_shape(back))


class DepositReportsView(APIView):
    permission_classes = [staff(StaffRole.FINANCE)]
    parser_classes = [AnyBodyParser]

    @extend_schema(
        summary="Reports that were compared with the deposits", tags=["operations"], **listing(DepositReportShape)
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        return page_of(request, reports(), report_shape)

    @extend_schema(
        summary="Compare a bank's or provider's report with the deposits recorded here",
        description="CSV in UTF-8 with the columns reference, amount (a decimal number), currency and date.",
        tags=["operations"],
        parameters=[OpenApiParameter("channel", CHANNEL.schema, default=BANK)],
        request={"text/csv": OpenApiTypes.BINARY},
        responses={201: DepositReportShape},
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        kind = (request.content_type or "").partition(";")[0].strip().lower()
        if kind != "text/csv":
            raise UnsupportedMediaType(kind, "Send text/csv.")
        refuse_unknown(request.query_params, ["channel"])
        channel = request.query_params.get("channel", BANK)
        if not CHANNEL.pattern.fullmatch(channel):
            raise Unprocessable("Some values are not valid.", errors=[{"field": "channel", "message": CHANNEL.message}])
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            report = reconcile_deposits(channel=channel, body=request.body, by=request.user)
            return boundary.respond(report_shape(report), status=201)


class LiabilitiesView(APIView):
    permission_classes = [staff(StaffRole.FINANCE)]

    @extend_schema(
        summary="What the platform owes by currency, and for how long", tags=["operations"], responses=LiabilitiesShape
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        return respond({"currencies": [liabilities_shape(of) for of in liabilities()]})


class LiabilitiesCsvView(APIView):
    permission_classes = [staff(StaffRole.FINANCE)]

    @extend_schema(summary="The same as CSV", tags=["operations"], responses={(200, "text/csv"): OpenApiTypes.STR})
    def get(self, request: KeyRequest) -> StreamingHttpResponse:
        with once(request):
            record("export.liabilities", subject="ledger", subject_id="liabilities")
        response = StreamingHttpResponse(
            as_csv(["what", "age", "amount", "currency"], _cells(liabilities())),
            content_type="text/csv; charset=utf-8",
        )
        response["Content-Disposition"] = 'attachment; filename="liabilities.csv"'
        response["Cache-Control"] = "private, no-store"
        return response


def _cells(found: list[Liabilities]) -> Iterator[dict[str, Any]]:
    for of in found:
        for what, amount in [*of.places.items(), ("owed", of.owed_micros), ("sum", of.sum_micros)]:
            yield {"what": what, "amount": Decimal(exact(amount)), "currency": of.currency}
        for what, ages in of.ages.items():
            for age, amount in ages.items():
                yield {"what": what, "age": age, "amount": Decimal(exact(amount)), "currency": of.currency}
