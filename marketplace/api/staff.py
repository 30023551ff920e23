"""Who of the staff may do what: superusers give and take roles."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.accounts.commands import give_role, take_role
from marketplace.accounts.errors import NoSuchAccount
from marketplace.accounts.models import StaffRole, User
from marketplace.accounts.queries import account_at, any_user, staff_people, staff_person
from marketplace.accounts.second_factor import has_second_factor
from marketplace.api.looks import note_look
from marketplace.rest.ask import Ask
from marketplace.rest.boundary import once
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of
from marketplace.rest.permissions import staff
from marketplace.rest.requests import KeyRequest


class GiveRoleAsk(Ask):
    email = serializers.EmailField(help_text="Of the account")
    role = serializers.ChoiceField(choices=StaffRole.choices)


class TakeRoleAsk(Ask):
    role = serializers.ChoiceField(choices=StaffRole.choices)


class StaffPersonShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    email = serializers.EmailField()
    name = serializers.CharField(allow_blank=True)
    roles = serializers.ListField(child=serializers.ChoiceField(choices=StaffRole.choices))
    second_factor = serializers.BooleanField(help_text="Without one he can do nothing on the pages")


def staff_person_shape(user: User) -> dict[str, Any]:
    return {
        "id": user.public_id,
        "email": user.email,
        "name": user.name,
        "roles": sorted(grant.role for grant in user.staff_grants.all()),
        "second_factor": has_second_factor(user.pk),
    }


class StaffView(APIView):
    permission_classes = [staff(StaffRole.SUPERUSER)]

    @extend_schema(summary="Everybody with a staff role", tags=["operations"], **listing(StaffPersonShape))
    def get(self, request: KeyRequest) -> HttpResponse:
        note_look(request, "staff", "all")
        return page_of(request, staff_people(), staff_person_shape)

    @extend_schema(
        summary="Give somebody a staff role; he signs in again",
        tags=["operations"],
        request=GiveRoleAsk,
        responses={201: StaffPersonShape},
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        ask = GiveRoleAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            user = account_at(ask["email"])
            if user is None:
                raise NoSuchAccount(
                    "Nobody has signed up with this e-mail address.",
                    errors=[{"field": "email", "message": "has no account"}],
                )
            give_role(user_id=user.pk, role=ask["role"], by=request.user.pk)
            return boundary.respond(staff_person_shape(staff_person(user.pk)), status=201)


class StaffRevokeView(APIView):
    permission_classes = [staff(StaffRole.SUPERUSER)]

    @extend_schema(
        summary="Take a staff role; what was open to it is closed at once",
        tags=["operations"],
        request=TakeRoleAsk,
        responses=StaffPersonShape,
    )
    def post(self, request: KeyRequest, user: UUID) -> HttpResponse:
        ask = TakeRoleAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = any_user(user)
            take_role(user_id=of.pk, role=ask["role"], by=request.user.pk)
            return boundary.respond(staff_person_shape(staff_person(of.pk)))
