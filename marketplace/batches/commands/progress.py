"""Fold the counters' deltas into one row per batch."""

from marketplace.batches.queries import COUNTS
from marketplace.common.database import run, try_sweep_lock
from marketplace.common.transactions import require_transaction


def fold(*, limit: int = 20_000) -> int:
    """Fold up to `limit` deltas; returns how many. One sweep runs at a time; what readers see does not change."""
    require_transaction()
    if not try_sweep_lock("batches.fold"):
        return 0
    columns = ", ".join(COUNTS)
    sums = ", ".join(f"sum({name}) AS {name}" for name in COUNTS)
    added = ", ".join(f"{name} = batches_progress.{name} + excluded.{name}" for name in COUNTS)
    return run(
        f"""
        WITH gone AS (
            DELETE FROM batches_progressdelta
             WHERE id IN (SELECT id FROM batches_progressdelta ORDER BY id LIMIT %s) RETURNING *
        ), folded AS (
            INSERT INTO batches_progress (batch_id, {columns})
            SELECT batch_id, {sums} FROM gone GROUP BY batch_id
            ON CONFLICT (batch_id) DO UPDATE SET {added} RETURNING 1
        )
        SELECT 1 FROM gone
        """,
        [limit],
    )
