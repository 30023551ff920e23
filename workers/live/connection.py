"""One socket's way out: whoever has something for it pushes text and goes on at once.

A task for each message would cost more than the message. So the coroutine that hands a message to the server is driven
by hand: as long as the transport takes what it is given, it ends without waiting. Only when it waits does a task finish
it, and what comes meanwhile is queued, within bounds.
"""

import asyncio
import logging
import socket as sockets
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, cast

from workers.live.frames import RESUME

log = logging.getLogger("touchstone.live")

WAITING_MAX = 256
WAITING_BYTES_MAX = 256 * 1024
# How long a peer may take nothing at all of what waits for it.
STALLED_S = 20.0
# How long a farewell may wait for the transport before the socket is simply ended.
FAREWELL_S = 2.0
# The kernel keeps megabytes for each peer that does not read, unless told otherwise.
SEND_BUFFER_BYTES = 128 * 1024

Send = Callable[[dict[str, Any]], Awaitable[None]]
Message = dict[str, Any]


class Connection:
    """Frames to one client, in the order in which they were pushed. To be used in the loop's own thread."""

    __slots__ = (
        "_bytes", "_drained", "_farewell_at", "_loop", "_lost", "_send", "_stuck_since", "_waiting", "_writer",
        "closing", "heard_at", "on_end",
    )  # fmt: skip

    def __init__(self, send: Send, on_end: Callable[[], None] | None = None) -> None:
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Message] = deque()
        self._bytes = 0
        self._writer: asyncio.Task[None] | None = None
        self._stuck_since = 0.0
        self._farewell_at: float | None = None
        self._lost = False
        self._drained: dict[str, Callable[[], None]] = {}
        self.closing = False
        self.heard_at = self._loop.time()
        # Called once, when nothing can be sent any more because the transport was given up.
        self.on_end = on_end

    @property
    def free(self) -> bool:
        """Whether nothing waits for this client."""
        return self._writer is None and not self.closing

    @property
    def gone(self) -> bool:
        """Whether the transport has been given up."""
        return self._lost

    def push(self, text: str) -> None:
        """Send a frame now, or queue it. More than the bounds allow ends the socket with 4008 `resume`."""
        self.push_message({"type": "websocket.send", "text": text})

    def push_message(self, message: Message) -> None:
        """As `push`, for a message that many sockets share: it is never changed."""
        if self.closing:
            return
        if self._writer is not None:
            size = len(message["text"].encode())
            if len(self._waiting) >= WAITING_MAX or self._bytes + size > WAITING_BYTES_MAX:
                self.close(RESUME, "resume", drop=True)
                return
            self._waiting.append(message)
            self._bytes += size
            return
        self._hand_over(message)

    def close(self, code: int, reason: str = "", *, drop: bool = False) -> None:
        """Say why and end. What was pushed before goes out first, unless it is dropped."""
        if self.closing:
            return
        self.closing = True
        self._farewell_at = self._loop.time() + FAREWELL_S
        if drop:
            self._waiting.clear()
            self._bytes = 0
        # A reason has at most 123 bytes.
        farewell = {"type": "websocket.close", "code": code, "reason": reason.encode()[:120].decode(errors="ignore")}
        if self._writer is None:
            self._hand_over(farewell)
        else:
            self._waiting.append(farewell)

    def when_free(self, key: str, call: Callable[[], None]) -> None:
        """Call back once nothing waits any more; asked twice for the same key, once."""
        self._drained[key] = call

    def look(self, now: float) -> None:
        """End what does not move; called about every second."""
        if self._writer is None:
            return
        if self._farewell_at is not None and now > self._farewell_at:
            self.abort()
        elif not self.closing and now - self._stuck_since > STALLED_S:
            self.close(RESUME, "resume", drop=True)

    def narrow(self) -> None:
        """Keep the kernel from buffering megabytes for this peer."""
        transport = _transport_of(self._send)
        raw = transport.get_extra_info("socket") if transport is not None else None
        if raw is not None:
            raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, SEND_BUFFER_BYTES)

    def abort(self) -> None:
        """Give up the transport, with what it holds for a peer that does not read."""
        self.closing = True
        transport = _transport_of(self._send)
        if transport is not None:
            transport.abort()
        self.end()

    def end(self) -> None:
        """Nothing more can be sent."""
        if self._lost:
            return
        self._lost = self.closing = True
        self._waiting.clear()
        self._drained.clear()
        if self._writer is not None and self._writer is not asyncio.current_task():
            self._writer.cancel()
        if self.on_end is not None:
            self.on_end()

    def _hand_over(self, message: Message) -> None:
        coroutine = cast("Coroutine[Any, Any, None]", self._send(message))
        try:
            waits_for = coroutine.send(None)
        except StopIteration:
            return
        except Exception:
            # The client is gone; the server says so by itself too.
            self.end()
            return
        self._stuck_since = self._loop.time()
        self._writer = self._loop.create_task(self._write(_Rest(coroutine, waits_for)))

    async def _write(self, rest: "_Rest") -> None:
        try:
            await rest
            while self._waiting:
                self._stuck_since = self._loop.time()
                message = self._waiting.popleft()
                if "text" in message:
                    self._bytes -= len(message["text"].encode())
                await self._send(message)
        except Exception as error:
            log.debug("a socket could not be written to: %s", error)
            self._writer = None
            self.end()
            return
        self._writer = None
        drained, self._drained = self._drained, {}
        for call in drained.values():
            call()


class _Rest:
    """What is left of a coroutine that was driven by hand until it waited."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], waits_for: Any) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, None]:
        waits_for = self._waits_for
        try:
            while True:
                yield waits_for
                try:
                    waits_for = self._coroutine.send(None)
                except StopIteration:
                    return
        finally:
            self._coroutine.close()


def _transport_of(send: Send) -> Any:
    """The transport behind the server's `send`. The interface between servers and applications has no way to give up a
    peer that reads nothing, and the server itself would wait for it for ever."""
    return getattr(getattr(send, "__self__", None), "transport", None)
