"""From the outbox to deliveries: what happened becomes events for those who want to be told, exactly once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from marketplace.batches.events import BatchCancelled, BatchPaused, BatchPublished, BatchResumed, BatchSettled
from marketplace.common.commands import forgets
from marketplace.common.database import rows, run
from marketplace.common.outbox import Delivered, name_reader, read
from marketplace.common.transactions import require_transaction
from marketplace.webhooks.commands.subscriptions import body_of
from marketplace.webhooks.states import Kind
from workers.assignments.events import AnswerSubmitted

READER = name_reader("webhooks")
EVENTS = 500
OF_BATCHES = {
    BatchPublished.__name__: Kind.BATCH_PUBLISHED,
    BatchPaused.__name__: Kind.BATCH_PAUSED,
    BatchResumed.__name__: Kind.BATCH_RESUMED,
    BatchCancelled.__name__: Kind.BATCH_CANCELLED,
    BatchSettled.__name__: Kind.BATCH_SETTLED,
}
# Whom to keep events for: what comes while nothing is sent waits for a week, and no longer.
LISTENS = (
    "(s.state = 'active' OR s.state IN ('paused', 'disabled') AND s.state_since > market_now() - interval '7 days')"
)
KEPT = "interval '30 days'"


class _Batch(NamedTuple):
    """A batch somebody listens to."""

    requester_id: int
    requester: UUID
    batch: UUID
    name: str
    kinds: set[str]


@dataclass(frozen=True)
class _Told:
    """An event to be, from the outbox row `place`."""

    place: int
    source: str
    kind: Kind
    batch_id: int
    data: dict[str, Any]


def note(*, limit: int = EVENTS) -> int:
    """Turn the next events of the outbox into deliveries; returns how many events there were.

    A task is told of once, the first time that a reader sees an answer at each of its places. Our place in the outbox
    moves with the caller's transaction. Locks the lanes of all who are told.
    """
    require_transaction()
    # By number, for of two transactions that waited for each other the later one may have begun first.
    events = sorted(read(READER, limit=limit), key=lambda event: event.id)
    batches = _listened_to({event.body["batch_id"] for event in events if _may_be_told(event)})
    told = [_of_batch(event, batches) for event in events if event.kind in OF_BATCHES]
    told += _of_tasks(events, batches)
    wanted = sorted((one for one in told if one.kind in _kinds(batches, one.batch_id)), key=lambda one: one.place)
    if wanted:
        _deliver(_stored(wanted, batches))
    return len(events)


def _may_be_told(event: Delivered) -> bool:
    return event.kind in OF_BATCHES or event.kind == AnswerSubmitted.__name__


def _listened_to(batch_ids: Iterable[int]) -> dict[int, _Batch]:
    found = rows(
        "SELECT b.id, r.id, r.public_id, b.public_id, b.name, array_agg(DISTINCT wanted.kind)"
        " FROM batches_batch b JOIN accounts_requester r ON r.id = b.requester_id"
        f" JOIN webhooks_subscription s ON s.requester_id = r.id AND {LISTENS}"
        " CROSS JOIN unnest(s.events) AS wanted(kind) WHERE b.id = ANY(%s) GROUP BY b.id, r.id",
        [sorted(batch_ids)],
    )
    return {pk: _Batch(of, requester, batch, name, set(kinds)) for pk, of, requester, batch, name, kinds in found}


def _kinds(batches: dict[int, _Batch], batch_id: int) -> set[str]:
    return batches[batch_id].kinds if batch_id in batches else set()


def _of_batch(event: Delivered, batches: dict[int, _Batch]) -> _Told:
    batch_id = event.body["batch_id"]
    data = {"name": batches[batch_id].name} if batch_id in batches else {}
    if "reason" in event.body:
        data["reason"] = event.body["reason"]
    return _Told(event.id, f"outbox:{event.id}", OF_BATCHES[event.kind], batch_id, data)


def _of_tasks(events: Sequence[Delivered], batches: dict[int, _Batch]) -> list[_Told]:
    """The tasks of these events that have an answer at each of their places now, and were not told of before."""
    place_of = {
        pk: event.id
        for event in events
        if event.kind == AnswerSubmitted.__name__ and Kind.TASK_COMPLETED in _kinds(batches, event.body["batch_id"])
        for pk in event.body["assignment_ids"]
    }
    if not place_of:
        return []
    full = rows(
        "SELECT t.id, t.batch_id, t.external_id, t.overlap - t.refunded, n.came FROM batches_task t"
        " JOIN (SELECT task_id, array_agg(id) AS came FROM assignments_assignment WHERE id = ANY(%s) GROUP BY 1) n"
        " ON n.task_id = t.id WHERE t.quarantined_at IS NULL AND t.overlap - t.refunded <= (SELECT count(*)"
        "  FROM assignments_assignment a WHERE a.task_id = t.id AND a.state IN ('submitted', 'accepted'))",
        [sorted(place_of)],
    )
    return [
        _Told(max(place_of[pk] for pk in came), f"task:{task_id}", Kind.TASK_COMPLETED, batch_id,
              {"task": external_id, "answers": places})
        for task_id, batch_id, external_id, places, came in full
    ]  # fmt: skip


def _stored(wanted: Sequence[_Told], batches: dict[int, _Batch]) -> list[int]:
    """The events that are new, by id, in order."""
    times: dict[int, datetime] = dict(
        rows("SELECT id, made_at FROM common_outbox WHERE id = ANY(%s)", [[one.place for one in wanted]])  # type: ignore[arg-type]
    )
    table = []
    for one in wanted:
        of, public_id, at = batches[one.batch_id], uuid4(), times[one.place]
        body = body_of(public_id, one.kind, at, of.requester, of.batch, one.data)
        table.append((public_id, of.requester_id, one.batch_id, one.source, one.kind.value, body, at))
    made = rows(
        "INSERT INTO webhooks_event (public_id, requester_id, batch_id, source, kind, body, made_at)"
        " SELECT p, r, b, s, k, t, m FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::text[], %s::text[],"
        " %s::text[], %s::timestamptz[]) WITH ORDINALITY AS f(p, r, b, s, k, t, m, n) ORDER BY n"
        " ON CONFLICT (source) DO NOTHING RETURNING id",
        [list(column) for column in zip(*table, strict=True)],
    )
    return sorted(row[0] for row in made)


def _deliver(event_ids: list[int]) -> None:
    """Put the events in the lanes of all who want them. The lanes are locked first, so that ids grow along each."""
    wants = (
        "FROM webhooks_event e JOIN webhooks_subscription s ON s.requester_id = e.requester_id"
        f" AND e.kind = ANY(s.events) AND {LISTENS} WHERE e.id = ANY(%s)"
    )
    lanes = rows(
        "INSERT INTO webhooks_lane AS l (subscription_id, batch_id, due_at)"
        f" SELECT s.id, e.batch_id, market_now() {wants} GROUP BY 1, 2 ORDER BY 1, 2"
        " ON CONFLICT (subscription_id, batch_id) DO UPDATE SET due_at = coalesce(l.due_at, excluded.due_at)"
        " RETURNING l.id",
        [event_ids],
    )
    run(
        "INSERT INTO webhooks_delivery (public_id, lane_id, subscription_id, event_id, state, is_replay, tries)"
        " SELECT gen_random_uuid(), l.id, s.id, e.id, 'waiting', false, 0 FROM webhooks_event e"
        " JOIN webhooks_lane l ON l.batch_id = e.batch_id AND l.id = ANY(%s)"
        " JOIN webhooks_subscription s ON s.id = l.subscription_id AND e.kind = ANY(s.events)"
        " WHERE e.id = ANY(%s) ORDER BY e.id"
        " ON CONFLICT (event_id, subscription_id) WHERE NOT is_replay DO NOTHING",
        [[row[0] for row in lanes], event_ids],
    )


@forgets
def forget_events(limit: int) -> int:
    """What was told is kept for 30 days, with all that came of it."""
    old = [
        row[0] for row in rows(f"SELECT id FROM webhooks_event WHERE made_at < market_now() - {KEPT} LIMIT %s", [limit])
    ]
    if not old:
        return 0
    # Whoever sends one of them just now holds its lane, and goes first.
    run(
        "SELECT 1 FROM webhooks_lane WHERE id IN (SELECT lane_id FROM webhooks_delivery WHERE event_id = ANY(%s))"
        " ORDER BY subscription_id, batch_id FOR NO KEY UPDATE",
        [old],
    )
    run(
        "DELETE FROM webhooks_attempt WHERE delivery_id IN (SELECT id FROM webhooks_delivery WHERE event_id = ANY(%s))",
        [old],
    )
    run("DELETE FROM webhooks_delivery WHERE event_id = ANY(%s)", [old])
    return run("DELETE FROM webhooks_event WHERE id = ANY(%s)", [old])
