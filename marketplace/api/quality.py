"""Quality rules: tried on what is recorded, what they did, and those of the platform."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from marketplace.accounts.models import StaffRole
from marketplace.batches.commands.create import policy_errors
from marketplace.batches.errors import TermsInvalid
from marketplace.batches.quality.forms import rules_of
from marketplace.batches.queries import batch_for
from marketplace.common.transactions import one_transaction
from marketplace.projects.queries import project_for
from marketplace.rest.ask import Ask
from marketplace.rest.boundary import once
from marketplace.rest.openapi import listing
from marketplace.rest.pagination import page_of
from marketplace.rest.permissions import IsRequesterKey, staff
from marketplace.rest.requests import KeyRequest
from workers.profiles.commands import pseudonyms
from workers.reputation.commands import set_platform_rules
from workers.reputation.models import Firing, PlatformRules
from workers.reputation.queries import firings_in, platform_rules_history
from workers.reputation.rehearsal import Rehearsal, rehearse
from workers.reputation.rules.engine import Firing as WouldFire

LISTED_MAX = 200


class DryRunAsk(Ask):
    quality = serializers.DictField(help_text="As in the terms of a batch: a preset, or rules")
    batch = serializers.UUIDField(required=False, help_text="Over this batch of the project only")


class PlatformRulesAsk(Ask):
    quality = serializers.DictField(help_text="As in the terms of a batch; scopes may be `platform` too; {} is none")
    note = serializers.CharField(max_length=2_000, help_text="Why they change")


class FigureShape(serializers.Serializer[Any]):
    metric = serializers.CharField()
    bound = serializers.ChoiceField(choices=["low", "point", "high"])
    below = serializers.FloatField(required=False)
    above = serializers.FloatField(required=False)
    at_least = serializers.FloatField(required=False)
    at_most = serializers.FloatField(required=False)
    value = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True, help_text="Of the 95 % interval")
    high = serializers.FloatField(allow_null=True)
    n = serializers.IntegerField(help_text="How much the figure rests on")


class WouldFireShape(serializers.Serializer[Any]):
    rule = serializers.CharField()
    after_answers = serializers.IntegerField()
    in_doubt = serializers.BooleanField(help_text="Whether an interval reaches over a threshold")
    evidence = FigureShape(many=True)
    actions = serializers.ListField(child=serializers.DictField())


class WouldShape(serializers.Serializer[Any]):
    worker = serializers.CharField(help_text="The name under which you know the worker")
    answers = serializers.IntegerField()
    limited = serializers.BooleanField()
    in_doubt = serializers.BooleanField()
    firings = WouldFireShape(many=True)


class RuleCountShape(serializers.Serializer[Any]):
    rule = serializers.CharField()
    workers = serializers.IntegerField()
    firings = serializers.IntegerField()
    in_doubt = serializers.IntegerField(help_text="Firings")


class DryRunShape(serializers.Serializer[Any]):
    summary = serializers.CharField(help_text="As: Would have limited 14 of 200 workers, 3 of them within doubt.")
    workers = serializers.IntegerField(help_text="Looked at")
    limited = serializers.IntegerField()
    in_doubt = serializers.IntegerField(help_text="Of those limited")
    complete = serializers.BooleanField(help_text="Whether all that is recorded was looked at, step by step")
    rules = RuleCountShape(many=True)
    found = WouldShape(many=True, help_text=f"Those of whom a rule holds, at most {LISTED_MAX}")


class ActionShape(serializers.Serializer[Any]):
    action = serializers.DictField()
    done_at = serializers.DateTimeField(allow_null=True)
    outcome = serializers.CharField(allow_blank=True, help_text="What came of it")


class FiringShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    worker = serializers.CharField(help_text="The name under which you know the worker")
    rule = serializers.CharField()
    of_platform = serializers.BooleanField(help_text="Whether it is a rule of the platform's")
    words = serializers.CharField(help_text="What the worker reads")
    in_doubt = serializers.BooleanField(help_text="Whether an interval reached over a threshold")
    answers = serializers.IntegerField(
        allow_null=True, help_text="Looked at; not told where others' work was looked at too, nor is the evidence then"
    )
    evidence = FigureShape(many=True)
    actions = ActionShape(many=True)
    made_at = serializers.DateTimeField()
    withdrawn_at = serializers.DateTimeField(allow_null=True)
    withdrawn_because = serializers.CharField(allow_blank=True)


class PlatformRulesShape(serializers.Serializer[Any]):
    quality = serializers.DictField()
    note = serializers.CharField()
    made_by = serializers.EmailField()
    made_at = serializers.DateTimeField()


def would_fire_shape(after_answers: int, firing: WouldFire) -> dict[str, Any]:
    return {
        "rule": firing.rule.name,
        "after_answers": after_answers,
        "in_doubt": firing.in_doubt,
        "evidence": list(firing.evidence),
        "actions": [{"do": action.do, **action.terms} for action in firing.rule.actions],
    }


def dry_run_shape(run: Rehearsal, names: dict[int, str]) -> dict[str, Any]:
    """`names` are the requester's names for the workers that are listed."""
    fired = [(one.worker_id, firing) for one in run.found for _, firing in one.firings]
    rules = list(dict.fromkeys(firing.rule.name for _, firing in fired))
    return {
        "summary": run.summary,
        "workers": run.workers,
        "limited": sum(one.limited for one in run.found),
        "in_doubt": sum(one.in_doubt for one in run.found),
        "complete": run.complete,
        "rules": [
            {
                "rule": rule,
                "workers": len({worker for worker, firing in fired if firing.rule.name == rule}),
                "firings": sum(firing.rule.name == rule for _, firing in fired),
                "in_doubt": sum(firing.rule.name == rule and firing.in_doubt for _, firing in fired),
            }
            for rule in rules
        ],
        "found": [
            {
                "worker": names[one.worker_id],
                "answers": one.answers,
                "limited": one.limited,
                "in_doubt": one.in_doubt,
                "firings": [would_fire_shape(after, firing) for after, firing in one.firings],
            }
            for one in run.found
            if one.worker_id in names
        ],
    }


def firing_shape(firing: Firing, names: dict[int, str]) -> dict[str, Any]:
    withdrawal = getattr(firing, "withdrawal", None)
    return {
        "id": firing.public_id,
        "worker": names[firing.worker_id],
        "rule": firing.rule["name"],
        "of_platform": firing.rule_key.startswith("platform:"),
        "words": firing.words,
        "in_doubt": firing.in_doubt,
        # What a worker did for other requesters is not this one's to know.
        "answers": None if firing.scope == "platform" else firing.evidence["answers"],
        "evidence": [] if firing.scope == "platform" else firing.evidence["figures"],
        "actions": [
            {"action": wanted.action, "done_at": wanted.done_at, "outcome": wanted.outcome}
            for wanted in sorted(firing.wanted.all(), key=lambda wanted: wanted.position)
        ],
        "made_at": firing.made_at,
        "withdrawn_at": withdrawal and withdrawal.made_at,
        "withdrawn_because": withdrawal.reason if withdrawal else "",
    }


def platform_rules_shape(rules: PlatformRules) -> dict[str, Any]:
    return {
        "quality": rules.quality,
        "note": rules.note,
        "made_by": rules.made_by.email,
        "made_at": rules.made_at,
    }


class DryRunView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="What quality rules would have done over the answers that are recorded",
        tags=["projects"],
        request=DryRunAsk,
        responses=DryRunShape,
    )
    def post(self, request: KeyRequest, project: UUID) -> HttpResponse:
        ask = DryRunAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            of = project_for(request.user.pk, project, at_least="reviewer")
            errors = policy_errors(ask["quality"], requester_id=of.requester_id)
            if not errors and not ask["quality"]:
                errors = [{"field": "quality", "message": "must have a preset or rules"}]
            batch = batch_for(request.user.pk, ask["batch"]) if "batch" in ask else None
            if batch is not None and batch.project_id != of.pk:
                errors.append({"field": "batch", "message": "is of another project"})
            if errors:
                raise TermsInvalid("The rules have errors.", errors=errors)
            run = rehearse(project_id=of.pk, rules=rules_of(ask["quality"]), batch_id=batch.pk if batch else None)
            # Those who would have been limited are told of first.
            listed = sorted((one for one in run.found if one.firings), key=lambda one: not one.limited)[:LISTED_MAX]
            names = pseudonyms(requester_id=of.requester_id, worker_ids=[one.worker_id for one in listed])
            return boundary.respond(dry_run_shape(run, names))


class FiringsView(APIView):
    permission_classes = [IsRequesterKey]

    @extend_schema(
        summary="Which quality rules held of whom, on what evidence, and what came of it",
        tags=["batches"],
        **listing(FiringShape),
    )
    def get(self, request: KeyRequest, batch: UUID) -> HttpResponse:
        of = batch_for(request.user.pk, batch, at_least="reviewer")
        found = firings_in(of.pk)
        with one_transaction(principal="names"):
            workers = set(found.order_by().values_list("worker_id", flat=True).distinct())
            names = pseudonyms(requester_id=of.requester_id, worker_ids=workers)
        return page_of(request, found.filter(worker_id__in=names), lambda firing: firing_shape(firing, names))


class PlatformRulesView(APIView):
    permission_classes = [staff(StaffRole.QUALITY)]

    @extend_schema(
        summary="The platform's quality rules, the newest first; that one is in force",
        tags=["operations"],
        **listing(PlatformRulesShape),
    )
    def get(self, request: KeyRequest) -> HttpResponse:
        return page_of(request, platform_rules_history(), platform_rules_shape, descending=True)

    @extend_schema(
        summary="Replace the platform's quality rules",
        tags=["operations"],
        request=PlatformRulesAsk,
        responses={201: PlatformRulesShape},
    )
    def post(self, request: KeyRequest) -> HttpResponse:
        ask = PlatformRulesAsk.of(request)
        with once(request) as boundary:
            if boundary.replay:
                return boundary.replay
            made = set_platform_rules(quality=ask["quality"], note=ask["note"], by=request.user.pk)
            made.refresh_from_db()
            return boundary.respond(platform_rules_shape(made), status=201)
