"""One batch as staff see it: its terms, how it goes, how far its answers agree, and what fired and is contested there.

Its keys have an address of their own: whoever looks at them is written down.
"""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.accounts.models import StaffRole
from marketplace.api.agreement import NamedFigureShape
from marketplace.api.gold import KeyShape, key_shape
from marketplace.api.reviews import ReviewShape, review_shape
from marketplace.api.shapes import BatchShape, batch_shape, rounded
from marketplace.api.watching import WatchedBatchShape
from marketplace.api.worker_parts import AppealedShape, StaffFiringShape, appealed_shape, staff_firing_shape
from marketplace.batches.models import Batch
from marketplace.batches.queries import any_batch
from marketplace.batches.states import KeyState
from marketplace.common.errors import Unprocessable
from marketplace.common.transactions import one_transaction
from marketplace.rest.ask import refuse_unknown
from marketplace.rest.boundary import respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of_rows, without_cursor
from marketplace.rest.permissions import staff
from marketplace.rest.requests import KeyRequest
from marketplace.results.commands.figures import want_figures
from marketplace.results.queries import reviews_in
from marketplace.results.queries.figures import kept_figures
from marketplace.results.queries.standing import batch_state
from workers.appeals.queries import appeals_with_all
from workers.assignments.places import places_untaken
from workers.gold.commands.audit import note_look
from workers.gold.queries import key_counts, keys_page, verdicts_in
from workers.reputation.queries import firings_everywhere

# So many of each list; there are addresses for all of them.
SHOWN = 20


class KeptFieldShape(serializers.Serializer[Any]):
    field = serializers.CharField()
    type = serializers.CharField()
    answers = serializers.IntegerField()
    tasks = serializers.IntegerField(help_text="With two answers or more")
    figures = NamedFigureShape(many=True)
    words = serializers.CharField(help_text="Of Landis and Koch for alpha, or `unknown`")
    advice = serializers.CharField(allow_blank=True)


class KeptFiguresShape(serializers.Serializer[Any]):
    made_at = serializers.DateTimeField()
    changed = serializers.BooleanField(help_text="Whether answers came or were decided since")
    fields = KeptFieldShape(many=True)  # type: ignore[assignment]


class KeyStandingShape(serializers.Serializer[Any]):
    live = serializers.IntegerField()
    waiting = serializers.IntegerField()
    flagged = serializers.IntegerField(help_text="In doubt: good workers keep failing them")
    keys = serializers.IntegerField()
    shown = serializers.IntegerField(help_text="How often any was shown")
    judged = serializers.IntegerField(help_text="Answers compared with keys that are in use")
    right = serializers.IntegerField()
    low = serializers.FloatField(help_text="With `high`: 95 % credible bounds of the share of right ones")
    high = serializers.FloatField()


class StaffBatchFileShape(serializers.Serializer[Any]):
    batch = BatchShape(help_text="Its terms")
    requester_name = serializers.CharField()
    project_name = serializers.CharField()
    standing = WatchedBatchShape()
    places_not_given = serializers.IntegerField(
        help_text="Places that nobody will have: not needed, or nobody was left for them; check questions are counted"
    )
    kept = KeptFiguresShape(allow_null=True, help_text="As it was worked out last; asking has it worked out anew")
    gold = KeyStandingShape()
    firings = StaffFiringShape(many=True, help_text=f"As all lists here the newest {SHOWN}")
    reviews = ReviewShape(many=True)
    appeals = AppealedShape(many=True)


def batch_file(batch: Batch) -> dict[str, Any]:
    """All of it. Opens transactions of its own: the gold reader counts keys, and figures that somebody looks at are
    kept up."""
    with one_transaction(principal="figures"):
        want_figures(batch_id=batch.pk)
    with one_transaction(principal="gold"):
        keys, verdicts = key_counts(batch.pk), verdicts_in(batch.pk)
    low, high = verdicts.bounds
    standing = batch_state(batch.pk)
    return {
        "batch": batch_shape(batch),
        "requester_name": batch.requester.name,
        "project_name": batch.project.name,
        "standing": standing,
        "places_not_given": max(0, places_untaken(batch.pk) - standing["places_left"]),
        "kept": _kept(batch),
        "gold": asdict(keys) | {"judged": verdicts.judged, "right": verdicts.right, "low": low, "high": high},
        "firings": [
            staff_firing_shape(one) for one in firings_everywhere().filter(batch=batch).order_by("-pk")[:SHOWN]
        ],
        "reviews": [review_shape(one) for one in reviews_in(None).filter(batch=batch).order_by("-pk")[:SHOWN]],
        "appeals": [
            appealed_shape(one) for one in appeals_with_all().filter(rejection__batch=batch).order_by("-pk")[:SHOWN]
        ],
    }


def _kept(batch: Batch) -> dict[str, Any] | None:
    kept = kept_figures(batch)
    if kept is None:
        return None
    same = ("field", "type", "answers", "tasks", "words", "advice")
    fields = [
        {name: getattr(one.agreement, name) for name in same}
        | {"figures": [{"name": name, **asdict(figure)} for name, figure in one.agreement.figures.items()]}
        for one in kept.look.fields
    ]
    return {"made_at": kept.made_at, "changed": kept.changed, "fields": rounded(fields)}


def looked_keys(batch: Batch, *, user_id: int, state: str | None, after_id: int, limit: int) -> list[dict[str, Any]]:
    """Keys of the batch by task, each with its `cursor`; that this account looks at them is written down first."""
    with one_transaction(principal="gold"):
        note_look(batch_id=batch.pk, user_id=user_id, what="keys")
        found = keys_page(batch, state=state, after_id=after_id, limit=limit)
    return [key_shape(key) | {"cursor": key.cursor} for key in found]


class StaffBatchFileView(APIView):
    permission_classes = [staff(StaffRole.SUPPORT, StaffRole.QUALITY)]

    @extend_schema(
        summary="One batch as staff see it: terms, standing, agreement, and what fired and is contested there",
        tags=["operations"],
        responses=StaffBatchFileShape,
    )
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        refuse_unknown(request.query_params, ())
        return respond(batch_file(any_batch(batch)))


class StaffKeysView(APIView):
    permission_classes = [staff(StaffRole.SUPPORT, StaffRole.QUALITY)]

    @extend_schema(
        summary="Keys of any batch, for staff, as those in doubt; every look is written down",
        tags=["operations"],
        **listing(KeyShape, OpenApiParameter("state", str, enum=KeyState.values)),
    )
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        of = any_batch(batch)
        state = request.query_params.get("state")
        if state is not None and state not in KeyState.values:
            message = f"must be one of {', '.join(KeyState.values)}"
            raise Unprocessable("There is no such state.", errors=[{"field": "state", "message": message}])

        def fetch(after: int, limit: int) -> list[dict[str, Any]]:
            return looked_keys(of, user_id=request.user.pk, state=state, after_id=after, limit=limit)

        return page_of_rows(request, fetch, without_cursor, allowed=["state"])
