"""Doubt about answers: ask others too, give them no vote, or ask the requester to look himself."""

from collections.abc import Sequence

from marketplace.batches.locks import lock_tasks, share_batch
from marketplace.common.database import rows
from marketplace.common.outbox import publish
from marketplace.common.transactions import require_transaction
from workers.assignments.commands.more_places import Added, more_places
from workers.assignments.events import ReviewWished
from workers.assignments.origin import Origin

ANSWERS_MAX = 1_000


def last_answers(*, batch_id: int, worker_id: int, answers: int) -> list[tuple[int, int]]:
    """Of the worker's last so many answers in the batch those that count, as (assignment, task): not those that were
    rejected, whose places are open again, nor those that give no vote."""
    return rows(
        "SELECT a.id, a.task_id FROM ("
        "  SELECT id, task_id, state FROM assignments_assignment WHERE batch_id = %s AND worker_id = %s"
        "   AND submitted_at IS NOT NULL ORDER BY submitted_at DESC, id DESC LIMIT %s) a"
        " WHERE a.state IN ('submitted', 'accepted')"
        " AND NOT EXISTS (SELECT 1 FROM assignments_discount d WHERE d.assignment_id = a.id) ORDER BY a.id",
        [batch_id, worker_id, min(answers, ANSWERS_MAX)],
    )


def raise_overlap(*, batch_id: int, worker_id: int, answers: int, by: int) -> Added:
    """Ask `by` others more about each of the worker's last answers in the batch. Raises like `more_places`."""
    require_transaction()
    found = last_answers(batch_id=batch_id, worker_id=worker_id, answers=answers)
    return more_places(batch_id=batch_id, task_ids=[task for _, task in found], by=by)


def reopen_answers(*, batch_id: int, worker_id: int, answers: int, reason: str, origin: Origin) -> Added:
    """Ask somebody else about each of the worker's last answers in the batch, and give those no vote in results.

    What they earned stays. An answer whose task cannot have one place more keeps its vote. Repeating it does nothing to
    an answer twice. Raises like `more_places`; then nothing has happened.
    """
    require_transaction()
    share_batch(batch_id)
    hint = last_answers(batch_id=batch_id, worker_id=worker_id, answers=answers)
    lock_tasks([task for _, task in hint])
    # Again under the locks: another one of these may have been at the same answers.
    fresh = set(last_answers(batch_id=batch_id, worker_id=worker_id, answers=answers))
    found = [answer for answer in hint if answer in fresh]
    added = more_places(batch_id=batch_id, task_ids=[task for _, task in found], by=1)
    raised = set(added.tasks)
    discount_answers(assignment_ids=[pk for pk, task in found if task in raised], reason=reason, origin=origin)
    return added


def discount_answers(*, assignment_ids: Sequence[int], reason: str, origin: Origin) -> int:
    """Give the answers no vote in results, with a reason; how many had one. They are paid as ever."""
    require_transaction()
    return len(
        rows(
            "INSERT INTO assignments_discount (assignment_id, reason, firing_id, made_by_id, made_at)"
            " SELECT a.id, %s, %s, %s, market_now() FROM unnest(%s::bigint[]) AS a(id) ORDER BY a.id"
            " ON CONFLICT (assignment_id) DO NOTHING RETURNING assignment_id",
            [reason, origin.firing_id, origin.made_by, list(assignment_ids)],
        )
    )


def ask_review(*, batch_id: int, worker_id: int, reason: str, origin: Origin) -> int:
    """Ask the requester to look at the worker's undecided answers in the batch, with the reason; at how many he was not
    asked to look for it before. Emits `ReviewWished`."""
    require_transaction()
    made = rows(
        "INSERT INTO assignments_reviewwish (assignment_id, batch_id, reason, firing_id, made_by_id, made_at)"
        " SELECT a.id, a.batch_id, %s, %s, %s, market_now() FROM assignments_assignment a"
        " WHERE a.batch_id = %s AND a.worker_id = %s AND a.state = 'submitted' ORDER BY a.id LIMIT %s"
        " ON CONFLICT (assignment_id, firing_id, made_by_id) DO NOTHING RETURNING assignment_id",
        [reason, origin.firing_id, origin.made_by, batch_id, worker_id, ANSWERS_MAX],
    )
    ids = [row[0] for row in made]
    if ids:
        publish(ReviewWished(batch_id=batch_id, worker_ids=[worker_id], assignment_ids=ids))
    return len(ids)
