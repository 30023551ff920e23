"""Answers that wait for somebody's decision for a while, and their release (R18)."""

from datetime import datetime, timedelta

from marketplace.accounts.commands.acts import record
from marketplace.batches.models import Batch
from marketplace.common.database import one, run, value
from marketplace.common.outbox import publish
from marketplace.common.transactions import require_transaction
from workers.assignments.commands.decide import accept_overdue
from workers.assignments.errors import HoldsNone, ReasonMissing
from workers.assignments.events import AnswersHeld
from workers.assignments.locks import live_holds
from workers.assignments.models import HOLD_MAX
from workers.assignments.origin import Origin


def hold_answers(*, batch_id: int, worker_id: int, life: timedelta, reason: str, origin: Origin) -> datetime:
    """Keep the worker's answers in the batch from being accepted by their deadline or by "all"; until when.

    No answer waits for more than seven days beyond its deadline, whatever holds there are; then it is accepted as ever.
    A named answer can be decided meanwhile. A hold that lasts as long already is returned, and a repeat of the same
    firing returns the first one. Emits `AnswersHeld`.
    """
    require_transaction()
    life = min(life, HOLD_MAX)
    wanted = value("SELECT market_now() + %s", [life])
    live = [until for _, until in live_holds(worker_id, batch_id)]
    if live and max(live) >= wanted:
        return max(live)
    made = one(
        "INSERT INTO assignments_hold (worker_id, batch_id, until, reason, firing_id, made_by_id, made_at)"
        " SELECT %s, %s, m.moment + %s, %s, %s, %s, m.moment FROM (SELECT market_now() AS moment OFFSET 0) m"
        " ON CONFLICT (firing_id, worker_id, batch_id) DO NOTHING RETURNING until",
        [worker_id, batch_id, life, reason, origin.firing_id, origin.made_by],
    )
    if made is None:
        return value(
            "SELECT until FROM assignments_hold WHERE firing_id = %s AND worker_id = %s AND batch_id = %s",
            [origin.firing_id, worker_id, batch_id],
        )
    publish(AnswersHeld(batch_id=batch_id, worker_ids=[worker_id], assignment_ids=[]))
    return made[0]


def release_answers(*, batch_id: int, worker_id: int, reason: str, of_firing: int | None = None) -> tuple[int, int]:
    """End every hold on the worker's answers in the batch, with a reason, and accept those whose deadline has passed.

    With `of_firing`, only the hold that this firing made, where it made one: what others hold stays held.
    Returns how many holds ended and how many answers were accepted; repeating it ends none twice. Locks: holds,
    assignments. Emits `AnswerAccepted`.
    """
    require_transaction()
    own = one(
        "SELECT id FROM assignments_hold WHERE firing_id = %s AND worker_id = %s AND batch_id = %s",
        [of_firing, worker_id, batch_id],
    )
    holds = [pk for pk, _ in live_holds(worker_id, batch_id) if own is None or own[0] == pk]
    run(
        "UPDATE assignments_hold SET ended_at = market_now(), end_reason = %s WHERE id = ANY(%s)",
        [reason, holds],
    )
    return len(holds), accept_overdue(batch_id=batch_id, worker_id=worker_id)


def release_worker(*, batch_id: int, worker_id: int, reason: str, by: int) -> tuple[int, int]:
    """The same for a person, who says why: what he ends is every hold there is, also those that rules made.

    Raises `HoldsNone` where nothing is held. Written into the audit log as what it accepts. Emits `AnswerAccepted`.
    """
    require_transaction()
    if not reason.strip():
        raise ReasonMissing("Say why.", errors=[{"field": "reason", "message": "must not be empty"}])
    ended, accepted = release_answers(batch_id=batch_id, worker_id=worker_id, reason=reason)
    if not ended:
        raise HoldsNone("No answers of this worker are held back here any more.")
    record(
        "money.answers_released",
        subject="batch",
        subject_id=Batch.objects.values_list("public_id", flat=True).get(pk=batch_id),
        by=by,
        after={"holds": ended, "answers": accepted},
    )
    return ended, accepted
