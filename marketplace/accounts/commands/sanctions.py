"""Imposing and lifting sanctions: the only way to limit anyone (R40)."""

import json
from datetime import timedelta
from typing import Any

from marketplace.accounts.commands.acts import record
from marketplace.accounts.errors import OwnMatter, SanctionInvalid, SanctionReused
from marketplace.accounts.events import Sanctioned, SanctionLifted
from marketplace.accounts.locks import sanction_for_update
from marketplace.accounts.models import Measure, Sanction, SanctionReason, Where
from marketplace.accounts.queries import same_person
from marketplace.common.database import one
from marketplace.common.outbox import publish
from marketplace.common.transactions import require_transaction

APPEAL_DAYS = 7
PACE_MAX_S = 86_400
LIFE_MAX = timedelta(days=3_660)
INSERT = (
    "INSERT INTO accounts_sanction (user_id, scope, scope_id, measure, pace_s, reason, words, evidence, firing_id,"
    " made_by_id, expires_at, appeal_until)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s, %s, market_now() + %s, market_now() + %s)"
    " ON CONFLICT (firing_id, measure) DO NOTHING RETURNING id"
)


def impose(
    *,
    user_id: int,
    scope: str,
    scope_id: int | None,
    measure: str,
    reason: str,
    words: str,
    evidence: dict[str, Any],
    life: timedelta,
    made_by: int | None = None,
    firing_id: int | None = None,
    pace_s: int | None = None,
    appeal_days: int = APPEAL_DAYS,
) -> Sanction:
    """Limit somebody, for a reason, on evidence and for a time; he reads `words`, and can contest it for a while.

    Either a person (`made_by`) or the firing of a rule (`firing_id`) is behind it; what a firing has imposed already is
    returned as it is, so a repeat imposes nothing twice. After the commit no lease of his begins that it stops.

    Locks: the accounts of his person, waiting for a claim that is under way. So it comes before all locks that a claim
    takes later (batches, tasks, assignments), and one transaction that limits several people does so in the order of
    their accounts. Emits `Sanctioned`. Raises `SanctionInvalid`, `SanctionReused`, and `OwnMatter` where it is
    of the person who imposes it, by any account.
    """
    require_transaction()
    _require_sense(scope, scope_id, measure, reason, words, evidence, life, made_by, firing_id, pace_s, appeal_days)
    if made_by is not None and same_person(made_by, user_id):
        raise OwnMatter("Nobody limits his own accounts.")
    made = one(
        INSERT,
        [
            user_id, scope, scope_id, measure, pace_s, reason, words, json.dumps(evidence), firing_id, made_by, life,
            timedelta(days=appeal_days),
        ],
    )  # fmt: skip
    if made is None:
        first = Sanction.objects.get(firing_id=firing_id, measure=measure)
        if first.user_id != user_id:
            raise SanctionReused("One firing of a rule limits one person.", sanction=str(first.public_id))
        return first
    publish(Sanctioned(sanction_id=made[0], user_ids=[user_id], measure=measure))
    sanction = Sanction.objects.select_related("user").get(pk=made[0])
    record(
        "sanction.imposed",
        subject="sanction",
        subject_id=sanction.public_id,
        by=made_by,
        why=reason,
        after={
            "user": sanction.user.public_id,
            "measure": measure,
            "scope": scope,
            "rule": firing_id is not None,
            "expires_at": sanction.expires_at,
        },
    )
    return sanction


def lift(*, sanction_id: int, reason: str, by: int | None = None) -> bool:
    """End a sanction before its time. Says whether this call did it: one that was lifted stays as it is.

    Locks: the sanction. Emits `SanctionLifted`. Raises `SanctionInvalid` without a reason, and `OwnMatter` to whom it
    limits, by whichever account.
    """
    require_transaction()
    if not reason.strip():
        raise SanctionInvalid("Say why it ends.", errors=[{"field": "reason", "message": "must not be empty"}])
    sanction = sanction_for_update(sanction_id)
    if sanction.lifted_at is not None:
        return False
    if by is not None and same_person(by, sanction.user_id):
        raise OwnMatter("Nobody lifts what limits himself.")
    one(
        "UPDATE accounts_sanction SET lifted_at = market_now(), lifted_by_id = %s, lift_reason = %s WHERE id = %s"
        " RETURNING id",
        [by, reason, sanction_id],
    )
    publish(SanctionLifted(sanction_id=sanction_id, user_ids=[sanction.user_id], measure=sanction.measure))
    record(
        "sanction.lifted",
        subject="sanction",
        subject_id=sanction.public_id,
        by=by,
        before={"measure": sanction.measure, "scope": sanction.scope, "expires_at": sanction.expires_at},
        after={"lifted": True},
    )
    return True


def _require_sense(
    scope: str,
    scope_id: int | None,
    measure: str,
    reason: str,
    words: str,
    evidence: dict[str, Any],
    life: timedelta,
    made_by: int | None,
    firing_id: int | None,
    pace_s: int | None,
    appeal_days: int,
) -> None:
    """The database refuses all of this too; here it is said what is wrong."""
    slow = measure == Measure.SLOW_DOWN
    wrong = {
        "scope": scope not in Where.values and "is none that there is",
        "scope_id": (scope == Where.PLATFORM) != (scope_id is None) and "is of everything but the platform",
        "measure": measure not in Measure.values and "is none that there is",
        "reason": reason not in SanctionReason.values and "is none that there is",
        "words": not words.strip() and "must not be empty: he reads them",
        "evidence": (not isinstance(evidence, dict) or not evidence) and "must not be empty",
        "pace_s": (slow and pace_s is None and "Say how many seconds.")
        or (not slow and pace_s is not None and "is of `slow_down`, and of nothing else")
        or (pace_s is not None and not 1 <= pace_s <= PACE_MAX_S and f"must be from 1 to {PACE_MAX_S}"),
        "life": not timedelta(0) < life <= LIFE_MAX and f"must be above 0 and at most {LIFE_MAX.days} days",
        "appeal_days": not 1 <= appeal_days <= LIFE_MAX.days and f"must be from 1 to {LIFE_MAX.days}",
        "made_by": (made_by is None) == (firing_id is None) and "or the firing of a rule, one of them, is behind it",
    }
    if measure == Measure.BAN and (made_by is None or scope != Where.PLATFORM):
        wrong["measure"] = "ban is made by a person, for the whole platform"
    errors = [{"field": field, "message": message} for field, message in wrong.items() if message]
    if errors:
        raise SanctionInvalid("Some of this makes no sanction.", errors=errors)
