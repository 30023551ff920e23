"""How much work of a batch is left to take."""

from collections.abc import Collection

from marketplace.common.database import rows, value


def places_untaken(batch_id: int) -> int:
    """How many places of the batch nobody holds or has answered, whether or not anybody could: with those that are held
    or have an answer that waits or was accepted they are all of its places. An answer that was accepted after an appeal
    comes on top, for its place was given anew. For staff: it counts gold."""
    return int(
        value(
            """
            SELECT greatest(0, coalesce(l.places, 0) - n.taken + u.upheld)
              FROM (SELECT %s::bigint AS id) q
              LEFT JOIN batches_tail l ON l.batch_id = q.id
              CROSS JOIN LATERAL (
                  SELECT coalesce(sum(d.leased + d.submitted + d.accepted), 0) AS taken FROM (
                      SELECT leased, submitted, accepted FROM batches_progress WHERE batch_id = q.id UNION ALL
                      SELECT leased, submitted, accepted FROM batches_progressdelta WHERE batch_id = q.id) d) n
              CROSS JOIN LATERAL (
                  SELECT count(*) AS upheld FROM assignments_rejection j
                    JOIN assignments_uphold o ON o.assignment_id = j.assignment_id WHERE j.batch_id = q.id) u
            """,
            [batch_id],
        )
    )


def places_left(batch_ids: Collection[int]) -> dict[int, int]:
    """How many places of each batch nobody holds or has answered, gold included; by its counts, in one statement.

    Where no ordinary task is open nothing can be claimed, and so nothing is left."""
    return dict(
        rows(
            """
            SELECT q.id, CASE WHEN assignments_has_open(q.id) THEN greatest(0, coalesce(l.places, 0) - n.taken
                              + coalesce(u.upheld, 0) - coalesce(r.refunded, 0)) ELSE 0 END::bigint
              FROM unnest(%s::bigint[]) q (id)
              LEFT JOIN batches_tail l ON l.batch_id = q.id
              CROSS JOIN LATERAL (
                  SELECT coalesce(sum(d.leased + d.submitted + d.accepted), 0) AS taken FROM (
                      SELECT leased, submitted, accepted FROM batches_progress WHERE batch_id = q.id UNION ALL
                      SELECT leased, submitted, accepted FROM batches_progressdelta WHERE batch_id = q.id) d) n
              CROSS JOIN LATERAL (
                  SELECT count(*) AS upheld FROM assignments_rejection j
                    JOIN assignments_uphold o ON o.assignment_id = j.assignment_id WHERE j.batch_id = q.id) u
              CROSS JOIN LATERAL (
                  SELECT sum(t.refunded) AS refunded FROM batches_task t
                   WHERE t.batch_id = q.id AND t.quarantined_at IS NOT NULL) r
            """,
            [sorted(set(batch_ids))],
        )
    )
