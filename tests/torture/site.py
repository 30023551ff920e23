"""The processes of the tortured stack, found through /proc: its services are the children of ./run."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import redis

from deploy.stack.variables import Stack
from tests.torture.stage import HOST

NAMES = {"web": "granian", "live": " live ", "relay": " relay ", "worker": " worker ", "beat": " beat "}


@dataclass(frozen=True)
class Site:
    """A running stack: its servers, its processes, its files."""

    stack: Stack

    @property
    def data(self) -> Path:
        return Path(self.stack.data)

    @property
    def control(self) -> Path:
        """The folder that the hooks in the site's processes read."""
        return self.data / "control"

    @property
    def web_port(self) -> int:
        assert self.stack.web_port is not None
        return self.stack.web_port

    @property
    def live_port(self) -> int:
        assert self.stack.live_port is not None
        return self.stack.live_port

    @property
    def postgres_log(self) -> Path:
        return self.data / "logs" / "postgres.log"

    def connect(self, role: str = "postgres", **options: Any) -> psycopg.Connection[Any]:
        """A connection as the superuser, or as `app` or `owner`. Raises `psycopg.OperationalError` while it is down."""
        url = self.stack.database_url if role == "app" else self.stack.database_owner_url
        user = {"user": "postgres"} if role == "postgres" else {}
        return psycopg.connect(url, autocommit=True, connect_timeout=5, **user, **options)

    def valkey(self) -> redis.Redis:
        """A client of the cache and broker."""
        return redis.Redis.from_url(self.stack.redis_url, socket_connect_timeout=5, socket_timeout=5)

    def mains(self, name: str) -> set[int]:
        """The main processes of web, live, relay, worker or beat."""
        return {pid for pid in children(self.stack.pid) if NAMES[name] in f"{_command(pid)} " and alive(pid)}

    def main(self, name: str) -> int | None:
        """The oldest of them."""
        return min(self.mains(name), default=None)

    def children(self, name: str) -> list[int]:
        """The worker processes of web or worker."""
        main = self.main(name)
        return [] if main is None else [pid for pid in children(main) if "resource_tracker" not in _command(pid)]

    def postgres(self) -> int | None:
        """The postmaster."""
        try:
            pid = int((self.data / "postgres" / "postmaster.pid").read_bytes().split(b"\n")[0])
        except (OSError, ValueError, IndexError):
            return None
        return pid if alive(pid) else None

    def valkey_process(self) -> int | None:
        """The Valkey server."""
        try:
            return int(self.valkey().info("server")["process_id"])
        except redis.RedisError:
            return None

    def healthy(self) -> bool:
        """Whether the site answers, and Valkey, and relay, worker and beat are there."""
        try:
            self.valkey().ping()
        except redis.RedisError:
            return False
        return None not in map(self.main, ("relay", "worker", "beat")) and self.answers()

    def sweeps(self) -> bool:
        """Whether everything that sweeps run on is there: database, Valkey, beat, and a worker with its pool."""
        try:
            self.valkey().ping()
            self.connect("app").close()
        except (redis.RedisError, psycopg.Error):
            return False
        worker = self.main("worker")
        return worker is not None and not stopped(worker) and bool(children(worker)) and self.main("beat") is not None

    def answers(self) -> bool:
        """Whether the database takes sessions and web answers twice."""
        try:
            self.connect("app").close()
        except psycopg.Error:
            return False
        return all(self.web_answers() for _ in range(2))

    def web_answers(self) -> bool:
        """Whether the health check of web says 200, soon."""
        return _is_well(self.web_port)

    def live_answers(self) -> bool:
        """The same of the live server."""
        return _is_well(self.live_port)


def _is_well(port: int) -> bool:
    with contextlib.closing(http.client.HTTPConnection(HOST, port, timeout=2)) as connection:
        try:
            connection.request("GET", "/health/")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> bool:
    """Send a signal; False when there is nobody any more."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    return _status(pid)[:1] not in ("", "Z", "X")


def stopped(pid: int) -> bool:
    """Whether the process is under SIGSTOP."""
    return _status(pid)[:1] in ("T", "t")


def children(pid: int) -> list[int]:
    """The direct children of a process."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and _parent(int(process.name)) == pid:
            found.append(int(process.name))
    return sorted(found)


def wait(until: Callable[[], Any], limit_s: float, every_s: float = 0.1) -> Any:
    """What `until` says once it is true; its last word when the limit has passed."""
    deadline = time.monotonic() + limit_s
    while True:
        found = until()
        if found or time.monotonic() > deadline:
            return found
        time.sleep(every_s)


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def _parent(pid: int) -> int:
    fields = _status(pid).split()
    return int(fields[1]) if len(fields) > 1 else 0


def _status(pid: int) -> str:
    """State, parent, … of a process, as /proc says after the name."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].strip()
    except OSError:
        return ""
