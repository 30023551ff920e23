"""What a worker has earned: his statement for a period, line by line, and what an hour of his work brought."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from marketplace.common.database import one, rows
from marketplace.ledger.addresses import earned_by, withdrawing_by
from marketplace.ledger.periods import Period, Stretch, flows, lines, stretches

HOUR_US = 3_600_000_000
# What money is that moves between the worker's account and a kind of place, whichever way and by whatever transfer.
OF_ACCOUNT = {
    "batch:escrow": "rewards_micros",
    "batch:disputes": "upheld_micros",
    "batch:topup": "topups_micros",
    "requester:funds": "bonuses_micros",
    "outside": "returned_micros",
    "worker:withdrawing": "withdrawn_from_micros",
}
# Each moment of the worker's time once: what answers that were submitted together share. Takes the worker's id.
TIMED = """page AS (
    SELECT a.submitted_at, min(a.leased_at) AS leased_at, max(a.lease_until) AS lease_until, count(*) AS answers
      FROM assignments_assignment a WHERE a.worker_id = %s AND a.submitted_at IS NOT NULL
     GROUP BY a.submitted_at
), timed AS (
    SELECT p.submitted_at,
           greatest(0, (extract(epoch FROM least(p.submitted_at, p.lease_until)
                                    - greatest(p.leased_at, lag(p.submitted_at) OVER (ORDER BY p.submitted_at)))
                        * 1000000 / p.answers)::bigint) AS each_us
      FROM page p
)"""
MOVED = (*OF_ACCOUNT.values(), "withdrawn_micros", "other_micros")


@dataclass(frozen=True)
class Hours:
    """Time of the worker's in a period, in whole seconds, and what an hour of it brought (micro-units; None without
    time). See `hours_of`."""

    worked_s: int
    rejected_s: int
    expired_s_max: int
    returned_s_max: int
    rejected: int
    expired: int
    returned: int
    paid_micros: int
    per_hour_micros: int | None


@dataclass(frozen=True)
class WorkerStatement:
    """A worker's money of one currency in a period, in micro-units. These always hold:

    closing = opening + rewards + upheld + topups + bonuses + returned - withdrawn_from + other
    withdrawing_closing = withdrawing_opening + withdrawn_from - withdrawn + other_withdrawing

    `withdrawn_from` left the account for a withdrawal, less what came back from one that failed; `withdrawn` has left
    for the outside; `returned` came back from there. `other` is whatever this version does not know, by the direction
    of the money. `due` was accepted in the period and waits to be settled, `pending` was submitted in it and is
    undecided.
    """

    currency: str
    period: Period
    opening_micros: int
    rewards_micros: int
    upheld_micros: int
    topups_micros: int
    bonuses_micros: int
    returned_micros: int
    withdrawn_from_micros: int
    other_micros: int
    closing_micros: int
    withdrawing_opening_micros: int
    withdrawn_micros: int
    other_withdrawing_micros: int
    withdrawing_closing_micros: int
    due_micros: int
    pending_micros: int
    hours: Hours

    @property
    def earned_micros(self) -> int:
        """Settled in the period, whatever for."""
        return self.rewards_micros + self.upheld_micros + self.topups_micros + self.bonuses_micros


def worker_statement(worker_id: int, currency: str, period: Period) -> WorkerStatement:
    """The worker's statement. Have what is due applied and settled before, so that it is in it."""
    worker = _public_id(worker_id)
    own, leaving = earned_by(worker), withdrawing_by(worker)
    of = {one.address: one for one in stretches([own, leaving], currency, period)}
    went: dict[str, int] = defaultdict(int)
    for flow in flows(list(of.values())):
        if flow.address == own:
            went[OF_ACCOUNT.get(flow.place, "other_micros")] += flow.net_micros
        elif flow.place == "outside":
            went["withdrawn_micros"] -= flow.net_micros
    went["withdrawn_from_micros"] *= -1
    account, way_out = ((of[at].opening_micros, of[at].closing_micros) if at in of else (0, 0) for at in (own, leaving))
    due, pending = _undecided(worker_id, currency, period)
    return WorkerStatement(
        currency=currency,
        period=period,
        opening_micros=account[0],
        closing_micros=account[1],
        withdrawing_opening_micros=way_out[0],
        withdrawing_closing_micros=way_out[1],
        other_withdrawing_micros=way_out[1] - way_out[0] - went["withdrawn_from_micros"] + went["withdrawn_micros"],
        due_micros=due,
        pending_micros=pending,
        hours=hours_of(worker_id, currency, period, extra_micros=went["topups_micros"] + went["bonuses_micros"]),
        **{name: went[name] for name in MOVED},
    )


def hours_of(worker_id: int, currency: str, period: Period, *, extra_micros: int = 0) -> Hours:
    """What the worker's time brought. Of the assignments that he submitted in the period (`submitted_at`) and that are
    decided (`state` accepted, upheld or rejected), in batches of the currency:

    worked      his time, each moment once: answers submitted together share the time from the first lease of theirs, or
                from his submission before where that is later (they were leased ahead), to submitted_at; what is past
                their last lease_until is not counted
    paid        sum of settlement.price_micros, settled or due, and `extra_micros`: bonuses and top-ups of the period
    per hour    paid * 3,600,000,000 / worked in microseconds, rounded down; None without time

    Undecided answers count once they are decided. Unpaid time is shown beside it: that of rejected answers is in
    `worked`; of leases taken in the period (`leased_at`) that expired or were returned only their end is kept
    (`lease_until`), so that their time is an upper bound and is left out of the rate.
    """
    row = one(
        f"""
        WITH {TIMED}
        SELECT coalesce(sum(w.worked_us) FILTER (WHERE w.answered), 0),
               coalesce(sum(w.worked_us) FILTER (WHERE w.answered AND w.state = 'rejected'), 0),
               coalesce(sum(w.leased_us) FILTER (WHERE w.leased AND w.state = 'expired'), 0),
               coalesce(sum(w.leased_us) FILTER (WHERE w.leased AND w.state = 'returned'), 0),
               count(*) FILTER (WHERE w.answered AND w.state = 'rejected'),
               count(*) FILTER (WHERE w.leased AND w.state = 'expired'),
               count(*) FILTER (WHERE w.leased AND w.state = 'returned'),
               coalesce(sum(w.price_micros) FILTER (WHERE w.answered), 0)
          FROM (SELECT a.state, s.price_micros, a.leased_at >= p.start AS leased, t.each_us AS worked_us,
                       a.state IN ('accepted', 'upheld', 'rejected')
                           AND a.submitted_at >= p.start AND a.submitted_at < p.stop AS answered,
                       greatest(0, (extract(epoch FROM a.lease_until - a.leased_at) * 1000000)::bigint) AS leased_us
                  FROM (VALUES (%s::timestamptz, %s::timestamptz)) AS p(start, stop)
                  JOIN assignments_assignment a ON a.worker_id = %s AND a.leased_at < p.stop
                  JOIN batches_batch b ON b.id = a.batch_id AND b.currency = %s
                  LEFT JOIN timed t ON t.submitted_at = a.submitted_at
                  LEFT JOIN assignments_settlement s ON s.assignment_id = a.id) w
        """,
        [worker_id, period.start, period.end, worker_id, currency],
    )
    assert row is not None
    worked_us, rejected_us, expired_us, returned_us, rejected, expired, returned, price = (int(cell) for cell in row)
    paid = price + extra_micros
    return Hours(
        worked_s=worked_us // 1_000_000,
        rejected_s=rejected_us // 1_000_000,
        expired_s_max=expired_us // 1_000_000,
        returned_s_max=returned_us // 1_000_000,
        rejected=rejected,
        expired=expired,
        returned=returned,
        paid_micros=paid,
        per_hour_micros=paid * HOUR_US // worked_us if worked_us else None,
    )


def earned_lines(worker_id: int, currency: str, period: Period, *, after: int, limit: int) -> list[dict[str, Any]]:
    """Postings of the worker's account in the period from behind number `after` on, oldest first, with the balance
    after each; `batch` and `requester` are named as the board names them. `cursor` is the posting's number."""
    of = _stretch(worker_id, currency, period)
    found = lines(of, after=after, limit=limit) if of else []
    batches = _batches({line["batch_id"] for line in found if line["batch_id"] is not None})
    return [{**line, "batch": batches.get(line["batch_id"])} for line in found]


def _stretch(worker_id: int, currency: str, period: Period) -> Stretch | None:
    found = stretches([earned_by(_public_id(worker_id))], currency, period)
    return found[0] if found else None


def _batches(ids: set[int]) -> dict[int, dict[str, Any]]:
    return {
        pk: {"id": batch, "name": name, "requester": {"id": requester, "name": requester_name}}
        for pk, batch, name, requester, requester_name in rows(
            "SELECT b.id, b.public_id, b.name, r.public_id, r.name FROM batches_batch b"
            " JOIN accounts_requester r ON r.id = b.requester_id WHERE b.id = ANY(%s)",
            [sorted(ids)],
        )
    }


def _undecided(worker_id: int, currency: str, period: Period) -> tuple[int, int]:
    """What was accepted in the period and is not settled; what was submitted in it and is not decided."""
    row = one(
        "SELECT (SELECT coalesce(sum(s.price_micros), 0) FROM assignments_settlement s"
        "   JOIN batches_batch b ON b.id = s.batch_id AND b.currency = %s"
        "  WHERE s.worker_id = %s AND s.settled_at IS NULL AND s.due_at >= %s AND s.due_at < %s),"
        " (SELECT coalesce(sum(b.price_micros), 0) FROM assignments_assignment a"
        "   JOIN batches_batch b ON b.id = a.batch_id AND b.currency = %s"
        "  WHERE a.worker_id = %s AND a.state = 'submitted' AND a.submitted_at >= %s AND a.submitted_at < %s)",
        [currency, worker_id, period.start, period.end] * 2,
    )
    assert row is not None
    return int(row[0]), int(row[1])


def _public_id(worker_id: int) -> UUID:
    row = one("SELECT public_id FROM profiles_worker WHERE id = %s", [worker_id])
    assert row is not None, "a worker is never deleted"
    return row[0]  # type: ignore[no-any-return]
