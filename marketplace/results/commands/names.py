"""What exports say of people and of gold."""

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
