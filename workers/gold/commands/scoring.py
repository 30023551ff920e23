"""Score answers after a submission."""

import logging
from uuid import UUID

from marketplace.common import sweeps
from marketplace.common.database import rows, run
from marketplace.common.transactions import require_transaction
from workers.gold.judging import judged_of
from workers.gold.locks import taken_answers, waiting_answers
from workers.reputation.commands import record_outcomes

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

    Each answer becomes an outcome for reputation; where its task has a key, a verdict and a judgement too, once for
    each task and worker. Two scorers at once share the work. An answer marked unclear is counted and not judged.
    """
    require_transaction()
    if run_id is None:
        waiting = waiting_answers(limit)
    else:
        waiting = taken_answers(run_id)
        run("DELETE FROM common_sweeprun WHERE id = %s", [run_id])
    if not waiting:
        return 0
    record_outcomes(judged_of(waiting))
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
