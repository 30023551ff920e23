"""The reference client of the live protocol, version 1 (workers/live/protocol/README.md), on asyncio and `websockets`.

    async with LiveClient("ws://127.0.0.1:8001/ws/worker/", key=key, on_fact=print) as client:
        claimed = await client.command("claim", batch=batch, count=3)
        async for lease in client.stream(batch, window=5):
            await client.submit(lease, {"label": "cat"})

It shows what every client must do so that nothing is lost and nothing counts twice: connect again with the cursor after
a random pause; drop facts it has; after a gap connect again instead of going on; repeat a command that was not answered
with the same key; know leases by id and token. It is used by the tests, the benchmarks and the torture rig.
"""

import asyncio
import contextlib
import json
import random
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

Frame = dict[str, Any]
# The longest pause before the next try: half as long again each time, so that a short absence costs little.
PAUSE_S, LONGER, PAUSE_MAX_S = 0.25, 1.5, 15.0
FRAME_BYTES_MAX = 16 * 1024 * 1024  # of the server's frames; only what clients send is bound to 64 KiB
OPEN_WITHIN_S = 15.0
SILENT_HEARTBEATS = 2.5
POLL_AFTER = 3  # tries in a row that no WebSocket came of
# Connecting again would end the same way.
FINAL = {4400, 4403, 4404, 1007, 1009}
NOT_AUTHENTICATED = 4401
TOO_MANY = 4429


class Refused(Exception):
    """The server does not want this client: the code with which it closed, or the status of the handshake."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"{code} {reason}".strip())
        self.code = code


class _Again(Exception):
    """Connect again: something is missing."""


@dataclass
class Counts:
    """What the client lived through."""

    connects: int = 0
    losses: int = 0
    duplicates: int = 0
    gaps: int = 0
    snapshots: int = 0
    resumes: int = 0
    polls: int = 0
    closes: dict[int, int] = field(default_factory=dict)


@dataclass
class _Command:
    frame: Frame
    answer: "asyncio.Future[Frame]"


@dataclass
class _Stream:
    window: int
    leases: "asyncio.Queue[Frame | None]" = field(default_factory=asyncio.Queue)
    given: set[tuple[str, str]] = field(default_factory=set)
    state: str = ""


class LiveClient:
    """One person's socket, for as long as he wants it, over as many connections as it takes.

    `cursor` is how far it has read; give it to the next client to go on from there. `topics` holds the newest state of
    each topic followed, `leases` what the last snapshot showed. Callbacks run in the order of the stream and must not
    wait. `ticket` is asked for a fresh ticket at each connection. With `poll_url` (…/live/worker/stream) facts come
    by long-poll where no WebSocket gets through; commands then wait until one does.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        ticket: Callable[[], Awaitable[str]] | None = None,
        origin: str | None = None,
        cursor: Frame | None = None,
        on_fact: Callable[[Frame], None] = lambda fact: None,
        on_snapshot: Callable[[Frame], None] = lambda snapshot: None,
        on_topic: Callable[[str, int, Frame], None] = lambda topic, version, state: None,
        poll_url: str | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self._url, self._key, self._ticket, self._origin, self._poll_url = url, key, ticket, origin, poll_url
        self._on_fact, self._on_snapshot, self._on_topic = on_fact, on_snapshot, on_topic
        self._chance = chance or random.Random()
        self.cursor = cursor
        self.hello: Frame = {}
        self.snapshot: Frame = {}
        self.topics: dict[str, tuple[int, Frame]] = {}
        self.counts = Counts()
        self.failure: Refused | None = None
        self.heartbeat_s = 0.0  # where another pace than the server's is wanted
        self._wanted_topics: list[str] = []
        self._commands: dict[str, _Command] = {}
        self._streams: dict[str, _Stream] = {}
        self._socket: ClientConnection | None = None
        self._joined = False
        self._tries = 0
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()
        self._heard_at = self._next_at = 0.0

    async def __aenter__(self) -> "LiveClient":
        self.start()
        return self

    async def __aexit__(self, *why: object) -> None:
        await self.stop()

    def start(self) -> None:
        """Begin connecting, in a task."""
        self._task = asyncio.create_task(self.run())

    async def stop(self) -> None:
        """Close for good; commands without an answer are cancelled."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Refused):
                await self._task
        self._end()

    async def drop(self) -> None:
        """Lose the connection, as a bad network does: without a word. It connects again by itself."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def until(self, condition: Callable[[], bool], limit_s: float = 30.0) -> None:
        """Wait until something is so. Raises `TimeoutError`, and `Refused` once the server wants us no more."""
        async with asyncio.timeout(limit_s), self._changed:
            while not condition():
                if self.failure is not None:
                    raise self.failure
                await self._changed.wait()

    @property
    def unanswered(self) -> int:
        """How many commands wait for their reply."""
        return len(self._commands)

    # What one can ask

    async def subscribe(self, topic: str) -> None:
        """Follow a topic, now and after each new connection."""
        if topic not in self._wanted_topics:
            self._wanted_topics.append(topic)
        await self._say_if_joined({"type": "subscribe", "topic": topic})

    async def unsubscribe(self, topic: str) -> None:
        """Follow it no more."""
        self._wanted_topics.remove(topic)
        self.topics.pop(topic, None)
        await self._say_if_joined({"type": "unsubscribe", "topic": topic})

    async def command(self, kind: str, *, key: str | None = None, **asked: Any) -> Frame:
        """Send a command, again and again with the same key until it is answered; its `reply`."""
        number = uuid4().hex
        frame = {"type": kind, "id": number, **asked}
        if kind in ("claim", "submit", "return"):
            frame["key"] = key or f"live-{number}"
        command = _Command(frame, asyncio.get_running_loop().create_future())
        self._commands[number] = command
        try:
            await self._say_if_joined(frame)
            return await command.answer
        finally:
            self._commands.pop(number, None)

    async def submit(self, lease: Frame, values: Frame, **more: Any) -> Frame:
        """Hand in one answer."""
        answer = {"assignment": lease["id"], "token": lease["token"], "values": values}
        return await self.command("submit", answers=[answer], **more)

    async def stream(self, batch: str, window: int) -> AsyncIterator[Frame]:
        """Leases of the batch as places come, at most `window` unanswered at a time; ends when no more will come."""
        wanted = self._streams[batch] = _Stream(window)
        await self._say_if_joined(self._stream_frame(batch))
        try:
            while (lease := await wanted.leases.get()) is not None:
                yield lease
        finally:
            self._streams.pop(batch, None)
            if wanted.state != "ended":
                await self._say_if_joined({"type": "unstream", "id": uuid4().hex, "batch": batch})

    # How it stays connected

    async def run(self) -> None:
        """Connect, and again after each loss, until `stop`. Raises `Refused` where that would be in vain."""
        try:
            while True:
                try:
                    await self._connection()
                except _Again:
                    self._tries = 0
                except (OSError, TimeoutError, InvalidHandshake, ConnectionClosed) as error:
                    self._judge(error)
                await self._tell()
                # After the server's own restart everybody comes back: evenly spread, not all at once.
                longest = min(PAUSE_MAX_S, PAUSE_S * LONGER ** min(self._tries, 20))
                if self._poll_url is not None and self._tries >= POLL_AFTER and self.cursor is not None:
                    await self._poll()
                await asyncio.sleep(self._chance.uniform(0, longest))
        except Refused as refused:
            self.failure = refused
            raise
        finally:
            self._end()
            await self._tell()

    def _judge(self, error: Exception) -> None:
        """Whether to try again after this; raises `Refused` if not."""
        self._tries += 1
        if isinstance(error, InvalidStatus) and error.response.status_code in (401, 403, 404):
            raise Refused(error.response.status_code) from error
        if isinstance(error, ConnectionClosed):
            code = error.rcvd.code if error.rcvd is not None else 1006
            reason = error.rcvd.reason if error.rcvd is not None else ""
            self.counts.losses += 1
            self.counts.closes[code] = self.counts.closes.get(code, 0) + 1
            if code in FINAL or (code == NOT_AUTHENTICATED and (self._ticket is None or self._tries > POLL_AFTER)):
                raise Refused(code, reason) from error
            if code == TOO_MANY:
                self._tries = max(self._tries, 8)

    async def _connection(self) -> None:
        headers = {} if self._key is None else {"Authorization": f"Bearer {self._key}"}
        connecting = connect(
            self._url,
            origin=self._origin,  # type: ignore[arg-type]
            additional_headers=headers,
            compression=None,
            max_size=FRAME_BYTES_MAX,
            open_timeout=OPEN_WITHIN_S,
            close_timeout=1,
            proxy=None,
            ping_interval=None,
        )
        async with connecting as socket:
            self._socket, self._next_at = socket, 0.0
            self.counts.connects += 1
            beating = asyncio.create_task(self._beat(socket))
            try:
                if self._ticket is not None:
                    # Asked for now: while no server is there, none is made in vain.
                    await self._say({"type": "authenticate", "ticket": await self._ticket()})
                async with asyncio.timeout(OPEN_WITHIN_S):
                    self.hello = await self._heard()
                await self._say({"type": "join", **({"cursor": self.cursor} if self.cursor else {})})
                while True:
                    await self._take(await self._heard())
                    await self._tell()
            finally:
                beating.cancel()
                self._socket, self._joined = None, False
                self.topics.clear()

    async def _beat(self, socket: ClientConnection) -> None:
        """Say something each heartbeat; a server that is silent for longer is gone, whatever the network thinks."""
        loop = asyncio.get_running_loop()
        self._heard_at = loop.time()
        with contextlib.suppress(ConnectionClosed):
            while True:
                every_s = self.heartbeat_s or float(self.hello.get("heartbeat_s", 20))
                await asyncio.sleep(every_s)
                if loop.time() - self._heard_at > SILENT_HEARTBEATS * every_s:
                    socket.transport.abort()
                    return
                await self._say({"type": "ping"})

    async def _heard(self) -> Frame:
        assert self._socket is not None
        frame: Frame = json.loads(await self._socket.recv())
        self._heard_at = asyncio.get_running_loop().time()
        return frame

    # What comes

    async def _take(self, frame: Frame) -> None:
        kind = frame["type"]
        if kind == "fact":
            self._take_fact(frame)
        elif kind in ("snapshot", "resumed"):
            await self._begin(frame)
        elif kind == "reply":
            command = self._commands.get(frame["id"])
            if command is not None and not command.answer.done():
                command.answer.set_result(frame)
        elif kind == "tasks":
            self._give(frame["batch"], frame["assignments"])
        elif kind == "stream" and frame["batch"] in self._streams:
            stream = self._streams[frame["batch"]]
            stream.state = frame["state"]
            if frame["state"] == "ended":
                stream.leases.put_nowait(None)
        elif kind == "state":
            self._show(frame["topic"], frame["version"], dict(frame["state"]))
        elif kind == "change":
            await self._change(frame)

    def _take_fact(self, fact: Frame) -> None:
        assert self.cursor is not None
        # A requester's socket has a stream for each organisation, and its facts say which; others have one.
        label = fact.get("stream")
        seen = self.cursor["seq"] if label is None else self.cursor["seqs"].get(label, 0)
        if fact["epoch"] != self.cursor["epoch"] or fact["seq"] > seen + 1:
            # Something between was lost on the way: what the server still has is asked for again.
            self.counts.gaps += 1
            raise _Again
        if fact["seq"] <= seen:
            self.counts.duplicates += 1
            return
        reached = {"seq": fact["seq"]} if label is None else {"seqs": self.cursor["seqs"] | {label: fact["seq"]}}
        self.cursor = {"epoch": fact["epoch"], **reached}
        self._on_fact(fact)

    async def _begin(self, frame: Frame) -> None:
        """The server knows where we are: now everything that was left open can go on."""
        if frame["type"] == "snapshot":
            self.counts.snapshots += 1
            self.snapshot, self.cursor = frame, frame["cursor"]
            self._on_snapshot(frame)
        else:
            self.counts.resumes += 1
        if self._joined:
            return
        self._joined, self._tries = True, 0
        for topic in self._wanted_topics:
            await self._say({"type": "subscribe", "topic": topic})
        for command in list(self._commands.values()):
            if not command.answer.done():
                await self._say(command.frame)
        for batch in self._streams:
            await self._say(self._stream_frame(batch))

    def _give(self, batch: str, leases: list[Frame]) -> None:
        stream = self._streams.get(batch)
        for lease in leases if stream is not None else ():
            assert stream is not None
            if (lease["id"], lease["token"]) not in stream.given:
                stream.given.add((lease["id"], lease["token"]))
                stream.leases.put_nowait(lease)

    async def _change(self, frame: Frame) -> None:
        version, state = self.topics.get(frame["topic"], (-1, {}))
        if version == frame["from"]:
            left = {name: value for name, value in state.items() if name not in frame["gone"]}
            self._show(frame["topic"], frame["version"], left | frame["set"])
        elif version < frame["version"] and frame["topic"] in self._wanted_topics:
            await self._say({"type": "subscribe", "topic": frame["topic"]})

    def _show(self, topic: str, version: int, state: Frame) -> None:
        if topic in self._wanted_topics:
            self.topics[topic] = (version, state)
            self._on_topic(topic, version, state)

    # Without a WebSocket

    async def _poll(self) -> None:
        """Read on by one request that waits at the server; what does not answer is tried again later."""
        assert self._poll_url is not None and self.cursor is not None
        asked = {"epoch": self.cursor["epoch"], "after": self.cursor["seq"], "wait": 20}
        request = urllib.request.Request(
            f"{self._poll_url}?{urllib.parse.urlencode(asked)}", headers={"Authorization": f"Bearer {self._key}"}
        )
        try:
            answer = await asyncio.to_thread(_read, request)
        except urllib.error.HTTPError as error:
            if error.code in (401, 403, 404):
                raise Refused(error.code) from error
            return
        except OSError:
            return
        self.counts.polls += 1
        if "snapshot_required" not in answer:
            for fact in answer["facts"]:
                self._take_fact(fact)
        await self._tell()

    # Small things

    def _stream_frame(self, batch: str) -> Frame:
        return {"type": "stream", "id": uuid4().hex, "batch": batch, "window": self._streams[batch].window}

    async def _say(self, frame: Frame) -> None:
        """Send it, no faster than the server takes frames."""
        socket = self._socket
        assert socket is not None
        loop = asyncio.get_running_loop()
        every_s = 1 / float(self.hello.get("limits", {}).get("frames_per_s", 20))
        # As many at once as a second takes, and then one after the other.
        self._next_at = max(self._next_at + every_s, loop.time() - 1.0)
        if self._next_at > loop.time():
            await asyncio.sleep(self._next_at - loop.time())
        await socket.send(json.dumps(frame, separators=(",", ":")))

    async def _say_if_joined(self, frame: Frame) -> None:
        """What cannot be said now is said once the server knows where we are."""
        if self._joined and self._socket is not None:
            with contextlib.suppress(ConnectionClosed):
                await self._say(frame)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _end(self) -> None:
        for command in self._commands.values():
            command.answer.cancel()
        for stream in self._streams.values():
            stream.leases.put_nowait(None)


def _read(request: urllib.request.Request) -> Frame:
    with urllib.request.urlopen(request, timeout=40) as answer:
        return dict(json.load(answer))
