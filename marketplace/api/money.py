"""What a requester may see of the ledger, and its seals."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.views import APIView

from marketplace.accounts.models import StaffRole
from marketplace.accounts.queries import requester_for
from marketplace.api.asks import moment_of
from marketplace.api.looks import note_look
from marketplace.api.pseudonyms import with_pseudonyms
from marketplace.api.shapes import (
    AnchorShape,
    BookedTransferShape,
    HeadShape,
    LedgerAccountShape,
    TransferShape,
    anchor_shape,
    head_shape,
    transfer_shape,
)
from marketplace.common.errors import Unprocessable
from marketplace.ledger.addresses import funds_of, worker_in
from marketplace.ledger.queries import anchors, balances_at, head, statement
from marketplace.rest.ask import refuse_unknown
from marketplace.rest.boundary import respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of_rows
from marketplace.rest.permissions import IsRequesterKey, staff
from marketplace.rest.requests import KeyRequest


class TransfersView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="The requester's own money, newest first, with the balance after each",
        tags=["money"],
        **listing(TransferShape),
    )
    def get(self, request: KeyRequest, requester: UUID) -> HttpResponse:
        of = requester_for(request.user.pk, requester)
        return _transfers(request, funds_of(of.public_id), named=lambda found: with_pseudonyms(of, found))


class AccountView(APIView):
    permission_classes = [staff(StaffRole.FINANCE)]

    @extend_schema(
        summary="Any account as of now or of any moment",
        tags=["operations"],
        parameters=[
            OpenApiParameter("address", str, required=True),
            OpenApiParameter("at", OpenApiTypes.DATETIME, description="a moment with its time zone; now if left out"),
        ],
        responses=LedgerAccountShape,
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        refuse_unknown(request.query_params, ("address", "at"))
        address, at = _address(request), moment_of(request.query_params, "at") or datetime.now(UTC)
        _note_whose(request, address, [])
        return respond(
            {
                "address": address,
                "at": at,
                "balances": [
                    {"currency": currency, "balance_micros": amount}
                    for currency, amount in balances_at(address, at).items()
                ],
            }
        )


class AccountTransfersView(APIView):
    permission_classes = [staff(StaffRole.FINANCE)]

    @extend_schema(
        summary="The transfers of any account, newest first, with the balance after each",
        tags=["operations"],
        **listing(BookedTransferShape, OpenApiParameter("address", str, required=True)),
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        address = _address(request)

        def noted(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
            _note_whose(request, address, found)
            return found

        return _transfers(request, address, allowed=["address"], named=noted)


def _note_whose(request: KeyRequest, address: str, found: Sequence[dict[str, Any]]) -> None:
    """Write down whose money somebody looks at, or by which account he learns what workers were paid."""
    worker = worker_in(address)
    if worker is not None:
        note_look(request, "worker", worker)
    elif any(worker_in(row[side]) for row in found for side in ("source", "destination")):
        note_look(request, "money_place", address)


def _transfers(
    request: KeyRequest,
    address: str,
    *,
    allowed: Sequence[str] = (),
    named: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] = list,
) -> HttpResponse:
    def page(after: int, limit: int) -> list[dict[str, Any]]:
        found = named(statement(address, before_id=after or None, limit=limit))
        return [{"cursor": row["id"], **row} for row in found]

    return page_of_rows(request, page, transfer_shape, allowed=allowed)


def _address(request: KeyRequest) -> str:
    address = request.query_params.get("address", "")
    if not address or not address.isprintable():
        raise Unprocessable("Which account?", errors=[{"field": "address", "message": "is needed, as platform:fees"}])
    return address


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
