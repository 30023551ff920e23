"""What limits a worker: why, on what evidence, until when, and whether he can still contest it."""

from typing import Any

from django.db.models import BooleanField, Case, Q, QuerySet, Value, When
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.accounts.evidence import told
from marketplace.accounts.models import Measure, Sanction, SanctionReason, Where
from marketplace.accounts.queries import sanctions_of
from marketplace.batches.queries import with_places
from marketplace.common.database import MarketNow
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of
from marketplace.rest.permissions import IsWorkerKey
from marketplace.rest.requests import KeyRequest
from workers.profiles.queries import users_of_person


class OwnSanctionShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    scope = serializers.ChoiceField(choices=Where.choices)
    place = serializers.UUIDField(
        allow_null=True, help_text="The batch, project or organisation that it reaches; nothing for the platform"
    )
    measure = serializers.ChoiceField(choices=Measure.choices)
    pace_s = serializers.IntegerField(allow_null=True, help_text="Seconds between two claims")
    reason = serializers.ChoiceField(choices=SanctionReason.choices)
    words = serializers.CharField()
    evidence = serializers.DictField(help_text="The figures that it rests on")
    author = serializers.ChoiceField(choices=("rule", "person"))
    made_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    in_force = serializers.BooleanField()
    appeal_until = serializers.DateTimeField()
    can_be_appealed = serializers.BooleanField()
    lifted_at = serializers.DateTimeField(allow_null=True)
    lift_reason = serializers.CharField(allow_blank=True)


def own_sanction_shape(row: Any) -> dict[str, Any]:
    return {
        "id": row.public_id,
        "scope": row.scope,
        "place": row.place,
        "measure": row.measure,
        "pace_s": row.pace_s,
        "reason": row.reason,
        "words": row.words,
        "evidence": told(row.evidence),
        "author": "rule" if row.made_by_id is None else "person",
        "made_at": row.made_at,
        "expires_at": row.expires_at,
        "in_force": row.in_force,
        "appeal_until": row.appeal_until,
        "can_be_appealed": row.can_be_appealed,
        "lifted_at": row.lifted_at,
        "lift_reason": row.lift_reason,
    }


class OwnSanctions(APIView):
    permission_classes = [IsWorkerKey]

    @extend_schema(
        summary="What limits you, and what did: why, until when, and until when you can contest it",
        tags=["work"],
        **listing(OwnSanctionShape),
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        return page_of(request, own_sanctions(request.worker_id), own_sanction_shape)


def sanctions_in_force(worker_id: int) -> list[dict[str, Any]]:
    """What limits the person now, as he is shown it."""
    now = own_sanctions(worker_id).filter(lifted_at=None, expires_at__gt=MarketNow()).order_by("pk")
    return [own_sanction_shape(row) for row in now]


def own_sanctions(worker_id: int) -> QuerySet[Sanction]:
    """All that limits or limited the person, with what `own_sanction_shape` says of each."""
    return with_places(sanctions_of(users_of_person(worker_id))).annotate(
        in_force=_whether(lifted_at=None, expires_at__gt=MarketNow()),
        can_be_appealed=_whether(lifted_at=None, appeal_until__gt=MarketNow()),
    )


def _whether(**condition: Any) -> Case:
    return Case(When(Q(**condition), then=Value(True)), default=Value(False), output_field=BooleanField())
