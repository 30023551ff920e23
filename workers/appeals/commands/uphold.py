"""Undo rejections from outside an appeal: what was contested of them is won by the same step."""

from uuid import UUID

from marketplace.common.outbox import publish
from marketplace.common.transactions import require_transaction
from workers.appeals.commands.steps import add_step, require_words
from workers.appeals.events import AppealDecided
from workers.appeals.locks import open_appeals_for_update
from workers.appeals.states import Kind
from workers.assignments.commands.contest import end_contest
from workers.assignments.commands.uphold import uphold_answers


def uphold_rejected(*, batch_id: int, assignments: list[UUID], made_by: int, reason: str) -> int:
    """Undo the rejection of the named answers as `uphold_answers` does, and end the open appeals against them as won,
    for the same reason: what is paid is not to be refused later. Returns how many were upheld.

    Whoever has a part in the matter may do it, to his own harm alone, but not the worker. Locks: appeals, then as
    `uphold_answers`. Emits `AnswerUpheld`, `AppealDecided`. Raises as `uphold_answers`, and `AppealInvalid` without a
    reason.
    """
    require_transaction()
    require_words(reason)
    # Before the batch, as whoever decides an appeal does.
    open_appeals_for_update(batch_id, assignments)
    upheld = uphold_answers(batch_id=batch_id, assignments=assignments, made_by=made_by, reason=reason)
    # Again: one may have been opened until the batch was held, and none can be any more.
    for appeal in open_appeals_for_update(batch_id, assignments):
        add_step(appeal, Kind.UPHELD, made_by=made_by, reason=reason)
        publish(AppealDecided(appeal_id=appeal.pk, worker_ids=[appeal.worker_id]))
        assert appeal.rejection_id is not None
        end_contest(assignment_id=appeal.rejection_id)
    return upheld
