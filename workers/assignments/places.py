"""How much work of a batch is left to take."""

from collections.abc import Collection

from marketplace.common.database import rows, value

# Of a batch q: its places (l), how many are held or answered (n), those among these that won after a rejection had
# given their place to another (u), and the places of tasks in quarantine (r).
_COUNTED = """
  LEFT JOIN batches_tail l ON l.batch_id = q.id
  CROSS JOIN LATERAL (
      SELECT coalesce(sum(d.leased + d.submitted + d.accepted), 0) AS taken FROM (
          SELECT leased, submitted, accepted FROM batches_progress WHERE batch_id = q.id UNION ALL
          SELECT leased, submitted, accepted FROM batches_progressdelta WHERE batch_id = q.id) d) n
  CROSS JOIN LATERAL (
      SELECT count(*) AS upheld FROM assignments_rejection j
        JOIN assignments_uphold o ON o.assignment_id = j.assignment_id WHERE j.batch_id = q.id) u
  CROSS JOIN LATERAL (
      SELECT coalesce(sum(t.refunded), 0) AS refunded FROM batches_task t
       WHERE t.batch_id = q.id AND t.quarantined_at IS NOT NULL) r
"""


def places_left(batch_ids: Collection[int]) -> dict[int, int]:
    """How many places of each batch nobody holds or has answered, gold included; by its counts, in one statement.

    Where no ordinary task is open nothing can be claimed, and so nothing is left."""
    return dict(
        rows(
            f"""
            SELECT q.id, CASE WHEN assignments_has_open(q.id)
                              THEN greatest(0, coalesce(l.places, 0) - n.taken + u.upheld - r.refunded)
                              ELSE 0 END::bigint
              FROM unnest(%s::bigint[]) q (id) {_COUNTED}
            """,
            [sorted(set(batch_ids))],
        )
    )


def places_closed(batch_id: int) -> int:
    """How many places of the batch nobody is given any more, and their money went back or is about to: those of tasks
    in quarantine and, once it takes no more work, all that nobody holds or has answered."""
    return int(
        value(
            f"""
            SELECT CASE WHEN q.state IN ('closing', 'settled', 'cancelled')
                        THEN greatest(0, coalesce(l.places, 0) - n.taken + u.upheld) ELSE r.refunded END
              FROM batches_batch q {_COUNTED}
             WHERE q.id = %s
            """,
            [batch_id],
        )
    )
