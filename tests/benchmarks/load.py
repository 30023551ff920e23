"""The load generator: one process, raw asyncio protocols, persistent connections, requests made of prepared bytes.

A client plays a script: a generator that yields requests and is sent replies. It costs 0.05 to 0.2 ms a request, so
that the generator stays out of the figures; what it used is reported beside them.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.benchmarks import cpu
from tests.benchmarks.report import percentiles_ms

HOST = "127.0.0.1"


class Reply(NamedTuple):
    """What a server answered."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: bytes) -> bytes:
        """The value of a header, empty where there is none."""
        place = self.head.lower().find(b"\r\n" + name.lower() + b":")
        if place < 0:
            return b""
        start = place + len(name) + 3
        end = self.head.find(b"\r\n", start)
        return self.head[start : end if end >= 0 else None].strip()


# (name of the operation, bytes of the request) → its reply
Script = Generator[tuple[str, bytes], Reply, None]


@dataclass
class Meter:
    """Latencies by operation and counts, kept only while `on`."""

    on: bool = False
    over: bool = False
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    # The same from the first request to the last.
    in_all: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    errors: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    # Ends the measurement before its time once this many answers were counted.
    answers_max: int | None = None
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    def count(self, name: str, by: int = 1) -> None:
        """Count something that the script did."""
        self.in_all[name] += by
        if self.on:
            self.counts[name] += by
            if self.answers_max is not None and self.counts["answers"] >= self.answers_max:
                self.enough.set()

    def error(self, text: str) -> None:
        """Count a reply that was not what the script wanted."""
        self.errors[text[:120]] += 1


class Client(asyncio.Protocol):
    """One connection that plays one script, and connects again where the server closes."""

    def __init__(self, script: Script, meter: Meter, port: int) -> None:
        self._script = script
        self._meter = meter
        self._port = port
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._operation = ""
        self._request = b""
        self._sent_at = 0.0
        self._answers_on_connection = 0
        self._waiting = False
        self._ended = False
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self) -> None:
        """Send the first request."""
        self._advance(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._buffer = b""
        self._answers_on_connection = 0
        if self._waiting:
            self._transport.write(self._request)  # type: ignore[union-attr]

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._ended:
            self._finish()
        elif self._waiting and self._buffer and b"\r\n\r\n" in self._buffer:
            head, _, body = self._buffer.partition(b"\r\n\r\n")
            self._answered(head, body)  # the body ended with the connection
        elif self._waiting:
            # A server may close an idle connection at the moment of the next request; then nothing was lost.
            if not self._answers_on_connection:
                self._meter.error("connection lost")
            self._connect()

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end]
        lowered = head.lower()
        place = lowered.find(b"content-length:")
        if place >= 0:
            stop = head.find(b"\r\n", place)
            length = int(head[place + 15 : stop if stop >= 0 else None])
            if len(self._buffer) < end + 4 + length:
                return
            body = self._buffer[end + 4 : end + 4 + length]
        elif b"transfer-encoding: chunked" in lowered:
            if not self._buffer.endswith(b"0\r\n\r\n"):
                return
            body = _unchunked(self._buffer[end + 4 :])
        elif head[9:12] in (b"204", b"304"):
            body = b""
        else:
            return  # until the connection ends
        self._buffer = b""
        if b"connection: close" in lowered or head.startswith(b"HTTP/1.0"):
            transport, self._transport = self._transport, None
            if transport is not None:
                transport.set_protocol(asyncio.Protocol())
                transport.close()
        self._answered(head, body)

    def _answered(self, head: bytes, body: bytes) -> None:
        taken = time.perf_counter() - self._sent_at
        self._waiting = False
        self._answers_on_connection += 1
        if self._meter.on:
            self._meter.seconds[self._operation].append(taken)
        self._advance(Reply(int(head[9:12]), head, body))

    def _advance(self, reply: Reply | None) -> None:
        try:
            # The reply is taken in even after the end: a lease that was given out must be known to the next run.
            self._operation, self._request = next(self._script) if reply is None else self._script.send(reply)
        except StopIteration:
            self._end()
            return
        except Exception as error:
            self._ended = True
            if not self.done.done():
                self.done.set_exception(error)
            return
        self.send()

    def send(self) -> None:
        """Send the request that the script gave last."""
        self._waiting = True
        self._sent_at = time.perf_counter()
        if self._transport is None:
            self._connect()
        else:
            self._transport.write(self._request)

    def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        task = loop.create_task(loop.create_connection(lambda: self, HOST, self._port))
        task.add_done_callback(self._connected)

    def _connected(self, task: "asyncio.Task[Any]") -> None:
        if task.exception() is not None:
            self._meter.error(f"cannot connect: {task.exception()}")
            if self._meter.over:
                self._finish()
            else:
                asyncio.get_running_loop().call_later(0.05, self._connect)

    def _end(self) -> None:
        self._ended = True
        if self._transport is not None:
            self._transport.close()
        else:
            self._finish()

    def _finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


def _unchunked(raw: bytes) -> bytes:
    parts = []
    while True:
        size, _, rest = raw.partition(b"\r\n")
        length = int(size.partition(b";")[0], 16)
        if length == 0:
            return b"".join(parts)
        parts.append(rest[:length])
        raw = rest[length + 2 :]


def request_bytes(method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> bytes:
    """One whole HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + (body or b"")


def run_loop(
    scripts: Callable[[Meter], Sequence[Script]],
    *,
    port: int,
    seconds: float,
    warm_s: float,
    roots: Mapping[str, int],
    answers_max: int | None = None,
) -> dict[str, Any]:
    """Play the scripts, one client each, in a closed loop; what was measured after the warm-up.

    A script ends by itself once `meter.over`. `cpu_ms` is processor time for each counted answer (each request where
    the scripts count no answers), by process, exited children included.
    """
    cpu.wait_until_quiet(roots)
    return asyncio.run(_run(scripts, port, seconds, warm_s, roots, answers_max))


def run_through(scripts: Callable[[Meter], Sequence[Script]], *, port: int, limit_s: float = 600) -> Meter:
    """Play scripts that end by themselves, unmeasured."""

    async def through() -> Meter:
        meter = Meter()
        clients = [Client(script, meter, port) for script in scripts(meter)]
        for client in clients:
            client.start()
        await asyncio.wait_for(asyncio.gather(*(client.done for client in clients)), timeout=limit_s)
        return meter

    return asyncio.run(through())


async def _run(
    scripts: Callable[[Meter], Sequence[Script]],
    port: int,
    seconds: float,
    warm_s: float,
    roots: Mapping[str, int],
    answers_max: int | None,
) -> dict[str, Any]:
    meter = Meter(answers_max=answers_max)
    clients = [Client(script, meter, port) for script in scripts(meter)]
    for client in clients:
        client.start()
    everybody = asyncio.gather(*(client.done for client in clients))
    await asyncio.wait([everybody], timeout=warm_s)
    meter.on = True
    window = cpu.Window(roots)
    enough = asyncio.ensure_future(meter.enough.wait())
    await asyncio.wait([everybody, enough], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    wall, used, strangers = window.close()
    meter.on = False
    meter.over = True
    enough.cancel()
    ended_early = sum(client.done.done() for client in clients)
    await asyncio.wait_for(everybody, timeout=600)
    return _figures(meter, wall, used, strangers, len(clients), ended_early)


def _figures(
    meter: Meter, wall: float, used: dict[str, float], strangers: float, clients: int, ended_early: int
) -> dict[str, Any]:
    requests = sum(map(len, meter.seconds.values()))
    answers = meter.counts.get("answers", 0)
    unit = max(1, answers or requests)
    return {
        "clients": clients,
        "wall_s": round(wall, 2),
        "requests": requests,
        "requests_per_s": round(requests / wall, 1),
        "answers": answers,
        "answers_per_s": round(answers / wall, 1),
        "operations": {
            name: {"per_s": round(len(taken) / wall, 1), **percentiles_ms(taken)}
            for name, taken in sorted(meter.seconds.items())
        },
        "cpu_ms": {name: round(1000 * seconds / unit, 3) for name, seconds in used.items()},
        "cores": {name: round(seconds / wall, 2) for name, seconds in used.items()},
        "strangers_cores": round(strangers, 2),
        "counts": dict(meter.counts),
        "in_all": dict(meter.in_all),
        "errors": dict(meter.errors),
        "ended_early": ended_early,
    }
