"""The relay's step, and what is kept for a time only."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from json import dumps
from uuid import UUID

from django.db import transaction

from marketplace.common.database import rows, run, value
from marketplace.common.outbox import Delivered, read
from marketplace.common.transactions import require_transaction
from marketplace.streams.queries import READER, read_up_to
from marketplace.streams.routes import Fact, routed

log = logging.getLogger("touchstone.streams")

STEP = 500
KEPT_DAYS = 7


@dataclass(frozen=True)
class Relayed:
    """What a step did: how many events it read, the newest number of each stream it wrote to, and the new version of
    each topic it touched."""

    events: int = 0
    streams: dict[str, int] = field(default_factory=dict)
    topics: dict[str, int] = field(default_factory=dict)


def relay(*, limit: int = STEP) -> Relayed:
    """Turn the next events of the outbox into facts and versions, in the caller's transaction.

    One transaction does it at a time: a second finds nothing. What it wrote and its place in the outbox are committed
    together, so that an event's facts exist once, whatever dies. Announce what is returned after the commit. An event
    that no route can read is put aside, and the others go on.
    """
    require_transaction()
    events = list(read(READER, limit=limit))
    if not events:
        return Relayed()
    # Of two transactions that waited for each other the later may have the smaller id, but not its event. Both are
    # here, because the horizon shows neither before both have ended.
    facts, topics = _readable(sorted(events, key=lambda event: event.id))
    return Relayed(len(events), append(facts), touch(sorted(topics)))


def append(facts: Sequence[Fact]) -> dict[str, int]:
    """Add facts to the ends of their streams, in their order; returns the newest number of each stream."""
    require_transaction()
    if not facts:
        return {}
    table = [(fact.event_id, fact.stream, fact.kind, dumps(fact.body)) for fact in facts]
    columns = [list(column) for column in zip(*table, strict=True)]
    return dict(
        rows("SELECT name, seq FROM streams_append(%s::bigint[], %s::text[], %s::text[], %s::jsonb[])", columns)
    )


def touch(topics: Sequence[str]) -> dict[str, int]:
    """Give each topic a new version, and return it."""
    require_transaction()
    return dict(rows("SELECT name, version FROM streams_touch(%s::text[])", [list(topics)])) if topics else {}


def note_read(*, stream: str, reader: int, of_epoch: UUID, seq: int) -> int:
    """Note that somebody has read the stream up to a number, and return the number that counts now: it never goes back,
    and never beyond the stream's end. A number of another epoch changes nothing."""
    require_transaction()
    run(
        "INSERT INTO streams_reading AS r (stream, reader, epoch, seq, read_at)"
        " SELECT s.name, %s, e.epoch, least(%s, s.seq), market_now() FROM streams_stream s, streams_epoch e"
        "  WHERE s.name = %s AND e.epoch = %s"
        " ON CONFLICT (stream, reader) DO UPDATE SET epoch = excluded.epoch, read_at = excluded.read_at, seq ="
        " CASE WHEN r.epoch = excluded.epoch THEN greatest(r.seq, excluded.seq) ELSE excluded.seq END",
        [reader, seq, stream, of_epoch],
    )
    return read_up_to(stream, reader)


def trim(limit: int) -> int:
    """Drop entries older than a week, oldest first and about so many; returns how many went. A reader whose cursor is
    older is sent a snapshot."""
    require_transaction()
    return int(value("SELECT streams_trim(make_interval(days => %s), %s)", [KEPT_DAYS, limit]))


def _readable(events: list[Delivered]) -> tuple[list[Fact], set[str]]:
    try:
        with transaction.atomic():
            return routed(events)
    except Exception:
        log.exception("a step of the relay is read event by event")
    facts: list[Fact] = []
    topics: set[str] = set()
    for event in events:
        try:
            with transaction.atomic():
                more, touched = routed([event])
        except Exception as error:
            log.exception("the event %d (%s) was put aside", event.id, event.kind)
            run(
                "INSERT INTO streams_skipped (event_id, kind, error, at) VALUES (%s, %s, %s, market_now())"
                " ON CONFLICT DO NOTHING",
                [event.id, event.kind, f"{type(error).__name__}: {error}"[:1_000]],
            )
        else:
            facts += more
            topics |= touched
    return facts, topics
