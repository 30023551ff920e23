"""What a worker's socket tells, for those who have none: a snapshot to begin with, and the facts that follow it."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

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
from marketplace.rest.permissions import IsWorkerKey
from marketplace.rest.requests import KeyRequest
from marketplace.streams.routes import address_of_worker
from workers.api.sanctions import OwnSanctionShape, sanctions_in_force
from workers.api.shapes import CurrencyEarningsShape, HeldLeaseShape, earnings_shape, held_shape
from workers.assignments.queries import earnings, live_leases, repairs_in_hand
from workers.assignments.waits import waits_of
from workers.profiles.models import Worker


class OwnIdShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()


class WorkerSnapshotShape(serializers.Serializer[Any]):
    cursor = CursorShape(help_text="Facts after it are all that is not in here; some may be in here already")
    worker = OwnIdShape()
    leases = HeldLeaseShape(many=True, help_text="What you hold now")
    earnings = CurrencyEarningsShape(many=True)
    sanctions = OwnSanctionShape(many=True, help_text="Those in force")
    waiting = serializers.ListField(child=serializers.UUIDField(), help_text="Batches of which you wait for work")


def worker_state(worker_id: int) -> dict[str, Any]:
    """All that a worker's page needs to be right from now on, as sockets and plain reads tell it alike. Read the cursor
    before it (`newest`)."""
    worker = Worker.objects.only("public_id").get(pk=worker_id)
    leases, repairs = live_leases(worker_id), repairs_in_hand(worker_id)
    return {
        "worker": {"id": worker.public_id},
        "leases": [held_shape(lease, repairs.get(lease.id)) for lease in leases],
        "earnings": [earnings_shape(earned) for earned in earnings(worker_id)],
        "sanctions": sanctions_in_force(worker_id),
        "waiting": [wait.batch for wait in waits_of(worker_id)],
    }


class SnapshotView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(
        summary="All that concerns you now, and the cursor from which your stream goes on",
        tags=["work"],
        responses=WorkerSnapshotShape,
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        refuse_unknown(request.query_params, ())
        cursor = newest(address_of_worker(request.worker_id))
        return respond({"cursor": cursor_shape(cursor), **worker_state(request.worker_id)})


class StreamView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(
        summary="What happened to you and your work after a cursor, in order",
        tags=["work"],
        parameters=CURSOR_PARAMETERS,
        responses=FactsShape,
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        return respond(facts_after(address_of_worker(request.worker_id), cursor_asked(request.query_params)))
