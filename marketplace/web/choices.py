"""What can be chosen from when somebody says for whom a batch is."""

from typing import Any

from marketplace.batches.models import Batch
from workers.profiles.models import Content, Device, SkillKind
from workers.profiles.queries import lists_of, skills_of

BATCHES_SHOWN = 100


def audience_choices(batch: Batch) -> dict[str, Any]:
    """The organisation's skills, qualifications, lists and earlier batches, and the kinds of devices and content."""
    skills = list(skills_of(batch.requester_id).order_by("name", "pk"))
    earlier = Batch.objects.filter(requester_id=batch.requester_id, published_at__isnull=False).order_by("-pk")
    return {
        "skill": [_one(one) for one in skills if one.kind == SkillKind.SKILL],
        "qualification": [_one(one) for one in skills if one.kind == SkillKind.QUALIFICATION],
        "list": [_one(one) for one in lists_of(batch.requester_id).order_by("name", "pk")],
        "batch": [_one(one) for one in earlier[:BATCHES_SHOWN]],
        "device": [{"id": value, "name": str(label)} for value, label in Device.choices],
        "content": [{"id": value, "name": str(label)} for value, label in Content.choices],
    }


def _one(row: Any) -> dict[str, str]:
    return {"id": str(row.public_id), "name": row.name}
