"""The worker's money on its way out: where it may go, what is on its way, and the second factor that guards both."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import BasePermission
from rest_framework.views import APIView

from marketplace.accounts.second_factor import add_factor, begin_enrolment
from marketplace.common.money import AMOUNT_MAX
from marketplace.payouts.commands.destinations import add_destination, remove_destination
from marketplace.payouts.commands.payouts import cancel_payout
from marketplace.payouts.commands.thresholds import set_threshold
from marketplace.payouts.errors import DestinationTaken
from marketplace.payouts.models import PROVIDER_MAX, Destination, Payout, Threshold
from marketplace.payouts.providers.base import Provider
from marketplace.payouts.providers.registry import offered
from marketplace.payouts.queries import destinations_of, payout_for, payouts_of, thresholds_of
from marketplace.payouts.states import PayoutState
from marketplace.rest.ask import Ask, EmptyAsk, refuse_unknown
from marketplace.rest.boundary import once, respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of, whole
from marketplace.rest.permissions import HasWorkerScope, IsWorkerKey, IsWorkersOwnKey
from marketplace.rest.proof import new_factor_of, proof_of, shown_password
from marketplace.rest.requests import KeyRequest
from workers.earnings.commands import withdraw
from workers.earnings.withdrawable import FEE_MICROS, Why, payout_terms
from workers.profiles.models import Worker

CODE = "What the second factor shows now; each code counts once"


class TextField(serializers.CharField):
    """Text and nothing that could be turned into it."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError("Must be text.")
        return str(super().to_internal_value(data))


class ProofAsk(Ask):
    password = serializers.CharField(max_length=1_000, trim_whitespace=False)
    code = serializers.CharField(max_length=10, help_text=CODE)


class DestinationAsk(ProofAsk):
    provider = serializers.CharField(max_length=PROVIDER_MAX)
    currency = serializers.CharField(min_length=3, max_length=3)
    details = serializers.DictField(
        child=TextField(max_length=500, allow_blank=True), help_text="By the fields that the provider names"
    )


class PayoutAsk(Ask):
    destination = serializers.UUIDField()
    currency = serializers.CharField(min_length=3, max_length=3, help_text="That of the destination")
    amount_micros = serializers.IntegerField(
        min_value=1,
        max_value=AMOUNT_MAX,
        required=False,
        help_text="A multiple of 10000: whole cents. Left out: all that was earned",
    )


class ThresholdAsk(ProofAsk):
    destination = serializers.UUIDField()
    above_micros = serializers.IntegerField(
        min_value=1, max_value=AMOUNT_MAX, allow_null=True, help_text="A multiple of 10000; null ends it"
    )


class EnrolAsk(Ask):
    password = serializers.CharField(max_length=1_000, trim_whitespace=False)


class ConfirmAsk(Ask):
    token = serializers.CharField(max_length=2_000, help_text="What the enrolment began with")
    code = serializers.CharField(max_length=10, help_text="Of the new second factor")


class ProviderFieldShape(serializers.Serializer[Any]):
    name = serializers.CharField()
    what = serializers.CharField()


class ProviderShape(serializers.Serializer[Any]):
    name = serializers.CharField()
    title = serializers.CharField()
    fields = ProviderFieldShape(many=True)  # type: ignore[assignment]


class DestinationShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    provider = serializers.CharField()
    currency = serializers.CharField()
    shown = serializers.CharField(help_text="Enough to know it by")
    added_at = serializers.DateTimeField()
    usable_from = serializers.DateTimeField(help_text="Nothing is paid there before")
    removed_at = serializers.DateTimeField(allow_null=True)


class OwnPayoutShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    destination = serializers.UUIDField()
    shown = serializers.CharField()
    provider = serializers.CharField()
    currency = serializers.CharField()
    amount_micros = serializers.IntegerField()
    state = serializers.ChoiceField(choices=PayoutState.choices)
    reason = serializers.CharField(allow_blank=True, help_text="Why it was not paid")
    needs_review = serializers.BooleanField(help_text="Somebody looks at it before it is sent")
    requested_at = serializers.DateTimeField()
    sent_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class ThresholdShape(serializers.Serializer[Any]):
    currency = serializers.CharField()
    above_micros = serializers.IntegerField(allow_null=True)
    destination = serializers.UUIDField()


class EnrolmentShape(serializers.Serializer[Any]):
    secret = serializers.CharField(help_text="Shown this once")
    uri = serializers.CharField(help_text="The same for an authenticator app, as otpauth://")
    token = serializers.CharField(help_text="Confirm with it, and with a code, within 15 minutes")


class EnrolledShape(serializers.Serializer[Any]):
    enrolled = serializers.BooleanField()


def provider_shape(provider: Provider) -> dict[str, Any]:
    return {
        "name": provider.name,
        "title": provider.title,
        "fields": [{"name": name, "what": what} for name, what in provider.fields.items()],
    }


def destination_shape(destination: Destination) -> dict[str, Any]:
    return {
        "id": destination.public_id,
        "provider": destination.provider,
        "currency": destination.currency,
        "shown": destination.shown,
        "added_at": destination.added_at,
        "usable_from": destination.usable_from,
        "removed_at": destination.removed_at,
    }


def payout_shape(payout: Payout) -> dict[str, Any]:
    return {
        "id": payout.public_id,
        "destination": payout.destination.public_id,
        "shown": payout.destination.shown,
        "provider": payout.provider,
        "currency": payout.currency,
        "amount_micros": payout.amount_micros,
        "state": payout.state,
        "reason": payout.reason,
        "needs_review": payout.needs_review,
        "requested_at": payout.requested_at,
        "sent_at": payout.sent_at,
        "ended_at": payout.ended_at,
    }


def threshold_shape(threshold: Threshold) -> dict[str, Any]:
    return {
        "currency": threshold.currency,
        "above_micros": threshold.above_micros,
        "destination": threshold.destination.public_id,
    }


class ProvidersView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(summary="The ways in which this site pays out", tags=["withdrawals"], **listing(ProviderShape))
    def get(self, request: KeyRequest) -> HttpResponse:
        return whole(request, map(provider_shape, offered()))


class DestinationsView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(summary="Where you are paid", tags=["withdrawals"], **listing(DestinationShape))
    def get(self, request: KeyRequest) -> HttpResponse:
        return page_of(request, destinations_of(request.user.pk), destination_shape)

    @extend_schema(
        summary="Add a destination; it can be used after 72 hours, and a mail tells you of it",
        tags=["withdrawals"],
        request=DestinationAsk,
        responses={201: DestinationShape},
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        ask = dict(DestinationAsk.of(request))
        proof = proof_of(request, password=ask.pop("password"), code=ask.pop("code"))
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            added = add_destination(user_id=request.user.pk, proof=proof, **ask)
            if isinstance(added, DestinationTaken):
                return boundary.refuse(added)
            return boundary.respond(destination_shape(added), status=201)


class DestinationRemoveView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(
        summary="Remove a destination, and call off what was not sent there yet",
        tags=["withdrawals"],
        request=ProofAsk,
        responses=DestinationShape,
    )
    def post(self, request: KeyRequest, destination: UUID) -> HttpResponse:
        ask = ProofAsk.of(request)
        proof = proof_of(request, password=ask["password"], code=ask["code"])
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            gone = remove_destination(user_id=request.user.pk, public_id=destination, proof=proof)
            return boundary.respond(destination_shape(gone))


class PayoutsView(APIView):
    def get_permissions(self) -> list[BasePermission]:
        return [IsWorkersOwnKey() if self.request.method == "POST" else IsWorkerKey()]

    @extend_schema(summary="Your payouts, newest first", tags=["withdrawals"], **listing(OwnPayoutShape))
    def get(self, request: KeyRequest) -> HttpResponse:
        return page_of(request, payouts_of(request.user.pk), payout_shape, descending=True)

    @extend_schema(
        summary="Ask for a payout of what you have earned",
        tags=["withdrawals"],
        request=PayoutAsk,
        responses={201: OwnPayoutShape},
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        ask = PayoutAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            return boundary.respond(payout_shape(withdraw(worker_id=request.worker_id, **ask)), status=201)


class PayoutView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(summary="One payout", tags=["withdrawals"], responses=OwnPayoutShape)
    def get(self, request: KeyRequest, payout: UUID) -> HttpResponse:
        return respond(payout_shape(payout_for(request.user.pk, payout)))


class PayoutCancelView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(
        summary="Call a payout off while it is not sent",
        tags=["withdrawals"],
        request=EmptyAsk,
        responses=OwnPayoutShape,
    )
    def post(self, request: KeyRequest, payout: UUID) -> HttpResponse:
        EmptyAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            return boundary.respond(payout_shape(cancel_payout(user_id=request.user.pk, public_id=payout)))


class WithdrawableShape(serializers.Serializer[Any]):
    currency = serializers.CharField()
    earned_micros = serializers.IntegerField(help_text="Settled, and accepted and due")
    submitted_micros = serializers.IntegerField(help_text="Undecided")
    may_micros = serializers.IntegerField(help_text="You can ask for so much at once now")
    why = serializers.ChoiceField(choices=[("", ""), *Why.choices], help_text="Why nothing, where it is nothing")
    usable_from = serializers.DateTimeField(allow_null=True, help_text="Where you wait for a destination")
    on_its_way_micros = serializers.IntegerField()
    paid_micros = serializers.IntegerField(help_text="Paid out so far")


class PayoutTermsShape(serializers.Serializer[Any]):
    minimum_micros = serializers.IntegerField()
    maximum_micros = serializers.IntegerField(help_text="Of one payout")
    daily_micros = serializers.IntegerField(help_text="Within 24 hours")
    daily_count = serializers.IntegerField(help_text="Payouts within 24 hours")
    review_micros = serializers.IntegerField(help_text="From this amount on somebody looks first")
    fee_micros = serializers.IntegerField(help_text="What this site keeps of a payout")
    today_times = serializers.IntegerField(help_text="What you asked for within 24 hours")
    today_micros = serializers.IntegerField()
    money = WithdrawableShape(many=True)


class PayoutTermsView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(
        summary="What you can have paid out now, and the limits of this site",
        tags=["withdrawals"],
        responses=PayoutTermsShape,
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        refuse_unknown(request.query_params, ())
        terms = payout_terms(request.worker_id)
        shown = list(WithdrawableShape().fields)
        return respond(
            {
                **asdict(terms.limits),
                "fee_micros": FEE_MICROS,
                "today_times": terms.today_times,
                "today_micros": terms.today_micros,
                "money": [{name: getattr(one, name) for name in shown} for one in terms.money],
            }
        )


class ThresholdsView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(
        summary="From which amounts on you are paid by yourself", tags=["withdrawals"], **listing(ThresholdShape)
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        return whole(request, map(threshold_shape, thresholds_of(request.user.pk)))

    @extend_schema(
        summary="Be paid by yourself whenever you have earned so much; one wish for each currency",
        tags=["withdrawals"],
        request=ThresholdAsk,
        responses=ThresholdShape,
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        ask = ThresholdAsk.of(request)
        proof = proof_of(request, password=ask["password"], code=ask["code"])
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            place = set_threshold(
                user_id=request.user.pk,
                holder=Worker.objects.get(pk=request.worker_id).public_id,
                destination=ask["destination"],
                above_micros=ask["above_micros"],
                proof=proof,
            )
            return boundary.respond(
                {
                    "currency": place.currency,
                    "above_micros": ask["above_micros"],
                    "destination": ask["destination"],
                }
            )


class EnrolView(APIView):
    permission_classes = [HasWorkerScope]

    @extend_schema(
        summary="Begin to set up a second factor (TOTP)",
        tags=["withdrawals"],
        request=EnrolAsk,
        responses={201: EnrolmentShape},
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        ask = EnrolAsk.of(request)
        shown = shown_password(request, password=ask["password"])
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            begun = begin_enrolment(shown, user=request.user)
            return boundary.respond(
                {"secret": begun.secret, "uri": begun.uri, "token": begun.token}, status=201, secret=True
            )


class ConfirmView(APIView):
    permission_classes = [HasWorkerScope]

    @extend_schema(
        summary="Confirm the second factor with its first code; a mail tells you of it",
        tags=["withdrawals"],
        request=ConfirmAsk,
        responses={201: EnrolledShape},
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        ask = ConfirmAsk.of(request)
        new = new_factor_of(request, token=ask["token"], code=ask["code"])
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            add_factor(new, user_id=request.user.pk)
            return boundary.respond({"enrolled": True}, status=201)
