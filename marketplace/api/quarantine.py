"""Tasks in quarantine: why workers gave them up, and back to work with those that are in order."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.batches.queries import batch_for
from marketplace.common.transactions import one_transaction
from marketplace.rest.ask import Ask
from marketplace.rest.boundary import once
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of_rows
from marketplace.rest.permissions import IsRequesterKey
from marketplace.rest.requests import KeyRequest
from workers.assignments.commands.quarantine import release_tasks
from workers.assignments.queries import quarantine_page
from workers.assignments.states import ReturnReason
from workers.profiles.commands import pseudonyms

REASONS = ("expired", *(reason.value for reason in ReturnReason if reason != ReturnReason.SKIP))


class ReleaseAsk(Ask):
    tasks = serializers.ListField(
        child=serializers.CharField(max_length=200), min_length=1, max_length=1_000, help_text="External ids"
    )


class ReasonShape(serializers.Serializer[Any]):
    reason = serializers.ChoiceField(choices=REASONS)
    workers = serializers.IntegerField()


class CommentShape(serializers.Serializer[Any]):
    worker = serializers.CharField(help_text="The name under which you know the worker; other requesters know another")
    reason = serializers.ChoiceField(choices=REASONS)
    comment = serializers.CharField()


class QuarantinedShape(serializers.Serializer[Any]):
    task = serializers.CharField(help_text="The task's external id")
    attempts = serializers.IntegerField(help_text="How many workers gave it up")
    since = serializers.DateTimeField()
    places = serializers.IntegerField(help_text="Places that are still held: taken, or about to be refunded")
    refunded_places = serializers.IntegerField()
    reasons = ReasonShape(many=True)
    comments = CommentShape(many=True, help_text="The last ones")


class ReleasedShape(serializers.Serializer[Any]):
    released = serializers.IntegerField(help_text="Tasks; those that were not in quarantine are not counted")


def quarantined_shape(row: dict[str, Any], names: dict[int, str]) -> dict[str, Any]:
    """`names` are the requester's names for the workers; no other id of a worker leaves the site (R43)."""
    shown = ("task", "attempts", "since", "places", "refunded_places")
    return {name: row[name] for name in shown} | {
        "reasons": [{"reason": reason, "workers": row["reasons"][reason]} for reason in sorted(row["reasons"])],
        "comments": [
            {"worker": names[worker], "reason": reason, "comment": comment}
            for reason, worker, comment in row["comments"]
        ],
    }


class QuarantineView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="Tasks that several workers gave up, and why", tags=["batches"], **listing(QuarantinedShape))
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        of = batch_for(request.user.pk, batch)
        names: dict[int, str] = {}

        def fetch(after: int, limit: int) -> list[dict[str, Any]]:
            page = quarantine_page(of.pk, after_id=after, limit=limit)
            wanted = {worker for row in page for _, worker, _ in row["comments"]}
            with one_transaction(principal="names"):
                names.update(pseudonyms(requester_id=of.requester_id, worker_ids=wanted))
            return page

        return page_of_rows(request, fetch, lambda row: quarantined_shape(row, names))


class ReleaseView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Put tasks back to work; what was refunded for them is held again",
        tags=["batches"],
        request=ReleaseAsk,
        responses=ReleasedShape,
    )
    def post(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        ask = ReleaseAsk.of(request)
        with once(request) as boundary:
            return boundary.replay or boundary.respond(
                {
                    "released": release_tasks(
                        batch_id=batch_for(request.user.pk, batch, at_least="manager").pk, tasks=ask["tasks"]
                    )
                }
            )
