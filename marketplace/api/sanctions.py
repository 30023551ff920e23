"""Sanctions: staff's over everybody, and a requester's over the workers he knows, within what is his own."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.accounts.commands.sanctions import LIFE_MAX, PACE_MAX_S, impose, lift
from marketplace.accounts.errors import LiftNotAllowed, SanctionInvalid
from marketplace.accounts.evidence import told
from marketplace.accounts.models import Measure, Member, Requester, Sanction, SanctionReason, StaffRole, Where
from marketplace.accounts.queries import (
    all_sanctions,
    any_requester,
    live_sanctions,
    requester_for,
    sanction_of,
    sanctions_within,
    staff_roles,
)
from marketplace.accounts.roles import covers
from marketplace.api.looks import note_look
from marketplace.batches.models import Batch
from marketplace.batches.queries import any_batch, with_place_names, with_places
from marketplace.common.errors import NotFound, Unprocessable
from marketplace.projects.models import Project
from marketplace.rest.ask import Ask
from marketplace.rest.boundary import once, respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of
from marketplace.rest.permissions import IsRequesterKey, staff
from marketplace.rest.requests import KeyRequest
from workers.profiles.models import Pseudonym, Worker
from workers.profiles.queries import any_worker, known_worker
from workers.reputation.models import Firing

PLACE = "The batch, project or organisation that it reaches; nothing for the platform"
REQUESTER_LIFE_MAX_S = 366 * 86_400


class SanctionAsk(Ask):
    """What both sides say; each adds whom and how far."""

    reason = serializers.ChoiceField(choices=SanctionReason.choices)
    words = serializers.CharField(max_length=2_000, help_text="The worker reads them")
    evidence = serializers.CharField(max_length=2_000, help_text="What it rests on; the worker reads it")
    pace_s = serializers.IntegerField(
        min_value=1, max_value=PACE_MAX_S, required=False, help_text="Of `slow_down`: seconds between two claims"
    )


class StaffSanctionAsk(SanctionAsk):
    worker = serializers.UUIDField()
    scope = serializers.ChoiceField(choices=Where.choices)
    place = serializers.UUIDField(required=False, help_text=PLACE)
    measure = serializers.ChoiceField(choices=Measure.choices)
    expires_in_s = serializers.IntegerField(min_value=1, max_value=int(LIFE_MAX.total_seconds()))


class RequesterSanctionAsk(SanctionAsk):
    worker = serializers.CharField(max_length=24, help_text="The name under which you know the worker")
    scope = serializers.ChoiceField(choices=[Where.REQUESTER, Where.PROJECT, Where.BATCH])
    place = serializers.UUIDField(required=False, help_text="Your project or batch; nothing for all that is yours")
    measure = serializers.ChoiceField(choices=[Measure.LIMIT, Measure.SLOW_DOWN])
    expires_in_s = serializers.IntegerField(min_value=1, max_value=REQUESTER_LIFE_MAX_S)


class LiftAsk(Ask):
    reason = serializers.CharField(max_length=2_000)


class SanctionShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    scope = serializers.ChoiceField(choices=Where.choices)
    place = serializers.UUIDField(allow_null=True, help_text=PLACE)
    measure = serializers.ChoiceField(choices=Measure.choices)
    pace_s = serializers.IntegerField(allow_null=True)
    reason = serializers.ChoiceField(choices=SanctionReason.choices)
    words = serializers.CharField()
    evidence = serializers.DictField()
    made_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    appeal_until = serializers.DateTimeField()
    lifted_at = serializers.DateTimeField(allow_null=True)
    lift_reason = serializers.CharField(allow_blank=True)


class StaffSanctionShape(SanctionShape):
    worker = serializers.UUIDField(allow_null=True, help_text="None for an account without a worker")
    place_name = serializers.CharField(allow_null=True, help_text="What the place is called")
    author = serializers.ChoiceField(choices=("rule", "person"))
    made_by = serializers.EmailField(allow_null=True, help_text="To support only, and none where a rule made it")
    lifted_by = serializers.EmailField(allow_null=True, help_text="To support only")


class RequesterSanctionShape(SanctionShape):
    worker = serializers.CharField(allow_null=True, help_text="None for somebody whom you do not know")
    author = serializers.ChoiceField(choices=("rule", "requester", "staff"))


def sanction_shape(row: Any) -> dict[str, Any]:
    return {
        "id": row.public_id,
        "scope": row.scope,
        "place": row.place,
        "measure": row.measure,
        "pace_s": row.pace_s,
        "reason": row.reason,
        "words": row.words,
        "evidence": row.evidence,
        "made_at": row.made_at,
        "expires_at": row.expires_at,
        "appeal_until": row.appeal_until,
        "lifted_at": row.lifted_at,
        "lift_reason": row.lift_reason,
    }


def staff_sanction_shape(row: Any, roles: Iterable[str]) -> dict[str, Any]:
    """As somebody with these roles sees it: members of organisations limit workers too, and addresses are support's."""
    mail = covers(roles, [StaffRole.SUPPORT])
    return {
        **sanction_shape(row),
        "worker": row.worker,
        "place_name": row.place_name,
        "author": "rule" if row.made_by_id is None else "person",
        "made_by": row.made_by.email if mail and row.made_by else None,
        "lifted_by": row.lifted_by.email if mail and row.lifted_by else None,
    }


def requester_sanction_shape(row: Any) -> dict[str, Any]:
    author = "rule" if row.made_by_id is None else "requester" if row.by_member else "staff"
    # What a worker did for other requesters is not this one's to know.
    evidence = {} if row.over_all else told(row.evidence)
    return {**sanction_shape(row), "evidence": evidence, "worker": row.code, "author": author}


class SanctionsView(APIView):
    permission_classes = [staff(StaffRole.SUPPORT, StaffRole.QUALITY)]

    @extend_schema(
        summary="Sanctions, of one worker or of all; with `in_force` those that hold now",
        tags=["operations"],
        **listing(StaffSanctionShape, OpenApiParameter("worker", UUID), OpenApiParameter("in_force", bool)),
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        found = for_staff()
        worker, in_force = request.query_params.get("worker"), request.query_params.get("in_force", "false")
        if in_force not in ("true", "false"):
            raise Unprocessable(
                "Say true or false.", errors=[{"field": "in_force", "message": "must be true or false"}]
            )
        if worker is not None:
            found = found.filter(user_id=any_worker(_uuid(worker)).user_id)
        if in_force == "true":
            found = found.filter(pk__in=live_sanctions(None).values("pk"))
        if worker is not None:
            note_look(request, "worker", _uuid(worker))
        else:
            note_look(request, "sanctions", "in_force" if in_force == "true" else "all")
        return page_of(request, found, _shown_to(request), allowed=["worker", "in_force"])

    @extend_schema(
        summary="Limit a worker; a ban is made here only",
        tags=["operations"],
        request=StaffSanctionAsk,
        responses={201: StaffSanctionShape},
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        ask = StaffSanctionAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            scope_id = any_place(ask["scope"], ask.get("place"))
            made = _impose(ask, any_worker(ask["worker"]).user_id, scope_id, request.user.pk)
            return boundary.respond(_shown_to(request)(for_staff().get(pk=made.pk)), status=201)


class SanctionView(APIView):
    permission_classes = [staff(StaffRole.SUPPORT, StaffRole.QUALITY)]

    @extend_schema(summary="One sanction with its evidence", tags=["operations"], responses=StaffSanctionShape)
    def get(self, request: KeyRequest, sanction: UUID) -> HttpResponse:
        found = sanction_of(sanction, for_staff())
        note_look(request, "sanction", sanction)
        return respond(_shown_to(request)(found))


class SanctionLiftView(APIView):
    permission_classes = [staff(StaffRole.SUPPORT, StaffRole.QUALITY)]

    @extend_schema(
        summary="End a sanction before its time; one that was lifted stays as it is",
        tags=["operations"],
        request=LiftAsk,
        responses=StaffSanctionShape,
    )
    def post(self, request: KeyRequest, sanction: UUID) -> HttpResponse:
        ask = LiftAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = sanction_of(sanction)
            lift(sanction_id=of.pk, reason=ask["reason"], by=request.user.pk)
            return boundary.respond(_shown_to(request)(for_staff().get(pk=of.pk)))


class RequesterSanctionsView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Sanctions within your organisation, made by you, by your rules or by staff",
        tags=["sanctions"],
        **listing(RequesterSanctionShape),
    )
    def get(self, request: KeyRequest, requester: UUID) -> HttpResponse:
        return page_of(request, for_requester(requester_for(request.user.pk, requester)), requester_sanction_shape)

    @extend_schema(
        summary="Limit or slow down a worker in your work, or in a project or a batch of it",
        tags=["sanctions"],
        request=RequesterSanctionAsk,
        responses={201: RequesterSanctionShape},
    )
    def post(self, request: KeyRequest, requester: UUID) -> HttpResponse:
        ask = RequesterSanctionAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = requester_for(request.user.pk, requester, at_least="manager")
            user_id = Worker.objects.get(pk=known_worker(of.pk, ask["worker"])).user_id
            made = _impose(ask, user_id, _own_place(ask, of), request.user.pk)
            return boundary.respond(requester_sanction_shape(for_requester(of).get(pk=made.pk)), status=201)


class RequesterSanctionLiftView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="End a sanction that your organisation or a rule of yours made, before its time",
        tags=["sanctions"],
        request=LiftAsk,
        responses=RequesterSanctionShape,
    )
    def post(self, request: KeyRequest, requester: UUID, sanction: UUID) -> HttpResponse:
        ask = LiftAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = requester_for(request.user.pk, requester, at_least="manager")
            lifted = lift_own(of, sanction, reason=ask["reason"], by=request.user.pk)
            return boundary.respond(requester_sanction_shape(lifted))


def for_staff() -> QuerySet[Sanction]:
    """All, as staff sees them."""
    named = Worker.objects.filter(user_id=OuterRef("user_id")).values("public_id")
    return with_place_names(with_places(all_sanctions())).annotate(worker=Subquery(named[:1]))


def for_requester(requester: Requester) -> QuerySet[Sanction]:
    """Those within an organisation, as its members see them."""
    found = sanctions_within(
        requester_id=requester.pk,
        project_ids=Project.objects.filter(requester=requester).values("pk"),
        batch_ids=Batch.objects.filter(requester=requester).values("pk"),
    )
    named = Pseudonym.objects.filter(requester=requester, worker__user_id=OuterRef("user_id")).values("code")
    by_member = Exists(Member.objects.filter(requester=requester, user_id=OuterRef("made_by_id")))
    over_all = Exists(Firing.objects.filter(pk=OuterRef("firing_id"), scope="platform"))
    by_platform = Exists(Firing.objects.filter(pk=OuterRef("firing_id"), rule_key__startswith="platform:"))
    return with_places(found).annotate(
        code=Subquery(named[:1]), by_member=by_member, over_all=over_all, by_platform=by_platform
    )


def lifts_itself(row: Any) -> bool:
    """Whether a sanction, of `for_requester`, is the organisation's to lift: it or a rule of its own made it."""
    return bool((row.made_by_id is None or row.by_member) and not row.by_platform)


def lift_own(requester: Requester, sanction: UUID, *, reason: str, by: int) -> Sanction:
    """End a sanction that the organisation or a rule of it made; as it is then. Raises `NotFound`, `LiftNotAllowed`,
    `SanctionInvalid`."""
    own = for_requester(requester)
    of = sanction_of(sanction, own)
    if not lifts_itself(of):
        author = "A rule of the platform" if of.made_by_id is None else "Staff"
        raise LiftNotAllowed(f"{author} made this sanction, and only staff lifts it.")
    lift(sanction_id=of.pk, reason=reason, by=by)
    return own.get(pk=of.pk)


def _shown_to(request: KeyRequest) -> Callable[[Any], dict[str, Any]]:
    return partial(staff_sanction_shape, roles=staff_roles(request.user.pk))


def _impose(ask: dict[str, Any], user_id: int, scope_id: int | None, by: int) -> Sanction:
    return impose(
        user_id=user_id,
        scope=ask["scope"],
        scope_id=scope_id,
        measure=ask["measure"],
        reason=ask["reason"],
        words=ask["words"],
        evidence={"note": ask["evidence"]},
        life=timedelta(seconds=ask["expires_in_s"]),
        pace_s=ask.get("pace_s"),
        made_by=by,
    )


def any_place(scope: str, named: UUID | None) -> int | None:
    """The id of what staff names; raises `SanctionInvalid`, `NotFound`."""
    if (named is None) != (scope == Where.PLATFORM):
        raise SanctionInvalid("Say what it reaches.", errors=[{"field": "place", "message": PLACE}])
    if named is None:
        return None
    match scope:
        case Where.BATCH:
            return any_batch(named).pk
        case Where.PROJECT:
            return _own(Project, "project", public_id=named)
        case _:
            return any_requester(named).pk


def _own_place(ask: dict[str, Any], requester: Requester) -> int:
    """The id of what the requester names, which must be his own; raises `SanctionInvalid`, `NotFound`."""
    named = ask.get("place")
    if ask["scope"] == Where.REQUESTER:
        if named not in (None, requester.public_id):
            raise NotFound("There is no such requester.")
        return requester.pk
    if named is None:
        raise SanctionInvalid("Say what it reaches.", errors=[{"field": "place", "message": PLACE}])
    model = Project if ask["scope"] == Where.PROJECT else Batch
    return _own(model, ask["scope"], public_id=named, requester=requester)


def _own(model: type[Project] | type[Batch], what: str, **asked: Any) -> int:
    found = model._default_manager.filter(**asked).first()
    if found is None:
        raise NotFound(f"There is no such {what}.")
    return found.pk


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound("There is no such worker.") from None
