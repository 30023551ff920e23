"""What binds the market to the keys of a batch: at any time, and after the end with the keys a worker was judged by."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.batches.queries import visible_batch
from marketplace.common.transactions import one_transaction
from marketplace.rest.ask import refuse_unknown
from marketplace.rest.boundary import respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of_rows, without_cursor
from marketplace.rest.permissions import IsWorkerKey
from marketplace.rest.requests import KeyRequest
from workers.assignments.queries import own_on
from workers.gold.queries import openings_page, roots_of, scores_of


class WorkRootShape(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    root_hash = serializers.CharField(help_text="SHA-256, in hexadecimal")
    leaves = serializers.IntegerField(help_text="How many leaves the tree has; it says nothing of the keys")
    made_at = serializers.DateTimeField()


class WorkCommitmentShape(serializers.Serializer[Any]):
    roots = WorkRootShape(many=True)


class WorkOpeningShape(serializers.Serializer[Any]):
    assignment = serializers.UUIDField(help_text="Yours, that was judged by the key")
    score = serializers.FloatField(help_text="What it was judged, 0 … 1")
    key = serializers.DictField()
    number = serializers.IntegerField(help_text="Of the commitment")
    salt = serializers.CharField(help_text="In hexadecimal")
    text = serializers.CharField(help_text="What follows the salt in the leaf, to the byte")
    index = serializers.IntegerField(help_text="The place of the leaf among the sorted ones")
    path = serializers.ListField(child=serializers.CharField(), help_text="The nodes beside its way to the root")


class WorkCommitmentView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(
        summary="What binds the market to the known answers of a batch, whether it has any or not",
        tags=["work"],
        responses=WorkCommitmentShape,
    )
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        refuse_unknown(request.query_params, [])
        roots = roots_of(visible_batch(batch).pk, whole_hours=True)
        return respond({"roots": [root.as_json() for root in roots]})


class WorkOpeningsView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(
        summary="Known answers that yours were judged by, to be checked against the roots; once the batch is settled",
        tags=["work"],
        **listing(WorkOpeningShape),
    )
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        of, worker_id = visible_batch(batch), request.worker_id

        def fetch(after: int, limit: int) -> list[dict[str, Any]]:
            if of.settled_at is None:
                return []
            with one_transaction(principal="gold"):
                opened = openings_page(of.pk, after_id=after, limit=limit, worker_id=worker_id)
                tasks = [one.task_id for one in opened]
                mine, scores = own_on(worker_id, tasks), scores_of(worker_id, tasks)
            return [
                {
                    "cursor": one.cursor,
                    "assignment": mine[one.task_id],
                    "score": scores[one.task_id],
                    **one.as_json(),
                }
                for one in opened
            ]

        return page_of_rows(request, fetch, without_cursor)
