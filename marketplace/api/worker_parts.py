"""What there is of a worker beyond one page: each kind as a list of its own, the newest first, for staff.

The worker's file shows the beginning of each; who looks at either is written into the audit log.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.accounts.models import StaffRole
from marketplace.accounts.queries import staff_roles
from marketplace.accounts.roles import covers
from marketplace.api.links import LinkShape, link_shape
from marketplace.api.looks import note_look
from marketplace.api.sanctions import StaffSanctionShape, for_staff, staff_sanction_shape
from marketplace.payouts.models import Attempt, Payout
from marketplace.payouts.queries import attempts_of, payouts_of
from marketplace.payouts.states import AttemptKind, PayoutState
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of
from marketplace.rest.permissions import staff
from marketplace.rest.requests import KeyRequest
from workers.appeals.models import Appeal
from workers.appeals.queries import appeals_of
from workers.assignments.models import Assignment
from workers.assignments.queries import answers_of, last_said, rejections_of, returns_of
from workers.assignments.states import RejectReason, State
from workers.profiles.models import Grant, SkillKind, Worker
from workers.profiles.queries import any_worker, grants_to, links_of, users_of_person
from workers.reputation.models import Firing
from workers.reputation.queries import firings_everywhere

LOOKERS = (StaffRole.SUPPORT, StaffRole.QUALITY, StaffRole.FINANCE)
JUDGES = (StaffRole.SUPPORT, StaffRole.QUALITY)


class WorkShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    batch = serializers.UUIDField()
    batch_name = serializers.CharField()
    project_name = serializers.CharField()
    task = serializers.CharField(help_text="The task's external id")
    state = serializers.ChoiceField(choices=State.choices)
    leased_at = serializers.DateTimeField()


class StaffAnswerShape(WorkShape):
    submitted_at = serializers.DateTimeField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    version = serializers.IntegerField(help_text="The version of the project that the worker was shown")
    unclear = serializers.BooleanField(help_text="Whether the worker says that it is")
    values = serializers.DictField(help_text="What was said last")


class StaffReturnShape(WorkShape):
    reason = serializers.CharField()
    comment = serializers.CharField(allow_blank=True)


class StaffRejectionShape(StaffAnswerShape):
    reason = serializers.ChoiceField(choices=RejectReason.choices)
    comment = serializers.CharField()
    agreed = serializers.BooleanField(allow_null=True, help_text="Whether most other answers of the task say the same")
    rejected_at = serializers.DateTimeField()


class StaffFiringShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    worker = serializers.UUIDField()
    batch = serializers.UUIDField()
    batch_name = serializers.CharField()
    project_name = serializers.CharField()
    scope = serializers.CharField()
    rule = serializers.CharField(help_text="In words")
    in_doubt = serializers.BooleanField()
    evidence = serializers.DictField()
    actions = serializers.ListField(child=serializers.DictField())
    made_at = serializers.DateTimeField()
    withdrawn_because = serializers.CharField(allow_blank=True)


class AppealedShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    state = serializers.CharField()
    about = serializers.ChoiceField(choices=("sanction", "rejection"))
    opened_at = serializers.DateTimeField()


class StaffGrantShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=SkillKind.choices)
    name = serializers.CharField()
    requester_name = serializers.CharField(help_text="Who vouches for it")
    value = serializers.FloatField(allow_null=True)
    evidence = serializers.CharField()
    granted_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    revoked_reason = serializers.CharField(allow_blank=True)


class StaffPayoutShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    state = serializers.ChoiceField(choices=PayoutState.choices)
    amount_micros = serializers.IntegerField()
    currency = serializers.CharField()
    requested_at = serializers.DateTimeField()


class StaffAttemptShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=AttemptKind.choices)
    wanted_by = serializers.UUIDField(allow_null=True, help_text="The worker who wanted to be paid there")
    owner = serializers.UUIDField(allow_null=True, help_text="The worker whose destination it is or was")
    shown = serializers.CharField(help_text="The destination, masked")
    made_at = serializers.DateTimeField()


def staff_firing_shape(firing: Firing) -> dict[str, Any]:
    withdrawal = getattr(firing, "withdrawal", None)
    return {
        "id": firing.public_id,
        "worker": firing.worker.public_id,
        "batch": firing.batch.public_id,
        "batch_name": firing.batch.name,
        "project_name": firing.project.name,
        "scope": firing.scope,
        "rule": firing.words,
        "in_doubt": firing.in_doubt,
        "evidence": firing.evidence,
        "actions": [
            {"action": wanted.action, "done_at": wanted.done_at, "outcome": wanted.outcome}
            for wanted in sorted(firing.wanted.all(), key=lambda wanted: wanted.position)
        ],
        "made_at": firing.made_at,
        "withdrawn_because": withdrawal.reason if withdrawal else "",
    }


def appealed_shape(appeal: Appeal) -> dict[str, Any]:
    return {
        "id": appeal.public_id,
        "state": appeal.state,
        "about": "sanction" if appeal.sanction_id else "rejection",
        "opened_at": appeal.opened_at,
    }


def _work(one: Assignment) -> dict[str, Any]:
    return {
        "id": one.public_id,
        "batch": one.batch.public_id,
        "batch_name": one.batch.name,
        "project_name": one.batch.project.name,
        "task": one.task.external_id,
        "state": one.state,
        "leased_at": one.leased_at,
    }


def _answers(found: Sequence[Assignment]) -> list[dict[str, Any]]:
    said = last_said([one.pk for one in found])
    return [
        _work(one)
        | {"submitted_at": one.submitted_at, "decided_at": one.decided_at, "version": one.version.number}
        | dict(zip(("values", "unclear"), said.get(one.pk, ({}, False)), strict=True))
        for one in found
    ]


def _rejections(found: Sequence[Assignment]) -> list[dict[str, Any]]:
    return [
        told
        | {
            "reason": one.rejection.reason,
            "comment": one.rejection.comment,
            "agreed": one.rejection.agreed,
            "rejected_at": one.rejection.made_at,
        }
        for one, told in zip(found, _answers(found), strict=True)
    ]


def _return(one: Assignment) -> dict[str, Any]:
    return _work(one) | {"reason": one.end_reason, "comment": one.comment}


def _grant(grant: Grant) -> dict[str, Any]:
    same = ("value", "evidence", "granted_at", "expires_at", "revoked_at", "revoked_reason")
    return {
        "id": grant.public_id,
        "kind": grant.skill.kind,
        "name": grant.skill.name,
        "requester_name": grant.skill.requester.name,
    } | {name: getattr(grant, name) for name in same}


def _payout(payout: Payout) -> dict[str, Any]:
    same = ("state", "amount_micros", "currency", "requested_at")
    return {"id": payout.public_id} | {name: getattr(payout, name) for name in same}


def _attempt(attempt: Attempt) -> dict[str, Any]:
    worker, owner = (getattr(user, "worker", None) for user in (attempt.user, attempt.destination.user))
    return {
        "id": attempt.public_id,
        "kind": attempt.kind,
        "wanted_by": worker and worker.public_id,
        "owner": owner and owner.public_id,
        "shown": attempt.destination.shown,
        "made_at": attempt.made_at,
    }


Told = list[dict[str, Any]]


def _alike(told: Callable[[Sequence[Any]], Told]) -> Callable[[Sequence[Any], Iterable[str]], Told]:
    """The same to everybody who may see it."""
    return lambda found, _roles: told(found)


def _each(shape: Callable[[Any], dict[str, Any]]) -> Callable[[Sequence[Any], Iterable[str]], Told]:
    return _alike(lambda found: [shape(one) for one in found])


def _sanctions(found: Sequence[Any], roles: Iterable[str]) -> Told:
    return [staff_sanction_shape(one, roles) for one in found]


@dataclass(frozen=True)
class Part:
    """One kind of thing there is of a worker: who may see it, the rows, and what is told of them to somebody with some
    roles."""

    summary: str
    shape: type[serializers.Serializer[Any]]
    rows: Callable[[Worker], QuerySet[Any]]
    told: Callable[[Sequence[Any], Iterable[str]], Told]
    roles: tuple[StaffRole, ...] = LOOKERS

    def newest(self, worker: Worker, shown: int, roles: Iterable[str]) -> tuple[Told, bool]:
        """So many of the newest, and whether there are more."""
        found = list(self.rows(worker).order_by("-pk")[: shown + 1])
        return self.told(found[:shown], roles), len(found) > shown


PARTS: dict[str, Part] = {
    "answers": Part("A worker's answers", StaffAnswerShape, lambda worker: answers_of(worker.pk), _alike(_answers)),
    "rejections": Part(
        "A worker's answers that were rejected, undone ones too", StaffRejectionShape,
        lambda worker: rejections_of(worker.pk), _alike(_rejections),
    ),
    "returns": Part(
        "Tasks that a worker gave back", StaffReturnShape, lambda worker: returns_of(worker.pk), _each(_return)
    ),
    "firings": Part(
        "Rules that held of a worker", StaffFiringShape,
        lambda worker: firings_everywhere().filter(worker_id=worker.pk), _each(staff_firing_shape),
    ),
    "sanctions": Part(
        "Sanctions of a worker's person", StaffSanctionShape,
        lambda worker: for_staff().filter(user_id__in=users_of_person(worker.pk)), _sanctions,
    ),
    "appeals": Part("A worker's appeals", AppealedShape, lambda worker: appeals_of(worker.pk), _each(appealed_shape)),
    "skills": Part(
        "Skills and qualifications that a worker holds or held", StaffGrantShape,
        lambda worker: grants_to(worker.pk), _each(_grant),
    ),
    "links": Part(
        "Findings that a worker's account and others are one person's, ended ones too", LinkShape,
        lambda worker: links_of(worker.pk), _each(link_shape), JUDGES,
    ),
    "payouts": Part(
        "A worker's payouts", StaffPayoutShape, lambda worker: payouts_of(worker.user_id), _each(_payout),
        (StaffRole.FINANCE,),
    ),
    "attempts": Part(
        "Wishes to be paid where another is or was, of a worker's person or to where it is paid", StaffAttemptShape,
        lambda worker: attempts_of(users_of_person(worker.pk)).select_related(
            "user__worker", "destination__user__worker"
        ),
        _each(_attempt), (StaffRole.FINANCE,),
    ),
}  # fmt: skip


def parts_for(roles: Iterable[str]) -> dict[str, Part]:
    """The parts that somebody with these roles may see."""
    held = frozenset(roles)
    return {name: part for name, part in PARTS.items() if covers(held, part.roles)}


def part_view(name: str) -> type[APIView]:
    """The view of one part as a list."""
    part = PARTS[name]

    class WorkerPartView(APIView):
        permission_classes = [staff(*part.roles)]

        @extend_schema(
            summary=f"{part.summary}, the newest first",
            tags=["operations"],
            **listing(part.shape),
        )
        def get(self, request: KeyRequest, worker: UUID) -> HttpResponse:
            found = any_worker(worker)
            note_look(request, "worker", worker)
            roles = staff_roles(request.user.pk)
            return page_of(request, part.rows(found), together=lambda rows: part.told(rows, roles), descending=True)

    WorkerPartView.__name__ = f"Worker{name.title()}View"
    return WorkerPartView
