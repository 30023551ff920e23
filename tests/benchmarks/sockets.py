"""Many sockets in processes of their own: the least that a client of the live protocol can be, stamping what it gets.

Bare asyncio protocols instead of a library, because 10,000 clients share a machine with the server; what they use is
reported. Stamps are of the machine-wide monotonic clock.
"""

import asyncio
import base64
import json
import multiprocessing
import os
import random
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

HOST = "127.0.0.1"
AT_ONCE = 100  # handshakes under way in a process
PAUSE_S, LONGER, PAUSE_MAX_S = 0.25, 1.5, 15.0
ANSWER_S = 120.0
_contexts = multiprocessing.get_context("spawn")


def raise_the_limit() -> dict[str, int]:
    """As many open files as the machine allows; what it was and what it is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return {"soft": soft, "hard": hard}


def frame_bytes(text: bytes) -> bytes:
    """A masked text frame."""
    size = len(text)
    head = b"\x81"
    head += bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + size.to_bytes(2, "big")
    # A mask of zeros leaves the payload as it is.
    return head + b"\0\0\0\0" + text


class Receiver(asyncio.Protocol):
    """One socket: authenticates, joins (with its cursor once it has one), and stamps what follows."""

    def __init__(self, crowd: "_Crowd", key: str) -> None:
        self.crowd, self.key = crowd, key
        self.cursor: dict[str, Any] | None = None
        self.transport: asyncio.Transport | None = None
        self.joined: asyncio.Future[bool] = crowd.loop.create_future()
        self.buffer = b""
        self.open = False
        self.tries = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.buffer, self.open = b"", False
        nonce = base64.b64encode(os.urandom(16)).decode()
        self.transport.write(  # type: ignore[union-attr]
            f"GET /ws/worker/ HTTP/1.1\r\nHost: {HOST}:{self.crowd.port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {nonce}\r\nSec-WebSocket-Version: 13\r\n"
            f"Authorization: Bearer {self.key}\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        self.buffer = self.buffer + data if self.buffer else data
        if not self.open:
            head, end, rest = self.buffer.partition(b"\r\n\r\n")
            if not end:
                return
            status = head[9:12].decode("latin-1")
            if status != "101":
                self.crowd.refusals[status] = self.crowd.refusals.get(status, 0) + 1
                self._settle(False)
                self.transport.abort()  # type: ignore[union-attr]
                return
            self.open, self.buffer = True, rest
        while len(self.buffer) >= 2:
            size, at = self.buffer[1] & 127, 2
            if size >= 126:
                width = 2 if size == 126 else 8
                size, at = int.from_bytes(self.buffer[2 : 2 + width], "big"), 2 + width
            if len(self.buffer) < at + size:
                return
            kind, payload = self.buffer[0] & 15, self.buffer[at : at + size]
            self.buffer = self.buffer[at + size :]
            if kind == 1:
                self._take(now, payload)
            elif kind == 9:
                self.transport.write(bytes([0x8A, 0x80 | len(payload)]) + b"\0\0\0\0" + payload)  # type: ignore[union-attr]
            elif kind == 8:
                code = str(int.from_bytes(payload[:2], "big"))
                self.crowd.closes[code] = self.crowd.closes.get(code, 0) + 1

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self.joined.done() and self.crowd.staying:
            self.crowd.lost += 1
            self.joined = self.crowd.loop.create_future()
            self._later()
        elif not self.joined.done():
            if self.crowd.staying and self.cursor is not None:
                self._later()
            else:
                self._settle(False)

    def say(self, text: bytes) -> None:
        if self.transport is not None:
            self.transport.write(frame_bytes(text))

    def _later(self) -> None:
        self.tries += 1
        longest = min(PAUSE_MAX_S, PAUSE_S * LONGER ** min(self.tries, 20))
        self.crowd.loop.call_later(random.uniform(0, longest), self.crowd.reconnect, self)

    def _take(self, now: int, payload: bytes) -> None:
        frame = self.crowd.parsed(payload)
        kind = frame["type"]
        if kind == "fact":
            if self.cursor is None or frame["seq"] != self.cursor["seq"] + 1:
                self.crowd.disordered += 1
            self.cursor = {"epoch": frame["epoch"], "seq": frame["seq"]}
            self.crowd.facts.append((self.key, frame["seq"], now))
        elif kind in ("state", "change"):
            self.crowd.topics.setdefault(frame["version"], []).append(now)
        elif kind == "hello":
            join = {"type": "join", **({"cursor": self.cursor} if self.cursor else {})}
            self.say(json.dumps(join).encode())
        elif kind in ("snapshot", "resumed"):
            self.cursor = frame["cursor"]
            self.tries = 0
            if self.crowd.topic:
                self.say(json.dumps({"type": "subscribe", "topic": self.crowd.topic}).encode())
            self.crowd.rejoined.append(now)
            self._settle(True)

    def _settle(self, well: bool) -> None:
        if not self.joined.done():
            self.joined.set_result(well)


class _Crowd:
    """The sockets of one process, told what to do over a pipe."""

    def __init__(self, port: int, pipe: Connection, loop: asyncio.AbstractEventLoop) -> None:
        self.port, self.pipe, self.loop = port, pipe, loop
        self.receivers: list[Receiver] = []
        self.facts: list[tuple[str, int, int]] = []
        self.topics: dict[int, list[int]] = {}
        self.rejoined: list[int] = []
        self.refusals: dict[str, int] = {}
        self.closes: dict[str, int] = {}
        self.lost = self.disordered = 0
        self.staying = True
        self.topic = ""
        self._known: dict[bytes, dict[str, Any]] = {}
        self._gate = asyncio.Semaphore(AT_ONCE)

    def parsed(self, payload: bytes) -> dict[str, Any]:
        """All sockets are sent the very same bytes of a topic: they are read once."""
        if payload not in self._known:
            if len(self._known) > 64:
                self._known.clear()
            self._known[payload] = json.loads(payload)
        return self._known[payload]

    async def connect(self, keys: Sequence[str]) -> int:
        made = [Receiver(self, key) for key in keys]
        self.receivers += made
        return sum(await asyncio.gather(*map(self._open, made)))

    async def _open(self, receiver: Receiver) -> bool:
        async with self._gate:
            try:
                await self.loop.create_connection(lambda: receiver, HOST, self.port)
                return await asyncio.wait_for(asyncio.shield(receiver.joined), 60)
            except (OSError, TimeoutError):
                return False

    def reconnect(self, receiver: Receiver) -> None:
        if self.staying:
            self.loop.create_task(self._reopen(receiver))

    async def _reopen(self, receiver: Receiver) -> None:
        try:
            await self.loop.create_connection(lambda: receiver, HOST, self.port)
        except OSError:
            receiver._later()

    def taken(self) -> dict[str, Any]:
        found = {
            "facts": self.facts,
            "topics": self.topics,
            "rejoined": self.rejoined,
            "refusals": self.refusals,
            "closes": self.closes,
            "lost": self.lost,
            "disordered": self.disordered,
            "open": sum(receiver.transport is not None and receiver.joined.done() for receiver in self.receivers),
        }
        self.facts, self.topics, self.rejoined = [], {}, []
        return found

    async def serve(self) -> None:
        asked: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        self.loop.add_reader(self.pipe.fileno(), lambda: asked.put_nowait(self.pipe.recv()))
        beating = self.loop.create_task(self._beat())
        while True:
            what, given = await asked.get()
            if what == "end":
                self.staying = False
                beating.cancel()
                for receiver in self.receivers:
                    if receiver.transport is not None:
                        receiver.transport.abort()
                self.pipe.send(None)
                return
            if what == "connect":
                self.pipe.send(await self.connect(given))
            elif what == "subscribe":
                self.topic = given
                for receiver in self.receivers:
                    receiver.say(json.dumps({"type": "subscribe", "topic": given}).encode())
                self.pipe.send(None)
            elif what == "take":
                self.pipe.send(self.taken())

    async def _beat(self) -> None:
        while True:
            # Spread over the heartbeat, as the heartbeats of many pages are.
            for place, receiver in enumerate(list(self.receivers)):
                receiver.say(b'{"type":"ping"}')
                if place % 50 == 49:
                    await asyncio.sleep(20 * 50 / max(50, len(self.receivers)))
            await asyncio.sleep(1)


def _main(port: int, pipe: Connection) -> None:
    raise_the_limit()

    async def serve() -> None:
        await _Crowd(port, pipe, asyncio.get_running_loop()).serve()

    asyncio.run(serve())


@dataclass
class Taken:
    """What all sockets got since the last look."""

    facts: list[tuple[str, int, int]]
    topics: dict[int, list[int]]
    rejoined: list[int]
    refusals: dict[str, int]
    closes: dict[str, int]
    lost: int
    disordered: int
    open: int


class Crowd:
    """Sockets over a few processes."""

    def __init__(self, port: int, processes: int) -> None:
        self._pipes: list[Connection] = []
        self._processes = []
        for _ in range(processes):
            ours, theirs = _contexts.Pipe()
            process = _contexts.Process(target=_main, args=(port, theirs), daemon=True)
            process.start()
            self._pipes.append(ours)
            self._processes.append(process)

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._processes if process.pid]

    def connect(self, keys: Sequence[str]) -> int:
        """Open a socket for each key; how many came as far as their snapshot."""
        parts = [list(keys[number :: len(self._pipes)]) for number in range(len(self._pipes))]
        return sum(self._ask("connect", parts))

    def subscribe(self, topic: str) -> None:
        """All of them, and again after each new connection."""
        self._ask("subscribe", [topic] * len(self._pipes))

    def take(self) -> Taken:
        """What came since the last look; counts are of all time."""
        parts = self._ask("take", [None] * len(self._pipes))
        topics: dict[int, list[int]] = {}
        counted: dict[str, dict[str, int]] = {"refusals": {}, "closes": {}}
        for part in parts:
            for version, times in part["topics"].items():
                topics.setdefault(version, []).extend(times)
            for name, into in counted.items():
                for code, number in part[name].items():
                    into[code] = into.get(code, 0) + number
        return Taken(
            facts=[fact for part in parts for fact in part["facts"]],
            topics=topics,
            rejoined=[at for part in parts for at in part["rejoined"]],
            refusals=counted["refusals"],
            closes=counted["closes"],
            lost=sum(part["lost"] for part in parts),
            disordered=sum(part["disordered"] for part in parts),
            open=sum(part["open"] for part in parts),
        )

    def end(self) -> None:
        """Leave."""
        self._ask("end", [None] * len(self._pipes))
        for process in self._processes:
            process.join(20)

    def _ask(self, what: str, each: Sequence[Any]) -> list[Any]:
        for pipe, given in zip(self._pipes, each, strict=True):
            pipe.send((what, given))
        answers = []
        for pipe in self._pipes:
            if not pipe.poll(ANSWER_S * 4):
                raise TimeoutError(f"the sockets did not {what}")
            answers.append(pipe.recv())
        return answers
