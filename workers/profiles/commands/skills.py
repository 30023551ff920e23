"""Skills and qualifications: what a requester vouches for, and who holds it."""

import math
from datetime import timedelta

from marketplace.common.database import MarketNow, one, run
from marketplace.common.outbox import publish
from marketplace.common.transactions import require_transaction
from workers.profiles.errors import GrantInvalid, NameTaken, NotHeld
from workers.profiles.events import SkillGranted, SkillRevoked
from workers.profiles.locks import skill_for_update
from workers.profiles.models import Grant, Skill, SkillKind

REPLACED = "replaced by a new grant"


def create_skill(*, requester_id: int, kind: str, name: str, description: str = "") -> Skill:
    """A skill or qualification of the requester. Raises `NameTaken`."""
    require_transaction()
    # The unique index decides, so that two requests at once cannot both make one.
    made = one(
        "INSERT INTO profiles_skill (requester_id, public_id, kind, name, description)"
        " VALUES (%s, gen_random_uuid(), %s, %s, %s) ON CONFLICT (requester_id, name) DO NOTHING RETURNING id",
        [requester_id, SkillKind(kind).value, name, description],
    )
    if made is None:
        raise NameTaken("The organisation has a skill or qualification of this name.", name=name)
    return Skill.objects.get(pk=made[0])


def grant_skill(
    *, skill: Skill, worker_id: int, by: int, evidence: str, value: float | None = None, life: timedelta | None = None
) -> Grant:
    """Let the worker hold the skill from now on, at `value`, for `life` or until it is revoked.

    What he held of it before is revoked by this and stays in the history. Locks: skill. Emits `SkillGranted`. Raises
    `GrantInvalid`.
    """
    require_transaction()
    errors = []
    if skill.kind == SkillKind.QUALIFICATION and value is not None:
        errors.append({"field": "value", "message": "a qualification is held without a value"})
    if skill.kind == SkillKind.SKILL and (value is None or not (math.isfinite(value) and 0 <= value <= 1)):
        errors.append({"field": "value", "message": "a skill is held at a value from 0 to 1"})
    if errors:
        raise GrantInvalid("The grant does not fit the skill.", errors=errors)
    skill_for_update(skill.pk)
    _revoke(skill.pk, worker_id, by, REPLACED)
    publish(SkillGranted(skill_id=skill.pk, worker_id=worker_id))
    return Grant.objects.create(
        skill=skill,
        worker_id=worker_id,
        value=value,
        evidence=evidence,
        granted_by_id=by,
        granted_at=MarketNow(),
        expires_at=None if life is None else MarketNow() + life,
    )


def revoke_skill(*, skill: Skill, worker_id: int, by: int, reason: str) -> Grant:
    """Take the skill from the worker, with the reason. Locks: skill. Emits `SkillRevoked`. Raises `NotHeld`."""
    require_transaction()
    skill_for_update(skill.pk)
    if not _revoke(skill.pk, worker_id, by, reason):
        raise NotHeld("The worker does not hold this now.")
    publish(SkillRevoked(skill_id=skill.pk, worker_id=worker_id))
    return Grant.objects.filter(skill=skill, worker_id=worker_id).latest("revoked_at")


def _revoke(skill_id: int, worker_id: int, by: int, reason: str) -> bool:
    return bool(
        run(
            "UPDATE profiles_grant SET revoked_at = market_now(), revoked_by_id = %s, revoked_reason = %s"
            " WHERE skill_id = %s AND worker_id = %s AND revoked_at IS NULL",
            [by, reason, skill_id, worker_id],
        )
    )
