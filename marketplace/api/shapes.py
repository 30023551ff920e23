"""What the requester's side answers with: fields listed one by one, each shape beside its description in the schema."""

from dataclasses import asdict
from typing import Any

from rest_framework import serializers

from marketplace.batches.models import Batch, Import
from marketplace.batches.queries import BatchProgress, Estimate
from marketplace.batches.states import PAUSE_EXPLAINED, BatchKind, BatchState, ImportState, Order, PauseReason
from marketplace.ledger.queries import Head
from marketplace.projects.label_studio.configs import Config
from marketplace.projects.models import Project, Version
from marketplace.projects.queries import versions_listed
from marketplace.results.models import Run
from marketplace.results.states import Cause

VERSION_STATES = ("draft", "published")
ANSWER_STATES = ("submitted", "accepted", "rejected", "upheld")
DIGITS = 6


def rounded(told: Any) -> Any:
    """What is told, with its numbers to six digits: more of them would be of no account."""
    if isinstance(told, float):
        return round(told, DIGITS)
    if isinstance(told, dict):
        return {name: rounded(value) for name, value in told.items()}
    return [rounded(value) for value in told] if isinstance(told, list | tuple) else told


class VersionLineShape(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    state = serializers.ChoiceField(choices=VERSION_STATES)


class ProjectShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    requester = serializers.UUIDField()
    name = serializers.CharField()
    versions = VersionLineShape(many=True)


def project_shape(project: Project) -> dict[str, Any]:
    return {
        "id": project.public_id,
        "requester": project.requester.public_id,
        "name": project.name,
        "versions": [{"number": one.number, "state": one.state} for one in versions_listed(project.pk).reverse()],
    }


class VersionShape(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    state = serializers.ChoiceField(choices=VERSION_STATES)
    interface = serializers.DictField(help_text="In its normal form, with every default filled in")
    instructions = serializers.CharField(allow_blank=True)
    made_at = serializers.DateTimeField()
    published_at = serializers.DateTimeField(allow_null=True)
    fingerprint = serializers.CharField(help_text="The same for the same interface and instructions")


def version_shape(version: Version) -> dict[str, Any]:
    return {
        "number": version.number,
        "state": version.state,
        "interface": version.interface,
        "instructions": version.instructions,
        "made_at": version.made_at,
        "published_at": version.published_at,
        "fingerprint": version.fingerprint,
    }


class LabellingConfigShape(serializers.Serializer[Any]):
    interface = serializers.DictField(help_text="In its normal form, with every default filled in")
    controls = serializers.DictField(
        child=serializers.CharField(),
        help_text="The answer field for the results of each control",
    )


def labelling_config_shape(config: Config) -> dict[str, Any]:
    return {"interface": config.interface, "controls": config.controls}


class BatchShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    project = serializers.UUIDField()
    requester = serializers.UUIDField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=BatchKind.choices)
    pilot = serializers.UUIDField(allow_null=True, help_text="The pilot that was published before this one")
    continues = serializers.UUIDField(allow_null=True, help_text="The batch that was stopped so that this one goes on")
    expected_s = serializers.IntegerField(allow_null=True)
    state = serializers.ChoiceField(choices=BatchState.choices)
    pause_reason = serializers.ChoiceField(choices=PauseReason.choices, allow_blank=True)
    pause_explanation = serializers.CharField(allow_blank=True, help_text="The reason in a sentence")
    price_micros = serializers.IntegerField()
    fee_micros = serializers.IntegerField()
    currency = serializers.CharField()
    overlap = serializers.IntegerField()
    time_limit_s = serializers.IntegerField()
    auto_accept_s = serializers.IntegerField()
    lease_cap = serializers.IntegerField()
    order = serializers.ChoiceField(choices=Order.choices)
    lease_max_s = serializers.IntegerField()
    worker_limit = serializers.IntegerField(allow_null=True)
    daily_limit = serializers.IntegerField(allow_null=True)
    pair_limit = serializers.IntegerField(allow_null=True)
    max_attempts = serializers.IntegerField()
    head_start_s = serializers.IntegerField()
    fee_basis_points = serializers.IntegerField()
    fee_minimum_micros = serializers.IntegerField()
    dispute_basis_points = serializers.IntegerField()
    appeal_s = serializers.IntegerField(help_text="For so long a rejection can be contested")
    target_hourly_micros = serializers.IntegerField(allow_null=True)
    topup_basis_points = serializers.IntegerField()
    version = serializers.IntegerField()
    audience = serializers.DictField()
    gold = serializers.DictField()
    aggregation = serializers.DictField()
    quality = serializers.DictField()
    published_at = serializers.DateTimeField(allow_null=True)
    settled_at = serializers.DateTimeField(allow_null=True)


def batch_shape(batch: Batch) -> dict[str, Any]:
    return {
        "id": batch.public_id,
        "project": batch.project.public_id,
        "requester": batch.requester.public_id,
        "name": batch.name,
        "kind": batch.kind,
        "pilot": None if batch.pilot is None else batch.pilot.public_id,
        "continues": None if batch.continues is None else batch.continues.public_id,
        "expected_s": batch.expected_s,
        "state": batch.state,
        "pause_reason": batch.pause_reason,
        "pause_explanation": PAUSE_EXPLAINED.get(batch.pause_reason, ""),
        "price_micros": batch.price_micros,
        "fee_micros": batch.fee_micros,
        "currency": batch.currency,
        "overlap": batch.overlap,
        "time_limit_s": batch.time_limit_s,
        "auto_accept_s": batch.auto_accept_s,
        "lease_cap": batch.lease_cap,
        "order": batch.order,
        "lease_max_s": batch.lease_max_s,
        "worker_limit": batch.worker_limit,
        "daily_limit": batch.daily_limit,
        "pair_limit": batch.pair_limit,
        "max_attempts": batch.max_attempts,
        "head_start_s": batch.head_start_s,
        "fee_basis_points": batch.fee_basis_points,
        "fee_minimum_micros": batch.fee_minimum_micros,
        "dispute_basis_points": batch.dispute_basis_points,
        "appeal_s": batch.appeal_s,
        "target_hourly_micros": batch.target_hourly_micros,
        "topup_basis_points": batch.topup_basis_points,
        "version": batch.version.number,
        "audience": batch.audience,
        "gold": batch.gold_policy,
        "aggregation": batch.aggregation,
        "quality": batch.quality,
        "published_at": batch.published_at,
        "settled_at": batch.settled_at,
    }


class RowErrorShape(serializers.Serializer[Any]):
    row = serializers.IntegerField(help_text="From 1, without the header; 0 is the file as a whole")
    field = serializers.CharField(allow_blank=True)  # type: ignore[assignment]
    message = serializers.CharField()


class ImportShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    state = serializers.ChoiceField(choices=ImportState.choices)
    tasks = serializers.IntegerField()
    gold = serializers.IntegerField()
    reserved = serializers.IntegerField()
    places = serializers.IntegerField()
    sha256 = serializers.CharField(allow_null=True, help_text="Of the body as it arrived, in hexadecimal")
    rows_read = serializers.IntegerField()
    bytes_total = serializers.IntegerField(help_text="What has arrived of the body")
    bytes_done = serializers.IntegerField(help_text="Of these, what has been read")
    mapping = serializers.DictField(
        child=serializers.CharField(), allow_null=True, help_text="Which column was what; null: as they are called"
    )
    left_out = serializers.DictField(
        child=serializers.IntegerField(), help_text="How many predictions and annotations were read and not taken"
    )
    error_count = serializers.IntegerField()
    row_errors = RowErrorShape(many=True, help_text="The first 100")
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(
        allow_null=True, help_text="null until it is done; or failed or cancelled, and all that it brought gone again"
    )


def import_shape(it: Import) -> dict[str, Any]:
    return {
        "id": it.public_id,
        "state": it.state,
        "tasks": it.tasks,
        "gold": it.gold_tasks,
        "reserved": it.reserved_tasks,
        "places": it.places,
        "sha256": None if it.body_sha256 is None else bytes(it.body_sha256).hex(),
        "rows_read": it.rows_read,
        "bytes_total": it.bytes_total,
        "bytes_done": it.bytes_done,
        "mapping": it.mapping,
        "left_out": it.left_out,
        "error_count": it.error_count,
        "row_errors": it.errors,
        "created_at": it.made_at,
        "finished_at": it.finished_at,
    }


class PrioritiesShape(serializers.Serializer[Any]):
    changed = serializers.IntegerField()


class EstimateShape(serializers.Serializer[Any]):
    tasks = serializers.IntegerField()
    gold_tasks = serializers.IntegerField()
    places = serializers.IntegerField()
    reward_micros = serializers.IntegerField()
    fee_micros = serializers.IntegerField()
    disputes_micros = serializers.IntegerField(help_text="Set aside for rejections that turn out to be wrong")
    topup_micros = serializers.IntegerField(help_text="Set aside to raise the pay to the hourly target")
    total_micros = serializers.IntegerField()
    funds_micros = serializers.IntegerField()
    missing_micros = serializers.IntegerField()


def estimate_shape(estimate: Estimate) -> dict[str, Any]:
    return asdict(estimate)


class CountsShape(serializers.Serializer[Any]):
    tasks = serializers.IntegerField()
    places = serializers.IntegerField()
    leased = serializers.IntegerField()
    submitted = serializers.IntegerField()
    accepted = serializers.IntegerField()
    rejected = serializers.IntegerField()
    returned = serializers.IntegerField()
    expired = serializers.IntegerField()
    quarantined = serializers.IntegerField()


class SpentShape(serializers.Serializer[Any]):
    escrow_micros = serializers.IntegerField()
    disputes_micros = serializers.IntegerField(help_text="What still lies aside for disputes")
    topup_reserve_micros = serializers.IntegerField(help_text="What still lies aside for the top-up")
    paid_micros = serializers.IntegerField(help_text="For answers, those after a won appeal included")
    bonus_micros = serializers.IntegerField()
    topup_micros = serializers.IntegerField()
    fees_micros = serializers.IntegerField()
    refunded_micros = serializers.IntegerField()


class ProgressShape(SpentShape, CountsShape):
    state = serializers.ChoiceField(choices=BatchState.choices)


def progress_shape(progress: BatchProgress) -> dict[str, Any]:
    return asdict(progress)


class AnswerShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    task = serializers.CharField(help_text="The task's external id")
    worker = serializers.CharField(help_text="The name under which you know the worker; other requesters know another")
    values = serializers.DictField(allow_null=True, help_text="null while rejected: what is not paid is withheld")
    unclear = serializers.BooleanField()
    state = serializers.ChoiceField(choices=ANSWER_STATES)
    submitted_at = serializers.DateTimeField(help_text="To the minute")
    version = serializers.IntegerField()
    reason = serializers.CharField(allow_blank=True, help_text="Why it was rejected")


def answer_shape(row: dict[str, Any], names: dict[int, str]) -> dict[str, Any]:
    """`names` are the requester's names for the workers; no other id of a worker leaves the site (R43)."""
    shown = ("id", "task", "values", "unclear", "state", "submitted_at", "version", "reason")
    return {name: row[name] for name in shown} | {"worker": names.get(row["worker_id"], "")}


class AcceptedShape(serializers.Serializer[Any]):
    accepted = serializers.IntegerField()
    remaining = serializers.BooleanField(help_text="Whether there may be more to accept: call again")


class RejectedShape(serializers.Serializer[Any]):
    rejected = serializers.IntegerField()
    waiting = serializers.IntegerField(
        help_text="Answers that wait for a review: they stay submitted, and are accepted when their time is over"
    )
    review = serializers.UUIDField(allow_null=True)
    cause = serializers.ChoiceField(
        choices=Cause.choices,
        allow_null=True,
        help_text="`count`: too many of the batch; `consensus`: they agree with what others answered",
    )


class BackShape(serializers.Serializer[Any]):
    returned = serializers.IntegerField()


class RunShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    method = serializers.CharField()
    tasks = serializers.IntegerField()
    answers = serializers.IntegerField()
    converged = serializers.BooleanField()
    iterations = serializers.IntegerField()
    final = serializers.BooleanField()
    with_gold = serializers.BooleanField(help_text="Made with your gold keys, which therefore cannot judge it")
    created_at = serializers.DateTimeField()


def run_shape(run: Run) -> dict[str, Any]:
    return {
        "id": run.public_id,
        "method": run.method,
        "tasks": run.tasks,
        "answers": run.answers,
        "converged": run.converged,
        "iterations": run.iterations,
        "final": run.final,
        "with_gold": run.with_gold,
        "created_at": run.made_at,
    }


class SealShape(serializers.Serializer[Any]):
    seq = serializers.IntegerField(help_text="Place in the chain, from 1")
    leaf = serializers.CharField(help_text="SHA-256 of what the transfer says, in hexadecimal")
    hash = serializers.CharField(help_text="SHA-256 of the hash before it and the leaf")


class TransferShape(serializers.Serializer[Any]):
    key = serializers.CharField()
    kind = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    destination = serializers.CharField()
    currency = serializers.CharField()
    delta_micros = serializers.IntegerField()
    balance_after_micros = serializers.IntegerField()
    made_at = serializers.DateTimeField()
    reverses = serializers.CharField(allow_null=True, help_text="The key of the transfer that this one takes back")
    memo_hash = serializers.CharField(help_text="What stands for the memo in the leaf")
    source_hash = serializers.CharField(help_text="What stands for the source, whose worker you know by another name")
    destination_hash = serializers.CharField(help_text="The same of the destination")
    seal = SealShape(allow_null=True, help_text="None for the first seconds")


class BookedTransferShape(TransferShape):
    """The same, of any account."""


class AccountBalanceShape(serializers.Serializer[Any]):
    currency = serializers.CharField()
    balance_micros = serializers.IntegerField()


class LedgerAccountShape(serializers.Serializer[Any]):
    address = serializers.CharField()
    at = serializers.DateTimeField()
    balances = AccountBalanceShape(many=True)


class HeadShape(serializers.Serializer[Any]):
    seq = serializers.IntegerField(help_text="How many transfers are sealed")
    hash = serializers.CharField()
    unsealed_s = serializers.FloatField(help_text="How long the oldest transfer without a seal has waited")


def head_shape(head: Head) -> dict[str, Any]:
    return {"seq": head.seq, "hash": head.hash, "unsealed_s": head.unsealed_s}


class AnchorShape(serializers.Serializer[Any]):
    day = serializers.DateField()
    seq = serializers.IntegerField()
    hash = serializers.CharField()


def anchor_shape(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("day", "seq", "hash")}


def transfer_shape(row: dict[str, Any]) -> dict[str, Any]:
    """Without the memo: who of the staff recorded a deposit is not the requester's affair."""
    return {name: cell for name, cell in row.items() if name not in ("id", "cursor", "memo")}
