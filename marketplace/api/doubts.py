"""Doubt about answers: more places for tasks, and answers that the requester is asked to look at himself."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.batches.models import OVERLAP_MAX
from marketplace.batches.queries import batch_for
from marketplace.common.errors import Unprocessable
from marketplace.common.transactions import one_transaction
from marketplace.rest.ask import Ask
from marketplace.rest.boundary import once
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of_rows
from marketplace.rest.permissions import IsRequesterKey
from marketplace.rest.requests import KeyRequest
from workers.assignments.commands.holds import release_worker
from workers.assignments.commands.more_places import TASKS_MAX, more_places_for
from workers.assignments.queries import holds_page, review_wishes_page
from workers.profiles.commands import pseudonyms
from workers.profiles.queries import known_worker

WISH_STATES = ("open", "done")


class MorePlacesAsk(Ask):
    tasks = serializers.ListField(
        child=serializers.CharField(max_length=200), min_length=1, max_length=TASKS_MAX, help_text="External ids"
    )
    by = serializers.IntegerField(
        min_value=1, max_value=OVERLAP_MAX - 1, default=1, help_text="How many workers more must answer each"
    )


class MorePlacesShape(serializers.Serializer[Any]):
    places = serializers.IntegerField(help_text="How many places were added in all")
    held_micros = serializers.IntegerField(help_text="What is held for them from your funds")
    passed_over = serializers.ListField(
        child=serializers.CharField(),
        help_text=f"Tasks that got none: gold, reserved, in quarantine, or with more than {OVERLAP_MAX} places then",
    )


class WishShape(serializers.Serializer[Any]):
    answer = serializers.UUIDField()
    task = serializers.CharField(help_text="The task's external id")
    worker = serializers.CharField(help_text="The name under which you know the worker; other requesters know another")
    reason = serializers.CharField()
    made_at = serializers.DateTimeField()
    decide_by = serializers.DateTimeField(allow_null=True, help_text="When the answer is accepted by itself")
    done = serializers.BooleanField(help_text="Whether the answer is decided")


class HeldAnswersShape(serializers.Serializer[Any]):
    worker = serializers.CharField(help_text="The name under which you know the worker; other requesters know another")
    since = serializers.DateTimeField()
    until = serializers.DateTimeField(
        help_text="Before then the answers are not accepted by themselves; none waits for more than seven days beyond"
        " its deadline"
    )
    reasons = serializers.ListField(child=serializers.CharField())
    waiting = serializers.IntegerField(help_text="Answers of the worker that nobody has decided yet")


class AnswersReleaseAsk(Ask):
    worker = serializers.CharField(max_length=24, help_text="The name under which you know the worker")
    reason = serializers.CharField(max_length=2_000)


class AnswersReleasedShape(serializers.Serializer[Any]):
    holds = serializers.IntegerField(help_text="How many holds ended")
    accepted = serializers.IntegerField(help_text="Answers whose deadline had passed, and which are accepted now")


class MorePlacesView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Have more workers answer some tasks of a running batch; the money for them is held at once",
        tags=["batches"],
        request=MorePlacesAsk,
        responses=MorePlacesShape,
    )
    def post(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        ask = MorePlacesAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = batch_for(request.user.pk, batch, at_least="manager")
            added, passed_over = more_places_for(batch_id=of.pk, tasks=ask["tasks"], by=ask["by"])
            return boundary.respond(
                {"places": added.places, "held_micros": added.held_micros, "passed_over": passed_over}
            )


class ReviewWishesView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Answers that you are asked to look at yourself, and why",
        tags=["batches"],
        **listing(WishShape, OpenApiParameter("state", str, enum=WISH_STATES)),
    )
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        of = batch_for(request.user.pk, batch)
        state = request.query_params.get("state")
        if state is not None and state not in WISH_STATES:
            known = ", ".join(WISH_STATES)
            raise Unprocessable("There is no such state.", errors=[{"field": "state", "message": f"one of {known}"}])
        names: dict[int, str] = {}

        def fetch(after: int, limit: int) -> list[dict[str, Any]]:
            page = review_wishes_page(of.pk, state=state, after_id=after, limit=limit)
            with one_transaction(principal="names"):
                names.update(pseudonyms(requester_id=of.requester_id, worker_ids={row["worker_id"] for row in page}))
            return page

        shown = ("answer", "task", "reason", "made_at", "decide_by", "done")
        return page_of_rows(
            request,
            fetch,
            lambda row: {name: row[name] for name in shown} | {"worker": names[row["worker_id"]]},
            allowed=["state"],
        )


class HeldView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Workers whose answers are held back until you look at them, and why",
        tags=["batches"],
        **listing(HeldAnswersShape),
    )
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        of = batch_for(request.user.pk, batch, at_least="reviewer")
        names: dict[int, str] = {}

        def fetch(after: int, limit: int) -> list[dict[str, Any]]:
            page = holds_page(of.pk, after_id=after, limit=limit)
            with one_transaction(principal="names"):
                names.update(pseudonyms(requester_id=of.requester_id, worker_ids={row["worker_id"] for row in page}))
            return page

        shown = ("since", "until", "reasons", "waiting")
        return page_of_rows(
            request, fetch, lambda row: {name: row[name] for name in shown} | {"worker": names[row["worker_id"]]}
        )


class HeldReleaseView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Hold a worker's answers back no longer; those whose deadline has passed are accepted at once",
        tags=["batches"],
        request=AnswersReleaseAsk,
        responses=AnswersReleasedShape,
    )
    def post(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        ask = AnswersReleaseAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = batch_for(request.user.pk, batch, at_least="reviewer")
            worker_id = known_worker(of.requester_id, ask["worker"])
            held, accepted = release_worker(
                batch_id=of.pk, worker_id=worker_id, reason=ask["reason"], by=request.user.pk
            )
            return boundary.respond({"holds": held, "accepted": accepted})
