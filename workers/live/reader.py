"""Facts of personal streams for all sockets of the process: read by few statements, given out in order."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from marketplace.streams import queries
from marketplace.streams.queries import Entry
from workers.live.connection import Connection
from workers.live.frames import frame
from workers.live.pool import AWAY, CHANCE, pool

log = logging.getLogger("touchstone.live")

# What is told within this time is read together.
GATHER_S = 0.015
STREAMS_AT_ONCE = 500
ENTRIES_EACH = 100


class Follower:
    """One socket's place in one stream: all up to `seq` has been pushed to it."""

    __slots__ = ("caught_up", "connection", "heard", "label", "lost", "seq", "started", "stream")

    def __init__(
        self,
        connection: Connection,
        stream: str,
        seq: int,
        *,
        label: str | None = None,
        started: bool = True,
        caught_up: Callable[["Follower", bool], None] | None = None,
        lost: Callable[["Follower", str], None] | None = None,
        heard: Callable[[Entry], None] | None = None,
    ) -> None:
        """`label` is what the client calls the stream, where it has several. With `started` False the place is a
        client's cursor that nobody has looked at yet: `caught_up(follower, True)` is called when it turns out to be
        good, `caught_up(follower, False)` when nothing is left to replay, and `lost(follower, reason)` when it is not.
        `heard` is called with each fact that was pushed."""
        self.connection = connection
        self.stream = stream
        self.seq = seq
        self.label = label
        self.started = started
        self.caught_up = caught_up
        self.lost = lost
        self.heard = heard


class Reader:
    """Who follows which stream, and the one loop that reads for all of them."""

    def __init__(self) -> None:
        self._followers: dict[str, set[Follower]] = {}
        self._dirty: set[str] = set()
        self._wake = asyncio.Event()
        self.epoch: UUID | None = None

    def follow(self, follower: Follower) -> None:
        """Push every fact after the follower's place to it from now on."""
        self._followers.setdefault(follower.stream, set()).add(follower)
        self._mark(follower.stream)

    def unfollow(self, follower: Follower) -> None:
        """The socket is gone, or reads this stream no more."""
        left = self._followers.get(follower.stream)
        if left is not None:
            left.discard(follower)
            if not left:
                del self._followers[follower.stream]
                self._dirty.discard(follower.stream)

    def streams(self) -> list[str]:
        """The streams that anybody follows."""
        return list(self._followers)

    def grown(self, heads: Mapping[str, int]) -> None:
        """These are the newest numbers of streams: read those of which a follower has seen less."""
        for stream, head in heads.items():
            if any(follower.seq < head for follower in self._followers.get(stream, ())):
                self._mark(stream)

    def renewed(self, epoch: UUID) -> None:
        """The streams begin anew: who followed the old ones needs a snapshot."""
        before, self.epoch = self.epoch, epoch
        if before is not None and before != epoch:
            for follower in [each for group in self._followers.values() for each in group]:
                self._lose(follower, "epoch")

    async def run(self) -> None:
        """Read for ever. While the database is away it keeps trying, and the sockets stay."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(GATHER_S)
            self._wake.clear()
            dirty, self._dirty = list(self._dirty), set()
            for start in range(0, len(dirty), STREAMS_AT_ONCE):
                await self._read(dirty[start : start + STREAMS_AT_ONCE])

    async def _read(self, streams: list[str]) -> None:
        # A client that does not keep up waits for its own transport, and nobody waits for it.
        wants = {stream: min(places) for stream in streams if (places := self._places(stream))}
        if not wants:
            return
        try:
            found = await pool.run(queries.after, wants, ENTRIES_EACH)
        except AWAY as error:
            log.warning("streams cannot be read just now: %s", error)
            for stream in wants:
                self._dirty.add(stream)
            await asyncio.sleep(CHANCE.uniform(0.5, 1.5))
            self._wake.set()
            return
        pushed = 0
        for stream, entries in found.items():
            pushed += self._give(stream, wants[stream], entries)
            if pushed > 200:
                pushed = 0
                await asyncio.sleep(0)

    def _places(self, stream: str) -> list[int]:
        return [follower.seq for follower in self._followers.get(stream, ()) if self._ready(follower)]

    def _ready(self, follower: Follower) -> bool:
        connection = follower.connection
        if connection.free:
            return True
        if not connection.closing:
            connection.when_free(follower.stream, lambda: self._mark(follower.stream))
        return False

    def _give(self, stream: str, asked: int, entries: list[Entry] | None) -> int:
        followers = list(self._followers.get(stream, ()))
        if entries is None:
            for follower in followers:
                if follower.seq <= asked:
                    self._lose(follower, "expired")
                else:
                    self._mark(stream)
            return len(followers)
        texts: dict[tuple[str | None, int], str] = {}
        pushed = 0
        more = len(entries) == ENTRIES_EACH
        for follower in followers:
            if follower.seq < asked or not self._ready(follower):
                continue
            if not follower.started:
                self._start(follower)
            for entry in entries:
                if entry.seq == follower.seq + 1:
                    key = (follower.label, entry.seq)
                    if key not in texts:
                        texts[key] = fact_frame(self.epoch, entry, follower.label)
                    follower.connection.push(texts[key])
                    follower.seq = entry.seq
                    pushed += 1
                    if follower.heard is not None:
                        follower.heard(entry)
            if entries and follower.seq < entries[-1].seq:
                # His place moved back while this was read.
                self._mark(stream)
            elif not more and follower.caught_up is not None:
                told, follower.caught_up = follower.caught_up, None
                told(follower, False)
        if more:
            self._mark(stream)
        return pushed

    def _start(self, follower: Follower) -> None:
        follower.started = True
        if follower.caught_up is not None:
            follower.caught_up(follower, True)

    def _lose(self, follower: Follower, reason: str) -> None:
        self.unfollow(follower)
        if follower.lost is not None and not follower.connection.closing:
            follower.lost(follower, reason)

    def _mark(self, stream: str) -> None:
        if stream in self._followers:
            self._dirty.add(stream)
            self._wake.set()


def fact(epoch: UUID | None, entry: Entry) -> dict[str, Any]:
    """A fact as clients read it."""
    at: datetime = entry.at
    return {"epoch": epoch, "seq": entry.seq, "kind": entry.kind, "at": at, "body": entry.body}


def fact_frame(epoch: UUID | None, entry: Entry, label: str | None = None) -> str:
    """The same as a frame; `stream` is there for clients that follow several."""
    return frame("fact", **({} if label is None else {"stream": label}), **fact(epoch, entry))
