"""What the worker's side answers with: fields listed one by one, each shape beside its description in the schema."""

from dataclasses import asdict
from typing import Any

from rest_framework import serializers

from marketplace.batches.models import Batch
from marketplace.common.errors import DomainError
from marketplace.projects.interface import values_schema
from workers.api.boards import Figures, known_to_all
from workers.assignments.audience.board import Closure
from workers.assignments.commands.leases import Beat, Kept
from workers.assignments.commands.submit import Outcome, Submitted
from workers.assignments.queries import Earnings, LeasedTask, WantedRepair


class BoardRequesterShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    rejection_rate = serializers.FloatField(
        allow_null=True, help_text="Share of the answers that it decided in 90 days; null where it decided none"
    )
    rejections = serializers.IntegerField(help_text="How many those were")
    rejections_upheld = serializers.IntegerField(help_text="How many of its rejections were undone, as on appeal")


class PayShape(serializers.Serializer[Any]):
    median_micros = serializers.IntegerField(help_text="An hour, by half of the answers at least; as the next two")
    low_micros = serializers.IntegerField(help_text="By three quarters at least")
    high_micros = serializers.IntegerField(help_text="By a quarter at least")
    median_s = serializers.FloatField(help_text="Half of the answers took no longer")
    answers = serializers.IntegerField(help_text="From how many it is told")
    of = serializers.ChoiceField(choices=("batch", "project"), help_text="Whose answers those are")


class BoardShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    requester = BoardRequesterShape()
    price_micros = serializers.IntegerField()
    currency = serializers.CharField()
    pay_per_hour = PayShape(allow_null=True, help_text="As measured; null where too little is known")
    places_left = serializers.IntegerField(help_text="0 where nothing can be claimed now")
    time_limit_s = serializers.IntegerField()
    eligible = serializers.BooleanField()
    reason = serializers.CharField(allow_null=True, help_text="Why it is not open to you")


def board_shape(batch: Batch, figures: Figures, closed: Closure | None) -> dict[str, Any]:
    """`closed` is why the worker cannot take it, if he cannot."""
    return {
        "id": batch.public_id,
        **known_to_all(batch, figures),
        "eligible": closed is None,
        "reason": closed.words if closed else None,
    }


class BoardBatchShape(BoardShape):
    state = serializers.CharField()
    interface = serializers.DictField()
    answer_schema = serializers.DictField(help_text="JSON Schema of the values of an answer")
    instructions = serializers.CharField(allow_blank=True)
    version = serializers.IntegerField()


def board_batch_shape(batch: Batch, figures: Figures, closed: Closure | None) -> dict[str, Any]:
    return {
        **board_shape(batch, figures, closed),
        "state": batch.state,
        "interface": batch.version.interface,
        "answer_schema": values_schema(batch.version.interface),
        "instructions": batch.version.instructions,
        "version": batch.version.number,
    }


class LeaseShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    token = serializers.UUIDField(help_text="Of this lease: send it with the answer")
    batch = serializers.UUIDField()
    data = serializers.DictField()  # type: ignore[assignment]
    draft = serializers.DictField(allow_null=True, help_text="What you typed so far and did not submit")
    lease_until = serializers.DateTimeField()
    price_micros = serializers.IntegerField()
    currency = serializers.CharField()
    version = serializers.IntegerField()


class RepairShape(serializers.Serializer[Any]):
    reason = serializers.CharField()
    comment = serializers.CharField()
    since = serializers.DateTimeField()


class HeldLeaseShape(LeaseShape):
    repair = RepairShape(allow_null=True, help_text="Why your answer came back, where it did; it is the draft")


class ClaimedShape(serializers.Serializer[Any]):
    assignments = LeaseShape(many=True)


def lease_shape(lease: LeasedTask) -> dict[str, Any]:
    """The one shape of everything a worker is given to do; gold and ordinary tasks differ in nothing."""
    return {
        "id": lease.id,
        "token": lease.token,
        "batch": lease.batch,
        "data": lease.data,
        "draft": lease.draft,
        "lease_until": lease.lease_until,
        "price_micros": lease.price_micros,
        "currency": lease.currency,
        "version": lease.version,
    }


def held_shape(lease: LeasedTask, repair: WantedRepair | None) -> dict[str, Any]:
    return {**lease_shape(lease), "repair": None if repair is None else asdict(repair)}


class OutcomeShape(serializers.Serializer[Any]):
    assignment = serializers.UUIDField()
    outcome = serializers.ChoiceField(choices=("submitted", "already_submitted", "lease_lost"))
    revision = serializers.IntegerField(allow_null=True)
    draft_kept = serializers.BooleanField()


def outcome_shape(outcome: Outcome) -> dict[str, Any]:
    return {
        "assignment": outcome.assignment,
        "outcome": outcome.outcome,
        "revision": outcome.revision,
        "draft_kept": outcome.draft_kept,
    }


class RefusalShape(serializers.Serializer[Any]):
    code = serializers.CharField()
    title = serializers.CharField()
    detail = serializers.CharField()
    facts = serializers.DictField(help_text="What else the refusal of a claim would tell, as the sanction and its end")


class SubmittedShape(serializers.Serializer[Any]):
    outcomes = OutcomeShape(many=True)
    claimed = LeaseShape(many=True)
    claim_problem = RefusalShape(allow_null=True, help_text="Why there is no next page")


def submitted_shape(done: Submitted) -> dict[str, Any]:
    return {
        "outcomes": [outcome_shape(outcome) for outcome in done.outcomes],
        "claimed": [lease_shape(lease) for lease in done.claimed],
        "claim_problem": _refusal_shape(done.claim_problem),
    }


def _refusal_shape(refused: DomainError | None) -> dict[str, Any] | None:
    if refused is None:
        return None
    return {"code": refused.code, "title": refused.title, "detail": refused.detail, "facts": refused.facts}


class BeatShape(serializers.Serializer[Any]):
    assignment = serializers.UUIDField()
    lease_until = serializers.DateTimeField(allow_null=True, help_text="None once the lease is lost")
    final = serializers.BooleanField(help_text="Whether it cannot be extended further")


class BeatsShape(serializers.Serializer[Any]):
    leases = BeatShape(many=True)


def beat_shape(beat: Beat) -> dict[str, Any]:
    return asdict(beat)


class KeptShape(serializers.Serializer[Any]):
    assignment = serializers.UUIDField()
    saved_at = serializers.DateTimeField()
    lease_until = serializers.DateTimeField(allow_null=True, help_text="None once the lease is lost; the draft is kept")


def kept_shape(kept: Kept) -> dict[str, Any]:
    return asdict(kept)


class ReturnedShape(serializers.Serializer[Any]):
    assignment = serializers.UUIDField()
    state = serializers.ChoiceField(choices=("returned",))


class CurrencyEarningsShape(serializers.Serializer[Any]):
    currency = serializers.CharField()
    settled_micros = serializers.IntegerField()
    due_micros = serializers.IntegerField()
    submitted_micros = serializers.IntegerField()
    earned_micros = serializers.IntegerField(help_text="Settled and due")


class EarningsShape(serializers.Serializer[Any]):
    currencies = CurrencyEarningsShape(many=True)


def earnings_shape(earned: Earnings) -> dict[str, Any]:
    return {**asdict(earned), "earned_micros": earned.earned_micros}
