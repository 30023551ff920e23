"""The audit log as staff read it, and its chain."""

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.accounts.acts import ACTS, KINDS
from marketplace.accounts.audit import audit_log
from marketplace.accounts.models import Act, ActAnchor, StaffRole
from marketplace.accounts.queries import act_anchors, act_head, acts
from marketplace.api.asks import uuid_of
from marketplace.common.errors import Unprocessable
from marketplace.common.moments import moment_in
from marketplace.common.walks import only_walk
from marketplace.rest.ask import refuse_unknown
from marketplace.rest.boundary import respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of, whole
from marketplace.rest.permissions import IsStaffKey, staff
from marketplace.rest.requests import KeyRequest

FILTERS = ("act", "kind", "actor", "subject", "subject_id", "request_id", "since", "until")
TEXT_MAX = 100


class ActShape(serializers.Serializer[Any]):
    seq = serializers.IntegerField(allow_null=True, help_text="Its place in the chain")
    act = serializers.ChoiceField(choices=sorted(ACTS))
    actor = serializers.UUIDField(allow_null=True, help_text="Whose account; none for the site itself")
    via = serializers.CharField(help_text="`key`, `form`, `staff`, `console`, or the part of the site")
    subject = serializers.CharField(help_text="What it was done to, by its kind")
    subject_id = serializers.CharField()
    why = serializers.CharField(allow_blank=True)
    before = serializers.DictField(allow_null=True)
    after = serializers.DictField(allow_null=True)
    request_id = serializers.CharField()
    made_at = serializers.DateTimeField()
    leaf = serializers.CharField(allow_null=True)
    hash = serializers.CharField(allow_null=True)


class LogHeadShape(serializers.Serializer[Any]):
    seq = serializers.IntegerField()
    hash = serializers.CharField()


class LogAnchorShape(LogHeadShape):
    day = serializers.DateField()
    sent = serializers.BooleanField()


class LogCheckShape(serializers.Serializer[Any]):
    rows = serializers.IntegerField()
    anchors = serializers.IntegerField()
    first_bad = serializers.CharField(allow_null=True, help_text="The first row that is wrong; none where all is well")


def act_shape(row: Act) -> dict[str, Any]:
    seal = getattr(row, "seal", None)
    return {
        "seq": seal and seal.seq,
        "act": row.act,
        "actor": row.actor and row.actor.public_id,
        "via": row.via,
        "subject": row.subject,
        "subject_id": row.subject_id,
        "why": row.why,
        "before": row.before,
        "after": row.after,
        "request_id": row.request_id,
        "made_at": row.made_at,
        "leaf": seal and bytes(seal.leaf).hex(),
        "hash": seal and bytes(seal.hash).hex(),
    }


def anchor_shape(anchor: ActAnchor) -> dict[str, Any]:
    facts = {"day": anchor.day, "seq": anchor.seq, "hash": bytes(anchor.hash).hex()}
    return {**facts, "sent": anchor.sent_at is not None}


class AuditLogView(APIView):
    permission_classes = [staff(StaffRole.FINANCE)]

    @extend_schema(
        summary="Who did what to whom, the newest first",
        tags=["operations"],
        **listing(
            ActShape,
            OpenApiParameter("act", str, enum=sorted(ACTS)),
            OpenApiParameter("kind", str, enum=list(KINDS)),
            OpenApiParameter("actor", OpenApiTypes.UUID),
            OpenApiParameter("subject", str),
            OpenApiParameter("subject_id", str),
            OpenApiParameter("request_id", str),
            OpenApiParameter("since", OpenApiTypes.DATETIME),
            OpenApiParameter("until", OpenApiTypes.DATETIME),
        ),
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        return page_of(request, asked(request.query_params), act_shape, descending=True, allowed=FILTERS)


class LogHeadView(APIView):
    @extend_schema(
        summary="The end of the chain of hashes over the audit log", tags=["operations"], responses=LogHeadShape
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        refuse_unknown(request.query_params, ())
        seq, last = act_head()
        return respond({"seq": seq, "hash": last})


class LogAnchorsView(APIView):
    @extend_schema(
        summary="The end of that chain on each day of the last two years, newest first",
        tags=["operations"],
        **listing(LogAnchorShape),
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        return whole(request, [anchor_shape(anchor) for anchor in act_anchors()[:731]])


class LogCheckView(APIView):
    permission_classes = [IsStaffKey]

    @extend_schema(
        summary="Compute the audit log's chain anew, and name the first row that is wrong",
        tags=["operations"],
        responses=LogCheckShape,
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        refuse_unknown(request.query_params, ())
        with only_walk():
            done = audit_log()
        return respond({"rows": done.rows, "anchors": done.anchors, "first_bad": done.first_bad})


def asked(given: Mapping[str, str]) -> QuerySet[Act]:
    """The rows that the filters leave, each of which is named here. Raises `Unprocessable` for one that makes no
    sense."""
    found = acts()
    if "act" in given:
        _require(given["act"] in ACTS, "act", "is not in the list of acts")
        found = found.filter(act=given["act"])
    if "kind" in given:
        _require(given["kind"] in KINDS, "kind", f"must be one of {', '.join(KINDS)}")
        found = found.filter(act__startswith=f"{given['kind']}.")
    if "actor" in given:
        found = found.filter(actor__public_id=uuid_of(given["actor"], "actor"))
    if "subject" in given:
        found = found.filter(subject=_word(given["subject"], "subject"))
    if "subject_id" in given:
        found = found.filter(subject_id=_word(given["subject_id"], "subject_id"))
    if "request_id" in given:
        found = found.filter(request_id=_word(given["request_id"], "request_id"))
    if "since" in given:
        found = found.filter(made_at__gte=_moment(given["since"], "since"))
    if "until" in given:
        found = found.filter(made_at__lt=_moment(given["until"], "until"))
    return found


def _word(text: str, name: str) -> str:
    _require(text.isprintable() and len(text) <= TEXT_MAX, name, "is no such name or id")
    return text


def _moment(text: str, name: str) -> Any:
    moment = moment_in(text)
    _require(moment is not None, name, "must be a moment with its zone, as 2026-01-31T12:00:00Z")
    return moment


def _require(good: bool, field: str, message: str) -> None:
    if not good:
        raise Unprocessable("This filter is not valid.", errors=[{"field": field, "message": message}])
