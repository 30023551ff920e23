"""Wait for places of a batch, and give places that opened to those who wait."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random, SystemRandom

from marketplace.batches.errors import BatchNotOpen
from marketplace.batches.models import Batch
from marketplace.batches.queries import Offer, offer_of
from marketplace.batches.states import BatchState
from marketplace.common.database import one, rows, run, try_sweep_lock, value
from marketplace.common.errors import DomainError, NotFound
from marketplace.common.prepared import prepared
from marketplace.common.transactions import require_transaction
from workers.assignments.audience import refusals_of, score_of
from workers.assignments.commands import claim
from workers.assignments.errors import NothingToClaim, TooManyWaits, WindowInvalid
from workers.assignments.fairness import TURN_S, allot
from workers.assignments.locks import idle_workers
from workers.assignments.models import WINDOW_MAX
from workers.assignments.waits import NOTHING, Standing, first_in_line, open_places, standing_in_line
from workers.profiles.locks import worker_for_update

ALIVE_S = 30
WAITS_MAX = 50
GROUP = 20
# When somebody who was refused is looked at again: for want of places; for another reason, unless it names its end; and
# at the latest, for what stands in the way may go away before its time.
NOTHING_AGAIN_S, REFUSED_AGAIN_S, AGAIN_MAX_S = 5, 30, 60
CHANCE = SystemRandom()

_TURN = f"floor(extract(epoch FROM n.now) / {TURN_S})::bigint"


@dataclass(frozen=True)
class Step:
    """What one look at a line did: how many leases began, and how many who waited were given work or an answer why not.
    Where nobody was, there is nothing to do for now."""

    leases: int
    looked: int


@dataclass(frozen=True)
class _Refused:
    worker_id: int
    code: str
    until: str | None


def wait_for_work(*, worker_id: int, batch_id: int, window: int, alive_s: int = ALIVE_S) -> datetime:
    """Stand in line for up to `window` live leases of the batch, for `alive_s` from now unless `stay` prolongs it;
    returns since when he waits.

    A repeat keeps the place in line while it lives, changes the window, and has him looked at again at once if he was
    refused for another reason than want of places. Whether he may work there is asked when it is his turn. A place that
    opened just before is found by the next sweep. Locks: worker, batch (shared). Raises `NotFound`, `BatchNotOpen` for
    a batch that will not open again, `TooManyWaits`, `WindowInvalid`.
    """
    require_transaction()
    if not 1 <= window <= WINDOW_MAX:
        raise WindowInvalid(f"A window is from 1 to {WINDOW_MAX} assignments.", window=window)
    worker_for_update(worker_id)
    batch = Batch.objects.filter(pk=batch_id, published_at__isnull=False).first()
    if batch is None:
        raise NotFound("There is no such batch.")
    if batch.state not in (BatchState.PUBLISHED, BatchState.PAUSED):
        raise BatchNotOpen("This batch takes no work any more.", batch=str(batch.public_id))
    waits = value(
        "SELECT count(*) FROM assignments_waiting WHERE worker_id = %s AND batch_id <> %s", [worker_id, batch_id]
    )
    if waits >= WAITS_MAX:
        raise TooManyWaits(f"You can wait for {WAITS_MAX} batches at a time.")
    since: datetime = value(
        f"""
        INSERT INTO assignments_waiting AS q
               (worker_id, batch_id, "window", turn, score, since, alive_until, retry_at, refused, seen)
        SELECT %s, %s, %s, greatest({_TURN}, last.turn), %s, n.now, n.now + make_interval(secs => %s), n.now, '', 0
          FROM (SELECT market_now() AS now OFFSET 0) n
          LEFT JOIN LATERAL (SELECT floor(extract(epoch FROM a.leased_at) / {TURN_S})::bigint + 1 AS turn
                               FROM assignments_assignment a WHERE a.worker_id = %s ORDER BY a.id DESC LIMIT 1) last
               ON true
        ON CONFLICT (worker_id, batch_id) DO UPDATE SET
            "window" = excluded."window", alive_until = greatest(q.alive_until, excluded.alive_until),
            turn = CASE WHEN q.alive_until > excluded.since THEN q.turn ELSE excluded.turn END,
            score = CASE WHEN q.alive_until > excluded.since THEN q.score ELSE excluded.score END,
            since = CASE WHEN q.alive_until > excluded.since THEN q.since ELSE excluded.since END,
            retry_at = CASE WHEN q.refused IN ('', '{NOTHING}') THEN q.retry_at ELSE excluded.retry_at END,
            refused = CASE WHEN q.refused IN ('', '{NOTHING}') THEN q.refused ELSE '' END
        RETURNING q.since
        """,
        [
            worker_id, batch_id, window, score_of(worker_id=worker_id, project_id=batch.project_id), alive_s, worker_id,
        ],
    )  # fmt: skip
    return since


def stay(worker_ids_and_batches: Collection[tuple[int, int]], *, alive_s: int = ALIVE_S) -> set[tuple[int, int]]:
    """Prolong the waits of many at once, by one statement; returns those of the pairs that do not wait (any more): they
    were given what they wanted, or their time ran out.

    Never waits: what is just being given work is passed by and counts as waiting; the next heartbeat prolongs it.
    """
    require_transaction()
    pairs = sorted(set(worker_ids_and_batches))
    there = rows(
        """
        WITH mine AS MATERIALIZED (
            SELECT q.worker_id, q.batch_id FROM unnest(%s::bigint[], %s::bigint[]) g (worker_id, batch_id)
              JOIN assignments_waiting q ON q.worker_id = g.worker_id AND q.batch_id = g.batch_id),
        free AS MATERIALIZED (
            SELECT q.worker_id, q.batch_id FROM assignments_waiting q JOIN mine USING (worker_id, batch_id)
               FOR NO KEY UPDATE OF q SKIP LOCKED),
        done AS (
            UPDATE assignments_waiting q
               SET alive_until = greatest(q.alive_until, market_now() + make_interval(secs => %s))
              FROM free WHERE q.worker_id = free.worker_id AND q.batch_id = free.batch_id)
        SELECT worker_id, batch_id FROM mine
        """,
        [[pair[0] for pair in pairs], [pair[1] for pair in pairs], alive_s],
    )
    return set(pairs) - set(there)


def stop_waiting(*, worker_id: int, batch_id: int | None = None) -> int:
    """Leave the line of the batch, or all lines; returns how many. What was given before stays his. Locks: worker."""
    require_transaction()
    worker_for_update(worker_id)
    return run(
        "DELETE FROM assignments_waiting WHERE worker_id = %s AND (%s::bigint IS NULL OR batch_id = %s)",
        [worker_id, batch_id, batch_id],
    )


def forget_gone(*, limit: int = 1_000) -> int:
    """Delete up to `limit` waits that nobody prolonged, and those for batches that are over; returns how many."""
    require_transaction()
    return run(
        "DELETE FROM assignments_waiting WHERE (worker_id, batch_id) IN (SELECT q.worker_id, q.batch_id"
        " FROM assignments_waiting q JOIN batches_batch b ON b.id = q.batch_id"
        " WHERE q.alive_until <= (SELECT market_now()) OR b.state NOT IN ('published', 'paused')"
        " LIMIT %s FOR UPDATE OF q SKIP LOCKED)",
        [limit],
    )


def match(*, batch_id: int, limit: int = GROUP, chance: Random = CHANCE) -> int:
    """Give open places of the batch to up to `limit` of those who wait, by `fairness`; returns how many leases began.

    As `match_step`, for a caller to whom that is enough.
    """
    return match_step(batch_id=batch_id, limit=limit, chance=chance).leases


def match_step(*, batch_id: int, limit: int = GROUP, chance: Random = CHANCE) -> Step:
    """One look at the head of the batch's line: up to `limit` of those who wait are given work, or remembered as
    refused so that they do not stand in the way of others.

    The cost grows with what is given, not with how many wait. What somebody is given follows from the same claim as
    ever, gold included. Whoever is busy at this moment (claims or submits) is passed by until the next look, and nobody
    waits for anybody: of several looks at one line at once, one works and the others do nothing. Locks: workers (none
    is waited for), batch (shared), tasks (none is waited for). Emits `PlaceTaken` for each.
    """
    require_transaction()
    if not try_sweep_lock(f"match:{batch_id}"):
        return Step(0, 0)
    row = one("SELECT public_id, state, pair_limit FROM batches_batch WHERE id = %s", [batch_id])
    if row is None or row[1] != BatchState.PUBLISHED:
        return Step(0, 0)
    offer = offer_of(row[0])
    if row[2] is not None:
        # Two who meet on tasks are counted in a row of theirs, and several claims would lock such rows in any order.
        limit = 1
    places = open_places(batch_id, most=limit * WINDOW_MAX)
    first = first_in_line(batch_id, limit=2 * limit + 1, reserved_only=places == 0)
    line = standing_in_line(batch_id, idle_workers(first))
    if not line:
        return Step(0, 0)
    refused = refusals_of(offer, worker_ids=[one.waiter.worker_id for one in line])
    answers = [_Refused(worker, "not-eligible", _iso(why.opens_at)) for worker, why in refused.items()]
    able = [one for one in line if one.waiter.worker_id not in refused]
    full = [one.waiter.worker_id for one in able if one.waiter.need == 0]
    plan = allot(
        [one.waiter for one in able], places or len(able), more_wait=len(first) > 2 * limit or len(able) > limit
    )[:limit]
    held = {one.waiter.worker_id: one for one in able}
    leases = 0
    partly: list[int] = []
    for waiter, count in plan:
        standing = held[waiter.worker_id]
        try:
            given = _claim(standing, offer, count, chance)
        except BatchNotOpen:
            break
        except DomainError as error:
            answers.append(_Refused(waiter.worker_id, error.code, error.facts.get("opens_at") or _end_of(error)))
            continue
        leases += given
        (full if given >= waiter.need else partly).append(waiter.worker_id)
    _leave(batch_id, full)
    _stand_again(batch_id, partly)
    _remember(batch_id, answers)
    return Step(leases, len(full) + len(partly) + len(answers))


def _claim(standing: Standing, offer: Offer, count: int, chance: Random) -> int:
    """Top the worker up by so many; returns how many he was given."""
    worker_id, total = standing.waiter.worker_id, standing.held + count
    found = prepared(*claim.statement(worker_id=worker_id, offer=offer, count=total, wait=False))
    given = claim.taken(found, worker_id=worker_id, offer=offer, count=total, chance=chance, wait=False)
    if len(given) <= standing.held:
        # He holds some, so the claim is none that fails; but nothing came of it.
        raise NothingToClaim("No open place is left for you in this batch.", batch=str(offer.public_id))
    return len(given) - standing.held


def _end_of(error: DomainError) -> str | None:
    """When the reason of the refusal ends, where it says so."""
    return error.facts.get("retry_at") or error.facts.get("expires_at")


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _leave(batch_id: int, worker_ids: Sequence[int]) -> None:
    if worker_ids:
        run(
            "DELETE FROM assignments_waiting WHERE batch_id = %s AND worker_id = ANY (%s)", [batch_id, list(worker_ids)]
        )


def _stand_again(batch_id: int, worker_ids: Sequence[int]) -> None:
    """Who was given something, and has room for more, stands in line again from the next turn on."""
    if worker_ids:
        run(
            f"UPDATE assignments_waiting q SET turn = {_TURN} + 1, since = n.now, retry_at = n.now, refused = ''"
            " FROM (SELECT market_now() AS now OFFSET 0) n WHERE q.batch_id = %s AND q.worker_id = ANY (%s)",
            [batch_id, list(worker_ids)],
        )


def _remember(batch_id: int, answers: Sequence[_Refused]) -> None:
    if not answers:
        return
    run(
        f"""
        UPDATE assignments_waiting q
           SET refused = g.code, seen = coalesce((SELECT l.last FROM batches_tail l WHERE l.batch_id = q.batch_id), 0),
               retry_at = least(n.now + interval '{AGAIN_MAX_S} s', coalesce(g.until, n.now + make_interval(secs =>
                   CASE g.code WHEN '{NOTHING}' THEN {NOTHING_AGAIN_S} ELSE {REFUSED_AGAIN_S} END)))
          FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[]) g (worker_id, code, until),
               (SELECT market_now() AS now OFFSET 0) n
         WHERE q.batch_id = %s AND q.worker_id = g.worker_id
        """,
        [
            [one.worker_id for one in answers], [one.code for one in answers], [one.until for one in answers], batch_id,
        ],
    )  # fmt: skip
