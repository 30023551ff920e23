"""To whom a requester's invoices go, the invoices, and credit notes."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.accounts.models import StaffRole
from marketplace.accounts.queries import requester_for
from marketplace.billing.commands.invoices import BILLED, credit_invoice, issue_invoice, set_billing_details
from marketplace.billing.models import BillingDetails, DocumentKind, Invoice
from marketplace.billing.pdf import pdf_of
from marketplace.billing.queries import any_invoice, details_of, invoice_for, invoices_of
from marketplace.rest.ask import Ask
from marketplace.rest.boundary import again, once, respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of
from marketplace.rest.periods import month_of
from marketplace.rest.permissions import IsRequesterKey, staff
from marketplace.rest.requests import KeyRequest


class BillingDetailsAsk(Ask):
    name = serializers.CharField(max_length=200)
    address = serializers.CharField(max_length=1_000, allow_blank=True, default="")
    tax_id = serializers.CharField(max_length=40, allow_blank=True, default="")
    email = serializers.EmailField(max_length=254, allow_blank=True, required=False)


class InvoiceAsk(Ask):
    month = serializers.CharField(max_length=7, help_text="One that is over, as YYYY-MM")
    currency = serializers.RegexField(r"^[A-Z]{3}$", default="EUR")


class CreditAsk(Ask):
    reason = serializers.CharField(max_length=2_000)


class BillingDetailsShape(serializers.Serializer[Any]):
    name = serializers.CharField()
    address = serializers.CharField(allow_blank=True)
    tax_id = serializers.CharField(allow_blank=True)
    email = serializers.CharField(allow_blank=True)
    changed_at = serializers.DateTimeField(allow_null=True, help_text="None before anybody said so")


def details_shape(details: BillingDetails) -> dict[str, Any]:
    return {name: getattr(details, name) for name in ("name", "address", "tax_id", "email", "changed_at")}


class SellerShape(serializers.Serializer[Any]):
    name = serializers.CharField()
    address = serializers.CharField(allow_blank=True)
    tax_id = serializers.CharField(allow_blank=True)
    note = serializers.CharField(allow_blank=True)


class BuyerShape(serializers.Serializer[Any]):
    name = serializers.CharField()
    address = serializers.CharField(allow_blank=True)
    tax_id = serializers.CharField(allow_blank=True)
    email = serializers.CharField(allow_blank=True)


class InvoiceLineShape(serializers.Serializer[Any]):
    batch = serializers.UUIDField(allow_null=True)
    batch_name = serializers.CharField(allow_blank=True)
    project_name = serializers.CharField(allow_blank=True)
    what = serializers.ChoiceField(choices=tuple(BILLED))
    amount_micros = serializers.IntegerField()


class InvoiceMoneyShape(serializers.Serializer[Any]):
    opening_micros = serializers.IntegerField()
    deposits_micros = serializers.IntegerField()
    taken_back_micros = serializers.IntegerField()
    funds_closing_micros = serializers.IntegerField()
    held_closing_micros = serializers.IntegerField()
    closing_micros = serializers.IntegerField()


class InvoiceShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=DocumentKind.choices)
    number = serializers.CharField(help_text="Without gaps in each year, invoices and credit notes together")
    issued_at = serializers.DateTimeField()
    requester = serializers.UUIDField()
    currency = serializers.CharField()
    first = serializers.DateField()
    last = serializers.DateField()
    edition = serializers.IntegerField(help_text="More than 1 where it was credited and issued anew")
    corrects = serializers.UUIDField(allow_null=True, help_text="The invoice that this credit note takes back")
    credited_by = serializers.UUIDField(allow_null=True, help_text="The credit note that took this invoice back")
    reason = serializers.CharField(allow_blank=True)
    seller = SellerShape()
    buyer = BuyerShape()
    lines = InvoiceLineShape(many=True)
    work_micros = serializers.IntegerField(help_text="Paid to workers on the requester's behalf")
    fees_micros = serializers.IntegerField()
    total_micros = serializers.IntegerField()
    money = InvoiceMoneyShape(help_text="For information: deposits and balances")


def invoice_shape(invoice: Invoice) -> dict[str, Any]:
    same = ("kind", "issued_at", "currency", "edition", "reason", "seller", "buyer", "lines", "money")
    credit = getattr(invoice, "credit_note", None)
    return {
        "id": invoice.public_id,
        "number": invoice.label,
        "requester": invoice.requester.public_id,
        "first": invoice.period_from,
        "last": invoice.period_to,
        "corrects": invoice.corrects.public_id if invoice.corrects else None,
        "credited_by": credit.public_id if credit else None,
        **{name: getattr(invoice, name) for name in same},
        **{name: getattr(invoice, name) for name in ("work_micros", "fees_micros", "total_micros")},
    }


class BillingDetailsView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="To whom invoices go", tags=["money"], responses=BillingDetailsShape)
    def get(self, request: KeyRequest, requester: UUID) -> HttpResponse:
        return respond(details_shape(details_of(requester_for(request.user.pk, requester))))

    @extend_schema(
        summary="Say to whom invoices go; those that were issued stay as they are",
        tags=["money"],
        request=BillingDetailsAsk,
        responses=BillingDetailsShape,
    )
    def put(self, request: KeyRequest, requester: UUID) -> HttpResponse:
        ask = BillingDetailsAsk.of(request)
        with again(request):
            of = requester_for(request.user.pk, requester, at_least="manager")
            details = set_billing_details(requester_id=of.pk, by=request.user, **{"email": "", **ask})
        return respond(details_shape(details))


class InvoicesView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="The organisation's invoices and credit notes", tags=["money"], **listing(InvoiceShape))
    def get(self, request: KeyRequest, requester: UUID) -> HttpResponse:
        return page_of(request, invoices_of(requester_for(request.user.pk, requester).pk), invoice_shape)

    @extend_schema(
        summary="Issue the invoice for a month that is over; one that exists already is returned",
        tags=["money"],
        request=InvoiceAsk,
        responses={201: InvoiceShape},
    )
    def post(self, request: KeyRequest, requester: UUID) -> HttpResponse:
        ask = InvoiceAsk.of(request)
        month = month_of(ask["month"])
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = requester_for(request.user.pk, requester, at_least="manager")
            invoice = issue_invoice(requester_id=of.pk, currency=ask["currency"], month=month, by=request.user)
            return boundary.respond(invoice_shape(invoice), status=201)


class InvoiceView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="One invoice or credit note", tags=["money"], responses=InvoiceShape)
    def get(self, request: KeyRequest, invoice: UUID) -> HttpResponse:
        return respond(invoice_shape(invoice_for(request.user.pk, invoice)))


class InvoicePdfView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="The same as PDF", tags=["money"], responses={(200, "application/pdf"): OpenApiTypes.BINARY})
    def get(self, request: KeyRequest, invoice: UUID) -> HttpResponse:
        return pdf_response(invoice_for(request.user.pk, invoice))


class CreditNoteView(APIView):
    permission_classes = [staff(StaffRole.FINANCE)]

    @extend_schema(
        summary="Take a whole invoice back by a credit note",
        tags=["money"],
        request=CreditAsk,
        responses={201: InvoiceShape},
    )
    def post(self, request: KeyRequest, invoice: UUID) -> HttpResponse:
        ask = CreditAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            note = credit_invoice(invoice=any_invoice(invoice), reason=ask["reason"], by=request.user)
            return boundary.respond(invoice_shape(note), status=201)


def pdf_response(invoice: Invoice) -> HttpResponse:
    """The document as an attachment; no cache may keep it for somebody else."""
    response = HttpResponse(pdf_of(invoice), content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="{invoice.kind}-{invoice.label}.pdf"'
    response["Cache-Control"] = "private, no-store"
    return response
