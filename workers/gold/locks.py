"""The only place of this app that locks rows."""

from uuid import UUID

from marketplace.common.database import rows
from workers.gold.models import Waiting

COLUMNS = (
    "t.assignment_id, t.revision, t.task_id, t.batch_id, t.project_id, t.worker_id, t.values, t.unclear, t.leased_at,"
    " t.made_at"
)


def waiting_answers(limit: int) -> list[Waiting]:
    """The oldest answers that no other scorer holds and that are not put aside, locked until they leave the queue."""
    return [
        Waiting(*row)
        for row in rows(
            f"SELECT {COLUMNS} FROM gold_toscore t WHERE NOT EXISTS (SELECT 1 FROM gold_attempt x"
            " WHERE x.assignment_id = t.assignment_id AND x.revision = t.revision AND x.parked_at IS NOT NULL)"
            " ORDER BY t.made_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED",
            [limit],
        )
    ]


def taken_answers(run_id: UUID) -> list[Waiting]:
    """The answers that the run took, locked until they leave the queue."""
    return [
        Waiting(*row)
        for row in rows(
            f"SELECT {COLUMNS} FROM gold_attempt x JOIN gold_toscore t USING (assignment_id, revision)"
            " WHERE x.run = %s ORDER BY t.made_at FOR NO KEY UPDATE OF t SKIP LOCKED",
            [run_id],
        )
    ]


def keys_to_audit(limit: int) -> list[int]:
    """Tasks whose keys somebody was judged by lately, the oldest, taken from their queue; the caller acts as the gold
    reader."""
    return sorted(
        task_id
        for (task_id,) in rows(
            "DELETE FROM gold_toaudit WHERE task_id IN (SELECT task_id FROM gold_toaudit ORDER BY made_at LIMIT %s"
            " FOR NO KEY UPDATE SKIP LOCKED) RETURNING task_id",
            [limit],
        )
    )
