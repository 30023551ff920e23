"""How much work of a batch is left to take."""

from collections.abc import Collection

from marketplace.common.database import rows


def places_left(batch_ids: Collection[int]) -> dict[int, int]:
    """How many places of each batch nobody holds or has answered, gold included; by its counts, in one statement.

    Where no ordinary task is open nothing can be claimed, and so nothing is left."""
    return {batch_id: untaken if is_open else 0 for batch_id, untaken, _refunded, is_open in _places(batch_ids)}


def places_not_given(batch_id: int) -> int:
    """How many places of the batch will hardly be given to anybody: those of check questions where all else is taken,
    those that nobody was left for, and those whose money went back. With those that are left, are held, or have an
    answer that waits or was accepted they are all of its places; an answer that was accepted after an appeal comes on
    top, for its place was given anew. For staff: it counts gold."""
    [(_id, untaken, refunded, is_open)] = _places([batch_id])
    return refunded + (0 if is_open else untaken)


def _places(batch_ids: Collection[int]) -> list[tuple[int, int, int, bool]]:
    """(batch, places that nobody has taken, places given up with their money, whether an ordinary task is open)."""
    return [
        (row[0], row[1], row[2], row[3])
        for row in rows(
            """
            SELECT q.id, greatest(0, coalesce(l.places, 0) - n.taken
                                     + coalesce(u.upheld, 0) - coalesce(r.refunded, 0))::bigint,
                   coalesce(r.refunded, 0)::bigint, assignments_has_open(q.id)
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
    ]
