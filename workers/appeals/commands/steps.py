"""What the commands of appeals share: one appeal in hand, and a step of it."""

from typing import Any
from uuid import UUID

from marketplace.common.database import MarketNow
from marketplace.common.errors import NotFound
from workers.appeals.errors import AppealInvalid, AppealOver
from workers.appeals.locks import appeal_for_update
from workers.appeals.models import Appeal, Step
from workers.appeals.states import Kind, State


def require_words(words: str) -> None:
    """Raise `AppealInvalid` where nothing is said."""
    if not words.strip():
        raise AppealInvalid("Say why.", errors=[{"field": "words", "message": "must not be empty"}])


def held(public_id: UUID, *, requester_id: int | None = None) -> Appeal:
    """An open appeal under its lock, against a rejection of the requester's where one is given.

    Raises `NotFound`, `AppealOver`.
    """
    appeal = appeal_for_update(public_id)
    if appeal is None or (
        requester_id is not None and (appeal.requester_id != requester_id or appeal.rejection_id is None)
    ):
        raise NotFound("There is no such appeal.")
    if appeal.state != State.OPEN:
        raise AppealOver("This appeal was decided.", state=appeal.state)
    return appeal


def add_step(appeal: Appeal, kind: Kind, *, made_by: int | None, reason: str, **more: Any) -> None:
    """Write the step down; the database judges it, and changes the appeal."""
    Step.objects.create(appeal=appeal, kind=kind, made_by_id=made_by, reason=reason, made_at=MarketNow(), **more)
    appeal.refresh_from_db(fields=["state", "method", "adjudicator", "decided_at"])
