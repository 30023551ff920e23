"""People as staff see them: found by what is known of them, each with the evidence on which he is judged.

Who looks is written into the audit log. Addresses and names are shown to support; where money goes, to finance.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.accounts.models import Requester, StaffRole
from marketplace.accounts.queries import any_requester, find_requesters, members_of, staff_roles
from marketplace.accounts.roles import covers
from marketplace.api.balances import balances_of
from marketplace.api.links import LinkShape
from marketplace.api.looks import note_look, note_search
from marketplace.api.sanctions import StaffSanctionShape
from marketplace.api.worker_parts import (
    JUDGES,
    LOOKERS,
    PARTS,
    AppealedShape,
    StaffAnswerShape,
    StaffAttemptShape,
    StaffFiringShape,
    StaffGrantShape,
    StaffPayoutShape,
    StaffRejectionShape,
    StaffReturnShape,
    parts_for,
)
from marketplace.batches.models import Batch
from marketplace.common.errors import Unprocessable
from marketplace.common.transactions import one_transaction
from marketplace.payouts.queries import destinations_of
from marketplace.rest.ask import refuse_unknown
from marketplace.rest.boundary import respond
from marketplace.rest.permissions import staff
from marketplace.rest.requests import KeyRequest
from marketplace.results.queries import rejection_rates
from workers.assignments.queries import earnings, newest_tasks, work_counts
from workers.gold.queries import record_of
from workers.profiles.models import Worker
from workers.profiles.queries import accounts_of_person, any_worker, find_workers
from workers.reputation.queries import facet_of, shown_to

TEXT_MAX = 254
# So many of each list, and so many answers that may have been compared with a key.
SHOWN, JUDGED_MAX = 20, 10_000
BATCHES_SHOWN = 50


class FoundWorkerShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    email = serializers.EmailField(allow_null=True, help_text="To support only")
    active = serializers.BooleanField()


class FoundRequesterShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()


class FoundShape(serializers.Serializer[Any]):
    workers = FoundWorkerShape(many=True)
    requesters = FoundRequesterShape(many=True)


class ScoreShape(serializers.Serializer[Any]):
    project = serializers.CharField(allow_null=True, help_text="None for all of his work")
    score = serializers.FloatField()
    low = serializers.FloatField(help_text="Of the 95 % interval")
    high = serializers.FloatField()
    evidence = serializers.IntegerField(help_text="Judged answers behind it")


class StaffMoneyShape(serializers.Serializer[Any]):
    currency = serializers.CharField()
    settled_micros = serializers.IntegerField()
    due_micros = serializers.IntegerField()
    submitted_micros = serializers.IntegerField()


class PlaceShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    provider = serializers.CharField()
    currency = serializers.CharField()
    shown = serializers.CharField(help_text="Masked")
    usable_from = serializers.DateTimeField()


class GoldRecordShape(serializers.Serializer[Any]):
    judged = serializers.IntegerField(help_text="Answers compared with keys that are in use")
    right = serializers.IntegerField()
    low = serializers.FloatField(help_text="With `high`: 95 % credible bounds of the share of right ones")
    high = serializers.FloatField()


class WorkerFileShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    account = serializers.UUIDField()
    active = serializers.BooleanField()
    country = serializers.CharField(allow_blank=True)
    languages = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    same_person = serializers.ListField(child=serializers.UUIDField(), help_text="Workers that are the same person")
    scores = ScoreShape(many=True, help_text="As they stand; the worker sees them at every 20th answer")
    shown_scores = ScoreShape(many=True, help_text="As the worker sees them")
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="The worker's assignments by state")
    gold = GoldRecordShape(allow_null=True, help_text="Of the newest answers; to support and quality only")
    answers = StaffAnswerShape(many=True, help_text=f"As all lists here the newest {SHOWN}; each has an address")
    rejections = StaffRejectionShape(many=True)
    returns = StaffReturnShape(many=True)
    sanctions = StaffSanctionShape(many=True)
    firings = StaffFiringShape(many=True)
    appeals = AppealedShape(many=True)
    skills = StaffGrantShape(many=True)
    links = LinkShape(many=True, allow_null=True, help_text="To support and quality only")
    more = serializers.ListField(child=serializers.CharField(), help_text="The lists of which there is more")
    email = serializers.EmailField(allow_null=True, help_text="To support only")
    name = serializers.CharField(allow_null=True, help_text="To support only")
    money = StaffMoneyShape(many=True, allow_null=True, help_text="To finance only, as what follows")
    payouts = StaffPayoutShape(many=True, allow_null=True)
    attempts = StaffAttemptShape(many=True, allow_null=True)
    destinations = PlaceShape(many=True, allow_null=True)


class StaffMemberShape(serializers.Serializer[Any]):
    email = serializers.EmailField()
    role = serializers.CharField()


class StaffBatchShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    state = serializers.CharField()
    pause_reason = serializers.CharField(allow_blank=True)


class StaffBalanceShape(serializers.Serializer[Any]):
    currency = serializers.CharField()
    funds_micros = serializers.IntegerField()
    held_micros = serializers.IntegerField()


class RequesterFileShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    created_at = serializers.DateTimeField()
    rejection_rate = serializers.FloatField(allow_null=True, help_text="Of what was decided in 90 days; workers see it")
    rejections = serializers.IntegerField()
    rejections_upheld = serializers.IntegerField()
    batches = StaffBatchShape(many=True, help_text="The newest")
    members = StaffMemberShape(many=True, allow_null=True, help_text="To support only")
    balances = StaffBalanceShape(many=True, allow_null=True, help_text="To finance only")


def found_people(text: str, roles: Iterable[str]) -> dict[str, Any]:
    """Workers and organisations that the text names."""
    mail = covers(roles, [StaffRole.SUPPORT])
    return {
        "workers": [
            {"id": one.public_id, "email": one.user.email if mail else None, "active": one.user.is_active}
            for one in find_workers(text, by_mail=mail)
        ],
        "requesters": [{"id": one.public_id, "name": one.name} for one in find_requesters(text)],
    }


def gold_record(worker: Worker) -> dict[str, Any]:
    """How a worker's newest answers compare with keys. Opens a transaction of its own, for the gold reader counts."""
    tasks = newest_tasks(worker.pk, limit=JUDGED_MAX)
    with one_transaction(principal="gold"):
        found = record_of(worker.pk, tasks)
    low, high = found.bounds
    return {"judged": found.judged, "right": found.right, "low": low, "high": high}


def worker_file(worker: Worker, roles: Iterable[str]) -> dict[str, Any]:
    """All that is known of a worker and may be seen by somebody with these roles."""
    held = frozenset(roles)
    mail, money = covers(held, [StaffRole.SUPPORT]), covers(held, [StaffRole.FINANCE])
    accounts = list(accounts_of_person(worker.pk))
    overall = facet_of(worker_id=worker.pk, facet="global")
    low, high = overall.posterior.interval()
    parts = {name: part.newest(worker, SHOWN, held) for name, part in parts_for(held).items()}
    return {
        "id": worker.public_id,
        "account": worker.user.public_id,
        "active": worker.user.is_active,
        "country": worker.country,
        "languages": worker.languages,
        "created_at": worker.created_at,
        "same_person": [one.public_id for one in accounts if one.pk != worker.pk],
        "scores": [
            {
                "project": None, "score": overall.posterior.mean, "low": low, "high": high,
                "evidence": overall.evidence,
            }
        ],
        "shown_scores": [
            {"project": one.project, "score": one.score, "low": one.low, "high": one.high, "evidence": one.evidence}
            for one in shown_to(worker.pk)
        ],
        "counts": work_counts(worker.pk),
        "gold": gold_record(worker) if covers(held, JUDGES) else None,
        **dict.fromkeys(PARTS),
        **{name: told for name, (told, _) in parts.items()},
        "more": [name for name, (_, more) in parts.items() if more],
        "email": worker.user.email if mail else None,
        "name": worker.user.name if mail else None,
        "money": [
            {
                "currency": one.currency,
                "settled_micros": one.settled_micros,
                "due_micros": one.due_micros,
                "submitted_micros": one.submitted_micros,
            }
            for one in earnings(worker.pk)
        ]
        if money
        else None,
        "destinations": [
            {
                "id": one.public_id,
                "provider": one.provider,
                "currency": one.currency,
                "shown": one.shown,
                "usable_from": one.usable_from,
            }
            for one in destinations_of(worker.user_id)
        ]
        if money
        else None,
    }  # fmt: skip


def requester_file(requester: Requester, roles: Iterable[str]) -> dict[str, Any]:
    """All that is known of an organisation and may be seen by somebody with these roles."""
    held = frozenset(roles)
    rate = rejection_rates([requester.pk])[requester.pk]
    return {
        "id": requester.public_id,
        "name": requester.name,
        "created_at": requester.created_at,
        "rejection_rate": rate.rate,
        "rejections": rate.rejected,
        "rejections_upheld": rate.upheld,
        "batches": [
            {"id": one.public_id, "name": one.name, "state": one.state, "pause_reason": one.pause_reason}
            for one in Batch.objects.filter(requester=requester).order_by("-pk")[:BATCHES_SHOWN]
        ],
        "members": [{"email": one.user.email, "role": one.role} for one in members_of(requester.pk).order_by("pk")]
        if covers(held, [StaffRole.SUPPORT])
        else None,
        "balances": balances_of(requester) if covers(held, [StaffRole.FINANCE]) else None,
    }


class PeopleView(APIView):
    permission_classes = [staff(*LOOKERS)]

    @extend_schema(
        summary="Find workers and organisations by id, name or the beginning of an address",
        tags=["operations"],
        parameters=[OpenApiParameter("search", str, required=True)],
        responses=FoundShape,
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        refuse_unknown(request.query_params, ("search",))
        text = request.query_params.get("search", "").strip()
        if not text or len(text) > TEXT_MAX or not text.isprintable():
            errors = [{"field": "search", "message": "says whom to look for"}]
            raise Unprocessable("Whom do you look for?", errors=errors)
        found = found_people(text, staff_roles(request.user.pk))
        note_search(request, len(found["workers"]) + len(found["requesters"]))
        return respond(found)


class WorkerFileView(APIView):
    permission_classes = [staff(*LOOKERS)]

    @extend_schema(
        summary="One worker with the evidence on which he is judged", tags=["operations"], responses=WorkerFileShape
    )
    def get(self, request: KeyRequest, worker: UUID) -> HttpResponse:
        refuse_unknown(request.query_params, ())
        found = any_worker(worker)
        note_look(request, "worker", worker)
        return respond(worker_file(found, staff_roles(request.user.pk)))


class RequesterFileView(APIView):
    permission_classes = [staff(*LOOKERS)]

    @extend_schema(
        summary="One organisation as staff see it, with its rejection rate",
        tags=["operations"],
        responses=RequesterFileShape,
    )
    def get(self, request: KeyRequest, requester: UUID) -> HttpResponse:
        refuse_unknown(request.query_params, ())
        found = any_requester(requester)
        note_look(request, "requester", requester)
        return respond(requester_file(found, staff_roles(request.user.pk)))
