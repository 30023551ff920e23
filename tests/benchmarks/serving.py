"""Servers that a benchmark starts for itself; they end with it."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.stack import paths
from deploy.stack.processes import dies_with_us

HOST = "127.0.0.1"


def data_directory() -> Path:
    """The data directory of this run: that of its stack, where it has one."""
    return paths.data_directory("bench")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(
    name: str,
    argv: Sequence[str | Path],
    *,
    port: int,
    env: Mapping[str, str],
    cwd: Path | None = None,
    ready: Callable[[], bool] = lambda: True,
    limit_s: float = 180,
) -> Iterator[int]:
    """Run a server until the block ends; its process id.

    It has started when its port answers and `ready` says so. Raises `RuntimeError` with the end of its log.
    """
    log = data_directory() / "logs" / f"{name}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(part) for part in argv],
            env={**os.environ, **env},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=dies_with_us(signal.SIGTERM),
        )
    try:
        _wait_for(process, port, ready, limit_s, log)
        yield process.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_for(
    process: "subprocess.Popen[bytes]", port: int, ready: Callable[[], bool], limit_s: float, log: Path
) -> None:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{log.stem} ended with code {process.returncode}:\n{last_words(log)}")
        try:
            socket.create_connection((HOST, port), 1).close()
        except OSError:
            time.sleep(0.2)
        else:
            if ready():
                return
            time.sleep(0.2)
    raise RuntimeError(f"{log.stem} does not answer on port {port}:\n{last_words(log)}")


def last_words(log: Path, size: int = 2_000) -> str:
    """The end of a log."""
    return log.read_text(encoding="utf-8", errors="replace")[-size:]
