"""Reads of those who wait for work."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from marketplace.common.database import acting_as, one, rows
from marketplace.common.transactions import require_transaction
from workers.assignments.fairness import Waiter

NOTHING = "nothing-to-claim"


@dataclass(frozen=True)
class Wait:
    """That a worker waits for places of a batch; `refused` is the code of the last refusal, "" where there was none but
    that nothing was open, and `retry_at` when he is looked at again."""

    batch_id: int
    batch: UUID
    batch_state: str
    window: int
    since: datetime
    refused: str
    retry_at: datetime


def waits_of(worker_id: int) -> list[Wait]:
    """For what the worker waits, the longest wait first."""
    return [
        Wait(*row)
        for row in rows(
            "SELECT b.id, b.public_id, b.state, q.window, q.since,"
            f" CASE q.refused WHEN '{NOTHING}' THEN '' ELSE q.refused END, q.retry_at"
            " FROM assignments_waiting q JOIN batches_batch b ON b.id = q.batch_id"
            " WHERE q.worker_id = %s AND q.alive_until > (SELECT market_now()) ORDER BY q.since, b.id",
            [worker_id],
        )
    ]


# Whoever is looked at: he is there, and was not refused lately; or was for want of places, and since then some opened.
_READY = f"""q.alive_until > n.now
   AND (q.retry_at <= n.now OR q.refused = '{NOTHING}' AND q.seen < coalesce(l.last, 0))"""
_NOW = "(SELECT market_now() AS now OFFSET 0) n"


def batches_to_match(batch_ids: Collection[int] | None = None) -> list[tuple[int, bool]]:
    """The published batches (of these, or all) in which somebody waits who may be looked at and something is open, or
    would be if its leases past their end were expired, which the second value says. One statement."""
    wanted = None if batch_ids is None else sorted(set(batch_ids))
    return rows(
        f"""
        SELECT b.id, due.due
          FROM (SELECT DISTINCT batch_id FROM assignments_waiting) d
          JOIN batches_batch b ON b.id = d.batch_id AND b.state = 'published'
          LEFT JOIN batches_tail l ON l.batch_id = b.id
          CROSS JOIN {_NOW}
          CROSS JOIN LATERAL (
              SELECT EXISTS (SELECT 1 FROM assignments_assignment a WHERE a.state = 'leased'
                                AND a.lease_until <= n.now AND a.batch_id + 0 = b.id) AS due) due
         WHERE (%s::bigint[] IS NULL OR b.id = ANY (%s))
           AND EXISTS (SELECT 1 FROM assignments_waiting q WHERE q.batch_id = b.id AND {_READY})
           AND (due.due OR assignments_has_open(b.id)
                OR EXISTS (SELECT 1 FROM assignments_waiting q JOIN batches_reservation r
                               ON r.worker_id = q.worker_id AND r.batch_id = b.id AND r.open WHERE q.batch_id = b.id))
         ORDER BY b.id
        """,
        [wanted, wanted],
    )


def open_places(batch_id: int, *, most: int) -> int:
    """How many places of ordinary tasks are open, counted no further than `most`. The matcher alone asks: whoever could
    before and after a claim would know whether it was gold."""
    require_transaction()
    with acting_as("gold_reader"):
        row = one(
            "SELECT coalesce(sum(t.overlap - t.taken - t.refunded), 0)"
            " FROM (SELECT task_id FROM batches_openplace WHERE batch_id = %s LIMIT %s) o"
            " JOIN batches_task t ON t.id = o.task_id AND t.quarantined_at IS NULL",
            [batch_id, most],
        )
    assert row is not None
    return min(most, int(row[0]))


def first_in_line(batch_id: int, *, limit: int, reserved_only: bool) -> list[int]:
    """The workers at the head of the line who may be looked at now, in order: a hint, for nothing is held yet. With
    `reserved_only` those alone for whom a task is kept."""
    return [
        row[0]
        for row in rows(
            f"SELECT q.worker_id FROM assignments_waiting q LEFT JOIN batches_tail l ON l.batch_id = q.batch_id"
            f" CROSS JOIN {_NOW} WHERE q.batch_id = %s AND {_READY}"
            " AND (NOT %s OR EXISTS (SELECT 1 FROM batches_reservation r"
            "                         WHERE r.worker_id = q.worker_id AND r.batch_id = q.batch_id AND r.open))"
            " ORDER BY q.turn, q.score DESC, q.since, q.worker_id LIMIT %s",
            [batch_id, reserved_only, limit],
        )
    ]


@dataclass(frozen=True)
class Standing:
    """A place in line as it is under the lock of its worker, and how many live leases he has in the batch."""

    waiter: Waiter
    held: int


def standing_in_line(batch_id: int, worker_ids: Collection[int]) -> list[Standing]:
    """Of these workers those who still wait, in any order; whoever holds them knows that it stays so."""
    found: list[tuple[Any, ...]] = rows(
        f"SELECT q.worker_id, q.turn, q.score, extract(epoch FROM q.since)::float8, q.window, h.held"
        f" FROM assignments_waiting q CROSS JOIN {_NOW} CROSS JOIN LATERAL ("
        "   SELECT count(*) AS held FROM assignments_assignment a WHERE a.worker_id = q.worker_id"
        "      AND a.batch_id = q.batch_id AND a.state = 'leased' AND a.lease_until > n.now) h"
        " WHERE q.batch_id = %s AND q.worker_id = ANY (%s)",
        [batch_id, sorted(worker_ids)],
    )
    return [
        Standing(Waiter(worker, turn, score, since_s, max(0, window - held)), held)
        for worker, turn, score, since_s, window, held in found
    ]


def waiting_by_batch() -> dict[int, int]:
    """How many workers wait, by batch."""
    return dict(
        rows("SELECT batch_id, count(*) FROM assignments_waiting WHERE alive_until > (SELECT market_now()) GROUP BY 1")
    )
