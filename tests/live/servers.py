"""The site's own server processes, started by the very command lines of ./run against a test's committed database."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings

from deploy.stack.paths import ROOT
from deploy.stack.processes import dies_with_us
from deploy.stack.site import HOST, SiteProcess, healthy, processes
from tests.stack.harness import free_port

START_LIMIT_S = 300.0


class Servers:
    """Servers by the names that ./run gives them (web, live, relay, …), on ports that stay theirs over restarts."""

    def __init__(self, database: str, folder: Path, **extra: str) -> None:
        self.web_port, self.live_port = free_port(), free_port()
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        env = {
            **os.environ,
            "DATABASE_URL": urlsplit(settings.DATABASE_URL)._replace(path=f"/{database}").geturl(),
            "DATABASE_OWNER_URL": urlsplit(settings.DATABASE_OWNER_URL)._replace(path=f"/{database}").geturl(),
            "DJANGO_SETTINGS_MODULE": "marketplace.settings.dev",
            "TOUCHSTONE_DATA": str(folder),
            "TOUCHSTONE_LIVE_URL": self.live_url,
            "TOUCHSTONE_LIVE_ORIGINS": self.web_url,
            **extra,
        }
        answering, working = processes(env, folder, self.web_port, self.live_port)
        self._known = {process.name: process for process in (*answering, *working)}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def live_url(self) -> str:
        return f"ws://{HOST}:{self.live_port}"

    @property
    def web_url(self) -> str:
        return f"http://{HOST}:{self.web_port}"

    def start(self, *names: str) -> None:
        """Start them, and wait until they answer where they can be asked."""
        for name in names:
            known = self._known[name]
            with known.log.open("ab") as log:
                self._running[name] = subprocess.Popen(
                    [sys.executable, *map(str, known.argv[1:])],
                    env=dict(known.env),
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    preexec_fn=dies_with_us(signal.SIGKILL),
                )
        for name in names:
            self._wait_for(self._known[name])

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """End one, by default as when the machine loses its power."""
        process = self._running.pop(name)
        process.send_signal(number)
        process.wait(30)

    def pid(self, name: str) -> int:
        """The main process of one that runs."""
        return self._running[name].pid

    def log(self, name: str) -> str:
        """What one has said since the first start."""
        return self._known[name].log.read_text(errors="replace")

    def stop(self) -> None:
        """End them all."""
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        for process in self._running.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()

    def _wait_for(self, known: SiteProcess) -> None:
        deadline = time.monotonic() + START_LIMIT_S
        while known.port is not None and not healthy(known.port):
            process = self._running[known.name]
            assert process.poll() is None, f"{known.name} ended:\n{self.log(known.name)[-3000:]}"
            assert time.monotonic() < deadline, f"{known.name} does not answer:\n{self.log(known.name)[-3000:]}"
            time.sleep(0.1)


@contextmanager
def serving(database: str, folder: Path, *names: str, **extra: str) -> Iterator[Servers]:
    """Servers of these names for the length of the block."""
    servers = Servers(database, folder, **extra)
    try:
        servers.start(*names)
        yield servers
    finally:
        servers.stop()


def until(condition: Callable[[], bool], limit_s: float = 30.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "it did not become so in time"
        time.sleep(0.05)
