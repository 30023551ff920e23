"""Pay besides the price: bonuses and top-ups; and rejections that staff undo."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.accounts.models import StaffRole
from marketplace.api.asks import BonusAsk, UpholdAsk
from marketplace.batches.queries import any_batch, batch_for
from marketplace.common.errors import Unprocessable
from marketplace.common.transactions import one_transaction
from marketplace.rest.boundary import once
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of_rows
from marketplace.rest.permissions import IsRequesterKey, staff
from marketplace.rest.requests import KeyRequest
from workers.appeals.commands.uphold import uphold_rejected
from workers.assignments.commands.extras import Bonus, pay_bonus
from workers.assignments.models import ExtraKind
from workers.assignments.queries import extras_page
from workers.profiles.commands import pseudonyms
from workers.profiles.queries import workers_by_pseudonym


class UpheldShape(serializers.Serializer[Any]):
    upheld = serializers.IntegerField()


class BonusShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    worker = serializers.CharField()
    amount_micros = serializers.IntegerField()
    fee_micros = serializers.IntegerField()
    reference = serializers.CharField()


class ExtraShape(BonusShape):
    kind = serializers.ChoiceField(choices=ExtraKind.choices)
    reason = serializers.CharField()
    made_at = serializers.DateTimeField()
    paid = serializers.BooleanField()


def bonus_shape(bonus: Bonus, worker: str, reference: str) -> dict[str, Any]:
    return {
        "id": bonus.public_id,
        "worker": worker,
        "amount_micros": bonus.amount_micros,
        "fee_micros": bonus.fee_micros,
        "reference": reference,
    }


def extra_shape(row: dict[str, Any], names: dict[int, str]) -> dict[str, Any]:
    shown = {name: value for name, value in row.items() if name not in ("cursor", "worker_id")}
    return {**shown, "worker": names[row["worker_id"]]}


class UpholdView(APIView):
    permission_classes = [staff(StaffRole.SUPPORT, StaffRole.QUALITY)]

    @extend_schema(
        summary="Undo rejections that were wrong; each answer becomes due for payment, and what was contested is won",
        tags=["answers"],
        request=UpholdAsk,
        responses=UpheldShape,
    )
    def post(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        ask = UpholdAsk.of(request)
        with once(request) as boundary:
            return boundary.replay or boundary.respond(
                {
                    "upheld": uphold_rejected(
                        batch_id=any_batch(batch).pk,
                        assignments=ask["answers"],
                        made_by=request.user.pk,
                        reason=ask["reason"],
                    )
                }
            )


class BonusesView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Pay a worker something besides the price, with a reason",
        tags=["money"],
        request=BonusAsk,
        responses={201: BonusShape},
    )
    def post(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        ask = BonusAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = batch_for(request.user.pk, batch, at_least="manager")
            worker_id = workers_by_pseudonym(of.requester_id, [ask["worker"]]).get(ask["worker"])
            if worker_id is None:
                raise Unprocessable(
                    "You know no such worker.", errors=[{"field": "worker", "message": "names nobody that you know"}]
                )
            bonus = pay_bonus(
                batch_id=of.pk,
                worker_id=worker_id,
                amount_micros=ask["amount_micros"],
                reason=ask["reason"],
                reference=ask["reference"],
                made_by=request.user.pk,
            )
            return boundary.respond(bonus_shape(bonus, ask["worker"], ask["reference"]), status=201)

    @extend_schema(summary="Bonuses and top-ups of a batch", tags=["money"], **listing(ExtraShape))
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        of = batch_for(request.user.pk, batch)
        names: dict[int, str] = {}

        def fetch(after: int, limit: int) -> list[dict[str, Any]]:
            page = extras_page(of.pk, after_id=after, limit=limit)
            with one_transaction(principal="names"):
                names.update(pseudonyms(requester_id=of.requester_id, worker_ids={row["worker_id"] for row in page}))
            return page

        return page_of_rows(request, fetch, lambda row: extra_shape(row, names))
