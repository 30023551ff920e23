"""Deposits recorded by staff, and what a requester may see of the ledger."""

from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.views import APIView

from marketplace.accounts.queries import any_requester, requester_for
from marketplace.api.asks import DepositAsk
from marketplace.api.shapes import (
    AnchorShape,
    CheckShape,
    DepositShape,
    HeadShape,
    TransferShape,
    anchor_shape,
    head_shape,
    transfer_shape,
)
from marketplace.common.promises import check_promises
from marketplace.ledger.addresses import funds_of, outside
from marketplace.ledger.commands import Move, move
from marketplace.ledger.queries import anchors, balance, head, ledger_sum, statement
from marketplace.rest.boundary import once, respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of_rows
from marketplace.rest.permissions import IsRequesterKey, IsStaffKey
from marketplace.rest.requests import KeyRequest


class DepositsView(APIView):
    permission_classes = [IsStaffKey]

    @extend_schema(
        summary="Record a deposit with its evidence",
        tags=["money"],
        request=DepositAsk,
        responses={201: DepositShape},
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        ask = DepositAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            address = funds_of(any_requester(ask["requester"]).public_id)
            key = f"deposit:{ask['reference']}"
            move(
                [
                    Move(
                        key=key,
                        kind="deposit",
                        source=outside("bank"),
                        destination=address,
                        currency=ask["currency"],
                        amount_micros=ask["amount_micros"],
                        memo=f"recorded by {request.user.public_id}",
                    )
                ]
            )
            funds = balance(address, ask["currency"])
            return boundary.respond({"transfer": key, "requester": ask["requester"], "funds_micros": funds}, status=201)


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
