"""Events: frozen dataclasses of ids, written with the change (R21) and read by transaction horizon (R22)."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from marketplace.common.database import one, rows, run, try_sweep_lock
from marketplace.common.transactions import require_transaction


@dataclass(frozen=True)
class Event:
    """The base of every event. Bodies hold ids and names, never payloads or keys."""


@dataclass(frozen=True)
class Delivered:
    """An event as a reader sees it. Readers may see one twice or late, never not at all."""

    id: int
    kind: str
    body: dict[str, Any]


_handlers: dict[str, list[Callable[[Delivered], None]]] = {}


def handles(*kinds: type[Event]) -> Callable[[Callable[[Delivered], None]], Callable[[Delivered], None]]:
    """Register a function for these events; it must be idempotent and quick: a hint, never the only way to the work."""

    def register(function: Callable[[Delivered], None]) -> Callable[[Delivered], None]:
        for kind in kinds:
            _handlers.setdefault(kind.__name__, []).append(function)
        return function

    return register


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
        "SELECT e.xid::text, e.id, e.kind, e.body FROM common_outbox e, common_outboxcursor c"
        " WHERE c.reader = %s AND (e.xid, e.id) > (c.xid, c.last_id)"
        " AND e.xid < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY e.xid, e.id LIMIT %s",
        [reader, limit],
    )
    for _, event_id, kind, body in found:
        yield Delivered(event_id, kind, body)
    if found:
        run(
            "UPDATE common_outboxcursor SET xid = %s::xid8, last_id = %s, moved_at = market_now() WHERE reader = %s",
            [found[-1][0], found[-1][1], reader],
        )


def deliver(event: Delivered) -> None:
    """Call every handler of the event."""
    for handler in _handlers.get(event.kind, ()):
        handler(event)


def backlog(reader: str) -> int:
    """How many committed events the reader has not seen."""
    row = one(
        "SELECT count(*) FROM common_outbox e LEFT JOIN common_outboxcursor c ON c.reader = %s"
        " WHERE (e.xid, e.id) > (coalesce(c.xid, '0'), coalesce(c.last_id, 0))",
        [reader],
    )
    assert row is not None
    return int(row[0])
