"""Appeals as staff, named adjudicators and requesters see them."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.views import APIView

from marketplace.accounts.models import Scope, StaffRole
from marketplace.accounts.queries import account_at, has_staff_role, requester_for
from marketplace.api.looks import note_look
from marketplace.common.errors import NotFound, Unprocessable
from marketplace.common.transactions import one_transaction
from marketplace.rest.ask import Ask
from marketplace.rest.boundary import once, respond
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of
from marketplace.rest.permissions import IsRequesterKey, staff
from marketplace.rest.requests import KeyRequest
from workers.appeals.commands.decide import decide_appeal
from workers.appeals.commands.open import add_statement, name_adjudicator
from workers.appeals.due import settle_late
from workers.appeals.models import Appeal
from workers.appeals.queries import appeal_of, appeals_against, appeals_with_all, last_values
from workers.appeals.states import Kind, Method, State
from workers.profiles.commands import pseudonyms


class DecideAsk(Ask):
    decision = serializers.ChoiceField(choices=("uphold", "refuse"), help_text="`uphold` is for the worker")
    reason = serializers.CharField(max_length=5_000, help_text="The worker reads it")


class AdjudicatorAsk(Ask):
    email = serializers.EmailField(help_text="Whose account judges")
    reason = serializers.CharField(max_length=2_000)


class StatementAsk(Ask):
    words = serializers.CharField(max_length=5_000, help_text="The worker and whoever judges read it")


class JudgedStepShape(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=Kind.choices)
    reason = serializers.CharField()
    made_at = serializers.DateTimeField()


class ContestedShape(serializers.Serializer[Any]):
    batch = serializers.UUIDField()
    task = serializers.CharField(help_text="The task's external id")
    assignment = serializers.UUIDField()
    reason = serializers.CharField()
    comment = serializers.CharField()
    version = serializers.IntegerField(help_text="The instructions that the worker was shown")


class ContestedSanctionShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    scope = serializers.CharField()
    measure = serializers.CharField()
    reason = serializers.CharField()
    words = serializers.CharField()
    evidence = serializers.DictField()


class OpenAppealShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    state = serializers.ChoiceField(choices=State.choices)
    method = serializers.ChoiceField(choices=Method.choices)
    words = serializers.CharField(help_text="The worker's")
    rejection = ContestedShape(allow_null=True)
    opened_at = serializers.DateTimeField()
    decide_by = serializers.DateTimeField(help_text="Undecided then, the worker has won")
    decided_at = serializers.DateTimeField(allow_null=True)
    steps = JudgedStepShape(many=True)


class StaffAppealShape(OpenAppealShape):
    requester = serializers.CharField(allow_null=True)
    sanction = ContestedSanctionShape(allow_null=True)
    values = serializers.DictField(allow_null=True, help_text="The contested answer")
    data = serializers.DictField(allow_null=True, help_text="What the worker was shown")  # type: ignore[assignment]
    instructions = serializers.CharField(allow_null=True)
    adjudicator = serializers.EmailField(allow_null=True)


class RequesterAppealShape(OpenAppealShape):
    worker = serializers.CharField(help_text="The name under which you know the worker")


def open_appeal_shape(appeal: Appeal) -> dict[str, Any]:
    of = appeal.rejection
    return {
        "id": appeal.public_id,
        "state": appeal.state,
        "method": appeal.method,
        "words": appeal.words,
        "rejection": of
        and {
            "batch": of.batch.public_id,
            "task": of.assignment.task.external_id,
            "assignment": of.assignment.public_id,
            "reason": of.reason,
            "comment": of.comment,
            "version": of.version.number,
        },
        "opened_at": appeal.opened_at,
        "decide_by": appeal.decide_by,
        "decided_at": appeal.decided_at,
        "steps": [
            {"kind": step.kind, "reason": step.reason, "made_at": step.made_at}
            for step in sorted(appeal.steps.all(), key=lambda step: step.pk)
        ],
    }


def staff_appeal_shape(appeal: Appeal) -> dict[str, Any]:
    """What somebody needs who judges; nothing that says who the worker is."""
    limited, rejected = appeal.sanction, appeal.rejection
    return {
        **open_appeal_shape(appeal),
        "requester": appeal.requester and appeal.requester.name,
        "sanction": limited
        and {
            "id": limited.public_id,
            "scope": limited.scope,
            "measure": limited.measure,
            "reason": limited.reason,
            "words": limited.words,
            "evidence": limited.evidence,
        },
        "values": last_values(rejected.pk) if rejected else None,
        "data": rejected.assignment.task.payload.data if rejected else None,
        "instructions": rejected.version.instructions if rejected else None,
        "adjudicator": appeal.adjudicator and appeal.adjudicator.email,
    }


def note_adjudicator(request: Request | HttpRequest, appeal: Appeal) -> None:
    """Write down that somebody is told who else was named to judge the appeal."""
    if appeal.adjudicator_id not in (None, request.user.pk):
        note_look(request, "appeal", appeal.public_id)


def requester_appeal_shape(appeal: Appeal, names: dict[int, str]) -> dict[str, Any]:
    return {**open_appeal_shape(appeal), "worker": names[appeal.worker_id]}


class AppealsView(APIView):
    permission_classes = [staff(StaffRole.SUPPORT, StaffRole.QUALITY)]

    @extend_schema(
        summary="Appeals against rejections and sanctions",
        tags=["reviews"],
        **listing(StaffAppealShape, OpenApiParameter("state", str, enum=State.values)),
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        state = request.query_params.get("state")
        if state is not None and state not in State.values:
            raise Unprocessable("There is no such state.", errors=[{"field": "state", "message": "is not a state"}])
        settle_late()
        note_look(request, "appeals", state or "all")
        found = appeals_with_all() if state is None else appeals_with_all().filter(state=state)
        return page_of(request, found, staff_appeal_shape, allowed=["state"])


class AppealView(APIView):
    permission_classes = [IsAuthenticated]

    @extend_schema(
        summary="One appeal, for staff and for the person who is to judge it",
        tags=["reviews"],
        responses=StaffAppealShape,
    )
    def get(self, request: KeyRequest, appeal: UUID) -> HttpResponse:
        settle_late()
        found = _for_judge(request, appeal)
        note_adjudicator(request, found)
        return respond(staff_appeal_shape(found))


class DecideView(APIView):
    permission_classes = [IsAuthenticated]

    @extend_schema(
        summary="Decide an appeal, as staff or as the person who was named to judge it",
        tags=["reviews"],
        request=DecideAsk,
        responses=StaffAppealShape,
    )
    def post(self, request: KeyRequest, appeal: UUID) -> HttpResponse:
        ask = DecideAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            _for_judge(request, appeal)
            decide_appeal(appeal=appeal, uphold=ask["decision"] == "uphold", by=request.user.pk, reason=ask["reason"])
            return boundary.respond(staff_appeal_shape(appeal_of(appeal)))


class AdjudicatorView(APIView):
    permission_classes = [staff(StaffRole.SUPPORT, StaffRole.QUALITY)]

    @extend_schema(
        summary="Name a person who has no part in the matter to judge it",
        tags=["reviews"],
        request=AdjudicatorAsk,
        responses=StaffAppealShape,
    )
    def post(self, request: KeyRequest, appeal: UUID) -> HttpResponse:
        ask = AdjudicatorAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = appeal_of(appeal)
            user = account_at(ask["email"])
            if user is None:
                raise Unprocessable("There is no such account.", errors=[{"field": "email", "message": "is nobody's"}])
            name_adjudicator(appeal=of.public_id, adjudicator_id=user.pk, by=request.user.pk, reason=ask["reason"])
            return boundary.respond(staff_appeal_shape(appeal_of(appeal)))


class RequesterAppealsView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(summary="Appeals against your rejections", tags=["answers"], **listing(RequesterAppealShape))
    def get(self, request: KeyRequest, requester: UUID) -> HttpResponse:
        of = requester_for(request.user.pk, requester)
        settle_late()
        found = appeals_against(of.pk)
        with one_transaction(principal="names"):
            names = pseudonyms(requester_id=of.pk, worker_ids=set(found.values_list("worker_id", flat=True)))
        return page_of(request, found, lambda appeal: requester_appeal_shape(appeal, names))


class StatementView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Say something to an appeal against a rejection of yours",
        tags=["answers"],
        request=StatementAsk,
        responses={201: RequesterAppealShape},
    )
    def post(self, request: KeyRequest, requester: UUID, appeal: UUID) -> HttpResponse:
        ask = StatementAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = requester_for(request.user.pk, requester, at_least="reviewer")
            add_statement(appeal=appeal, requester_id=of.pk, by=request.user.pk, words=ask["words"])
            found = appeal_of(appeal)
            names = pseudonyms(requester_id=of.pk, worker_ids=[found.worker_id])
            return boundary.respond(requester_appeal_shape(found, names), status=201)


def _for_judge(request: KeyRequest, public_id: UUID) -> Appeal:
    """The appeal, for a staff key and for the account that was named; nobody else learns that there is one."""
    found = appeal_of(public_id)
    of_staff = request.auth is not None and Scope.STAFF in request.auth.scopes
    judges = of_staff and has_staff_role(request.user.pk, StaffRole.SUPPORT, StaffRole.QUALITY)
    if not judges and found.adjudicator_id != request.user.pk:
        raise NotFound("There is no such appeal.")
    return found
