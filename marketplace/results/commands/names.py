"""What exports say of people and of gold."""

from typing import Any

from marketplace.batches.models import Batch
from marketplace.common.database import acting_as, rows
from marketplace.common.transactions import require_transaction
from workers.profiles.commands import pseudonyms


def worker_names(*, batch: Batch) -> dict[int, str]:
    """The requester's names for all who worked on the batch; missing ones are made. Locks nothing."""
    require_transaction()
    ids = [
        row[0] for row in rows("SELECT DISTINCT worker_id FROM assignments_assignment WHERE batch_id = %s", [batch.pk])
    ]
    return pseudonyms(requester_id=batch.requester_id, worker_ids=ids)


def gold_tasks(*, batch: Batch) -> frozenset[int]:
    """Ids of the tasks that the requester brought as gold, for his own exports; read as the gold reader. What the crowd
    was sure of is a task like all others there."""
    require_transaction()
    with acting_as("gold_reader"):
        return frozenset(
            row[0]
            for row in rows(
                "SELECT task_id FROM batches_goldkey WHERE batch_id = %s AND origin = 'requester'", [batch.pk]
            )
        )


def gold_keys(*, batch: Batch) -> dict[int, dict[str, Any]]:
    """What the requester's own keys in use say, by task; read as the gold reader, to compare results with them.

    Not those that the crowd made: they say what the crowd says. Nor those that good workers keep failing.
    """
    require_transaction()
    with acting_as("gold_reader"):
        return dict(
            rows(
                "SELECT task_id, key FROM batches_goldkey WHERE batch_id = %s AND origin = 'requester'"
                " AND state = 'live'",
                [batch.pk],
            )
        )


def gold_tasks_among(task_ids: list[int]) -> frozenset[int]:
    """Of these tasks the ids of those that the requester brought as gold; read like `gold_tasks`."""
    require_transaction()
    with acting_as("gold_reader"):
        return frozenset(
            row[0]
            for row in rows(
                "SELECT task_id FROM batches_goldkey WHERE task_id = ANY(%s) AND origin = 'requester'", [task_ids]
            )
        )
