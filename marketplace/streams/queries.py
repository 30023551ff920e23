"""Reading streams and topics, for many readers at once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from marketplace.common.database import one, rows, value
from marketplace.common.outbox import anything_to_read, backlog, backlog_age_s, name_reader, waits_s

READER = name_reader("streams")
UNREAD_WITHIN = 1_000
NEWEST = 2**62


@dataclass(frozen=True)
class Entry:
    """One fact as its stream keeps it."""

    seq: int
    kind: str
    body: dict[str, Any]
    at: datetime


@dataclass(frozen=True)
class Health:
    """How far the relay is behind: events not yet relayed, the age in seconds of the oldest; and how many events
    no route could read."""

    backlog: int
    oldest_s: float
    skipped: int


def epoch() -> UUID:
    """What makes cursors comparable: a cursor of another epoch means nothing."""
    found: UUID = value("SELECT epoch FROM streams_epoch")
    return found


def head(stream: str) -> int:
    """The newest number of the stream; 0 while it has none. Read it before the state that a snapshot shows, or in the
    same snapshot: what happens in between then comes again as a fact, and is not lost."""
    row = one("SELECT seq FROM streams_stream WHERE name = %s", [stream])
    return int(row[0]) if row else 0


def heads(streams: Iterable[str]) -> dict[str, int]:
    """The newest numbers of those of the streams that have any."""
    return dict(rows("SELECT name, seq FROM streams_stream WHERE name = ANY(%s)", [list(streams)]))


def versions(topics: Iterable[str]) -> dict[str, int]:
    """The versions of the topics; 0 for one that never changed."""
    wanted = list(topics)
    found = dict(rows("SELECT name, version FROM streams_topic WHERE name = ANY(%s)", [wanted]))
    return {topic: found.get(topic, 0) for topic in wanted}


def after(wants: Mapping[str, int], limit_each: int = 200) -> dict[str, list[Entry] | None]:
    """For each stream its entries after the number, oldest first and at most so many, by one statement.

    None where the reader needs a snapshot: what follows his number is no longer kept, or the stream is not that far.
    """
    names, numbers = list(wants), list(wants.values())
    found: dict[str, list[Entry] | None] = {name: [] for name in names}
    for name, lost, seq, kind, body, at in rows(
        "SELECT w.name, w.after < coalesce(s.trimmed, 0) OR w.after > coalesce(s.seq, 0), e.seq, e.kind, e.body,"
        " e.made_at FROM unnest(%s::text[], %s::bigint[]) AS w(name, after)"
        " LEFT JOIN streams_stream s ON s.name = w.name"
        " LEFT JOIN LATERAL (SELECT seq, kind, body, made_at FROM streams_entry e"
        "   WHERE e.stream = w.name AND e.seq > w.after ORDER BY e.seq LIMIT %s) e ON true ORDER BY w.name, e.seq",
        [names, numbers, limit_each],
    ):
        if lost:
            found[name] = None
        elif seq is not None:
            entries = found[name]
            assert entries is not None
            entries.append(Entry(seq, kind, body, at))
    return found


def before(stream: str, seq: int | None, *, kinds: Sequence[str], limit: int) -> list[Entry]:
    """The newest entries of these kinds with a number below `seq`, newest first; of all that is kept without one."""
    return [
        Entry(*row)
        for row in rows(
            "SELECT seq, kind, body, made_at FROM streams_entry WHERE stream = %s AND seq < %s AND kind = ANY(%s)"
            " ORDER BY seq DESC LIMIT %s",
            [stream, NEWEST if seq is None else seq, list(kinds), limit],
        )
    ]


def read_up_to(stream: str, reader: int) -> int:
    """The number up to which somebody has read the stream; 0 where he has read nothing of this epoch."""
    row = one(
        "SELECT r.seq FROM streams_reading r JOIN streams_epoch e ON e.epoch = r.epoch"
        " WHERE r.stream = %s AND r.reader = %s",
        [stream, reader],
    )
    return int(row[0]) if row else 0


def unread(stream: str, reader: int, *, kinds: Sequence[str]) -> int:
    """How many facts of these kinds somebody has not read, among the stream's last `UNREAD_WITHIN`: it costs the same
    however long nobody looked."""
    return int(
        value(
            "SELECT count(*) FROM streams_stream s JOIN streams_entry e ON e.stream = s.name AND e.seq > greatest("
            "  s.seq - %s, coalesce((SELECT r.seq FROM streams_reading r JOIN streams_epoch p ON p.epoch = r.epoch"
            "                         WHERE r.stream = s.name AND r.reader = %s), 0))"
            " WHERE s.name = %s AND e.kind = ANY(%s)",
            [UNREAD_WITHIN, reader, stream, list(kinds)],
        )
    )


def anything_to_relay() -> bool:
    """Whether a step of the relay would find an event."""
    return anything_to_read(READER)


def health() -> Health:
    """How the relay is doing."""
    return Health(backlog(READER), backlog_age_s(READER), value("SELECT count(*) FROM streams_skipped"))


def relay_waits_s() -> float:
    """For how many seconds the relay has left lie what it could have done; some milliseconds while it lives."""
    return waits_s(READER)
