"""Keys that are probably wrong: found, taken out with all they did to people, and decided about by their requester."""

from collections.abc import Sequence
from uuid import UUID

from marketplace.accounts.commands.acts import record
from marketplace.batches.locks import batch_for_update, lock_tasks
from marketplace.batches.models import Batch
from marketplace.batches.queries import tasks_called
from marketplace.common.database import acting_as, rows, run, value
from marketplace.common.outbox import publish
from marketplace.common.transactions import require_transaction
from workers.gold.errors import KeyStays, NoSuchKey
from workers.gold.events import KeyFlagged
from workers.gold.locks import keys_to_audit
from workers.gold.suspicion import Met, suspicious
from workers.reputation.commands import Judged, record_outcomes, undo_outcomes
from workers.reputation.queries import posteriors_of
from workers.reputation.states import Kind

GROUP = 200
FLAGGED = "A key that good workers failed is being checked, and counts for nobody until then."
RETIRED = "The known answer was wrong, so that nothing that was judged by it counts."


def flag_suspicious(*, limit: int = GROUP) -> int:
    """Look at up to `limit` keys that somebody was judged by lately; returns how many were looked at.

    One that trusted workers fail more often than they would by chance is shown to nobody and judges nobody from now on,
    and what it did to anybody's standing is undone. What its requester has confirmed it against speaks against it no
    more. A verdict that came in while its key was taken out is undone too.
    Locks keys, then standings. Emits `KeyFlagged`, once for a batch.
    """
    require_transaction()
    with acting_as("gold_reader"):
        task_ids = keys_to_audit(limit)
        found = rows(
            "SELECT g.task_id, g.batch_id, b.project_id, g.state, v.worker_id, v.score,"
            " g.confirmed_at IS NULL OR v.made_at > g.confirmed_at FROM batches_goldkey g"
            " JOIN batches_batch b ON b.id = g.batch_id JOIN gold_verdict v ON v.task_id = g.task_id"
            " WHERE g.task_id = ANY(%s) ORDER BY g.task_id, v.worker_id",
            [task_ids],
        )
    flagged: set[int] = set()
    undone: list[int] = []
    for task_id in task_ids:
        of = [row for row in found if row[0] == task_id]
        if not of:
            continue
        _, batch_id, project_id, state, *_ = of[0]
        fresh = [row for row in of if row[6]]
        known = posteriors_of(worker_ids=[row[4] for row in fresh], project_id=project_id)
        verdicts = [Met(row[5], known[row[4]].posterior) for row in fresh]
        if state == "live" and suspicious(verdicts)[0] and _set_state(batch_id, task_id, ["live"], "flagged"):
            flagged.add(batch_id)
            state = "flagged"
        if state != "live":
            undone += _standing_outcomes(batch_id, task_id)
    undo_outcomes(outcome_ids=sorted(undone), reason=FLAGGED)
    publish(*(KeyFlagged(batch_id=batch_id) for batch_id in sorted(flagged)))
    return len(task_ids)


def confirm_key(*, batch_id: int, tasks: Sequence[str]) -> int:
    """Put keys to use that waited for the requester or were flagged, by external ids; returns how many.

    What a flagged one had said of anybody counts again, and only verdicts from now on can have it flagged again. A live
    key stays live. Locks batch (FOR UPDATE), tasks, keys, then standings. Raises `NoSuchKey` for a task without a key;
    `KeyStays` for one that is too much like another that was shown, that has no open place left, or that was retired.
    """
    require_transaction()
    again: list[Judged] = []
    confirmed = 0
    for task_id, task, state, why in _held(batch_id, tasks):
        if state == "live":
            continue
        if state == "retired" or why == "alike":
            raise KeyStays("A key that was retired, or is too much like one that was shown, is not used.", task=task)
        if not _set_state(batch_id, task_id, [state], "live"):
            raise KeyStays("No place of this task is open to be gold, or another key is too much like it.", task=task)
        confirmed += 1
        if state == "flagged":
            again += _undone(batch_id, task_id)
    record_outcomes(again)
    if confirmed:
        _record("gold.key_confirmed", batch_id, confirmed)
    return confirmed


def retire_key(*, batch_id: int, tasks: Sequence[str]) -> int:
    """Give keys up for good, by external ids; returns how many. What they said of anybody does not count.

    A task that the crowd had made gold is an ordinary one again. Locks as `confirm_key`. Raises `NoSuchKey`.
    """
    require_transaction()
    undone: list[int] = []
    retired = 0
    for task_id, _, state, _ in _held(batch_id, tasks):
        if state != "retired" and _set_state(batch_id, task_id, [state], "retired"):
            retired += 1
            undone += _standing_outcomes(batch_id, task_id)
    undo_outcomes(outcome_ids=sorted(undone), reason=RETIRED)
    if retired:
        _record("gold.key_retired", batch_id, retired)
    return retired


def note_look(*, batch_id: int, user_id: int, what: str) -> None:
    """Write down that somebody looks at the keys of a batch."""
    require_transaction()
    run(
        "INSERT INTO gold_look (batch_id, user_id, what, made_at) VALUES (%s, %s, %s, market_now())",
        [batch_id, user_id, what],
    )
    record("gold.viewed", subject="batch", subject_id=_public_id(batch_id), by=user_id, after={"what": what})


def _record(act: str, batch_id: int, keys: int) -> None:
    record(act, subject="batch", subject_id=_public_id(batch_id), after={"keys": keys})


def _public_id(batch_id: int) -> UUID:
    return Batch.objects.values_list("public_id", flat=True).get(pk=batch_id)


def _held(batch_id: int, tasks: Sequence[str]) -> list[tuple[int, str, str, str]]:
    """(task, external id, state, why) of the keys, by task, with their batch and tasks locked."""
    batch_for_update(batch_id)
    found = [(task_id, name) for name, task_id in tasks_called(batch_id, tasks).items()]
    lock_tasks([task_id for task_id, _ in found])
    with acting_as("gold_reader"):
        states = {
            task_id: (state, why)
            for task_id, state, why in rows(
                "SELECT task_id, state, why FROM batches_goldkey WHERE task_id = ANY(%s)", [[row[0] for row in found]]
            )
        }
    known = {name for task_id, name in found if task_id in states}
    for name in tasks:
        if name not in known:
            raise NoSuchKey("This task of the batch has no key.", task=name)
    return [(task_id, name, *states[task_id]) for task_id, name in found]


def _set_state(batch_id: int, task_id: int, before: list[str], after: str) -> bool:
    with acting_as("gold_reader"):
        return bool(value("SELECT gold_set_state(%s, %s, %s, %s)", [batch_id, task_id, before, after]))


# By worker and batch, as outcomes are found by.
_OF_KEY = (
    " FROM gold_verdict v JOIN reputation_outcome o ON o.worker_id = v.worker_id AND o.batch_id = v.batch_id"
    " AND o.task_id = v.task_id AND o.kind = 'gold' WHERE v.task_id = %s AND v.batch_id = %s"
)


def _standing_outcomes(batch_id: int, task_id: int) -> list[int]:
    """Outcomes by the key that nobody has undone."""
    with acting_as("gold_reader"):
        return [
            row[0]
            for row in rows(
                f"SELECT o.id{_OF_KEY} AND NOT EXISTS (SELECT 1 FROM reputation_outcome u WHERE u.undoes_id = o.id)",
                [task_id, batch_id],
            )
        ]


def _undone(batch_id: int, task_id: int) -> list[Judged]:
    """What the key had said of each worker before it was undone, to be said again."""
    with acting_as("gold_reader"):
        found = rows(
            "SELECT DISTINCT ON (o.assignment_id) o.worker_id, o.project_id, o.batch_id, o.score, o.weight,"
            " o.assignment_id, o.task_id, o.truth, o.given, o.answer_type, o.easiness, o.field, o.round + 1,"
            " EXISTS (SELECT 1 FROM reputation_outcome u WHERE u.undoes_id = o.id)"
            f"{_OF_KEY} ORDER BY o.assignment_id, o.round DESC",
            [task_id, batch_id],
        )
    names = ("worker_id", "project_id", "batch_id", "score", "weight", "assignment_id", "task_id", "truth", "given")
    more = ("answer_type", "easiness", "field", "round")
    return [Judged(kind=Kind.GOLD, **dict(zip((*names, *more), row[:-1], strict=True))) for row in found if row[-1]]
