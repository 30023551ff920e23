"""What a requester's socket tells, for those who have none, and who is online."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.accounts.models import Member
from marketplace.accounts.queries import membership, requester_for
from marketplace.api.accounts import RequesterView
from marketplace.api.shapes import BatchShape, batch_shape
from marketplace.batches.models import Batch
from marketplace.batches.states import BatchState
from marketplace.rest.ask import refuse_unknown
from marketplace.rest.boundary import respond
from marketplace.rest.facts import (
    CURSOR_PARAMETERS,
    CursorShape,
    FactsShape,
    cursor_asked,
    cursor_shape,
    facts_after,
    newest,
)
from marketplace.rest.permissions import IsRequesterKey, IsStaffKey
from marketplace.rest.requests import KeyRequest
from marketplace.streams.presence import online
from marketplace.streams.routes import address_of_requester
from workers.assignments.queries import working_now

BATCHES_MAX = 200
OVER = (BatchState.SETTLED, BatchState.CANCELLED)


class RequesterSnapshotShape(serializers.Serializer[Any]):
    cursor = CursorShape(help_text="Facts after it are all that is not in here; some may be in here already")
    requester = RequesterView()
    batches = BatchShape(many=True, help_text=f"Those that are not over, the newest first, at most {BATCHES_MAX}")


class PresenceShape(serializers.Serializer[Any]):
    workers_online = serializers.IntegerField(
        allow_null=True, help_text="With an open socket, within half a minute; null while nobody knows"
    )
    working = serializers.IntegerField(help_text="Workers who hold work of yours now")


class AllPresenceShape(serializers.Serializer[Any]):
    workers_online = serializers.IntegerField(
        allow_null=True, help_text="With an open socket, within half a minute; null while nobody knows"
    )
    requesters_online = serializers.IntegerField(allow_null=True, help_text="Their people")
    staff_online = serializers.IntegerField(allow_null=True)
    working = serializers.IntegerField(help_text="Workers who hold work now")


def requester_snapshot(member: Member) -> dict[str, Any]:
    """What an organisation's page needs to be right from now on, with the cursor that was read before all else. What
    stands where in a batch is its topic's."""
    cursor = newest(address_of_requester(member.requester_id))
    return {
        "cursor": cursor_shape(cursor),
        "requester": RequesterView(member).data,
        "batches": [batch_shape(batch) for batch in running_batches([member.requester_id])],
    }


def running_batches(requester_ids: Iterable[int]) -> QuerySet[Batch]:
    """The organisations' batches that are not over, the newest first, and at most `BATCHES_MAX`."""
    found = Batch.objects.filter(requester_id__in=list(requester_ids)).exclude(state__in=OVER)
    return found.select_related("requester", "project", "version").order_by("-pk")[:BATCHES_MAX]


class RequesterSnapshotView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="What is going on in an organisation, and the cursor from which its stream goes on",
        tags=["accounts"],
        responses=RequesterSnapshotShape,
    )
    def get(self, request: KeyRequest, requester: UUID) -> HttpResponse:
        refuse_unknown(request.query_params, ())
        return respond(requester_snapshot(membership(request.user.pk, requester)))


class RequesterStreamView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="What happened in an organisation after a cursor, in order",
        tags=["accounts"],
        parameters=CURSOR_PARAMETERS,
        responses=FactsShape,
    )
    def get(self, request: KeyRequest, requester: UUID) -> HttpResponse:
        of = requester_for(request.user.pk, requester)
        return respond(facts_after(address_of_requester(of.pk), cursor_asked(request.query_params)))


class RequesterPresenceView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="How many workers are online, and how many work for you now",
        tags=["accounts"],
        responses=PresenceShape,
    )
    def get(self, request: KeyRequest, requester: UUID) -> HttpResponse:
        refuse_unknown(request.query_params, ())
        of = requester_for(request.user.pk, requester)
        return respond({"workers_online": online("worker"), "working": working_now(requester_id=of.pk)})


class PresenceView(APIView):
    permission_classes = [IsStaffKey]

    @extend_schema(summary="Who is online, and how many work now", tags=["operations"], responses=AllPresenceShape)
    def get(self, request: KeyRequest) -> HttpResponse:
        refuse_unknown(request.query_params, ())
        return respond(
            {
                "workers_online": online("worker"),
                "requesters_online": online("requester"),
                "staff_online": online("admin"),
                "working": working_now(),
            }
        )
