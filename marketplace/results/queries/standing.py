"""How a batch stands now, for its requester: on his page, over HTTP and over his socket."""

from dataclasses import asdict
from math import sqrt
from typing import Any

from marketplace.batches.models import Batch
from marketplace.batches.queries import progress
from marketplace.batches.states import BatchState
from marketplace.common.database import one
from workers.assignments.hourly import pay_of
from workers.assignments.places import places_closed, places_left
from workers.assignments.waits import waiting_by_batch

# Answers are counted over so many seconds, and among so many of the newest leases at most.
RATE_OVER_S, NEWEST = 300, 2_000
AGREEMENT_SAMPLE = 1_000
# Standard deviations of what comes by chance, for 95 of 100.
DEVIATIONS = 1.96


def batch_state(batch_id: int) -> dict[str, Any]:
    """How a batch goes, for its requester: counts, money in micro-units, what waits for him, pace and forecast.

    `agreement` is of up to `AGREEMENT_SAMPLE` of its tasks, None where no consensus is followed. `forecast_s` is how
    long the rest takes at the present pace, None while nothing is answered, with `forecast_low_s` and `forecast_high_s`
    by how far so many answers may be off by chance (the latter None where they may have been nearly none). Raises
    `Batch.DoesNotExist`.
    """
    batch = Batch.objects.select_related("requester").get(pk=batch_id)
    all_of_it = asdict(progress(batch))
    money = {name: value for name, value in all_of_it.items() if name.endswith("_micros")}
    takes_work = batch.state in (BatchState.PUBLISHED, BatchState.PAUSED)
    left = places_left([batch_id])[batch_id] if takes_work else 0
    per_minute, working = _pace(batch_id)
    pay = pay_of([batch_id]).get(batch_id)
    return {
        "state": batch.state,
        "pause_reason": batch.pause_reason,
        "progress": {name: value for name, value in all_of_it.items() if name not in money and name != "state"},
        "money": {"currency": batch.currency, **money},
        "wanted": _wanted(batch_id),
        "agreement": agreement_in(batch_id),
        "places_left": left,
        "places_closed": places_closed(batch_id),
        "answers_per_minute": per_minute,
        "workers_active": working,
        "workers_waiting": waiting_by_batch().get(batch_id, 0),
        "pay_per_hour": asdict(pay) if pay else None,
        **_forecast(left, per_minute),
    }


def _forecast(left: int, per_minute: float) -> dict[str, int | None]:
    """The rest at the present pace. Answers come as by chance (Poisson), so that of `n` counted the pace is off by the
    root of `n` or so."""
    counted = per_minute * RATE_OVER_S / 60
    if not counted:
        return {"forecast_s": None, "forecast_low_s": None, "forecast_high_s": None}
    most, least = (counted + sign * DEVIATIONS * sqrt(counted) for sign in (1, -1))
    return {
        "forecast_s": round(left * 60 / per_minute),
        "forecast_low_s": round(left * RATE_OVER_S / most),
        "forecast_high_s": round(left * RATE_OVER_S / least) if least > 0.5 else None,
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
        " (SELECT count(DISTINCT worker_id) FROM assignments_hold WHERE batch_id = %s AND ended_at IS NULL"
        "         AND until > market_now())",
        [batch_id, batch_id, batch_id],
    )
    assert row is not None
    return dict(zip(("reviews", "contested", "held_workers"), row, strict=True))


def agreement_in(batch_id: int) -> dict[str, Any] | None:
    """How sure the answers make their tasks, of a sample of them."""
    row = one(
        "SELECT count(*), avg(c.posterior), count(*) FILTER (WHERE c.sure) FROM (SELECT posterior, sure"
        " FROM results_consensus WHERE batch_id = %s ORDER BY task_id DESC LIMIT %s) c",
        [batch_id, AGREEMENT_SAMPLE],
    )
    assert row is not None
    tasks, mean, sure = row
    return {"tasks": tasks, "mean_posterior": round(float(mean), 4), "sure": sure} if tasks else None
