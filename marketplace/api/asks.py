"""What requests to the requester's side may carry; a field that is not named here is refused."""

import re
from dataclasses import dataclass
from uuid import UUID

from rest_framework import serializers

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
from marketplace.batches.states import Order
from marketplace.common.errors import Unprocessable
from marketplace.common.money import AMOUNT_MAX, BASIS_POINTS
from marketplace.projects.answer_types.registry import aggregation_methods
from marketplace.projects.label_studio.configs import CONFIG_BYTES_MAX
from marketplace.rest.ask import Ask
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


class LabellingConfigAsk(Ask):
    config = serializers.CharField(trim_whitespace=False, max_length=CONFIG_BYTES_MAX, help_text="XML")


class BatchAsk(Ask):
    name = serializers.CharField(max_length=200)
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


def uuid_of(text: str, name: str) -> UUID:
    """The id that a query parameter gives. Raises `Unprocessable` naming the parameter."""
    try:
        return UUID(text)
    except ValueError:
        raise Unprocessable(
            "Some values are not valid.", errors=[{"field": name, "message": "is not a UUID"}]
        ) from None
