"""Make a batch from its terms, and change them while it is a draft."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from marketplace.batches.audience import audience_errors
from marketplace.batches.commands.lifecycle import require_no_import
from marketplace.batches.costs import Platform, fee_of
from marketplace.batches.errors import TermsInvalid
from marketplace.batches.forms import is_count, is_number
from marketplace.batches.locks import draft_for_update
from marketplace.batches.models import (
    LEASE_CAP_MAX,
    LIMIT_MAX,
    NAME_LENGTH,
    OVERLAP_MAX,
    PAIR_LIMIT_MAX,
    TOPUP_MAX,
    WEEK_S,
    Batch,
    Tail,
)
from marketplace.batches.quality.forms import quality_errors, skills_named
from marketplace.batches.states import BatchKind, Order
from marketplace.common.database import MarketNow, value
from marketplace.common.money import AMOUNT_MAX, BASIS_POINTS
from marketplace.common.transactions import require_transaction
from marketplace.projects.answer_types.registry import aggregation_methods
from marketplace.projects.errors import VersionNotPublished
from marketplace.projects.models import Project, Version
from workers.profiles.models import SkillKind
from workers.profiles.queries import skills_of

DAY_S = 86_400
# Of more items the overlap does not change within one request.
RESTAMPED_MAX = 200_000


@dataclass(frozen=True)
class Terms:
    """What a batch promises its workers and asks of them; it never changes after publication.

    `lease_max_s` bounds what heartbeats can make of a lease, from its beginning (by default four time limits);
    `worker_limit` and `daily_limit` how many answers one worker may give, in all and on a day (UTC); `pair_limit` how
    many tasks any two workers may share. `max_attempts` workers who give a task up put it into quarantine. With
    `head_start_s` a worker of score s may enter `head_start_s × (1 − s)` seconds after publication: better ones first.
    `dispute_basis_points` of the places are set aside for rejections that turn out to be wrong (by default, and at
    least, what the platform asks). With `target_hourly_micros` each answer's pay is raised in the end, by
    `topup_basis_points` of the price at most, so that an hour of work at the median pace of the batch pays the target.
    `quality` are rules on what is known of workers, and what to do when they hold (`marketplace.batches.quality`).
    `expected_s` is how long its requester thinks that an answer takes.
    """

    name: str
    price_micros: int
    overlap: int
    kind: str = BatchKind.REGULAR
    expected_s: int | None = None
    currency: str = "EUR"
    time_limit_s: int = 900
    auto_accept_s: int = 7 * DAY_S
    lease_cap: int = 10
    order: str = Order.SPREAD
    lease_max_s: int | None = None
    worker_limit: int | None = None
    daily_limit: int | None = None
    pair_limit: int | None = None
    max_attempts: int = 5
    head_start_s: int = 0
    dispute_basis_points: int | None = None
    target_hourly_micros: int | None = None
    topup_basis_points: int = 0
    audience: dict[str, Any] = field(default_factory=dict)
    gold: dict[str, Any] = field(default_factory=dict)
    aggregation: dict[str, Any] = field(default_factory=dict)
    quality: dict[str, Any] = field(default_factory=dict)


GOLD_DEFAULTS: dict[str, Any] = {
    "min_share": 0.05,
    "max_share": 0.10,
    "probation": 20,
    "probation_share": 0.30,
    "budget": None,
    "refill": "auto",
}
REFILLS = ("auto", "confirm", "off")
AGGREGATION_DEFAULTS = {"method": "dawid_skene"}


def create_batch(
    *, project: Project, version: Version, terms: Terms, platform: Platform, continues: Batch | None = None
) -> Batch:
    """A draft batch of the project; `continues` is the batch that it goes on with. Raises `TermsInvalid` naming every
    field that is wrong."""
    require_transaction()
    if version.published_at is None:
        raise VersionNotPublished("Publish the project's version first; workers are shown published ones only.")
    columns = _columns(terms, requester_id=project.requester_id, platform=platform)
    return Batch.objects.create(
        requester_id=project.requester_id,
        project=project,
        version=version,
        fee_basis_points=platform.fee_basis_points,
        fee_minimum_micros=platform.fee_minimum_micros,
        appeal_s=platform.appeal_s,
        continues=continues,
        made_at=MarketNow(),
        **columns,
    )


def change_terms(*, batch_id: int, platform: Platform, **changes: Any) -> Batch:
    """Other terms for a draft: those named, which are names of `Terms`, and the rest as they are; so within `gold` and
    `aggregation` too.

    The fee stays as it was when the batch was made. With the overlap those of its tasks change that have the batch's.
    Locks the batch. Raises `TermsInvalid` naming every field that is wrong, `WrongState` for what is no draft,
    `ImportRunning` where the overlap changes beside an import.
    """
    require_transaction()
    batch = draft_for_update(batch_id, refusal="The terms of a batch change while it is a draft only.")
    for part, stored in (("gold", batch.gold_policy), ("aggregation", batch.aggregation)):
        if part in changes:
            changes[part] = stored | changes[part]
    terms = replace(terms_of(batch), **changes)
    tasks = Tail.objects.filter(batch=batch).values_list("tasks", flat=True).first() or 0
    errors = []
    if terms.order != batch.order and tasks:
        errors.append({"field": "order", "message": "cannot change any more: the items stand in this order already"})
    if terms.overlap != batch.overlap and tasks > RESTAMPED_MAX:
        message = f"can change for up to {RESTAMPED_MAX} items; make a new batch for another"
        errors.append({"field": "overlap", "message": message})
    frozen = Platform(
        fee_basis_points=batch.fee_basis_points,
        fee_minimum_micros=batch.fee_minimum_micros,
        dispute_basis_points=min(platform.dispute_basis_points, batch.dispute_basis_points),
        appeal_s=batch.appeal_s,
    )
    columns = _columns(terms, requester_id=batch.requester_id, platform=frozen, errors=errors)
    overlap = columns.pop("overlap")
    if overlap != batch.overlap:
        require_no_import(batch.pk)
        value("SELECT batches_set_overlap(%s, %s)", [batch.pk, overlap])
    set_columns(batch.pk, **columns)
    return Batch.objects.select_related("requester", "project", "version").get(pk=batch.pk)


def set_columns(batch_id: int, **columns: Any) -> None:
    """Write terms of a draft that the caller holds and has checked."""
    require_transaction()
    changed = value("SELECT batches_set_terms(%s, %s::jsonb)", [batch_id, json.dumps(columns, ensure_ascii=False)])
    assert changed == 1, "the caller holds a draft"


def terms_of(batch: Batch) -> Terms:
    """The terms that a batch was made with, or has by now."""
    by_itself = batch.lease_max_s == min(WEEK_S, 4 * batch.time_limit_s)
    same = {field.name for field in fields(Terms)} - {"gold", "lease_max_s"}
    return Terms(
        gold=batch.gold_policy,
        lease_max_s=None if by_itself else batch.lease_max_s,
        **{name: getattr(batch, name) for name in same},
    )


def _columns(
    terms: Terms, *, requester_id: int, platform: Platform, errors: Sequence[dict[str, str]] = ()
) -> dict[str, Any]:
    """What the table takes of the terms. Raises `TermsInvalid` with these errors and all others."""
    gold = GOLD_DEFAULTS | terms.gold
    aggregation = AGGREGATION_DEFAULTS | terms.aggregation
    found = [*errors, *_errors(terms, gold, aggregation), *_money_errors(terms, platform)]
    found += audience_errors(terms.audience, requester_id=requester_id)
    found += policy_errors(terms.quality, requester_id=requester_id)
    if found:
        raise TermsInvalid("The terms have errors.", errors=found)
    return {
        "name": terms.name,
        "kind": terms.kind,
        "expected_s": terms.expected_s,
        "currency": terms.currency,
        "price_micros": terms.price_micros,
        "fee_micros": fee_of(terms.price_micros, platform.fee_basis_points, platform.fee_minimum_micros),
        "dispute_basis_points": (
            platform.dispute_basis_points if terms.dispute_basis_points is None else terms.dispute_basis_points
        ),
        "target_hourly_micros": terms.target_hourly_micros,
        "topup_basis_points": terms.topup_basis_points,
        "overlap": terms.overlap,
        "time_limit_s": terms.time_limit_s,
        "auto_accept_s": terms.auto_accept_s,
        "lease_cap": terms.lease_cap,
        "order": terms.order,
        "lease_max_s": terms.lease_max_s or min(WEEK_S, 4 * terms.time_limit_s),
        "worker_limit": terms.worker_limit,
        "daily_limit": terms.daily_limit,
        "pair_limit": terms.pair_limit,
        "max_attempts": terms.max_attempts,
        "head_start_s": terms.head_start_s,
        "audience": terms.audience,
        "gold_policy": gold,
        "aggregation": aggregation,
        "quality": terms.quality,
    }


def policy_errors(quality: Any, *, requester_id: int) -> list[dict[str, str]]:
    """What is wrong with quality rules, the skills they name included: those must be the requester's own."""
    errors = quality_errors(quality)
    if errors:
        return errors
    named = list(skills_named(quality))
    own = skills_of(requester_id).filter(kind=SkillKind.SKILL, public_id__in=[skill for skill, _ in named])
    known = set(own.values_list("public_id", flat=True)) if named else set()
    return [
        {"field": path, "message": "is no skill of your organisation"} for skill, path in named if skill not in known
    ]


def _errors(terms: Terms, gold: dict[str, Any], aggregation: dict[str, Any]) -> list[dict[str, str]]:
    bounds = [
        ("price_micros", terms.price_micros, 1, AMOUNT_MAX // 10**6),
        ("overlap", terms.overlap, 1, OVERLAP_MAX),
        ("expected_s", terms.expected_s, 1, WEEK_S),
        ("time_limit_s", terms.time_limit_s, 1, 7 * DAY_S),
        ("auto_accept_s", terms.auto_accept_s, 0, 30 * DAY_S),
        ("lease_cap", terms.lease_cap, 1, LEASE_CAP_MAX),
        ("lease_max_s", terms.lease_max_s, terms.time_limit_s, WEEK_S),
        ("worker_limit", terms.worker_limit, 1, LIMIT_MAX),
        ("daily_limit", terms.daily_limit, 1, LIMIT_MAX),
        ("pair_limit", terms.pair_limit, 1, PAIR_LIMIT_MAX),
        ("max_attempts", terms.max_attempts, 1, 100),
        ("head_start_s", terms.head_start_s, 0, WEEK_S),
        ("target_hourly_micros", terms.target_hourly_micros, 1, AMOUNT_MAX // 10**6),
        ("topup_basis_points", terms.topup_basis_points, 0, TOPUP_MAX),
    ]
    errors = [
        {"field": name, "message": f"must lie between {low} and {high}"}
        for name, number, low, high in bounds
        if number is not None and not low <= number <= high
    ]
    if terms.kind not in BatchKind.values:
        errors.append({"field": "kind", "message": f"must be one of {', '.join(BatchKind.values)}"})
    if not 0 < len(terms.name.strip()) <= NAME_LENGTH:
        errors.append({"field": "name", "message": f"must have 1 to {NAME_LENGTH} characters"})
    if terms.order not in Order.values:
        errors.append({"field": "order", "message": f"must be one of {', '.join(Order.values)}"})
    if not (len(terms.currency) == 3 and terms.currency.isascii() and terms.currency.isupper()):
        errors.append({"field": "currency", "message": "must be a currency code of three capitals, as EUR"})
    if aggregation["method"] not in aggregation_methods():
        errors.append({"field": "aggregation.method", "message": f"must be one of {', '.join(aggregation_methods())}"})
    for part, given, known in (
        ("gold", gold, GOLD_DEFAULTS),
        ("aggregation", aggregation, AGGREGATION_DEFAULTS),
    ):
        errors += [{"field": f"{part}.{name}", "message": "is not known"} for name in given if name not in known]
    errors += _share_errors(gold)
    return errors


def _money_errors(terms: Terms, platform: Platform) -> list[dict[str, str]]:
    errors = []
    low, given = platform.dispute_basis_points, terms.dispute_basis_points
    if given is not None and not low <= given <= BASIS_POINTS:
        errors.append({"field": "dispute_basis_points", "message": f"must lie between {low} and {BASIS_POINTS}"})
    if (terms.target_hourly_micros is None) != (terms.topup_basis_points == 0):
        missing = "target_hourly_micros" if terms.target_hourly_micros is None else "topup_basis_points"
        errors.append({"field": missing, "message": "a target for the hour and a limit for the top-up go together"})
    return errors


def _share_errors(gold: dict[str, Any]) -> list[dict[str, str]]:
    errors = [
        {"field": f"gold.{name}", "message": "must be a share between 0 and 1"}
        for name in ("min_share", "max_share", "probation_share")
        if not (is_number(gold[name]) and 0 <= gold[name] <= 1)
    ]
    if not errors and gold["min_share"] > gold["max_share"]:
        errors.append({"field": "gold.min_share", "message": "must not exceed max_share"})
    if not (is_count(gold["probation"]) and gold["probation"] <= 1_000):
        errors.append({"field": "gold.probation", "message": "must be a number of answers from 0 to 1000"})
    if gold["budget"] is not None and not (is_number(gold["budget"]) and 0 <= gold["budget"] <= 1):
        errors.append({"field": "gold.budget", "message": "must be a share between 0 and 1, or null"})
    if gold["refill"] not in REFILLS:
        errors.append({"field": "gold.refill", "message": f"must be one of {', '.join(REFILLS)}"})
    return errors
