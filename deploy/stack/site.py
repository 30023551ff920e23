"""The processes of the site itself: web, live (two), relay (two), worker and beat."""

from __future__ import annotations

import errno
import http.client
import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .console import StackError
from .environment import PYTHON
from .paths import ROOT
from .processes import MARKER, spawn

HOST = "127.0.0.1"

# Held for the life of this process: see `_free`.
_claims: dict[int, socket.socket] = {}


@dataclass
class SiteProcess:
    """One Python process of the site. With a port it is ready when /health/ there answers 200."""

    name: str
    argv: Sequence[str | Path]
    env: Mapping[str, str]
    data: Path
    port: int | None = None
    seconds_to_stop: float = 8.0
    start_limit: float = 60.0
    needed_by_others: bool = False
    stop_plan: Sequence[tuple[signal.Signals, float]] = field(init=False)

    def __post_init__(self) -> None:
        self.stop_plan = ((signal.SIGTERM, self.seconds_to_stop), (signal.SIGQUIT, 1.0), (signal.SIGKILL, 5.0))

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self.data / "logs" / f"{self.name}.log"

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start it in the checkout."""
        return spawn(self.argv, env={**self.env, MARKER: str(self.data)}, log=self.log, cwd=ROOT)

    def ready(self, process: subprocess.Popen[bytes]) -> bool:
        """Alive, and healthy if it can be asked."""
        return process.poll() is None and (self.port is None or healthy(self.port))

    def explain(self) -> str:
        """Where to look."""
        return f"The {self.name} process did not start; its log is {self.log}."


def healthy(port: int) -> bool:
    """Whether /health/ on this port answers 200."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/health/", headers={"Host": f"localhost:{port}"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def listeners(port: int) -> int:
    """How many sockets listen on this port: processes that share it have one each."""
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    wanted, listen = f":{port:04X}", "0A"
    return sum(fields[1].endswith(wanted) and fields[3] == listen for fields in map(str.split, lines))


def choose_ports() -> tuple[int, int]:
    """Ports for web and live: the ones asked for, which must be free, or 8000 and the next free ones."""
    web = _asked("TOUCHSTONE_PORT")
    if web is None:
        web = _next_free(8000)
    live = _asked("TOUCHSTONE_LIVE_PORT")
    if live is None:
        live = _next_free(web + 1)
    return web, live


def _asked(variable: str) -> int | None:
    text = os.environ.get(variable, "").strip()
    if not text:
        return None
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise StackError(f"{variable}={text} is not a port: choose a number between 1 and 65535.")
    if not _free(int(text)):
        raise StackError(f"Port {text} is taken by another program: set {variable} to a free one, or unset it.")
    return int(text)


def _next_free(first: int) -> int:
    for port in range(first, min(first + 100, 65536)):
        if _free(port):
            return port
    raise StackError(f"No free port from {first} on: set TOUCHSTONE_PORT and TOUCHSTONE_LIVE_PORT.")


def _free(port: int) -> bool:
    """Whether nobody listens there, and no other ./run that is just starting has chosen it too.

    Two starts at the same moment would both find the port free, and the web server lets several processes share one.
    So a choice is claimed by an abstract socket, which exists as long as we do and where the ports exist.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a closed connection's leftovers do not count
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno == errno.EACCES:
                raise StackError(f"Port {port} needs root: set TOUCHSTONE_PORT to one above 1023.") from error
            return False
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind(f"\0touchstone-port-{port}")
    except OSError:
        claim.close()
        return False
    _claims[port] = claim
    return True


def processes(
    env: Mapping[str, str], data: Path, web_port: int, live_port: int
) -> tuple[list[SiteProcess], list[SiteProcess]]:
    """The site's processes in the order in which they start: the two that answer people, then those that work."""
    workers = max(1, min(2, len(os.sched_getaffinity(0))))
    web: list[str | Path] = [PYTHON, "-m", "granian", "--interface", "wsgi", "--host", HOST, "--port", str(web_port)]
    web += ["--workers", str(workers), "--blocking-threads", "8", "--respawn-failed-workers"]
    web += ["--workers-kill-timeout", "5", "--no-access-log", "marketplace.wsgi:application"]
    live = [PYTHON, ROOT / "manage.py", "live", "--host", HOST, "--port", str(live_port)]
    celery: list[str | Path] = [PYTHON, "-m", "celery", "-A", "marketplace.celery"]
    # Prefork, because the tasks' time limits work in no other pool.
    worker = [*celery, "worker", "--pool", "prefork", "--concurrency", "2", "--without-gossip", "--without-mingle"]
    # INFO would write two lines for every sweep, several a second, for ever.
    worker += ["--loglevel", "WARNING"]
    beat = [*celery, "beat", "--pidfile", "", "--loglevel", "WARNING"]
    answering = [
        SiteProcess("web", web, env, data, port=web_port),
        # On one port, so that those who lose one find the other while it is started again.
        *(SiteProcess(name, live, env, data, port=live_port) for name in ("live", "live-2")),
    ]
    relay = [PYTHON, ROOT / "manage.py", "relay"]
    working = [
        # One relays at a time; the other takes over at once when it dies.
        *(SiteProcess(name, relay, env, data, seconds_to_stop=3) for name in ("relay", "relay-2")),
        SiteProcess("worker", worker, env, data, seconds_to_stop=10),
        SiteProcess("beat", beat, env, data, seconds_to_stop=3),
    ]
    return answering, working
