"""Shared topics: the state is read once per process, written down once, and given to everybody who looks on."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from marketplace.streams import queries
from workers.live.connection import Connection, Message
from workers.live.frames import frame
from workers.live.pool import AWAY, CHANCE, pool

log = logging.getLogger("touchstone.live")

# A topic changes at most so often for those who look on: four times a second.
EVERY_S = 0.25
SOCKETS_AT_ONCE = 300

State = dict[str, Any]
# Internal names of topics of one kind → their states. It only reads, for all of them at once.
ReadStates = Callable[[list[str]], Mapping[str, State]]
_readers: dict[str, ReadStates] = {}
_again_s: dict[str, float] = {}


def shows(kind: str, read: ReadStates, *, again_s: float | None = None) -> None:
    """Say how the states of all topics `kind` and `kind:…` are read; and again after how many seconds in which nothing
    happened, where what they show goes by the clock."""
    _readers[kind] = read
    if again_s is not None:
        _again_s[kind] = again_s


def known_kinds() -> set[str]:
    """The kinds of topics that can be read here."""
    return set(_readers)


class Topic:
    """What all who look on have seen: the same state with the same version."""

    __slots__ = ("due_at", "followers", "fresh", "read_at_version", "shown_as", "state", "version")

    def __init__(self, shown_as: str) -> None:
        self.shown_as = shown_as
        self.followers: set[Connection] = set()
        # Those who have seen nothing yet.
        self.fresh: set[Connection] = set()
        # Of the state that was shown, and of what was read last: a version need not change what is shown.
        self.version = -1
        self.read_at_version = -1
        self.state: State | None = None
        self.due_at = 0.0


class Topics:
    """Who looks on at which topic, and the one loop that reads for all of them."""

    def __init__(self) -> None:
        self._topics: dict[str, Topic] = {}
        self._dirty: set[str] = set()
        self._wake = asyncio.Event()

    def subscribe(self, connection: Connection, name: str, shown_as: str) -> None:
        """Push the whole state, and then what changes. Again for one who looks on already: the whole state."""
        topic = self._topics.setdefault(name, Topic(shown_as))
        if topic.state is None:
            topic.fresh.add(connection)
            self._mark(name)
            return
        topic.followers.add(connection)
        connection.push(_whole(topic))

    def unsubscribe(self, connection: Connection, name: str) -> None:
        """Push no more of it."""
        topic = self._topics.get(name)
        if topic is not None:
            topic.followers.discard(connection)
            topic.fresh.discard(connection)
            if not topic.followers and not topic.fresh:
                del self._topics[name]
                self._dirty.discard(name)

    def names(self) -> list[str]:
        """The topics that anybody looks on at."""
        return list(self._topics)

    def touched(self, versions: Mapping[str, int]) -> None:
        """These are the newest versions: read those topics whose version was less."""
        for name, version in versions.items():
            topic = self._topics.get(name)
            if topic is not None and topic.read_at_version < version:
                self._mark(name)

    async def look_again(self) -> None:
        """Have those read that show what goes by the clock; called about every second."""
        now = asyncio.get_running_loop().time()
        for name, topic in self._topics.items():
            again_s = _again_s.get(name.partition(":")[0])
            if again_s is not None and now - topic.due_at > again_s:
                self._mark(name)

    async def run(self) -> None:
        """Read for ever, each topic four times a second at most, and go on trying while the database is away."""
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            now = loop.time()
            due = [name for name in self._dirty if name in self._topics and self._topics[name].due_at <= now]
            waits = [self._topics[name].due_at for name in self._dirty if name in self._topics and name not in due]
            self._dirty.difference_update(due)
            if due:
                await self._read(due)
            if waits:
                loop.call_at(min(waits), self._wake.set)

    async def _read(self, names: list[str]) -> None:
        by_kind: dict[str, list[str]] = {}
        for name in names:
            by_kind.setdefault(name.partition(":")[0], []).append(name)
        for kind, group in by_kind.items():
            try:
                versions, states = await pool.run(_versions_and_states, kind, group)
            except AWAY as error:
                log.warning("topics cannot be read just now: %s", error)
                self._dirty.update(group)
                asyncio.get_running_loop().call_later(CHANCE.uniform(0.5, 1.5), self._wake.set)
                continue
            except Exception:
                # One topic that cannot be read must not take the others' looking on with it.
                log.exception("topics %s cannot be read", kind)
                continue
            for name in group:
                if name in self._topics:
                    await self._show(self._topics[name], versions[name], states.get(name, {}))

    async def _show(self, topic: Topic, version: int, state: State) -> None:
        topic.due_at = asyncio.get_running_loop().time() + EVERY_S
        topic.read_at_version = version
        before, had = topic.state, topic.version
        if before is not None and (changes := _changes(before, state)):
            topic.state, topic.version = state, version
            text = frame("change", topic=topic.shown_as, **{"from": had}, version=version, **changes)
            await _push_all(list(topic.followers), text)
        elif before is None:
            topic.state, topic.version = state, version
        # Without a difference the version stays: nobody need hear of it.
        if topic.fresh:
            fresh, topic.fresh = topic.fresh, set()
            topic.followers |= fresh
            await _push_all(list(fresh), _whole(topic))

    def _mark(self, name: str) -> None:
        self._dirty.add(name)
        self._wake.set()


def _versions_and_states(kind: str, names: list[str]) -> tuple[dict[str, int], Mapping[str, State]]:
    # The version first: what happens in between then comes again, and is not lost.
    return queries.versions(names), _readers[kind](names)


def _whole(topic: Topic) -> str:
    return frame("state", topic=topic.shown_as, version=topic.version, state=topic.state)


def _changes(before: State, after: State) -> dict[str, Any]:
    changed = {key: value for key, value in after.items() if key not in before or before[key] != value}
    gone = [key for key in before if key not in after]
    return {"set": changed, "gone": gone} if changed or gone else {}


async def _push_all(connections: list[Connection], text: str) -> None:
    message: Message = {"type": "websocket.send", "text": text}
    for number, connection in enumerate(connections, 1):
        connection.push_message(message)
        if number % SOCKETS_AT_ONCE == 0:
            await asyncio.sleep(0)
