"""What is news to a worker: of his stream's facts those that are not his own doing, and how far he has read."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.rest.ask import Ask, refuse_unknown
from marketplace.rest.boundary import once, respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of_rows
from marketplace.rest.permissions import IsWorkerKey
from marketplace.rest.requests import KeyRequest
from marketplace.streams.commands import note_read
from marketplace.streams.queries import NEWEST, Entry, before, epoch, head, read_up_to, unread
from marketplace.streams.routes import address_of_worker

# Kinds of facts, as `workers.live.routes` names them. What a worker does himself is no news to him.
NEWS = (
    "answer_accepted",
    "answer_rejected",
    "answer_returned",
    "answer_upheld",
    "bonus_paid",
    "lease_expired",
    "payment_settled",
    "appeal_opened",
    "appeal_moved",
    "appeal_decided",
    "sanctioned",
    "sanction_lifted",
    "skill_granted",
    "skill_revoked",
    "reputation_shown",
)


class NewsShape(serializers.Serializer[Any]):
    seq = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=NEWS)
    at = serializers.DateTimeField()
    body = serializers.DictField(help_text="Public ids of what it is about")
    unread = serializers.BooleanField()


class ReadShape(serializers.Serializer[Any]):
    epoch = serializers.UUIDField()
    head = serializers.IntegerField(help_text="The newest number of your stream")
    seq = serializers.IntegerField(help_text="You have read up to this number")
    unread = serializers.IntegerField(help_text="Among the last 1000 facts")


class ReadAsk(Ask):
    epoch = serializers.UUIDField(help_text="Of the numbers; of another one nothing is noted")
    seq = serializers.IntegerField(min_value=0, max_value=NEWEST, help_text="It never goes back")


def news_shape(entry: Entry, read: int) -> dict[str, Any]:
    return {
        "seq": entry.seq,
        "kind": entry.kind,
        "at": entry.at,
        "body": entry.body,
        "unread": entry.seq > read,
    }


def read_shape(worker_id: int, user_id: int) -> dict[str, Any]:
    stream = address_of_worker(worker_id)
    return {
        "epoch": epoch(),
        "head": head(stream),
        "seq": read_up_to(stream, user_id),
        "unread": unread(stream, user_id, kinds=NEWS),
    }


class NewsView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(
        summary="What happened to you and your work, newest first; kept for seven days",
        tags=["work"],
        **listing(NewsShape),
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        stream = address_of_worker(request.worker_id)
        read = read_up_to(stream, request.user.pk)

        def fetch(after: int, limit: int) -> list[dict[str, Any]]:
            found = before(stream, after or None, kinds=NEWS, limit=limit)
            return [{"cursor": entry.seq, "entry": entry} for entry in found]

        return page_of_rows(request, fetch, lambda row: news_shape(row["entry"], read))


class NewsReadView(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(summary="How far you have read your news", tags=["work"], responses=ReadShape)
    def get(self, request: KeyRequest) -> HttpResponse:
        refuse_unknown(request.query_params, ())
        return respond(read_shape(request.worker_id, request.user.pk))

    @extend_schema(
        summary="Note that you have read your news up to a number", tags=["work"], request=ReadAsk, responses=ReadShape
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        ask = ReadAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            note_read(
                stream=address_of_worker(request.worker_id),
                reader=request.user.pk,
                of_epoch=ask["epoch"],
                seq=ask["seq"],
            )
            return boundary.respond(read_shape(request.worker_id, request.user.pk))
