"""Score answers after a submission, by the keys that are in use."""

import logging
from json import dumps
from typing import Any
from uuid import UUID

from marketplace.common import sweeps
from marketplace.common.database import acting_as, rows, run
from marketplace.common.transactions import require_transaction
from marketplace.projects.answer_types.registry import answer_type
from workers.gold.locks import taken_answers, waiting_answers
from workers.gold.models import Waiting
from workers.reputation.commands import Judged, record_outcomes

logger = logging.getLogger("touchstone.gold")
GROUP = 200


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
    keys, fields = _keys(waiting)
    outcomes: list[Judged] = []
    for row in waiting:
        key = keys.get(row.assignment_id)
        score = None if key is None or row.unclear else _score(fields[row.batch_id], key, row.values)
        # An answer that was given back for repair comes twice; the first verdict on a task and worker stands.
        if score is not None and not run(
            "INSERT INTO gold_verdict (task_id, worker_id, batch_id, score, given, made_at)"
            " VALUES (%s, %s, %s, %s, %s::jsonb, market_now()) ON CONFLICT DO NOTHING",
            [row.task_id, row.worker_id, row.batch_id, score, dumps(_said(key or {}, row.values))],
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


def _keys(answers: list[Waiting]) -> tuple[dict[int, dict[str, Any]], dict[int, dict[str, dict[str, Any]]]]:
    """Keys that these answers are judged by, by assignment, read as the gold reader; and the answer fields by batch.

    Only keys in use judge. One that the crowd agreed on judges what came after it: it was made of what came before, and
    so was the first form of an answer that was given back for repair.
    """
    with acting_as("gold_reader"):
        found = {
            task: (batch, key, added_at)
            for task, batch, key, added_at in rows(
                "SELECT task_id, batch_id, key, CASE WHEN origin = 'consensus' THEN added_at END FROM batches_goldkey"
                " WHERE task_id = ANY(%s) AND state = 'live'",
                [[answer.task_id for answer in answers]],
            )
        }
    interfaces = rows(
        "SELECT b.id, v.interface FROM batches_batch b JOIN projects_version v ON v.id = b.version_id"
        " WHERE b.id = ANY(%s)",
        [sorted({batch for batch, _, _ in found.values()})],
    )
    fields = {batch_id: {field["name"]: field for field in interface["answer"]} for batch_id, interface in interfaces}
    keys = {}
    for answer in answers:
        if answer.task_id in found:
            _, key, since = found[answer.task_id]
            if since is None or (answer.made_at > since and answer.revision == 1):
                keys[answer.assignment_id] = key
    return keys, fields


def _said(key: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    return {name: values.get(name) for name in key}


def _score(fields: dict[str, dict[str, Any]], key: dict[str, Any], values: dict[str, Any]) -> float:
    """The mean over the key's fields; a field that was left empty scores 0."""
    scores = [
        answer_type(fields[name]["type"]).score(fields[name], wanted, values[name]) if name in values else 0.0
        for name, wanted in key.items()
    ]
    return sum(scores) / len(scores)
