"""What requests to the requester's side may carry; a field that is not named here is refused."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from rest_framework import serializers

from marketplace.batches.commands.pilots import PILOT_MAX
from marketplace.batches.models import (
    LEASE_CAP_MAX,
    LIMIT_MAX,
    OVERLAP_MAX,
    PAIR_LIMIT_MAX,
    PRIORITY_MAX,
    TOPUP_MAX,
    WEEK_S,
)
from marketplace.batches.row_checks import EXTERNAL_ID_MAX
from marketplace.batches.states import BatchKind, Order
from marketplace.common.errors import Unprocessable
from marketplace.common.moments import moment_in
from marketplace.common.money import AMOUNT_MAX, BASIS_POINTS
from marketplace.projects.answer_types.registry import aggregation_methods
from marketplace.projects.label_studio.configs import CONFIG_BYTES_MAX
from marketplace.rest.ask import Ask, refuse_unknown
from marketplace.rest.ask import EmptyAsk as EmptyAsk
from workers.assignments.states import RejectReason


@dataclass(frozen=True)
class Form:
    """How a word has to look."""

    pattern: re.Pattern[str]
    message: str

    @property
    def schema(self) -> dict[str, str]:
        return {"type": "string", "pattern": self.pattern.pattern}


CHANNEL = Form(re.compile(r"^[a-z][a-z0-9_]{0,39}$"), "is `bank`, or a provider's name in small letters")


class ProjectAsk(Ask):
    requester = serializers.UUIDField()
    name = serializers.CharField(max_length=200)
    interface = serializers.JSONField()
    instructions = serializers.CharField(allow_blank=True, max_length=100_000, default="", trim_whitespace=False)


class VersionAsk(Ask):
    interface = serializers.JSONField()
    instructions = serializers.CharField(allow_blank=True, max_length=100_000, default="", trim_whitespace=False)


class ProjectNameAsk(Ask):
    name = serializers.CharField(max_length=200)


class VersionDraftAsk(VersionAsk):
    made_from = serializers.CharField(
        max_length=32,
        required=False,
        help_text="The fingerprint of the draft that this was made from: where it is another by now, nothing is done",
    )


class InterfaceAsk(Ask):
    interface = serializers.JSONField()


class InstructionsAsk(Ask):
    instructions = serializers.CharField(allow_blank=True, max_length=100_000, trim_whitespace=False)


class LabellingConfigAsk(Ask):
    config = serializers.CharField(trim_whitespace=False, max_length=CONFIG_BYTES_MAX, help_text="XML")


class BatchAsk(Ask):
    name = serializers.CharField(max_length=200)
    kind = serializers.ChoiceField(choices=BatchKind.choices, default=BatchKind.REGULAR)
    expected_s = serializers.IntegerField(
        min_value=1,
        max_value=WEEK_S,
        required=False,
        allow_null=True,
        help_text="How long you think that an answer takes, for forecasts until it is measured",
    )
    price_micros = serializers.IntegerField(min_value=1, max_value=AMOUNT_MAX)
    currency = serializers.CharField(max_length=3, default="EUR")
    overlap = serializers.IntegerField(min_value=1, max_value=OVERLAP_MAX)
    time_limit_s = serializers.IntegerField(min_value=1, max_value=WEEK_S, default=900)
    auto_accept_s = serializers.IntegerField(min_value=0, max_value=2_592_000, default=604_800)
    lease_cap = serializers.IntegerField(min_value=1, max_value=LEASE_CAP_MAX, default=10)
    order = serializers.ChoiceField(choices=Order.choices, default=Order.SPREAD)
    lease_max_s = serializers.IntegerField(min_value=1, max_value=WEEK_S, required=False, allow_null=True)
    worker_limit = serializers.IntegerField(min_value=1, max_value=LIMIT_MAX, required=False, allow_null=True)
    daily_limit = serializers.IntegerField(min_value=1, max_value=LIMIT_MAX, required=False, allow_null=True)
    pair_limit = serializers.IntegerField(min_value=1, max_value=PAIR_LIMIT_MAX, required=False, allow_null=True)
    max_attempts = serializers.IntegerField(min_value=1, max_value=100, default=5)
    head_start_s = serializers.IntegerField(min_value=0, max_value=WEEK_S, default=0)
    dispute_basis_points = serializers.IntegerField(
        min_value=0,
        max_value=BASIS_POINTS,
        required=False,
        help_text="What share of the places is set aside for disputes; by default, and at least, the platform's",
    )
    target_hourly_micros = serializers.IntegerField(min_value=1, max_value=AMOUNT_MAX, required=False, allow_null=True)
    topup_basis_points = serializers.IntegerField(
        min_value=0, max_value=TOPUP_MAX, default=0, help_text="The most that a top-up may add to the price"
    )
    version = serializers.IntegerField(min_value=1, required=False)
    audience = serializers.DictField(default=dict)
    gold = serializers.DictField(default=dict)
    aggregation = serializers.DictField(default=dict)
    quality = serializers.DictField(
        default=dict, help_text='`{"preset": "fast" | "balanced" | "careful"}`, or `{"rules": […]}` of your own'
    )


class TermsAsk(BatchAsk):
    """Some of the terms; what is left out stays as it is."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields = super().get_fields()
        del fields["version"]
        for field in fields.values():
            field.required, field.default = False, serializers.empty
        return fields


class ItemsAsk(Ask):
    tasks = serializers.ListField(
        child=serializers.CharField(max_length=EXTERNAL_ID_MAX, trim_whitespace=False),
        min_length=1,
        max_length=1_000,
        help_text="External ids",
    )


class GoldKeyAsk(Ask):
    task = serializers.CharField(max_length=EXTERNAL_ID_MAX, trim_whitespace=False, help_text="The item's external id")
    key = serializers.DictField(help_text="The right values of one or more answer fields")


class SetKeysAsk(Ask):
    keys = serializers.ListField(child=GoldKeyAsk(), min_length=1, max_length=1_000)


class PilotAsk(Ask):
    items = serializers.IntegerField(min_value=1, max_value=PILOT_MAX, help_text="Of the draft, gold not counted")


class CopyAsk(Ask):
    name = serializers.CharField(max_length=200, required=False)
    version = serializers.IntegerField(min_value=1, required=False, help_text="The newest published one where absent")
    items = serializers.BooleanField(
        default=False, help_text="With the items and keys too; of a pilot also those that wait for it"
    )


class ContinueAsk(Ask):
    name = serializers.CharField(max_length=200, required=False)
    price_micros = serializers.IntegerField(
        min_value=1, max_value=AMOUNT_MAX, required=False, help_text="As before where absent"
    )
    time_limit_s = serializers.IntegerField(
        min_value=1, max_value=WEEK_S, required=False, help_text="As before where absent"
    )
    new_workers = serializers.BooleanField(
        required=False,
        allow_null=True,
        help_text="Let in nobody who took work in the old batch, so that all answers to a task are of different people;"
        " by default where a task that comes over has answers",
    )
    quarantined = serializers.BooleanField(default=False, help_text="With the tasks that workers gave up too")


class PriorityAsk(Ask):
    external_id = serializers.CharField(max_length=EXTERNAL_ID_MAX, trim_whitespace=False)
    priority = serializers.IntegerField(
        required=False, min_value=0, max_value=PRIORITY_MAX, help_text="For batches in order of priority; 9 comes first"
    )
    score = serializers.FloatField(
        required=False, min_value=0, max_value=1, help_text="For batches in order of uncertainty; 1 comes first"
    )


class PrioritiesAsk(Ask):
    tasks = serializers.ListField(child=PriorityAsk(), min_length=1, max_length=10_000)


class AcceptAsk(Ask):
    answers = serializers.ListField(child=serializers.UUIDField(), max_length=1_000, required=False)
    all_submitted = serializers.BooleanField(default=False)


class UpholdAsk(Ask):
    answers = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=1_000)
    reason = serializers.CharField(max_length=2_000)


class BonusAsk(Ask):
    worker = serializers.CharField(max_length=24, help_text="The worker's name as you know it")
    amount_micros = serializers.IntegerField(min_value=1, max_value=AMOUNT_MAX)
    reason = serializers.CharField(max_length=2_000, help_text="The worker reads it")
    reference = serializers.CharField(
        max_length=100, help_text="Your own name for this bonus: the same again pays nothing twice"
    )


class RejectAsk(Ask):
    answers = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=1_000, required=False)
    all_submitted = serializers.BooleanField(default=False)
    reason = serializers.ChoiceField(choices=RejectReason.choices)
    comment = serializers.CharField(max_length=2_000, help_text="What is wrong, in words; the worker reads it")
    version = serializers.IntegerField(
        min_value=1,
        required=False,
        help_text="The instructions you cite: those that the workers were shown, which are taken where this is absent",
    )


class RepairAsk(Ask):
    answers = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=1_000)
    reason = serializers.ChoiceField(choices=RejectReason.choices)
    comment = serializers.CharField(max_length=2_000, help_text="What to mend, in words; the worker reads it")


class DecisionAsk(Ask):
    reason = serializers.CharField(max_length=2_000)


class AggregateAsk(Ask):
    method = serializers.ChoiceField(choices=aggregation_methods(), required=False)
    with_gold = serializers.BooleanField(
        default=False, help_text="Your gold keys are given to methods that learn about workers, as known answers"
    )


class DatasetAsk(Ask):
    format = serializers.CharField(max_length=40)  # type: ignore[assignment]
    options = serializers.DictField(default=dict, help_text="Of the format")
    run = serializers.UUIDField(required=False, help_text="An aggregation; the newest where absent")
    answers = serializers.BooleanField(default=False, help_text="With the single answers, where the format has them")
    gold = serializers.BooleanField(default=True, help_text="With the items that you brought as gold")
    splits = serializers.DictField(
        child=serializers.FloatField(min_value=0, max_value=1),
        required=False,
        help_text='Shares that add up to 1, as `{"train": 0.8, "val": 0.1, "test": 0.1}`',
    )
    seed = serializers.CharField(max_length=100, required=False, help_text="Another seed draws other splits")
    stratify = serializers.CharField(
        max_length=64, required=False, help_text="An answer field; the first with labels where absent"
    )
    require_valid = serializers.BooleanField(
        default=False, help_text="Make no data set where the validation report finds something"
    )


class DepositAsk(Ask):
    requester = serializers.UUIDField()
    amount_micros = serializers.IntegerField(min_value=1, max_value=AMOUNT_MAX)
    # Transfers are for ever: money in a currency that no batch can have would never leave again.
    currency = serializers.RegexField(r"^[A-Z]{3}$", help_text="ISO 4217, three capitals")
    reference = serializers.CharField(max_length=200)
    channel = serializers.RegexField(CHANNEL.pattern, default="bank", help_text="`bank`, or a provider's name")
    evidence = serializers.CharField(
        max_length=2_000, required=False, help_text="What shows that it came in; without, it says who recorded it"
    )


def text_of(given: Mapping[str, str], name: str, *, most: int = EXTERNAL_ID_MAX) -> str | None:
    """The text that a query parameter gives, None without it. Raises `Unprocessable` for one that nothing can be called
    by, naming the parameter."""
    text = given.get(name)
    if text is not None and ("\x00" in text or not 1 <= len(text) <= most):
        message = f"is 1 to {most} characters"
        raise Unprocessable("Some values are not valid.", errors=[{"field": name, "message": message}])
    return text


def moment_of(given: Mapping[str, str], name: str) -> datetime | None:
    """The moment that a query parameter gives, None without it. Raises `Unprocessable` naming the parameter."""
    if name not in given:
        return None
    moment = moment_in(given[name])
    if moment is None:
        message = "must be a moment with its time zone, as 2026-01-31T12:00:00Z"
        raise Unprocessable("There is no such moment.", errors=[{"field": name, "message": message}])
    return moment


def uuid_of(text: str, name: str) -> UUID:
    """The id that a query parameter gives. Raises `Unprocessable` naming the parameter."""
    try:
        return UUID(text)
    except ValueError:
        raise Unprocessable(
            "Some values are not valid.", errors=[{"field": name, "message": "is not a UUID"}]
        ) from None


def whole_numbers(given: Mapping[str, str], bounds: Mapping[str, tuple[int, int]]) -> dict[str, int]:
    """The whole numbers that query parameters give, each from its least to its most. Raises `UnknownField` for others,
    `Unprocessable` naming those that are none."""
    refuse_unknown(given, bounds)
    errors, found = [], {}
    for name, text in given.items():
        low, high = bounds[name]
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 17 else -1
        if low <= number <= high:
            found[name] = number
        else:
            errors.append({"field": name, "message": f"must be a whole number from {low} to {high}"})
    if errors:
        raise Unprocessable("Some values are not valid.", errors=errors)
    return found
