"""Skills and qualifications that an organisation vouches for, and its lists of workers."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.accounts.queries import requester_for
from marketplace.common.errors import Unprocessable
from marketplace.rest.ask import Ask
from marketplace.rest.boundary import once
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of
from marketplace.rest.permissions import IsRequesterKey
from marketplace.rest.requests import KeyRequest
from workers.profiles.commands.lists import change_list, create_list
from workers.profiles.commands.skills import create_skill, grant_skill, revoke_skill
from workers.profiles.errors import WorkersUnknown
from workers.profiles.models import Grant, ListMember, Skill, SkillKind, WorkerList
from workers.profiles.queries import (
    grants_of,
    list_for,
    lists_of,
    members_now,
    skill_for,
    skills_of,
    workers_by_pseudonym,
)

LIFE_MAX_S = 10 * 366 * 86_400
WORKERS_MAX = 1_000
WORKER = "The name under which you know the worker"


class SkillAsk(Ask):
    kind = serializers.ChoiceField(choices=SkillKind.choices)
    name = serializers.CharField(max_length=200)
    description = serializers.CharField(max_length=2_000, allow_blank=True, default="")


class GrantAsk(Ask):
    worker = serializers.CharField(max_length=24, help_text=WORKER)
    value = serializers.FloatField(
        min_value=0, max_value=1, required=False, help_text="Of a skill; a qualification has none"
    )
    evidence = serializers.CharField(max_length=2_000, help_text="What it rests on; the worker reads it")
    expires_in_s = serializers.IntegerField(min_value=1, max_value=LIFE_MAX_S, required=False)


class RevokeAsk(Ask):
    worker = serializers.CharField(max_length=24, help_text=WORKER)
    reason = serializers.CharField(max_length=2_000)


class ListAsk(Ask):
    name = serializers.CharField(max_length=200)
    description = serializers.CharField(max_length=2_000, allow_blank=True, default="")


class MembersAsk(Ask):
    add = serializers.ListField(
        child=serializers.CharField(max_length=24), default=list, max_length=WORKERS_MAX, help_text=WORKER
    )
    remove = serializers.ListField(
        child=serializers.CharField(max_length=24), default=list, max_length=WORKERS_MAX, help_text=WORKER
    )


class SkillShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=SkillKind.choices)
    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()


class GrantShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    worker = serializers.CharField(help_text=WORKER)
    value = serializers.FloatField(allow_null=True)
    evidence = serializers.CharField()
    granted_by = serializers.EmailField()
    granted_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    revoked_reason = serializers.CharField(allow_blank=True)


class ListShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()


class MemberShape(serializers.Serializer[Any]):
    worker = serializers.CharField(help_text=WORKER)
    added_by = serializers.EmailField()
    added_at = serializers.DateTimeField()


class ChangedShape(serializers.Serializer[Any]):
    added = serializers.IntegerField(help_text="Who was on it already is not counted")
    removed = serializers.IntegerField()


def skill_shape(skill: Skill) -> dict[str, Any]:
    return {
        "id": skill.public_id,
        "kind": skill.kind,
        "name": skill.name,
        "description": skill.description,
        "created_at": skill.created_at,
    }


def grant_shape(grant: Grant, worker: str) -> dict[str, Any]:
    return {
        "id": grant.public_id,
        "worker": worker,
        "value": grant.value,
        "evidence": grant.evidence,
        "granted_by": grant.granted_by.email,
        "granted_at": grant.granted_at,
        "expires_at": grant.expires_at,
        "revoked_at": grant.revoked_at,
        "revoked_reason": grant.revoked_reason,
    }


def list_shape(worker_list: WorkerList) -> dict[str, Any]:
    return {
        "id": worker_list.public_id,
        "name": worker_list.name,
        "description": worker_list.description,
        "created_at": worker_list.created_at,
    }


def member_shape(member: ListMember, worker: str) -> dict[str, Any]:
    return {"worker": worker, "added_by": member.added_by.email, "added_at": member.added_at}


class SkillsView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="The organisation's skills and qualifications", tags=["skills and lists"], **listing(SkillShape)
    )
    def get(self, request: KeyRequest, requester: UUID) -> HttpResponse:
        return page_of(request, skills_of(requester_for(request.user.pk, requester).pk), skill_shape)

    @extend_schema(
        summary="Create a skill or a qualification",
        tags=["skills and lists"],
        request=SkillAsk,
        responses={201: SkillShape},
    )
    def post(self, request: KeyRequest, requester: UUID) -> HttpResponse:
        ask = SkillAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = requester_for(request.user.pk, requester, at_least="manager")
            return boundary.respond(skill_shape(create_skill(requester_id=of.pk, **ask)), status=201)


class GrantsView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Who holds the skill now, or with `history` who ever did",
        tags=["skills and lists"],
        **listing(GrantShape, OpenApiParameter("history", bool)),
    )
    def get(self, request: KeyRequest, skill: UUID) -> HttpResponse:
        of = skill_for(request.user.pk, skill)
        history = request.query_params.get("history", "false")
        if history not in ("true", "false"):
            raise Unprocessable("Say true or false.", errors=[{"field": "history", "message": "must be true or false"}])
        grants = grants_of(of, current=history == "false")
        return page_of(request, grants, _grant, allowed=["history"])

    @extend_schema(
        summary="Let a worker hold it; what he held of it before is replaced",
        tags=["skills and lists"],
        request=GrantAsk,
        responses={201: GrantShape},
    )
    def post(self, request: KeyRequest, skill: UUID) -> HttpResponse:
        ask = dict(GrantAsk.of(request))
        life = ask.pop("expires_in_s", None)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = skill_for(request.user.pk, skill, at_least="manager")
            name = ask.pop("worker")
            grant = grant_skill(
                skill=of,
                worker_id=workers_named(of.requester_id, worker=[name])[name],
                by=request.user.pk,
                life=None if life is None else timedelta(seconds=life),
                **ask,
            )
            grant.refresh_from_db()
            return boundary.respond(grant_shape(grant, name), status=201)


class RevokeView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="Take it from a worker", tags=["skills and lists"], request=RevokeAsk, responses=GrantShape)
    def post(self, request: KeyRequest, skill: UUID) -> HttpResponse:
        ask = RevokeAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = skill_for(request.user.pk, skill, at_least="manager")
            worker_id = workers_named(of.requester_id, worker=[ask["worker"]])[ask["worker"]]
            grant = revoke_skill(skill=of, worker_id=worker_id, by=request.user.pk, reason=ask["reason"])
            return boundary.respond(grant_shape(grant, ask["worker"]))


class ListsView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="The organisation's lists of workers", tags=["skills and lists"], **listing(ListShape))
    def get(self, request: KeyRequest, requester: UUID) -> HttpResponse:
        return page_of(request, lists_of(requester_for(request.user.pk, requester).pk), list_shape)

    @extend_schema(
        summary="Create an empty list", tags=["skills and lists"], request=ListAsk, responses={201: ListShape}
    )
    def post(self, request: KeyRequest, requester: UUID) -> HttpResponse:
        ask = ListAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = requester_for(request.user.pk, requester, at_least="manager")
            return boundary.respond(list_shape(create_list(requester_id=of.pk, **ask)), status=201)


class MembersView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="Who is on the list", tags=["skills and lists"], **listing(MemberShape))
    def get(self, request: KeyRequest, list: UUID) -> HttpResponse:
        of = list_for(request.user.pk, list)
        return page_of(request, members_now(of), _member)

    @extend_schema(
        summary="Put workers onto the list and take others off it, all or none",
        tags=["skills and lists"],
        request=MembersAsk,
        responses=ChangedShape,
    )
    def post(self, request: KeyRequest, list: UUID) -> HttpResponse:
        ask = MembersAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = list_for(request.user.pk, list, at_least="manager")
            known = workers_named(of.requester_id, **ask)
            done = change_list(
                worker_list=of,
                add=[known[name] for name in ask["add"]],
                remove=[known[name] for name in ask["remove"]],
                by=request.user.pk,
            )
            return boundary.respond({"added": done.added, "removed": done.removed})


def _grant(row: Any) -> dict[str, Any]:
    return grant_shape(row, row.code)


def _member(row: Any) -> dict[str, Any]:
    return member_shape(row, row.code)


def workers_named(requester_id: int, **named: Sequence[str]) -> dict[str, int]:
    """Worker ids by the requester's names for them. Raises `WorkersUnknown` naming each that is not known to him."""
    known = workers_by_pseudonym(requester_id, [name for names in named.values() for name in names])
    errors = [
        {"field": part if part == "worker" else f"{part}[{at}]", "message": "is no worker that you know"}
        for part, names in named.items()
        for at, name in enumerate(names)
        if name not in known
    ]
    if errors:
        raise WorkersUnknown("Use the names under which you know workers.", errors=errors[:100])
    return known
