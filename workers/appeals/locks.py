"""The only place of this app that locks rows. An appeal comes before everything that deciding it locks."""

from collections.abc import Sequence
from uuid import UUID

from workers.appeals.models import Appeal
from workers.appeals.states import State


def appeal_for_update(public_id: UUID) -> Appeal | None:
    """The appeal under FOR NO KEY UPDATE, with what it is about."""
    found = Appeal.objects.select_for_update(no_key=True, of=("self",)).filter(public_id=public_id)
    return found.select_related("rejection__assignment", "worker", "sanction").first()


def free_appeal_for_update(appeal_id: int) -> Appeal | None:
    """The same for a sweep: None where somebody else has it in hand."""
    found = Appeal.objects.select_for_update(no_key=True, of=("self",), skip_locked=True).filter(pk=appeal_id)
    return found.select_related("rejection__assignment", "worker", "sanction").first()


def open_appeals_for_update(batch_id: int, assignments: Sequence[UUID]) -> list[Appeal]:
    """Open appeals against the rejections of the named answers, in order."""
    found = Appeal.objects.select_for_update(no_key=True, of=("self",)).filter(
        state=State.OPEN, rejection__batch_id=batch_id, rejection__assignment__public_id__in=list(assignments)
    )
    return list(found.order_by("pk"))
