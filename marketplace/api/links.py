"""Staff: accounts that are one person's."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.accounts.models import StaffRole
from marketplace.api.looks import note_look
from marketplace.rest.ask import Ask
from marketplace.rest.boundary import once
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of
from marketplace.rest.permissions import staff
from marketplace.rest.requests import KeyRequest
from workers.profiles.commands.links import LINK_MAX, end_link, link_accounts
from workers.profiles.models import Link
from workers.profiles.queries import accounts_linked, any_link, links


class LinkAsk(Ask):
    workers = serializers.ListField(child=serializers.UUIDField(), min_length=2, max_length=LINK_MAX)
    reason = serializers.CharField(max_length=2_000)


class LinkEndAsk(Ask):
    reason = serializers.CharField(max_length=2_000)


class AccountShape(serializers.Serializer[Any]):
    id = serializers.UUIDField(help_text="Of the worker")
    person = serializers.UUIDField(help_text="The worker who stands for the person now")


class LinkShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    workers = AccountShape(many=True)
    reason = serializers.CharField()
    made_by = serializers.EmailField()
    made_at = serializers.DateTimeField()
    ended_by = serializers.EmailField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    ended_reason = serializers.CharField(allow_blank=True)


def link_shape(link: Link) -> dict[str, Any]:
    return {
        "id": link.public_id,
        "workers": [{"id": account, "person": person} for account, person in accounts_linked(link.pk)],
        "reason": link.reason,
        "made_by": link.made_by.email,
        "made_at": link.made_at,
        "ended_by": link.ended_by.email if link.ended_by else None,
        "ended_at": link.ended_at,
        "ended_reason": link.ended_reason,
    }


class LinksView(APIView):
    permission_classes = [staff(StaffRole.SUPPORT, StaffRole.QUALITY)]

    @extend_schema(summary="Links between accounts, past ones too", tags=["operations"], **listing(LinkShape))
    def get(self, request: KeyRequest) -> HttpResponse:
        note_look(request, "links", "all")
        return page_of(request, links(), link_shape)

    @extend_schema(
        summary="Let accounts count as one worker: they are one person's",
        tags=["operations"],
        request=LinkAsk,
        responses={201: LinkShape},
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        ask = LinkAsk.of(request)
        with once(request) as boundary:
            return boundary.replay or boundary.respond(
                link_shape(link_accounts(workers=ask["workers"], reason=ask["reason"], by=request.user.pk)), status=201
            )


class LinkEndView(APIView):
    permission_classes = [staff(StaffRole.SUPPORT, StaffRole.QUALITY)]

    @extend_schema(summary="End a link that was wrong", tags=["operations"], request=LinkEndAsk, responses=LinkShape)
    def post(self, request: KeyRequest, link: UUID) -> HttpResponse:
        ask = LinkEndAsk.of(request)
        with once(request) as boundary:
            return boundary.replay or boundary.respond(
                link_shape(end_link(link=any_link(link), reason=ask["reason"], by=request.user.pk))
            )
