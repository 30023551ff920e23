"""What a worker's days and batches brought, for him to look at. Days are by UTC, as in statements."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from marketplace.common.database import rows
from marketplace.ledger.periods import Period
from workers.earnings.queries import HOUR_US, TIMED

BATCHES_MAX = 50


@dataclass(frozen=True)
class Day:
    """What became the worker's on a day, paid already or next: answers accepted (or won on appeal) on it, and what was
    given besides, bonuses and top-ups."""

    day: date
    answers: int
    answers_micros: int
    extras_micros: int

    @property
    def earned_micros(self) -> int:
        return self.answers_micros + self.extras_micros


def earned_days(worker_id: int, currency: str, period: Period) -> list[Day]:
    """Every day of the period, those without earnings too, by one statement."""
    found = {
        row[0]: Day(row[0], int(row[1]), int(row[2]), int(row[3]))
        for row in rows(
            """
            SELECT (m.at AT TIME ZONE 'UTC')::date, sum(m.answers), sum(m.answers_micros), sum(m.extras_micros)
              FROM (SELECT s.due_at AS at, 1 AS answers, s.price_micros AS answers_micros, 0::bigint AS extras_micros
                      FROM assignments_settlement s JOIN batches_batch b ON b.id = s.batch_id AND b.currency = %s
                     WHERE s.worker_id = %s AND s.due_at >= %s AND s.due_at < %s
                    UNION ALL
                    SELECT x.made_at, 0, 0, x.amount_micros
                      FROM assignments_extra x JOIN batches_batch b ON b.id = x.batch_id AND b.currency = %s
                     WHERE x.worker_id = %s AND x.made_at >= %s AND x.made_at < %s) m
             GROUP BY 1
            """,
            [currency, worker_id, period.start, period.end] * 2,
        )
    }
    length = (period.last - period.first).days + 1
    every = (period.first + timedelta(days=number) for number in range(length))
    return [found.get(day, Day(day, 0, 0, 0)) for day in every]


def earned_since(days: Sequence[Day], first: date) -> int:
    """What the days from `first` on brought together."""
    return sum(day.earned_micros for day in days if day.day >= first)


@dataclass(frozen=True)
class BatchEarned:
    """What a batch brought: of answers submitted in a period, and what was given besides in it. Time and pay per hour
    are of decided answers and as `hours_of` says them."""

    id: UUID
    name: str
    requester: str
    answers: int
    waiting: int
    rejected: int
    paid_micros: int
    waiting_micros: int
    worked_s: int
    per_hour_micros: int | None


def earned_by_batch(worker_id: int, currency: str, period: Period, *, limit: int = BATCHES_MAX) -> list[BatchEarned]:
    """The batches that brought the worker most in the period, the first by far first."""
    return [
        _of_batch(row)
        for row in rows(
            f"""
            WITH {TIMED}, parts AS (
                SELECT a.batch_id, 1 AS answers, (a.state = 'submitted')::int AS waiting,
                       (a.state = 'rejected')::int AS rejected, coalesce(s.price_micros, 0) AS paid_micros,
                       CASE WHEN a.state IN ('accepted', 'upheld', 'rejected') THEN t.each_us ELSE 0 END AS worked_us
                  FROM assignments_assignment a JOIN timed t ON t.submitted_at = a.submitted_at
                  LEFT JOIN assignments_settlement s ON s.assignment_id = a.id
                 WHERE a.worker_id = %s AND a.submitted_at >= %s AND a.submitted_at < %s
                   AND a.state IN ('submitted', 'accepted', 'upheld', 'rejected')
                UNION ALL
                SELECT x.batch_id, 0, 0, 0, x.amount_micros, 0 FROM assignments_extra x
                 WHERE x.worker_id = %s AND x.made_at >= %s AND x.made_at < %s
            )
            SELECT b.public_id, b.name, q.name, sum(p.answers), sum(p.waiting), sum(p.rejected), sum(p.paid_micros),
                   sum(p.waiting) * b.price_micros, sum(p.worked_us)
              FROM parts p JOIN batches_batch b ON b.id = p.batch_id AND b.currency = %s
              JOIN accounts_requester q ON q.id = b.requester_id
             GROUP BY b.id, q.id ORDER BY sum(p.paid_micros) DESC, sum(p.waiting) DESC, b.id DESC LIMIT %s
            """,
            [worker_id, *[worker_id, period.start, period.end] * 2, currency, limit],
        )
    ]


def _of_batch(row: tuple[Any, ...]) -> BatchEarned:
    batch, name, requester, *numbers = row
    answers, waiting, rejected, paid, coming, worked_us = (int(number) for number in numbers)
    per_hour = paid * HOUR_US // worked_us if worked_us else None
    return BatchEarned(
        batch, name, requester, answers, waiting, rejected, paid, coming, worked_us // 1_000_000, per_hour
    )
