"""What a requester may see of the ledger, and its seals."""

from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.views import APIView

from marketplace.accounts.queries import requester_for
from marketplace.api.shapes import (
    AnchorShape,
    CheckShape,
    HeadShape,
    TransferShape,
    anchor_shape,
    head_shape,
    transfer_shape,
)
from marketplace.common.promises import check_promises
from marketplace.ledger.addresses import funds_of
from marketplace.ledger.queries import anchors, head, ledger_sum, statement
from marketplace.rest.boundary import respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of_rows
from marketplace.rest.permissions import IsRequesterKey, IsStaffKey
from marketplace.rest.requests import KeyRequest


class TransfersView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="The requester's own money, newest first, with the balance after each",
        tags=["money"],
        **listing(TransferShape),
    )
    def get(self, request: KeyRequest, requester: UUID) -> HttpResponse:
        address = funds_of(requester_for(request.user.pk, requester).public_id)
        return page_of_rows(
            request,
            lambda after, limit: [
                {"cursor": row["id"], **row} for row in statement(address, before_id=after or None, limit=limit)
            ],
            transfer_shape,
        )


class HeadView(APIView):
    @extend_schema(summary="The end of the chain of hashes over all transfers", tags=["money"], responses=HeadShape)
    def get(self, request: KeyRequest) -> HttpResponse:
        return respond(head_shape(head()))


class AnchorsView(APIView):
    @extend_schema(
        summary="The end of the chain on each day, newest first; who keeps it can tell rewritten history",
        tags=["money"],
        **listing(AnchorShape),
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        return page_of_rows(request, anchors, anchor_shape)


class CheckView(APIView):
    permission_classes = [IsStaffKey]

    @extend_schema(summary="Check every promise against the database", tags=["operations"], responses=CheckShape)
    def get(self, request: KeyRequest) -> HttpResponse:
        findings = check_promises(show=0)
        return respond(
            {
                "ledger_sum_micros": ledger_sum(),
                "violations": sum(finding.violations for finding in findings),
                "promises": [
                    {"name": finding.name, "sentence": finding.sentence, "violations": finding.violations}
                    for finding in findings
                ],
            }
        )
