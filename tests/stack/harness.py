"""Copies of `run` and deploy/stack in folders of their own, with a small stand-in for the Django project.

Everything else is real: the virtual environment's packages, PostgreSQL, Valkey, granian, uvicorn and celery.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deploy.stack import environment, locks
from deploy.stack.processes import marked

PROJECT = Path(__file__).resolve().parents[2]
STAND_IN = Path(__file__).parent / "stand_in"

# What ./run or a surrounding `./run test` sets; none of it may leak into the copies.
OURS = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "SECRET_KEY", "DJANGO_SETTINGS_MODULE", "VIRTUAL_ENV")
START_LIMIT = 90.0


@dataclass
class Checkout:
    """A copy of ./run that can be run, killed and examined."""

    root: Path
    user: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def data(self, name: str = "up") -> Path:
        """Where its data is, unless it had to be placed elsewhere."""
        return Path(self.env.get("TOUCHSTONE_DATA") or self.root / ".data" / name)

    def _environment(self, extra: dict[str, str] | None) -> dict[str, str]:
        kept = {
            k: v for k, v in os.environ.items() if k not in OURS and not k.startswith(("TOUCHSTONE_", "PYTEST", "COV_"))
        }
        return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **self.env, **(extra or {})}

    def start(
        self, *arguments: str, env: dict[str, str] | None = None, new_session: bool = True
    ) -> subprocess.Popen[str]:
        """Start ./run without waiting. Its output goes to a file beside the copy (see `said`)."""
        log = self.root / f"said-{len(self.started)}"
        with log.open("w") as output:
            process = subprocess.Popen(
                [str(self.root / ".venv" / "bin" / "python"), str(self.root / "run"), *arguments],
                env=self._environment(env),
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=new_session,
                user=self.user,
                group=pwd.getpwnam(self.user).pw_gid if self.user else None,
                extra_groups=[] if self.user else None,
            )
        process.said = log  # type: ignore[attr-defined]
        self.started.append(process)
        return process

    def run(
        self, *arguments: str, env: dict[str, str] | None = None, limit: float = START_LIMIT
    ) -> subprocess.CompletedProcess[str]:
        """Run ./run to its end, with stdout and stderr apart."""
        return subprocess.run(
            [str(self.root / ".venv" / "bin" / "python"), str(self.root / "run"), *arguments],
            env=self._environment(env),
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
            user=self.user,
            group=pwd.getpwnam(self.user).pw_gid if self.user else None,
            extra_groups=[] if self.user else None,
        )

    def facts(self, *, env: dict[str, str] | None = None) -> dict[str, str]:
        """What the stand-in's `facts` command saw: its environment and the answers of both servers."""
        done = self.run("manage", "facts", env=env)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    def stack(self, name: str = "up") -> dict[str, object]:
        """The published stack."""
        return dict(json.loads((self.data(name) / "stack.json").read_text()))

    def wait_ready(
        self, process: subprocess.Popen[str], name: str = "up", limit: float = START_LIMIT
    ) -> dict[str, object]:
        """Wait until that ./run has published its stack."""

        def ready() -> bool:
            assert process.poll() is None, said(process)
            try:
                return self.stack(name)["pid"] == process.pid
            except (OSError, ValueError):
                return False

        assert until(ready, limit), said(process)
        return self.stack(name)

    def processes(self, name: str = "up") -> list[int]:
        """Every server and site process of this data directory."""
        data = self.data(name)
        found = locks.holders(data / "postgres.lock") + locks.holders(data / "valkey.lock") + marked(data)
        return sorted(set(found))

    def kill_everything(self, name: str = "up") -> None:
        """kill -9 of the supervisor and all its children, at once."""
        victims = self.processes(name)
        for process in self.started:
            if process.poll() is None:
                process.kill()
        for pid in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def said(process: subprocess.Popen[str]) -> str:
    """All that a started ./run has printed so far."""
    return Path(process.said).read_text()  # type: ignore[attr-defined]


def until(condition: Callable[[], bool], limit: float) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def interrupt(process: subprocess.Popen[str], number: signal.Signals = signal.SIGINT, limit: float = 60) -> int:
    """Ask a ./run to stop and wait for it."""
    process.send_signal(number)
    return process.wait(limit)


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_checkout(root: Path, *, base_python: str = sys.executable) -> Checkout:
    """Copy ./run there, with an environment that borrows the packages of the present one."""
    root.mkdir(parents=True, exist_ok=True)
    shutil.copy(PROJECT / "run", root / "run")
    shutil.copytree(
        PROJECT / "deploy" / "stack", root / "deploy" / "stack", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(STAND_IN, root, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    all_pins: dict[str, str] = {}
    for lock in ("requirements.lock", "requirements-demo.lock", "requirements-dev.lock"):
        shutil.copy(PROJECT / lock, root / lock)
        all_pins |= environment.pins(PROJECT / lock)
    subprocess.run([base_python, "-m", "venv", "--without-pip", str(root / ".venv")], check=True)
    packages = next((root / ".venv" / "lib").iterdir()) / "site-packages"
    (packages / "borrowed.pth").write_text("\n".join(_site_packages()) + "\n")
    (root / ".venv" / environment.STAMP.name).write_text(json.dumps({"pins": all_pins}))
    return Checkout(root, env={"TOUCHSTONE_PORT": str(free_port()), "TOUCHSTONE_LIVE_PORT": str(free_port())})


def _site_packages() -> list[str]:
    return [path for path in sys.path if path.endswith("site-packages")]


def clean_up(checkout: Checkout) -> None:
    """Leave no process behind, whatever the test did."""
    for process in checkout.started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    for process in checkout.started:
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    data = checkout.root / ".data"
    for folder in [checkout.data(), *(data.iterdir() if data.is_dir() else ())]:
        for pid in locks.holders(folder / "postgres.lock") + locks.holders(folder / "valkey.lock") + marked(folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def python_for(user: str) -> str:
    """A Python of our minor version that this user can run with our packages, or skip."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    entry = pwd.getpwnam(user)
    for candidate in (sys.executable, f"/usr/bin/{name}", f"/usr/local/bin/{name}"):
        code = f"import sys; sys.path[:0] = {_site_packages()!r}; import venv, psycopg, granian"
        try:
            done = subprocess.run(
                [candidate, "-c", code],
                capture_output=True,
                check=False,
                user=entry.pw_uid,
                group=entry.pw_gid,
                extra_groups=[],
            )
        except OSError:
            continue
        if done.returncode == 0:
            return candidate
    pytest.skip(f"user {user} can run no {name} with our packages")
