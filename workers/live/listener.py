"""One listener per process: it hears what has grown, and all sockets of the process are served from what it then reads.

Redis only says look. Every second or two everything that anybody here follows is looked at anyway, so a lost message,
or all of Redis, costs a moment.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from django.conf import settings
from redis import asyncio as redis
from redis.exceptions import RedisError

from marketplace.streams import queries
from marketplace.streams.wake import CHANNEL
from workers.live.connection import Connection
from workers.live.frames import WRONG_FRAME
from workers.live.limits import IDLE_S
from workers.live.pool import AWAY, CHANCE, pool
from workers.live.presence import Presence
from workers.live.reader import Reader
from workers.live.topics import Topics
from workers.live.watch import Watch

log = logging.getLogger("touchstone.live")

POLL_S = (1.0, 2.0)
REDIS_BACK_S = (0.5, 2.0)
REDIS_TIMEOUT_S = 2.0
HEAR_S = 1.0
LOOK_S = 1.0


class Listener:
    """What the sockets of one process share. It runs while there are any."""

    def __init__(self) -> None:
        self.reader = Reader()
        self.topics = Topics()
        self.watch = Watch()
        # Called about every second, for what is done for all sockets at once.
        self.rounds: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {}
        self.presence = Presence()
        self.rounds["presence"] = self.presence.round
        self.rounds["topics"] = self.topics.look_again
        self._connections: set[Connection] = set()
        self._tasks: list[asyncio.Task[None]] = []

    def enter(self, connection: Connection) -> None:
        """A socket is here; the first starts the listening."""
        self._connections.add(connection)
        if not self._tasks:
            runs = (self.reader.run, self.topics.run, self.watch.run, self._hear, self._poll, self._look)
            self._tasks = [asyncio.create_task(_for_ever(run)) for run in runs]

    def leave(self, connection: Connection) -> None:
        """It is gone; the last ends the listening."""
        self._connections.discard(connection)
        if not self._connections:
            for task in self._tasks:
                task.cancel()
            self._tasks = []

    def __len__(self) -> int:
        return len(self._connections)

    async def epoch(self) -> UUID:
        """The epoch of the streams, as it was read last."""
        if self.reader.epoch is None:
            self.reader.renewed(await pool.read(queries.epoch))
        assert self.reader.epoch is not None
        return self.reader.epoch

    async def poll(self) -> None:
        """Look at everything that anybody here follows."""
        epoch, heads, versions = await pool.run(_look_at, self.reader.streams(), self.topics.names())
        self.reader.renewed(epoch)
        self.reader.grown(heads)
        self.topics.touched(versions)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(CHANCE.uniform(*POLL_S))
            try:
                await self.poll()
            except AWAY as error:
                log.warning("what has grown cannot be read just now: %s", error)

    async def _hear(self) -> None:
        # The client library may take a cancellation for the end of its own wait, so the end is looked for as well.
        mine = self._tasks
        while self._tasks is mine:
            with suppress(RedisError, OSError, TimeoutError):
                await self._subscribed(mine)
            if self._tasks is not mine:
                return
            log.warning("Redis is away; what has grown is looked up by polls")
            await asyncio.sleep(CHANCE.uniform(*REDIS_BACK_S))

    async def _subscribed(self, mine: list[asyncio.Task[None]]) -> None:
        client = redis.Redis.from_url(
            settings.REDIS_URL, socket_connect_timeout=REDIS_TIMEOUT_S, socket_timeout=REDIS_TIMEOUT_S, retry=None
        )
        async with client, client.pubsub(ignore_subscribe_messages=True) as subscription:
            await subscription.subscribe(CHANNEL)
            while self._tasks is mine:
                message = await subscription.get_message(timeout=HEAR_S)
                if message is not None:
                    self._heard(message["data"])

    def _heard(self, data: bytes) -> None:
        try:
            said = json.loads(data)
            self.reader.grown(said["streams"])
            self.topics.touched(said["topics"])
        except (ValueError, KeyError, TypeError, AttributeError):
            log.warning("a message that nobody here understands was heard")

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_S)
            now = loop.time()
            for connection in list(self._connections):
                connection.look(now)
                if now - connection.heard_at > IDLE_S:
                    connection.close(WRONG_FRAME, "idle: send a ping every 20 seconds")
            for call in list(self.rounds.values()):
                await call()


def _look_at(streams: list[str], topics: list[str]) -> tuple[UUID, dict[str, int], dict[str, int]]:
    return queries.epoch(), queries.heads(streams) if streams else {}, queries.versions(topics) if topics else {}


async def _for_ever(run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    while True:
        try:
            await run()
            return
        except Exception:
            # Sockets that hear nothing must not look as if nothing happened, so it goes on.
            log.exception("a part of the listener failed and begins again")
        await asyncio.sleep(1.0)


_listeners: WeakKeyDictionary[asyncio.AbstractEventLoop, Listener] = WeakKeyDictionary()


def listener() -> Listener:
    """The listener of the running loop."""
    return _listeners.setdefault(asyncio.get_running_loop(), Listener())
