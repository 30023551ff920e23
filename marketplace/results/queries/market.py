"""How the market as a whole goes, for staff: on their pages, over HTTP, by their socket and as metrics. Cheap however
much there is."""

from dataclasses import dataclass
from datetime import date, datetime
from time import perf_counter
from typing import Any
from uuid import UUID

from marketplace.batches.models import Batch
from marketplace.batches.states import BatchState
from marketplace.common.database import acting_as, one, rows, value
from marketplace.common.outbox import HORIZON_ALARM_S, backlogs, horizon
from marketplace.common.transactions import one_transaction, require_transaction
from marketplace.ledger.queries import head
from marketplace.results.queries.standing import agreement_in
from marketplace.streams.presence import KINDS, online
from marketplace.streams.queries import health
from workers.assignments.places import places_left
from workers.assignments.queries import payments_due, working_now
from workers.assignments.waits import waiting_by_batch

# From when on what should have been done by now is an alert, in seconds.
LATE_S = {"leases_overdue": 10, "scoring_behind": 10, "payments_behind": 30}
# Facts that are so late that the relay is ill.
RELAY_LATE_S = 5.0
# What fired within so many days is shown, and so many batches and rules of it.
RECENT_DAYS, SHOWN_MAX = 7, 50
# And so many days one by one.
DAYS = 14


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


def whole_market() -> dict[str, Any]:
    """The state of the market, with who is online, how far the relay is behind, and for how long a transaction has held
    events back."""
    state, relay, held_s = market_state(), health(), horizon()
    late = [
        ("relay_behind", relay.oldest_s > RELAY_LATE_S),
        ("events_skipped", relay.skipped > 0),
        ("events_held", held_s > HORIZON_ALARM_S),
    ]
    return {
        **state,
        # Null while Redis does not say.
        **{f"{kind}s_online": online(kind) for kind in KINDS},
        "relay": {
            "backlog": relay.backlog,
            "oldest_s": round(relay.oldest_s, 1),
            "skipped": relay.skipped,
            "held_s": round(held_s, 1),
        },
        "alerts": [*state["alerts"], *(name for name, is_late in late if is_late)],
    }


def market_health() -> dict[str, Any]:
    """All of that, and what else staff look at: how old the queue is, how long people wait for work, how long a look
    for an open place takes now, what is not paid or sealed yet, and each reader's backlog of events.

    Opens a transaction of its own, for open places are the gold reader's to see."""
    with one_transaction(principal="gold"), acting_as("gold_reader"):
        look_ms = _look_ms()
        oldest = value(
            "SELECT extract(epoch FROM market_now() - min(b.published_at)) FROM batches_batch b"
            " WHERE b.state = 'published' AND EXISTS (SELECT 1 FROM batches_openplace p WHERE p.batch_id = b.id)"
        )
    longest = value(
        "SELECT extract(epoch FROM n.now - (SELECT min(since) FROM assignments_waiting WHERE alive_until > n.now))"
        " FROM (SELECT market_now() AS now OFFSET 0) n"
    )
    oldest_s, waiting_s = (None if seconds is None else round(float(seconds), 1) for seconds in (oldest, longest))
    return {
        **whole_market(),
        "working": working_now(),
        "oldest_open_s": oldest_s,
        "longest_wait_s": waiting_s,
        "look_ms": look_ms,
        "payments_due": payments_due(),
        "unsealed_s": round(head().unsealed_s, 1),
        "backlogs": backlogs(),
    }


def _look_ms() -> float | None:
    """How long it takes now to find an open place, of the batch that was published last; None where none is open. It is
    what a claim waits for when nobody is in its way."""
    batch = Batch.objects.filter(state=BatchState.PUBLISHED).order_by("-published_at").values_list("pk", flat=True)
    newest = batch.first()
    if newest is None:
        return None
    began = perf_counter()
    rows("SELECT task_id FROM batches_openplace WHERE batch_id = %s ORDER BY bucket, rank LIMIT 1", [newest])
    return round(1_000 * (perf_counter() - began), 2)


@dataclass(frozen=True)
class Troubled:
    """A batch that somebody should look at: why it rests, which keys were flagged, what waits for a word, how many
    workers rules found within a week, and how sure its answers make its tasks."""

    id: UUID
    name: str
    requester: UUID
    requester_name: str
    state: str
    pause_reason: str
    keys_flagged: int
    keys_waiting: int
    contested: int
    held_workers: int
    reviews: int
    fired: int
    mean_posterior: float | None


def troubled_batches() -> list[Troubled]:
    """Those among the running batches of which anything is odd, the oddest first. Asks for a transaction, for the gold
    reader counts keys."""
    require_transaction()
    found = rows(
        """
        SELECT b.id, b.public_id, b.name, r.public_id, r.name, b.state, b.pause_reason,
               (SELECT count(*) FROM assignments_contest c WHERE c.batch_id = b.id AND c.ended_at IS NULL),
               (SELECT count(*) FROM assignments_hold h
                 WHERE h.batch_id = b.id AND h.ended_at IS NULL AND h.until > n.now),
               (SELECT count(*) FROM results_rejectionreview v WHERE v.batch_id = b.id AND v.state = 'open'),
               (SELECT count(DISTINCT f.worker_id) FROM reputation_firing f
                 WHERE f.batch_id = b.id AND f.made_at > n.now - make_interval(days => %s))
          FROM batches_batch b JOIN accounts_requester r ON r.id = b.requester_id
         CROSS JOIN (SELECT market_now() AS now OFFSET 0) n
         WHERE b.state IN ('published', 'paused', 'closing') ORDER BY b.id DESC LIMIT 500
        """,
        [RECENT_DAYS],
    )
    with acting_as("gold_reader"):
        keys = {
            batch: (flagged, waiting)
            for batch, flagged, waiting in rows(
                "SELECT batch_id, count(*) FILTER (WHERE state = 'flagged'),"
                " count(*) FILTER (WHERE state = 'waiting' AND why = 'ask')"
                " FROM batches_goldkey WHERE batch_id = ANY(%s) GROUP BY batch_id",
                [[row[0] for row in found]],
            )
        }
    odd = []
    for pk, public_id, name, requester, requester_name, state, why, contested, held, reviews, fired in found:
        flagged, waiting = keys.get(pk, (0, 0))
        if (state == "paused" and why != "manual") or any((flagged, waiting, contested, held, reviews, fired)):
            marks = (contested, held, reviews, fired)
            odd.append((pk, [public_id, name, requester, requester_name, state, why, flagged, waiting, *marks]))
    odd.sort(key=lambda one: (-sum(one[1][6:]), -one[0]))
    return [Troubled(*[*facts, _mean(pk)]) for pk, facts in odd[:SHOWN_MAX]]


def _mean(batch_id: int) -> float | None:
    agreement = agreement_in(batch_id)
    return None if agreement is None else agreement["mean_posterior"]


@dataclass(frozen=True)
class RuleFired:
    """A rule that held of somebody within the last week."""

    words: str
    scope: str
    firings: int
    workers: int
    in_doubt: int
    withdrawn: int
    last_at: datetime


def rules_firing() -> list[RuleFired]:
    """Rules that fired within a week, the most frequent first."""
    return [
        RuleFired(*row)
        for row in rows(
            "SELECT min(f.words), f.scope, count(*), count(DISTINCT f.worker_id), count(*) FILTER (WHERE f.in_doubt),"
            " count(w.firing_id), max(f.made_at) FROM reputation_firing f"
            " LEFT JOIN reputation_withdrawal w ON w.firing_id = f.id"
            " WHERE f.made_at > (SELECT market_now()) - make_interval(days => %s)"
            " GROUP BY f.rule_key, f.scope ORDER BY 3 DESC, 7 DESC LIMIT %s",
            [RECENT_DAYS, SHOWN_MAX],
        )
    ]


def gold_audits() -> dict[str, int]:
    """Keys of the batches that are not over, by state. Asks for a transaction, for the gold reader counts them."""
    require_transaction()
    running = rows("SELECT id FROM batches_batch WHERE settled_at IS NULL AND state <> 'draft'")
    with acting_as("gold_reader"):
        found = dict(
            rows(
                "SELECT state, count(*) FROM batches_goldkey WHERE batch_id = ANY(%s) GROUP BY state",
                [[row[0] for row in running]],
            )
        )
    return {state: found.get(state, 0) for state in ("live", "waiting", "flagged", "retired")}


def judged_lately() -> tuple[int, float | None]:
    """Of how many of the newest tasks the answers of the last week were brought together, and how sure they make them
    on average."""
    row = one(
        "SELECT count(*), avg(posterior) FROM (SELECT posterior, made_at FROM results_consensus"
        "  ORDER BY task_id DESC LIMIT 10000) c WHERE made_at > (SELECT market_now()) - make_interval(days => %s)",
        [RECENT_DAYS],
    )
    assert row is not None
    return row[0], None if row[1] is None else round(float(row[1]), 4)


@dataclass(frozen=True)
class TroubledDay:
    """What went wrong on a day (of UTC): how often a rule held of somebody, of how many workers, and how many answers
    were rejected."""

    day: date
    firings: int
    workers: int
    rejections: int


def troubled_days() -> list[TroubledDay]:
    """The last `DAYS` days, today included, the oldest first."""
    return [
        TroubledDay(*row)
        for row in rows(
            """
            WITH today AS MATERIALIZED (SELECT market_now()::date AS day),
            since AS MATERIALIZED (SELECT (day - %s)::timestamptz AS at FROM today),
            fired AS (
                SELECT made_at::date AS day, count(*) AS firings, count(DISTINCT worker_id) AS workers
                  FROM reputation_firing WHERE made_at >= (SELECT at FROM since) GROUP BY 1),
            -- By batch, for the rejections of all batches together have no order in time.
            rejected AS (
                SELECT r.made_at::date AS day, count(*) AS rejections
                  FROM batches_batch b JOIN assignments_rejection r ON r.batch_id = b.id
                                                                  AND r.made_at >= (SELECT at FROM since)
                 WHERE b.published_at IS NOT NULL
                   AND (b.settled_at IS NULL OR b.settled_at >= (SELECT at FROM since)) GROUP BY 1)
            SELECT d.day, coalesce(f.firings, 0), coalesce(f.workers, 0), coalesce(r.rejections, 0)
              FROM (SELECT (day - n) AS day FROM today CROSS JOIN generate_series(0, %s) n) d
              LEFT JOIN fired f USING (day) LEFT JOIN rejected r USING (day) ORDER BY 1
            """,
            [DAYS - 1, DAYS - 1],
        )
    ]


@dataclass(frozen=True)
class Agreeing:
    """How far the answers to a field of a running batch agree, by Krippendorff's alpha with its 95 % interval, as it
    was worked out last for whoever watched the batch; `words` are those of Landis and Koch."""

    id: UUID
    name: str
    requester: UUID
    requester_name: str
    field: str
    answers: int
    alpha: float
    low: float | None
    high: float | None
    words: str
    made_at: datetime


def agreement_of_running() -> list[Agreeing]:
    """The running batches whose figures somebody asked for, each by its first field, those that agree least first. One
    whose answers do not determine alpha is not among them."""
    return [
        Agreeing(*row)
        for row in rows(
            """
            SELECT b.public_id, b.name, r.public_id, r.name, f.said->>'field', (f.said->>'answers')::integer,
                   (f.alpha->>'value')::float8, (f.alpha->>'low')::float8, (f.alpha->>'high')::float8, f.said->>'words',
                   f.made_at
              FROM batches_batch b JOIN accounts_requester r ON r.id = b.requester_id
              JOIN LATERAL (SELECT g.body#>'{fields,0,agreement}' AS said,
                                   g.body#>'{fields,0,agreement,figures,krippendorff}' AS alpha, g.made_at
                              FROM results_figures g WHERE g.batch_id = b.id AND g.made_at IS NOT NULL) f ON true
             WHERE b.state IN ('published', 'paused', 'closing') AND f.alpha->>'value' IS NOT NULL
             ORDER BY 7, b.id LIMIT %s
            """,
            [SHOWN_MAX],
        )
    ]
