"""Events: frozen dataclasses of ids, written with the change (R21) and read by transaction horizon (R22)."""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from marketplace.common.database import rows, run, try_sweep_lock, value
from marketplace.common.tracing import traced
from marketplace.common.transactions import require_transaction

log = logging.getLogger("touchstone.outbox")


@dataclass(frozen=True)
class Event:
    """The base of every event. Bodies hold ids and names, never payloads or keys."""


@dataclass(frozen=True)
class Delivered:
    """An event as a reader sees it. Readers may see one twice or late, never not at all. `request` is the id of the
    request in whose transaction it was written, if that had a key."""

    id: int
    kind: str
    body: dict[str, Any]
    request: str | None = None


@dataclass(frozen=True)
class Held:
    """A transaction that has written, and that readers wait for: where it runs and what it is."""

    pid: int
    database: str
    role: str
    application: str


# How long a transaction may hold readers back before somebody should look.
HORIZON_ALARM_S = 5.0
# Whoever reads under one of these names is waited for: events that he has not seen are kept, for as long as it takes.
_named: set[str] = {"relay"}
# What the reader, named twice, has not seen. His place is looked up first, so that only the end of the index is walked:
# of a join with it the planner walks all that was ever written.
_UNSEEN = """FROM common_outbox e
 WHERE (e.xid, e.id) > (coalesce((SELECT c.xid FROM common_outboxcursor c WHERE c.reader = %s), '0'),
                        coalesce((SELECT c.last_id FROM common_outboxcursor c WHERE c.reader = %s), 0))"""
# What may be read: no transaction that is older than the event's still runs.
_SETTLED = "AND e.xid < pg_snapshot_xmin(pg_current_snapshot())"
_handlers: dict[str, list[Callable[[Delivered], None]]] = {}


def handles(*kinds: type[Event]) -> Callable[[Callable[[Delivered], None]], Callable[[Delivered], None]]:
    """Register a function for these events; it must be idempotent and quick: a hint, never the only way to the work."""

    def register(function: Callable[[Delivered], None]) -> Callable[[Delivered], None]:
        for kind in kinds:
            _handlers.setdefault(kind.__name__, []).append(function)
        return function

    return register


def name_reader(name: str) -> str:
    """Declare a reader, where its app starts; returns the name. Events are kept until each declared reader has seen
    them. One that reads without being declared is forgotten when it has not come for 7 days (`forget_seen`)."""
    _named.add(name)
    return name


def publish(*events: Event) -> None:
    """Write the events into the outbox, in the caller's transaction: they exist if and only if it commits."""
    require_transaction()
    for event in events:
        run(
            "INSERT INTO common_outbox (kind, body, made_at) VALUES (%s, %s::jsonb, market_now())",
            [type(event).__name__, json.dumps(asdict(event))],
        )


def read(reader: str, *, limit: int = 500) -> Iterator[Delivered]:
    """The next events of this reader, oldest first; its cursor moves with the caller's transaction.

    Events of a transaction become visible only when no older transaction is still running, so a reader that moves its
    cursor past them can miss none. At most one transaction reads for a reader at a time; a second finds nothing.
    """
    require_transaction()
    if not try_sweep_lock(f"outbox:{reader}"):
        return
    run(
        "INSERT INTO common_outboxcursor (reader, xid, last_id, moved_at) VALUES (%s, '0', 0, market_now())"
        " ON CONFLICT DO NOTHING",
        [reader],
    )
    found = rows(
        "SELECT e.xid::text, e.id, e.kind, e.body, replace(e.request::text, '-', '')"
        f" {_UNSEEN} {_SETTLED} ORDER BY e.xid, e.id LIMIT %s",
        [reader, reader, limit],
    )
    for _, event_id, kind, body, request in found:
        yield Delivered(event_id, kind, body, request)
    if found:
        run(
            "UPDATE common_outboxcursor SET xid = %s::xid8, last_id = %s, moved_at = market_now() WHERE reader = %s",
            [found[-1][0], found[-1][1], reader],
        )


def deliver(event: Delivered) -> None:
    """Call every handler of the event, in the name of the request that it comes from."""
    with traced(event.request):
        for handler in _handlers.get(event.kind, ()):
            log.debug("%s is handed to %s", event.kind, handler.__module__)
            handler(event)


def backlog(reader: str) -> int:
    """How many committed events the reader has not seen."""
    return int(value(f"SELECT count(*) {_UNSEEN}", [reader, reader]))


def backlog_age_s(reader: str) -> float:
    """The age in seconds of the oldest committed event that the reader has not seen; 0.0 where there is none."""
    age = f"SELECT coalesce(extract(epoch FROM market_now() - min(e.made_at)), 0) {_UNSEEN}"
    return float(value(age, [reader, reader]))


def waits_s(reader: str) -> float:
    """For how many seconds the next event that the reader could read has waited for him; 0.0 where there is none. One
    look at an index, however many wait."""
    age = f"extract(epoch FROM market_now() - e.made_at) {_UNSEEN} {_SETTLED} ORDER BY e.xid, e.id LIMIT 1"
    return max(0.0, float(value(f"SELECT coalesce((SELECT {age}), 0)", [reader, reader])))


def anything_to_read(reader: str) -> bool:
    """Whether `read` would find an event; one cheap statement for whoever asks again and again."""
    return bool(value(f"SELECT EXISTS (SELECT 1 {_UNSEEN} {_SETTLED})", [reader, reader]))


def backlogs() -> dict[str, int]:
    """The backlog of every reader that is declared or has read, by name."""
    known = {row[0] for row in rows("SELECT reader FROM common_outboxcursor")}
    return {reader: backlog(reader) for reader in sorted(known | _named)}


def horizon() -> float:
    """For how many seconds the oldest committed event has been kept from all readers, by a transaction that began
    before it and still runs, in whatever database of the server; 0.0 where none is.

    Above `HORIZON_ALARM_S` somebody should look who that is (`holders`). Costs one look at the end of an index.
    """
    return float(
        value(
            "SELECT coalesce(greatest(0, extract(epoch FROM market_now() - min(made_at))), 0) FROM common_outbox"
            " WHERE xid >= pg_snapshot_xmin(pg_current_snapshot())"
            " AND xid <> coalesce(pg_current_xact_id_if_assigned(), '0')"
        )
    )


def holders() -> list[Held]:
    """Who holds the horizon: sessions whose transaction is the oldest that has written anything, but for this one's.

    A prepared transaction has no session and is not among them.
    """
    return [
        Held(*row)
        for row in rows(
            "SELECT l.pid, coalesce(s.datname, ''), coalesce(s.usename, ''), coalesce(s.application_name, '')"
            " FROM pg_locks l LEFT JOIN pg_stat_activity s ON s.pid = l.pid"
            " WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted"
            " AND l.pid <> pg_backend_pid()"
            " AND l.transactionid = pg_snapshot_xmin(pg_current_snapshot())::xid ORDER BY l.pid"
        )
    ]


def forget_seen(*, limit: int) -> int:
    """Delete up to `limit` events that are 7 days old and that every reader has seen; how many went.

    A reader that is not declared (`name_reader`) and has not come for 7 days is a reader no more: its cursor goes, so
    that it holds nothing. One that is declared is waited for, even before it has read for the first time. The database
    refuses to delete more than that.
    """
    require_transaction()
    run(
        "DELETE FROM common_outboxcursor WHERE reader <> ALL(%s) AND moved_at < market_now() - interval '7 days'",
        [sorted(_named)],
    )
    come = {row[0] for row in rows("SELECT reader FROM common_outboxcursor")}
    if not _named <= come:
        return 0
    return run(
        # The oldest are looked at and no others: most of the time none of them is old enough.
        "DELETE FROM common_outbox WHERE id IN ("
        "SELECT e.id FROM (SELECT id, xid, made_at FROM common_outbox ORDER BY xid, id LIMIT %s) e"
        " WHERE e.made_at < market_now() - interval '7 days'"
        " AND (e.xid, e.id) <= ALL (SELECT c.xid, c.last_id FROM common_outboxcursor c))",
        [limit],
    )
