"""A provider's server on the loopback address, as unreliable as a test wants it."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from marketplace.payouts.providers.base import Answer, CallProvider, Order, Unclear

SLOW_S = 1.2
# What can go wrong with an order. Before: nothing was done. After: all was done, and the answer is lost or spoilt.
# And `late`: it is done when who asked has long given up.
BEFORE = ("drop before", "503 before")
AFTER = ("drop after", "500 after", "slow", "half", "garbage", "nothing", "other")


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode(), keep_blank_values=True).items()}

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class FakeProvider:
    """Keeps what it was asked; a subclass answers. `faults` and `scripted` answers go to orders, first come first."""

    asked: list[Asked] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    scripted: list[tuple[int, Any]] = field(default_factory=list)

    def is_order(self, asked: Asked) -> bool:
        raise NotImplementedError

    def answer(self, asked: Asked) -> tuple[int, Any]:
        raise NotImplementedError

    def orders(self) -> list[Asked]:
        return [each for each in self.asked if self.is_order(each)]


def paid_in_the_end(provider: CallProvider, order: Order) -> Answer:
    """What a careful caller gets: he sends once, and after an unclear outcome looks up until nothing is unclear."""
    with suppress(Unclear):
        return provider.send(order)
    for _ in range(20):
        with suppress(Unclear):
            found = provider.look_up(replace(order, age=timedelta(minutes=1)))
            return found or provider.send(order)
    raise AssertionError(f"{order.key} was unclear for 20 look-ups.")


@contextmanager
def serving(provider: FakeProvider) -> Iterator[str]:
    """The address at which the provider answers."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def log_message(self, *_: Any) -> None:
            pass

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            asked = Asked(
                method=self.command,
                path=parts.path,
                query={name: values[0] for name, values in parse_qs(parts.query).items()},
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(int(self.headers.get("Content-Length") or 0)),
            )
            provider.asked.append(asked)
            order = provider.is_order(asked)
            fault = provider.faults.pop(0) if order and provider.faults else ""
            if fault == "drop before":
                self._drop()
            elif fault == "503 before":
                self._reply(503, b"{}")
            else:
                if fault == "late":
                    time.sleep(SLOW_S)
                scripted = order and provider.scripted
                status, answer = provider.scripted.pop(0) if scripted else provider.answer(asked)
                self._spoilt(fault, status, answer if isinstance(answer, bytes) else json.dumps(answer).encode())

        def _spoilt(self, fault: str, status: int, body: bytes) -> None:
            if fault == "slow":
                time.sleep(SLOW_S)
            if fault == "half":
                self._reply(status, body[: len(body) // 2], length=len(body))
            if fault in ("drop after", "half"):
                self._drop()
                return
            spoilt = {
                "500 after": (500, b'{"error": {"type": "api_error", "message": "An error occurred."}}'),
                "garbage": (200, b"<html>It works!</html>"),
                "nothing": (200, b"{}"),
                "other": (302, b""),
            }
            self._reply(*spoilt.get(fault, (status, body)))

        def _reply(self, status: int, body: bytes, length: int | None = None) -> None:
            with suppress(OSError):  # whoever asked may have gone
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body) if length is None else length))
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(body)

        def _drop(self) -> None:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
