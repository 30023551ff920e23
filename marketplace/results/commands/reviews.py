"""What requesters' decisions say of workers, recorded once nobody can contest them any more (R42)."""

from collections.abc import Iterable

from marketplace.common.database import acting_as, rows, run
from marketplace.common.outbox import read
from marketplace.common.transactions import require_transaction
from marketplace.results.locks import reviews_due
from workers.reputation.commands import Judged, record_outcomes, undo_outcomes
from workers.reputation.states import Kind

READER = "reviews"
# How much a review counts beside a known answer. Most answers are accepted unseen, by a deadline or all at once: had
# that weight, it would drown what gold says of the careless. A rejection, undone or not, was looked at twice.
SEEN = 1.0
ACCEPTED = {"name": 0.25, "all": 0.05, "deadline": 0.05}
UPHELD_ROUND = 1


def record_reviews(*, limit: int = 500) -> int:
    """Record up to `limit` events' acceptances and `limit` rejections that are final; returns how many were looked at.

    An acceptance is a good review at once, and a small one. A rejection is a bad one when the
    time to contest it is over or its appeal was refused, and none while it is contested. One that is undone afterwards
    is taken back and becomes a good one. Each is recorded once, whatever is read twice. One reader of the outbox at a
    time; locks assignments and standings.
    """
    require_transaction()
    accepted: dict[int, float] = {}
    upheld: list[int] = []
    seen = 0
    for event in read(READER, limit=limit):
        seen += 1
        if event.kind == "AnswerAccepted":
            accepted |= dict.fromkeys(event.body["assignment_ids"], ACCEPTED[event.body.get("by", "deadline")])
        elif event.kind == "AnswerUpheld":
            upheld += event.body["assignment_ids"]
    _accepted(accepted)
    _upheld(upheld)
    return seen + _final_rejections(limit)


def make_due(*, assignment_id: int) -> None:
    """A rejection whose appeal was refused is final now."""
    require_transaction()
    run("UPDATE results_reviewdue SET due_at = market_now() WHERE assignment_id = %s", [assignment_id])


def _accepted(weights: dict[int, float]) -> None:
    record_outcomes([_judged(row, 1.0, weights[row[0]]) for row in _of(list(weights), "accepted")])


def _upheld(ids: list[int]) -> None:
    if not ids:
        return
    run("DELETE FROM results_reviewdue WHERE assignment_id = ANY(%s)", [ids])
    with acting_as("gold_reader"):
        bad = rows(
            "SELECT id FROM reputation_outcome WHERE assignment_id = ANY(%s) AND kind = 'review' AND score = 0", [ids]
        )
    undo_outcomes(outcome_ids=[row[0] for row in bad], reason="The rejection was undone.")
    record_outcomes([_judged(row, 1.0, SEEN, UPHELD_ROUND) for row in _of(ids, "upheld")])


def _final_rejections(limit: int) -> int:
    due = reviews_due(limit)
    record_outcomes([_judged(row[:5], 0.0, SEEN) for row in due if row[5]])
    run("DELETE FROM results_reviewdue WHERE assignment_id = ANY(%s)", [[row[0] for row in due]])
    return len(due)


def _of(ids: list[int], state: str) -> list[tuple[int, ...]]:
    """Those of the assignments in the state, as (id, worker, project, batch, task)."""
    return rows(
        "SELECT a.id, a.worker_id, b.project_id, a.batch_id, a.task_id FROM assignments_assignment a"
        " JOIN batches_batch b ON b.id = a.batch_id WHERE a.id = ANY(%s) AND a.state = %s ORDER BY a.id",
        [ids, state],
    )


def _judged(row: Iterable[int], score: float, weight: float, round_no: int = 0) -> Judged:
    assignment_id, worker_id, project_id, batch_id, task_id = row
    return Judged(
        worker_id=worker_id,
        project_id=project_id,
        batch_id=batch_id,
        score=score,
        kind=Kind.REVIEW,
        weight=weight,
        assignment_id=assignment_id,
        task_id=task_id,
        round=round_no,
    )
