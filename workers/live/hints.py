"""Hints through Redis: "look, something of yours has changed". Losing any of them, or all of Redis, loses nothing."""

import asyncio
import logging
import os
import threading
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any

from channels.layers import get_channel_layer
from redis.exceptions import RedisError

log = logging.getLogger("touchstone.live")

TIMEOUT_S = 2.0
GATHER_S = 0.05


def group_of(worker_id: int) -> str:
    """The name of a worker's group."""
    return f"worker.{worker_id}"


@asynccontextmanager
async def listening(worker_id: int) -> AsyncIterator["Hints"]:
    """Join the worker's group for the length of the block. Raises `RedisError` or `OSError` without Redis."""
    layer = get_channel_layer()
    channel = ""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            channel = await layer.new_channel()
            await layer.group_add(group_of(worker_id), channel)
        yield Hints(layer, channel)
    finally:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await layer.group_discard(group_of(worker_id), channel)
                # The layer forgets a channel only when somebody who waits for it is cancelled.
                while channel in layer.channels:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(layer.receive(channel), 0.001)
        except (RedisError, OSError) as error:
            log.warning("a worker's group could not be left: %s", error)


class Hints:
    """What arrives for one socket."""

    def __init__(self, layer: Any, channel: str) -> None:
        self._layer = layer
        self._channel = channel

    async def next(self) -> str:
        """What the next hint is about: the name of an event."""
        message = await self._layer.receive(self._channel)
        return str(message["about"])


class _Sender:
    """A loop in a thread of its own: sending never holds up the caller, who has a transaction open.

    What is told within `GATHER_S` goes out as one hint for each worker, about the last of it: whoever looks sees all.
    """

    def __init__(self) -> None:
        self.process = os.getpid()
        self._waiting: dict[int, str] = {}
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="live-hints", daemon=True).start()

    def send(self, worker_ids: list[int], about: str) -> None:
        self._loop.call_soon_threadsafe(self._gather, worker_ids, about)

    def _gather(self, worker_ids: list[int], about: str) -> None:
        if not self._waiting:
            self._loop.call_later(GATHER_S, lambda: self._loop.create_task(self._flush()))
        self._waiting.update(dict.fromkeys(worker_ids, about))

    async def _flush(self) -> None:
        layer = get_channel_layer()
        told, self._waiting = self._waiting, {}
        try:
            for worker_id, about in told.items():
                async with asyncio.timeout(TIMEOUT_S):
                    await layer.group_send(group_of(worker_id), {"type": "look", "about": about})
        except (RedisError, OSError) as error:
            log.warning("hints for %d workers were not sent: %s", len(told), error)


_sender: _Sender | None = None
_making = threading.Lock()


def tell(worker_ids: Iterable[int], about: str) -> None:
    """Send the hint to each worker's sockets, on every live server; returns at once and never fails."""
    global _sender
    with _making:
        # Threads do not survive a fork, so each process makes its own.
        if _sender is None or _sender.process != os.getpid():
            _sender = _Sender()
    _sender.send(sorted(set(worker_ids)), about)
