"""A provider of payouts as a real HTTP server with books of its own, that loses, repeats and reorders what it says."""

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any
from urllib.parse import unquote


class ProviderServer:
    """Pays each key once, whatever it is asked. `drop` is the share of requests whose answer gets lost, half of them
    before anything is done and half after; `later` the share of orders that are settled only when looked up or told of;
    `refuse` and `fail` the shares that are refused at once, and that fail in the end."""

    def __init__(
        self, *, seed: int = 1, drop: float = 0.0, later: float = 0.0, refuse: float = 0.0, fail: float = 0.0
    ) -> None:
        self.chance = Random(seed)
        self.drop, self.later, self.refuse, self.fail = drop, later, refuse, fail
        self.orders: dict[str, dict[str, Any]] = {}
        self.asked: Counter[str] = Counter()  # how often each key was to be paid
        self.lost = 0
        self.told: list[dict[str, Any]] = []  # notices that nobody was given yet
        self._events = 0
        self._lock = threading.Lock()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.0"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self._serve(lambda: provider.pay(body))

            def do_GET(self) -> None:
                self._serve(lambda: provider.find(unquote(self.path.rpartition("/")[2])))

            def _serve(self, work: Any) -> None:
                fault = provider.fault()
                if fault == "before":
                    self.close_connection = True
                    return
                status, said = work()
                if fault == "after":
                    self.close_connection = True
                    return
                raw = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self.server = Server(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=[0.05], daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> "ProviderServer":
        self.thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(timeout=5)

    def fault(self) -> str:
        """What goes wrong with the next request."""
        with self._lock:
            drawn = self.chance.random()
            self.lost += drawn < self.drop
            return "before" if drawn < self.drop / 2 else "after" if drawn < self.drop else ""

    def pay(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Take the order, once for each key."""
        with self._lock:
            key = body["key"]
            self.asked[key] += 1
            if key not in self.orders:
                drawn = self.chance.random()
                if drawn < self.refuse:
                    return 422, {"detail": "the receiver is not known"}
                fate = "failed" if drawn < self.refuse + self.fail else "settled"
                waits = self.chance.random() < self.later
                self.orders[key] = {**body, "fate": "accepted" if waits else fate, "end": fate}
                self._tell(key)
            elif self.orders[key]["amount_cents"] != body["amount_cents"]:
                return 409, {"code": "other-terms"}
            return 201, self._said(key)

    def find(self, key: str) -> tuple[int, dict[str, Any]]:
        """What has become of an order."""
        with self._lock:
            if key not in self.orders:
                return 404, {"code": "no-such-payment"}
            order = self.orders[key]
            if order["fate"] == "accepted" and self.chance.random() < 0.5:
                self._end(key)
            return 200, self._said(key)

    def end_all(self) -> None:
        """Everything that was accepted comes to its end."""
        with self._lock:
            for key, order in self.orders.items():
                if order["fate"] == "accepted":
                    self._end(key)

    def send_back(self, key: str) -> None:
        """The receiver's bank sends a settled payment back."""
        with self._lock:
            self.orders[key]["fate"] = "failed"
            self._tell(key)

    def notices(self, *, twice: float = 0.3) -> list[dict[str, Any]]:
        """What is to be told now: in any order, and a share of it twice."""
        with self._lock:
            told, self.told = self.told, []
            told += [notice for notice in told if self.chance.random() < twice]
            self.chance.shuffle(told)
            return told

    def paid(self) -> dict[str, int]:
        """Cents by key of what receivers have."""
        with self._lock:
            return {key: order["amount_cents"] for key, order in self.orders.items() if order["fate"] == "settled"}

    def _end(self, key: str) -> None:
        self.orders[key]["fate"] = self.orders[key]["end"]
        self._tell(key)

    def _tell(self, key: str) -> None:
        self._events += 1
        self.told.append(
            {"event": f"e{self._events}", "key": key, "at": "2026-01-01T00:00:00+00:00", **self._said(key)}
        )

    def _said(self, key: str) -> dict[str, Any]:
        fate = self.orders[key]["fate"]
        return {"fate": fate, "reference": f"R-{key[-6:]}", "detail": "account closed" if fate == "failed" else ""}
