"""What rules do to a worker's skills, and how that is taken back."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from marketplace.accounts.models import Member
from marketplace.common.database import rows, value
from workers.profiles.commands.skills import REPLACED, grant_skill, revoke_skill
from workers.profiles.models import Grant
from workers.profiles.queries import skills_of


def change_skill(
    do: str, terms: Mapping[str, Any], *, rule: str, worker_id: int, requester_id: int
) -> tuple[str, str | None]:
    """Set or adjust a skill as the rule says; returns what came of it, and the id of the grant that was made."""
    skill = skills_of(requester_id).filter(public_id=UUID(terms["skill"])).first()
    # A rule acts for the organisation that wrote it: its first owner stands behind the grant.
    owner = _owner(requester_id)
    if skill is None or owner is None:
        return "not done: the skill or its organisation's owner is gone", None
    if do == "adjust_skill":
        held = Grant.objects.filter(skill=skill, worker_id=worker_id, revoked_at=None).first()
        if held is None or held.value is None:
            return "not done: the worker does not hold the skill", None
        wanted = held.value + terms["by"]
    else:
        wanted = terms["value"]
    wanted = min(max(round(wanted, 6), 0.0), 1.0)
    made = grant_skill(skill=skill, worker_id=worker_id, by=owner, evidence=f"quality rule: {rule}", value=wanted)
    return f"{skill.name} is {wanted:g} now", str(made.public_id)


def restore_skills(*, firing_id: int, requester_id: int, reason: str) -> list[tuple[dict[str, Any], str]]:
    """Let the worker hold again what he held before the firing changed it, with the reason; returns what was done and
    what came of it, for each skill.

    A skill that somebody has set since stays as it is. Locks: skill.
    """
    changed = rows(
        "SELECT action->>'grant' FROM reputation_wanted WHERE firing_id = %s AND action->>'grant' IS NOT NULL"
        " ORDER BY action->>'skill'",
        [firing_id],
    )
    done = []
    for (grant_id,) in changed:
        made = Grant.objects.select_related("skill").get(public_id=UUID(grant_id))
        action = {"do": "restore_skill", "skill": str(made.skill.public_id)}
        done.append((action, _restored(made, _owner(requester_id), reason)))
    return done


def _restored(made: Grant, owner: int | None, reason: str) -> str:
    skill = made.skill
    if made.revoked_at is not None:
        return f"not done: {skill.name} was changed since"
    if owner is None:
        return "not done: the organisation's owner is gone"
    earlier = Grant.objects.filter(skill=skill, worker_id=made.worker_id, pk__lt=made.pk).order_by("-pk").first()
    moment = value("SELECT market_now()")
    if (
        earlier is None
        or earlier.revoked_reason != REPLACED
        or (earlier.expires_at is not None and earlier.expires_at <= moment)
    ):
        revoke_skill(skill=skill, worker_id=made.worker_id, by=owner, reason=reason)
        return f"{skill.name} is not held, as before"
    grant_skill(
        skill=skill,
        worker_id=made.worker_id,
        by=owner,
        evidence=f"{earlier.evidence} ({reason})",
        value=earlier.value,
        life=None if earlier.expires_at is None else earlier.expires_at - moment,
    )
    return f"{skill.name} is {earlier.value:g} again"


def _owner(requester_id: int) -> int | None:
    return (
        Member.objects.filter(requester_id=requester_id, role="owner")
        .order_by("pk")
        .values_list("user_id", flat=True)
        .first()
    )
