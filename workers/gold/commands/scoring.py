"""Plan hidden gold before a claim, and score answers after a submission; the only code that reads keys."""

import logging
from random import Random
from typing import Any
from uuid import UUID

from marketplace.common import sweeps
from marketplace.common.database import acting_as, one, rows, run
from marketplace.common.transactions import require_transaction
from marketplace.projects.answer_types.registry import answer_type
from workers.gold.injection import Policy, Schedule, advance
from workers.gold.locks import taken_answers, waiting_answers
from workers.reputation.commands import Judged, record_outcomes
from workers.reputation.queries import posterior_of

logger = logging.getLogger("touchstone.gold")
GROUP = 200


def draw_schedule(
    *, worker_id: int, batch_id: int, project_id: int, policy: dict[str, Any], count: int, chance: Random
) -> None:
    """Draw the worker's schedule of gold in the batch as far as his next `count` places need it.

    It says at which of his positions he is to be shown gold; the claim moves the position on. What is drawn already
    stays. The caller holds the worker's row.
    """
    require_transaction()
    row = one(
        "SELECT position, phase_end, gold_positions FROM gold_schedule WHERE worker_id = %s AND batch_id = %s",
        [worker_id, batch_id],
    )
    schedule = Schedule(row[0], row[1], tuple(row[2])) if row else Schedule()
    low, high = posterior_of(worker_id=worker_id, project_id=project_id).posterior.interval()
    _, drawn = advance(schedule, count, Policy(**policy), high - low, chance)
    run(
        "INSERT INTO gold_schedule (worker_id, batch_id, position, phase_end, gold_positions)"
        " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (worker_id, batch_id) DO UPDATE SET"
        " phase_end = excluded.phase_end, gold_positions = excluded.gold_positions",
        [worker_id, batch_id, drawn.position, drawn.phase_end, list(drawn.gold_positions)],
    )


def take_due(*, run_id: UUID, task: UUID, limit: int = GROUP) -> int:
    """Write down which answers the run is about to score, and return how many; commit that before scoring them.

    They are up to `limit` that nobody has tried; or one alone that an earlier run died over, so that among many the one
    to blame is found. After three deaths it becomes a dead letter and stands in nobody's way.
    """
    require_transaction()
    if not rows("SELECT 1 FROM gold_toscore LIMIT 1"):
        return 0
    [(taken, parked)] = rows(
        "SELECT taken, parked FROM gold_take(%s, %s, %s, %s, %s, %s)",
        [run_id, task, "score_due", sweeps.worker, sweeps.life, limit],
    )
    if parked:
        logger.error("%s answers were put aside: scoring them ended in death three times", parked)
    return int(taken)


def score_due(*, limit: int = GROUP, run_id: UUID | None = None) -> int:
    """Score up to `limit` answers that wait, oldest first, or those that the run took; returns how many.

    Each answer becomes an outcome for reputation; where its task has a key, a verdict too, once per task and worker.
    Two scorers at once share the work. An answer marked unclear is counted and not judged.
    """
    require_transaction()
    if run_id is None:
        waiting = waiting_answers(limit)
    else:
        waiting = taken_answers(run_id)
        run("DELETE FROM common_sweeprun WHERE id = %s", [run_id])
    if not waiting:
        return 0
    keys, fields = _keys([row.task_id for row in waiting])
    outcomes: list[Judged] = []
    for row in waiting:
        key = keys.get(row.task_id)
        score = None if key is None or row.unclear else _score(fields[row.batch_id], key, row.values)
        # An answer that was given back for repair comes twice; the first verdict on a task and worker stands.
        if score is not None and not run(
            "INSERT INTO gold_verdict (task_id, worker_id, batch_id, score, made_at)"
            " VALUES (%s, %s, %s, %s, market_now()) ON CONFLICT DO NOTHING",
            [row.task_id, row.worker_id, row.batch_id, score],
        ):
            score = None
        outcomes.append(Judged(row.worker_id, row.project_id, row.batch_id, score))
    record_outcomes(outcomes)
    for queue in ("gold_toscore", "gold_attempt"):
        run(
            f"DELETE FROM {queue} t USING unnest(%s::bigint[], %s::smallint[]) AS g(a, r)"
            " WHERE t.assignment_id = g.a AND t.revision = g.r",
            [[row.assignment_id for row in waiting], [row.revision for row in waiting]],
        )
    return len(waiting)


@sweeps.retries("answer")
def try_again(subject: str) -> None:
    """Let the scoring step look at an answer that was put aside as if nobody had."""
    run(
        "DELETE FROM gold_attempt WHERE assignment_id = %s AND revision = %s AND parked_at IS NOT NULL",
        [int(number) for number in subject.split(":")],
    )


def _keys(task_ids: list[int]) -> tuple[dict[int, dict[str, Any]], dict[int, dict[str, dict[str, Any]]]]:
    """Keys by task, read as the gold reader, and the answer fields by batch."""
    with acting_as("gold_reader"):
        found = rows("SELECT task_id, batch_id, key FROM batches_goldkey WHERE task_id = ANY(%s)", [task_ids])
    interfaces = rows(
        "SELECT b.id, v.interface FROM batches_batch b JOIN projects_version v ON v.id = b.version_id"
        " WHERE b.id = ANY(%s)",
        [sorted({row[1] for row in found})],
    )
    fields = {batch_id: {field["name"]: field for field in interface["answer"]} for batch_id, interface in interfaces}
    return {row[0]: row[2] for row in found}, fields


def _score(fields: dict[str, dict[str, Any]], key: dict[str, Any], values: dict[str, Any]) -> float:
    """The mean over the key's fields; a field that was left empty scores 0."""
    scores = [
        answer_type(fields[name]["type"]).score(fields[name], wanted, values[name]) if name in values else 0.0
        for name, wanted in key.items()
    ]
    return sum(scores) / len(scores)
