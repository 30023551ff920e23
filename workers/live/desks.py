"""What requesters see of a batch, and staff of the market, while it runs; cheap however much there is."""

from dataclasses import asdict
from typing import Any

from marketplace.batches.models import Batch
from marketplace.batches.queries import progress
from marketplace.batches.states import BatchState
from marketplace.common.database import one, rows
from marketplace.common.transactions import require_transaction
from workers.assignments.hourly import pay_of
from workers.assignments.places import places_left
from workers.assignments.waits import waiting_by_batch
from workers.gold.queries import key_counts

# Answers are counted over so many seconds, and among so many of the newest leases at most.
RATE_OVER_S, NEWEST = 300, 2_000
AGREEMENT_SAMPLE = 1_000
# From when on what should have been done by now is an alert, in seconds.
LATE_S = {"leases_overdue": 10, "scoring_behind": 10, "payments_behind": 30}


def batch_state(batch_id: int) -> dict[str, Any]:
    """How a batch goes, for its requester: counts, money in micro-units, what waits for him, pace and forecast.

    `agreement` is of up to `AGREEMENT_SAMPLE` of its tasks, None where no consensus is followed. `forecast_s` is how
    long the rest takes at the present pace, None while nothing is answered. Raises `Batch.DoesNotExist`.
    """
    batch = Batch.objects.select_related("requester").get(pk=batch_id)
    all_of_it = asdict(progress(batch))
    money = {name: value for name, value in all_of_it.items() if name.endswith("_micros")}
    left = places_left([batch_id])[batch_id]
    per_minute, working = _pace(batch_id)
    pay = pay_of([batch_id]).get(batch_id)
    return {
        "state": batch.state,
        "pause_reason": batch.pause_reason,
        "progress": {name: value for name, value in all_of_it.items() if name not in money and name != "state"},
        "money": {"currency": batch.currency, **money},
        "wanted": _wanted(batch_id),
        "agreement": _agreement(batch_id),
        "places_left": left,
        "answers_per_minute": per_minute,
        "workers_active": working,
        "workers_waiting": waiting_by_batch().get(batch_id, 0),
        "pay_per_hour": asdict(pay) if pay else None,
        "forecast_s": round(left * 60 / per_minute) if per_minute else None,
    }


def gold_state(batch_id: int) -> dict[str, Any]:
    """How the gold of a batch fares, for those who may see its keys. Asks for a transaction, for the gold reader counts
    them."""
    require_transaction()
    return asdict(key_counts(batch_id))


def market_state() -> dict[str, Any]:
    """How the market goes, for staff: people, work, what should have been done by now, and alerts where it was not.

    Counts of the market as a whole are capped where counting would cost much (`10_000` means that or more).
    """
    running = dict(rows("SELECT state, count(*) FROM batches_batch WHERE settled_at IS NULL GROUP BY state"))
    published = list(Batch.objects.filter(state=BatchState.PUBLISHED).values_list("pk", flat=True))
    left = places_left(published)
    waiting = waiting_by_batch()
    behind = _behind()
    found = one(
        "SELECT (SELECT count(DISTINCT worker_id) FROM assignments_waiting WHERE alive_until > n.now),"
        " (SELECT count(*) FROM (SELECT 1 FROM assignments_assignment WHERE state = 'leased' AND lease_until > n.now"
        "                         LIMIT 10000) l),"
        " (SELECT count(*) FROM common_deadletter WHERE retried_at IS NULL)"
        " FROM (SELECT market_now() AS now OFFSET 0) n"
    )
    assert found is not None
    people, leases, dead = found
    alerts = [name for name, limit_s in LATE_S.items() if (behind[name] or 0) > limit_s]
    return {
        "batches": running,
        "places_left": sum(left.values()),
        "workers_waiting": people,
        "batches_waited_for": sum(1 for count in waiting.values() if count),
        "leases": leases,
        **{f"{name}_s": late for name, late in behind.items()},
        "dead_letters": dead,
        "alerts": [*alerts, *(["dead_letters"] if dead else [])],
    }


def _pace(batch_id: int) -> tuple[float, int]:
    """Answers a minute, and how many workers gave them or hold something, over the last minutes; of a batch with more
    than `NEWEST` leases in that time, over the time that those cover."""
    row = one(
        """
        WITH newest AS MATERIALIZED (
            SELECT a.worker_id, a.state, a.leased_at, a.submitted_at FROM assignments_assignment a
             WHERE a.batch_id = %s ORDER BY a.id DESC LIMIT %s),
        over AS (
            SELECT n.now, CASE WHEN (SELECT count(*) FROM newest) < %s THEN n.from_then
                               ELSE greatest(n.from_then, (SELECT min(leased_at) FROM newest)) END AS from_then
              FROM (SELECT m.now, m.now - make_interval(secs => %s) AS from_then
                      FROM (SELECT market_now() AS now OFFSET 0) m) n)
        SELECT count(*) FILTER (WHERE w.submitted_at > o.from_then) * 60.0
                   / greatest(1, extract(epoch FROM min(o.now) - min(o.from_then))),
               count(DISTINCT w.worker_id) FILTER (WHERE w.submitted_at > o.from_then OR w.state = 'leased')
          FROM over o CROSS JOIN newest w
        """,
        [batch_id, NEWEST, NEWEST, RATE_OVER_S],
    )
    assert row is not None
    return round(float(row[0] or 0), 2), row[1]


def _wanted(batch_id: int) -> dict[str, int]:
    """What waits for the requester's word, by kind."""
    row = one(
        "SELECT (SELECT count(*) FROM assignments_reviewwish r JOIN assignments_assignment a ON a.id = r.assignment_id"
        "         WHERE r.batch_id = %s AND a.state = 'submitted'),"
        " (SELECT count(*) FROM assignments_contest WHERE batch_id = %s AND ended_at IS NULL),"
        " (SELECT count(*) FROM assignments_hold WHERE batch_id = %s AND ended_at IS NULL AND until > market_now())",
        [batch_id, batch_id, batch_id],
    )
    assert row is not None
    return dict(zip(("reviews", "contested", "held_workers"), row, strict=True))


def _agreement(batch_id: int) -> dict[str, Any] | None:
    """How sure the answers make their tasks, of a sample of them."""
    row = one(
        "SELECT count(*), avg(c.posterior), count(*) FILTER (WHERE c.sure) FROM (SELECT posterior, sure"
        " FROM results_consensus WHERE batch_id = %s ORDER BY task_id DESC LIMIT %s) c",
        [batch_id, AGREEMENT_SAMPLE],
    )
    assert row is not None
    tasks, mean, sure = row
    return {"tasks": tasks, "mean_posterior": round(float(mean), 4), "sure": sure} if tasks else None


def _behind() -> dict[str, float | None]:
    """For how many seconds the oldest of each kind has been due; None where nothing is."""
    row = one(
        """
        SELECT extract(epoch FROM n.now - (SELECT min(lease_until) FROM assignments_assignment
                                            WHERE state = 'leased' AND lease_until <= n.now)),
               extract(epoch FROM n.now - (SELECT min(made_at) FROM gold_toscore)),
               extract(epoch FROM n.now - (SELECT s.due_at FROM assignments_settlement s
                                            WHERE s.settled_at IS NULL ORDER BY s.assignment_id LIMIT 1))
          FROM (SELECT market_now() AS now OFFSET 0) n
        """
    )
    assert row is not None
    return {name: None if late is None else round(float(late), 1) for name, late in zip(LATE_S, row, strict=True)}
