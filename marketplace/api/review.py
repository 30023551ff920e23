"""Looking at answers in an organisation's name: what waits, labels settled by hand, and what a sample proves."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.api.reviews import EvidenceShape
from marketplace.api.shapes import ANSWER_STATES
from marketplace.batches.models import Batch
from marketplace.batches.queries import batch_for
from marketplace.common.errors import Unprocessable
from marketplace.common.transactions import one_transaction
from marketplace.rest.ask import Ask, refuse_unknown
from marketplace.rest.boundary import once, respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of, page_of_rows, without_cursor
from marketplace.rest.permissions import IsRequesterKey
from marketplace.rest.requests import KeyRequest
from marketplace.results.commands.adjudication import WORDS_MAX, Grounds, adjudicate
from marketplace.results.commands.names import gold_tasks
from marketplace.results.models import RejectionReview
from marketplace.results.queries.review import (
    Item,
    Look,
    Ruling,
    items_of,
    queue_page,
    reviews_of,
    rulings_page,
    sampled_in,
)
from marketplace.results.reports.sampling import CONFIDENCE, SHARE, proof_of
from marketplace.results.states import Cause, Queue, ReviewState, RulingReason
from workers.assignments.states import RejectReason
from workers.profiles.commands import pseudonyms

# Keys have an address of their own.
QUEUES = [Queue.DISAGREEMENTS.value, Queue.ESCALATIONS.value, Queue.SAMPLE.value]


class AdjudicationAsk(Ask):
    task = serializers.CharField(max_length=200, trim_whitespace=False, help_text="External id")
    answer = serializers.UUIDField(required=False, help_text="The answer that is right; or give values")
    values = serializers.DictField(required=False, help_text="A label of your own, as workers give theirs")
    reason = serializers.ChoiceField(choices=RulingReason.choices)
    words = serializers.CharField(max_length=WORDS_MAX, allow_blank=True, default="")
    sampled = serializers.BooleanField(
        default=False, help_text="The task is from the queue `sample`, and counts for it"
    )


class RulingShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    task = serializers.CharField(help_text="The task's external id")
    values = serializers.DictField()
    answer = serializers.UUIDField(allow_null=True, help_text="The answer that was chosen")
    reason = serializers.ChoiceField(choices=RulingReason.choices)
    words = serializers.CharField(allow_blank=True)
    sampled = serializers.BooleanField()
    agrees = serializers.BooleanField(allow_null=True, help_text="Whether the answers together had said the same")
    by = serializers.EmailField()
    made_at = serializers.DateTimeField()
    holds = serializers.BooleanField(help_text="False once the chosen answer is rejected or given back")


class LookedAtShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    worker = serializers.CharField(help_text="The name under which you know the worker")
    values = serializers.DictField(allow_null=True, help_text="null while rejected: what is not paid is withheld")
    unclear = serializers.BooleanField()
    state = serializers.ChoiceField(choices=ANSWER_STATES)
    submitted_at = serializers.DateTimeField(help_text="To the minute")
    version = serializers.IntegerField()
    reason = serializers.CharField(allow_blank=True, help_text="Why it was rejected")
    comment = serializers.CharField(allow_blank=True)
    wishes = serializers.ListField(child=serializers.CharField(), help_text="Why you are asked to look at it")
    waits = serializers.BooleanField(help_text="Its rejection is under review")
    was_back = serializers.BooleanField(help_text="It went back for repair once, and cannot again")
    discounted = serializers.BooleanField(help_text="It has no vote")
    differs = serializers.ListField(
        child=serializers.CharField(), help_text="Fields in which it does not say what all together say"
    )


class TogetherShape(serializers.Serializer[Any]):
    values = serializers.DictField()
    posterior = serializers.FloatField(help_text="Of the least sure field")
    answers = serializers.IntegerField()
    settled = serializers.BooleanField(help_text="Whether no more answers are awaited")


class ReviewItemShape(serializers.Serializer[Any]):
    task = serializers.CharField(help_text="The task's external id")
    data = serializers.DictField()  # type: ignore[assignment]
    answers = LookedAtShape(many=True)
    standing = TogetherShape(allow_null=True, help_text="What the answers say together so far")
    adjudications = RulingShape(many=True, help_text="The last one first")


class ProofShape(serializers.Serializer[Any]):
    population = serializers.IntegerField(help_text="Labels that chance may draw, and those it drew")
    looked_at = serializers.IntegerField()
    errors = serializers.IntegerField(help_text="Wrong ones among those")  # type: ignore[assignment]
    share = serializers.FloatField(help_text="The share of wrong labels that is to be proven")
    confidence = serializers.FloatField()
    bound = serializers.FloatField(help_text="The share that is not exceeded, with this confidence")
    more = serializers.IntegerField(
        allow_null=True, help_text="How many more must be found right to prove it; null where that is impossible"
    )
    proven = serializers.BooleanField()


class OwnReviewShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    state = serializers.ChoiceField(choices=ReviewState.choices)
    cause = serializers.ChoiceField(choices=Cause.choices)
    reason = serializers.ChoiceField(choices=RejectReason.choices)
    comment = serializers.CharField()
    answers = serializers.IntegerField()
    evidence = EvidenceShape()
    made_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    decision = serializers.CharField(allow_blank=True, help_text="Why it was decided so")


def ruling_shape(ruling: Ruling) -> dict[str, Any]:
    return {name: value for name, value in asdict(ruling).items() if name != "cursor"}


def look_shape(look: Look, names: dict[int, str]) -> dict[str, Any]:
    """`names` are the requester's names for the workers; no other id of a worker leaves the site (R43)."""
    shown = {name: value for name, value in asdict(look).items() if name != "worker_id"}
    return {**shown, "worker": names[look.worker_id]}


def item_shape(item: Item, names: dict[int, str]) -> dict[str, Any]:
    return {
        "task": item.task,
        "data": item.data,
        "answers": [look_shape(look, names) for look in item.looks],
        "standing": {
            "values": item.standing.value,
            "posterior": item.standing.posterior,
            "answers": item.standing.answers,
            "settled": item.standing.settled,
        }
        if item.standing
        else None,
        "adjudications": [ruling_shape(ruling) for ruling in item.rulings],
    }


def own_review_shape(review: RejectionReview) -> dict[str, Any]:
    names = ("state", "cause", "reason", "comment", "answers", "evidence", "made_at", "decided_at", "decision")
    return {"id": review.public_id, **{name: getattr(review, name) for name in names}}


class ReviewQueueView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Tasks that wait to be looked at, with their answers side by side",
        tags=["answers"],
        **listing(ReviewItemShape, OpenApiParameter("queue", str, enum=QUEUES, default=Queue.DISAGREEMENTS.value)),
    )
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        of = batch_for(request.user.pk, batch, at_least="reviewer")
        queue = request.query_params.get("queue", Queue.DISAGREEMENTS.value)
        if queue not in QUEUES:
            known = ", ".join(QUEUES)
            raise Unprocessable("There is no such queue.", errors=[{"field": "queue", "message": f"one of {known}"}])

        def fetch(after: int, limit: int) -> list[dict[str, Any]]:
            with one_transaction(principal="names"):
                found = queue_page(of, Queue(queue), gold=gold_tasks(batch=of), after=after, limit=limit)
                items = items_of(of, [waiting.task_id for waiting in found])
                workers = {look.worker_id for item in items for look in item.looks}
                names = pseudonyms(requester_id=of.requester_id, worker_ids=workers)
            return [
                {**item_shape(item, names), "cursor": waiting.place} for waiting, item in zip(found, items, strict=True)
            ]

        return page_of_rows(request, fetch, without_cursor, allowed=["queue"])


class AdjudicationsView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="Labels that were settled by hand", tags=["answers"], **listing(RulingShape))
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        of = batch_for(request.user.pk, batch)
        return page_of_rows(
            request,
            lambda after, limit: [
                {**ruling_shape(ruling), "cursor": ruling.cursor}
                for ruling in rulings_page(of.pk, after_id=after, limit=limit)
            ],
            without_cursor,
        )

    @extend_schema(
        summary="Settle the label of a task, by one of its answers or by values of your own",
        description=(
            "Results are made with it from the next aggregation on. An answer that was chosen counts once it is"
            " accepted: nobody keeps the label of an answer that he does not pay for."
        ),
        tags=["answers"],
        request=AdjudicationAsk,
        responses={201: RulingShape},
    )
    def post(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        ask = AdjudicationAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = batch_for(request.user.pk, batch, at_least="reviewer")
            made = adjudicate(
                batch_id=of.pk,
                task=ask["task"],
                grounds=Grounds(RulingReason(ask["reason"]), ask["words"], request.user.pk),
                answer=ask.get("answer"),
                values=ask.get("values"),
                sampled=ask["sampled"],
            )
            return boundary.respond(ruling_shape(made), status=201)


class SamplingView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="What looks at a random sample prove of all labels, and how many more prove what you want",
        tags=["results"],
        parameters=[
            OpenApiParameter("share", OpenApiTypes.FLOAT, default=SHARE, description="Of wrong labels, at most"),
            OpenApiParameter("confidence", OpenApiTypes.FLOAT, default=CONFIDENCE),
        ],
        responses=ProofShape,
    )
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        refuse_unknown(request.query_params, ["share", "confidence"])
        of = batch_for(request.user.pk, batch, at_least="reviewer")
        share = _between(request, "share", SHARE, 0.001, 0.5)
        confidence = _between(request, "confidence", CONFIDENCE, 0.5, 0.9999)
        proof = proof_of(**_sampled(of), share=share, confidence=confidence)
        return respond({**asdict(proof), "proven": proof.proven})


class OwnReviewsView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Your rejections in this batch that wait for a review, or did",
        tags=["answers"],
        **listing(OwnReviewShape),
    )
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        return page_of(request, reviews_of(batch_for(request.user.pk, batch)), own_review_shape)


def _sampled(batch: Batch) -> dict[str, int]:
    with one_transaction(principal="gold"):
        gold = gold_tasks(batch=batch)
    return asdict(sampled_in(batch, gold=gold))


def _between(request: KeyRequest, name: str, otherwise: float, low: float, high: float) -> float:
    text = request.query_params.get(name)
    try:
        found = otherwise if text is None else float(text)
    except ValueError:
        found = 0.0
    if not low <= found <= high:
        raise Unprocessable(
            "Some values are not valid.", errors=[{"field": name, "message": f"is a number from {low} to {high}"}]
        )
    return found
