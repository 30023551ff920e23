"""Accounts, keys, organisations, and invitations to open an account."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.views import APIView

from marketplace.accounts.commands import (
    Invitee,
    accept_invitation,
    ask_to_sign_up,
    create_key,
    found_requester,
    invite,
    revoke_key,
    sign_up,
)
from marketplace.accounts.models import ApiKey, Member, Role, Scope, StaffRole, User
from marketplace.accounts.queries import keys_of, membership, memberships_of
from marketplace.api.balances import balances_of
from marketplace.rest.ask import Ask
from marketplace.rest.authentication import ApiKeyAuthentication, PasswordAuthentication
from marketplace.rest.boundary import once, respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of
from marketplace.rest.permissions import IsRequesterKey, staff
from marketplace.rest.requests import KeyRequest
from marketplace.rest.throttles import InvitationThrottle, SignUpThrottle
from marketplace.results.queries import rejection_rates
from workers.profiles.commands import ensure_workers
from workers.profiles.queries import worker_of

KEY_LIFE_MAX_S = 400 * 24 * 3600
PASSWORD_LENGTH_MAX = 500


class AddressAsk(Ask):
    email = serializers.EmailField(max_length=254)


class SignUpAsk(Ask):
    code = serializers.CharField(max_length=1_000)
    password = serializers.CharField(max_length=PASSWORD_LENGTH_MAX, trim_whitespace=False)
    name = serializers.CharField(max_length=200, allow_blank=True, default="")


class KeyAsk(Ask):
    name = serializers.CharField(max_length=200)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=Scope.choices), allow_empty=False, max_length=len(Scope.values)
    )
    expires_in_s = serializers.IntegerField(min_value=1, max_value=KEY_LIFE_MAX_S, required=False)


class RequesterAsk(Ask):
    name = serializers.CharField(max_length=200)


class InviteeAsk(Ask):
    email = serializers.EmailField(max_length=254)
    name = serializers.CharField(max_length=200, allow_blank=True, default="")
    worker = serializers.BooleanField(default=False)


class InvitationsAsk(Ask):
    accounts = InviteeAsk(many=True, allow_empty=False, max_length=1_000)  # type: ignore[call-arg]


class AcceptInvitationAsk(Ask):
    code = serializers.CharField(max_length=200)
    password = serializers.CharField(max_length=PASSWORD_LENGTH_MAX, trim_whitespace=False)


class MailedView(serializers.Serializer[Any]):
    mailed_to = serializers.EmailField()


class AccountView(serializers.Serializer[User]):
    id = serializers.UUIDField(source="public_id")
    email = serializers.EmailField()
    name = serializers.CharField()


class KeyView(serializers.Serializer[ApiKey]):
    id = serializers.UUIDField(source="public_id")
    name = serializers.CharField()
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=Scope.choices))
    expires_at = serializers.DateTimeField(source="expiry", allow_null=True)
    created_at = serializers.DateTimeField(source="created")


class NewKeyView(KeyView):
    key = serializers.CharField(help_text="Shown this once")


class RequesterView(serializers.Serializer[Member]):
    id = serializers.UUIDField(source="requester.public_id")
    name = serializers.CharField(source="requester.name")
    role = serializers.ChoiceField(choices=Role.choices)


class BalanceView(serializers.Serializer[Any]):
    currency = serializers.CharField()
    funds_micros = serializers.IntegerField()
    held_micros = serializers.IntegerField()


class RequesterMoneyView(RequesterView):
    balances = BalanceView(many=True)
    rejection_rate = serializers.FloatField(
        allow_null=True, help_text="Share of the answers that you decided in 90 days; workers see it too"
    )
    rejections = serializers.IntegerField(help_text="How many those were")
    rejections_upheld = serializers.IntegerField(help_text="How many of your rejections were undone, as on appeal")


class InvitedView(serializers.Serializer[Any]):
    email = serializers.EmailField()
    code = serializers.CharField(help_text="Shown this once; works once, for 14 days")


class InvitationsView(serializers.Serializer[Any]):
    invitations = InvitedView(many=True)


class JoinedView(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    email = serializers.EmailField()
    worker = serializers.UUIDField(allow_null=True)


class Accounts(APIView):
    authentication_classes: list[type[BaseAuthentication]] = []
    permission_classes = [AllowAny]
    throttle_classes = [SignUpThrottle]

    @extend_schema(
        summary="Ask for an account: a code is mailed to the address",
        description="The same is said whether the address has an account or not; then the mail says so.",
        tags=["accounts"],
        request=AddressAsk,
        responses={202: MailedView},
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        ask = AddressAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            ask_to_sign_up(email=ask["email"])
            return boundary.respond({"mailed_to": ask["email"]}, status=202)


class Confirmations(APIView):
    authentication_classes: list[type[BaseAuthentication]] = []
    permission_classes = [AllowAny]
    throttle_classes = [InvitationThrottle]

    @extend_schema(
        summary="Open an account with the code from the mail",
        tags=["accounts"],
        request=SignUpAsk,
        responses={201: AccountView},
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        ask = SignUpAsk.of(request)
        with once(request) as boundary:
            return boundary.replay or boundary.respond(AccountView(sign_up(**ask)).data, status=201)


def _within(request: KeyRequest) -> list[str] | None:
    """The scopes of the keys that a key may know of: one that was lost must not end those that open more. Who is signed
    in on a page may know of all."""
    return request.auth.scopes if isinstance(request.auth, ApiKey) else None


class Keys(APIView):
    """Keys are listed with a key and made with a password."""

    def get_authenticators(self) -> list[BaseAuthentication]:
        # Nothing is known of the request where the description of the API is made.
        method = self.request.method if self.request is not None else None
        return [PasswordAuthentication()] if method == "POST" else [ApiKeyAuthentication()]

    @extend_schema(
        summary="List your keys",
        description="The key that asks, and those of yours that are for nothing else than it is.",
        tags=["accounts"],
        **listing(KeyView),
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        found = keys_of(request.user.pk, _within(request))
        return page_of(request, found, lambda key: KeyView(key).data, sort="created")

    @extend_schema(
        summary="Make a key",
        description="With HTTP Basic (e-mail address and password); `Touchstone-OTP` too if you have a second factor.",
        tags=["accounts"],
        request=KeyAsk,
        responses={201: NewKeyView},
        auth=[{"password": []}],  # type: ignore[list-item]
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        ask = KeyAsk.of(request)
        life = timedelta(seconds=ask["expires_in_s"]) if "expires_in_s" in ask else None
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            key, token = create_key(user=request.user, name=ask["name"], scopes=ask["scopes"], life=life)
            return boundary.respond({**KeyView(key).data, "key": token}, status=201, secret=True)


class Key(APIView):
    permission_classes = [IsAuthenticated]

    @extend_schema(
        summary="Revoke a key of yours",
        description="A key revokes itself, and those of yours that are for nothing else than it is.",
        tags=["accounts"],
        responses={204: None},
    )
    def delete(self, request: KeyRequest, key: UUID) -> HttpResponse:
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            revoke_key(user_id=request.user.pk, public_id=key, within=_within(request))
            return boundary.respond(None, status=204)


class Requesters(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="Your organisations", tags=["accounts"], **listing(RequesterView))
    def get(self, request: KeyRequest) -> HttpResponse:
        return page_of(request, memberships_of(request.user.pk), lambda member: RequesterView(member).data)

    @extend_schema(
        summary="Found an organisation", tags=["accounts"], request=RequesterAsk, responses={201: RequesterView}
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        ask = RequesterAsk.of(request)
        with once(request) as boundary:
            return boundary.replay or boundary.respond(
                RequesterView(found_requester(user_id=request.user.pk, name=ask["name"])).data, status=201
            )


class OneRequester(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="One organisation with its money: what is free, and what its batches hold",
        tags=["accounts"],
        responses=RequesterMoneyView,
    )
    def get(self, request: KeyRequest, requester: UUID) -> HttpResponse:
        member = membership(request.user.pk, requester)
        rate = rejection_rates([member.requester_id])[member.requester_id]
        return respond(
            {
                **RequesterView(member).data,
                "balances": balances_of(member.requester),
                "rejection_rate": rate.rate,
                "rejections": rate.rejected,
                "rejections_upheld": rate.upheld,
            }
        )


class Invitations(APIView):
    permission_classes = [staff(StaffRole.SUPPORT)]

    @extend_schema(
        summary="Invite people; workers among them can work as soon as they accept",
        tags=["accounts"],
        request=InvitationsAsk,
        responses={201: InvitationsView},
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        accounts = InvitationsAsk.of(request)["accounts"]
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            invited = invite(people=[Invitee(account["email"], account["name"]) for account in accounts])
            ensure_workers(
                user_ids=[one.user_id for one, account in zip(invited, accounts, strict=True) if account["worker"]]
            )
            shown = [{"email": one.email, "code": one.code} for one in invited]
            return boundary.respond({"invitations": shown}, status=201, secret=True)


class InvitationAcceptances(APIView):
    authentication_classes: list[type[BaseAuthentication]] = []
    permission_classes = [AllowAny]
    throttle_classes = [InvitationThrottle]

    @extend_schema(
        summary="Accept an invitation by choosing a password",
        tags=["accounts"],
        request=AcceptInvitationAsk,
        responses={201: JoinedView},
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        ask = AcceptInvitationAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            user = accept_invitation(**ask)
            worker = worker_of(user.pk)
            joined = {"id": user.public_id, "email": user.email, "worker": worker.public_id if worker else None}
            return boundary.respond(joined, status=201)
