"""The only place of this app that locks rows."""

from marketplace.common.database import rows
from workers.gold.models import Waiting


def waiting_answers(limit: int) -> list[Waiting]:
    """The oldest answers that no other scorer holds, locked until they are taken out of the queue."""
    return [
        Waiting(*row)
        for row in rows(
            "SELECT assignment_id, revision, task_id, batch_id, project_id, worker_id, values, unclear"
            " FROM gold_toscore ORDER BY made_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED",
            [limit],
        )
    ]
