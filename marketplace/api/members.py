"""Who works for an organisation: roles, and invitations to come."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.accounts.commands import (
    change_role,
    invite_member,
    join,
    remove_member,
    withdraw_invitation,
)
from marketplace.accounts.models import Member, MemberInvitation, Role
from marketplace.accounts.queries import invitation_by, members_of, open_invitations, requester_for
from marketplace.api.accounts import RequesterView
from marketplace.rest.ask import Ask
from marketplace.rest.boundary import idempotency_key, once, respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of
from marketplace.rest.permissions import IsRequesterKey
from marketplace.rest.requests import KeyRequest


class MemberAsk(Ask):
    email = serializers.EmailField(max_length=254)
    role = serializers.ChoiceField(choices=Role.choices)


class RoleAsk(Ask):
    role = serializers.ChoiceField(choices=Role.choices)


class JoinAsk(Ask):
    code = serializers.CharField(max_length=200)


class MemberView(serializers.Serializer[Member]):
    id = serializers.UUIDField(source="user.public_id")
    email = serializers.EmailField(source="user.email")
    name = serializers.CharField(source="user.name")
    role = serializers.ChoiceField(choices=Role.choices)


class MemberInvitationView(serializers.Serializer[MemberInvitation]):
    id = serializers.UUIDField(source="public_id")
    email = serializers.EmailField()
    role = serializers.ChoiceField(choices=Role.choices)
    expires_at = serializers.DateTimeField()


class InvitationReadView(serializers.Serializer[Any]):
    requester = serializers.UUIDField()
    name = serializers.CharField(help_text="Of the organisation")
    role = serializers.ChoiceField(choices=Role.choices)
    invited_by = serializers.CharField(allow_blank=True)
    expires_at = serializers.DateTimeField()
    yours = serializers.BooleanField(help_text="Whether it was made for the address of your account")


class NewMemberInvitationView(MemberInvitationView):
    code = serializers.CharField(
        help_text="Shown this once; works once, for 14 days, for who signs in with the address"
    )


class Members(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="Who works for the organisation", tags=["accounts"], **listing(MemberView))
    def get(self, request: KeyRequest, requester: UUID) -> HttpResponse:
        members = members_of(requester_for(request.user.pk, requester).pk)
        return page_of(request, members, lambda member: MemberView(member).data)


class OneMember(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Give a member another role",
        description="The last owner cannot become anything else.",
        tags=["accounts"],
        request=RoleAsk,
        responses=MemberView,
    )
    def patch(self, request: KeyRequest, requester: UUID, member: UUID) -> HttpResponse:
        ask = RoleAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = requester_for(request.user.pk, requester, at_least="owner")
            return boundary.respond(MemberView(change_role(requester_id=of.pk, member=member, role=ask["role"])).data)

    @extend_schema(
        summary="Let a member go",
        description="Owners remove anybody but the last owner; everybody else may leave by himself.",
        tags=["accounts"],
        responses={204: None},
    )
    def delete(self, request: KeyRequest, requester: UUID, member: UUID) -> HttpResponse:
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            needed = "viewer" if member == request.user.public_id else "owner"
            remove_member(requester_id=requester_for(request.user.pk, requester, at_least=needed).pk, member=member)
            return boundary.respond(None, status=204)


class MemberInvitations(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="Who is invited and has not come yet", tags=["accounts"], **listing(MemberInvitationView))
    def get(self, request: KeyRequest, requester: UUID) -> HttpResponse:
        of = requester_for(request.user.pk, requester, at_least="owner")
        return page_of(request, open_invitations(of.pk), lambda one: MemberInvitationView(one).data)

    @extend_schema(
        summary="Invite somebody to work for the organisation",
        description="Whether the address has an account is not said. Another invitation of the same address ends.",
        tags=["accounts"],
        request=MemberAsk,
        responses={201: NewMemberInvitationView},
    )
    def post(self, request: KeyRequest, requester: UUID) -> HttpResponse:
        ask = MemberAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            made, code = invite_member(
                requester_id=requester_for(request.user.pk, requester, at_least="owner").pk,
                email=ask["email"],
                role=ask["role"],
                by=request.user.pk,
            )
            return boundary.respond({**MemberInvitationView(made).data, "code": code}, status=201, secret=True)


class OneMemberInvitation(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="Take an invitation back", tags=["accounts"], responses={204: None})
    def delete(self, request: KeyRequest, requester: UUID, invitation: UUID) -> HttpResponse:
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = requester_for(request.user.pk, requester, at_least="owner")
            withdraw_invitation(requester_id=of.pk, invitation=invitation)
            return boundary.respond(None, status=204)


class MemberInvitationAcceptances(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Join the organisation that you were invited to",
        tags=["accounts"],
        request=JoinAsk,
        responses={201: RequesterView},
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        ask = JoinAsk.of(request)
        with once(request) as boundary:
            return boundary.replay or boundary.respond(
                RequesterView(join(user=request.user, code=ask["code"])).data, status=201
            )


class MemberInvitationReadings(APIView):
    """What a code says, before it is used. A POST, so that the code stands in no address; nothing is kept."""

    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="What an invitation says, by its code; nothing is kept",
        tags=["accounts"],
        request=JoinAsk,
        responses=InvitationReadView,
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        ask = JoinAsk.of(request)
        idempotency_key(request)
        found = invitation_by(ask["code"])
        return respond(
            {
                "requester": found.requester.public_id,
                "name": found.requester.name,
                "role": found.role,
                "invited_by": found.made_by.get_full_name(),
                "expires_at": found.expires_at,
                "yours": found.email == request.user.email,
            }
        )
