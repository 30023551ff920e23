"""A worker who works over his socket, loses it now and then, and writes down every fact that he hears."""

from __future__ import annotations

import json
import re
import time
from typing import Any, ClassVar

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect

from tests.torture.actors.base import GaveUp, Written
from tests.torture.actors.worker import Worker
from tests.torture.caller import Reply
from tests.torture.stage import HOST

OPEN_WITHIN_S = 5.0
ANSWER_WITHIN_S = 12.0
BEAT_S = 15.0
GONE = (ConnectionClosed, InvalidHandshake, OSError, TimeoutError, EOFError)
# What is a command on the socket; all else goes over HTTP as ever.
COMMANDS = (
    ("claim", re.compile(r"/worker/batches/(?P<batch>[^/]+)/claim")),
    ("submit", re.compile(r"/worker/submissions")),
    ("extend", re.compile(r"/worker/leases")),
    ("draft", re.compile(r"/worker/assignments/(?P<assignment>[^/]+)/draft")),
    ("return", re.compile(r"/worker/assignments/(?P<assignment>[^/]+)/return")),
)


class Listener(Worker):
    """Does what a worker does, by commands with the same keys and the same answers; `repeat` asks over HTTP as well."""

    kind: ClassVar[str] = "listener"

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.cursor: dict[str, Any] | None = None
        self._live_port = given[2].live_port
        self._socket: ClientConnection | None = None
        self._joined_at = 0.0
        self._said_at = 0.0
        self._asked = 0
        self._replies: dict[str, Reply] = {}

    def step(self) -> float:
        if self.chance.random() < 0.05:
            self.lose()
        rest = super().step()
        self.listen(rest)
        return 0.0

    def run(self) -> None:
        super().run()
        self.leave()

    def rest(self, seconds: float) -> None:
        """Rest with open ears."""
        until = time.monotonic() + seconds
        while self.control.running and (left := until - time.monotonic()) > 0:
            self.listen(min(left, 0.25))

    def lose(self) -> None:
        """Lose the network, without a word."""
        if self._socket is not None:
            self._socket.socket.close()
            self._socket = None

    def leave(self) -> None:
        """Say how far all was heard, where the connection was good for long enough to have heard all."""
        try:
            self.listen(0.5)
            if self._socket is not None and self.cursor is not None:
                self.journal.note("left", worker=self.person.id, seq=self.cursor["seq"], since=self._joined_at)
        finally:
            self.lose()

    # Commands instead of requests

    def write_again(
        self, method: str, path: str, content: bytes, key: str, kind: str = "application/json", http: bool = False
    ) -> Written:
        found = next(((name, match) for name, shape in COMMANDS if (match := shape.fullmatch(path))), None)
        if found is None or http:
            return super().write_again(method, path, content, key, kind)
        name, match = found
        frame = {"type": name, **match.groupdict(), **json.loads(content)}
        if name in ("claim", "submit", "return"):
            frame["key"] = key
        return Written(method, path, content, key, self._until_replied(frame))

    def repeat(self, written: Written) -> None:
        """Half of the time over HTTP: a key used on the socket has its answer there too, for a body as compact as the
        server makes it. Values are compared; that bytes are the same too is for the product's own tests."""
        if not any(shape.fullmatch(written.path) for _, shape in COMMANDS):
            super().repeat(written)
            return
        compact = json.dumps(json.loads(written.content), separators=(",", ":"), ensure_ascii=False).encode()
        over_http = self.chance.random() < 0.5
        again = self.write_again(written.method, written.path, compact, written.key, http=over_http)
        if written.reply.good and (again.reply.status, again.reply.body) != (written.reply.status, written.reply.body):
            way = "over HTTP" if over_http else "over the socket"
            self.wrong("duplicated", f"a repeat {way} got another answer", f"{written.path} {again.reply}")

    def _until_replied(self, frame: dict[str, Any]) -> Reply:
        tries = 0
        while True:
            if self.control.stopped:
                self.journal.note("unknown", key=frame.get("key"), path=frame["type"])
                raise GaveUp
            tries += 1
            self._asked += 1
            number = f"{self.name}-{self._asked}"
            asked = time.time()
            if self._say({**frame, "id": number}):
                if self.chance.random() < max(0.02, self.control.cut_share):
                    self.lose()  # whether it was done is not known: it is asked again with the same key
                until = time.monotonic() + ANSWER_WITHIN_S
                while number not in self._replies and self._socket is not None and time.monotonic() < until:
                    self.listen(0.25)
            reply = self._replies.pop(number, None)
            if reply is not None and reply.status < 500 and reply.status != 429:
                return reply
            if reply is not None:
                self.journal.note("5xx", status=reply.status, path=frame["type"], code=reply.code, asked=asked)
            time.sleep(min(1.0, 0.05 * 2 ** min(tries, 8)) * self.chance.uniform(0.5, 1.0))

    # The socket

    def listen(self, seconds: float) -> None:
        """Take in what comes within this time; connect where there is no connection."""
        until = time.monotonic() + seconds
        while True:
            try:
                if self._socket is None:
                    self._open()
                if time.monotonic() - self._said_at > BEAT_S:
                    self._say({"type": "ping"})
                assert self._socket is not None
                self._take(json.loads(self._socket.recv(timeout=max(0.0, until - time.monotonic()))))
            except TimeoutError:
                return
            except GONE:
                self._socket = None
                time.sleep(self.chance.uniform(0.02, 0.3))
            except AssertionError:
                pass  # lost in the middle: the next round connects
            if time.monotonic() >= until:
                return

    def _open(self) -> None:
        try:
            self._socket = connect(
                f"ws://{HOST}:{self._live_port}/ws/worker/",
                additional_headers={"Authorization": f"Bearer {self.person.key}"},
                compression=None,
                proxy=None,
                open_timeout=OPEN_WITHIN_S,
                close_timeout=1,
            )
        except TimeoutError as error:
            raise EOFError from error  # no answer to the handshake is a lost connection, not a quiet one
        self._say({"type": "join", **({"cursor": self.cursor} if self.cursor else {})})

    def _say(self, frame: dict[str, Any]) -> bool:
        if self._socket is None:
            self.listen(0.1)
        try:
            if self._socket is not None:
                self._socket.send(json.dumps(frame))
                self._said_at = time.monotonic()
                return True
        except GONE:
            self._socket = None
        return False

    def _take(self, frame: dict[str, Any]) -> None:
        kind = frame["type"]
        if kind == "fact":
            self.journal.note("heard", worker=self.person.id, seq=frame["seq"], kind=frame["kind"])
            self.cursor = {"epoch": frame["epoch"], "seq": frame["seq"]}
        elif kind in ("snapshot", "resumed"):
            if kind == "snapshot":
                self.journal.note("began", worker=self.person.id, seq=frame["cursor"]["seq"])
                self.cursor = frame["cursor"]
            self._joined_at = time.time()
        elif kind == "reply" and frame["id"] is not None:
            self._replies[frame["id"]] = Reply(frame["status"], json.dumps(frame["body"]).encode())
        elif kind == "error":
            self.wrong("surprises", "a frame was refused", f"{frame}")
