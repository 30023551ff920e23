"""Our small supervisor: starts services, waits until they answer, restarts the ones that die, stops them in reverse."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from .console import StackError, Stopped, say
from .processes import dies_with_us, end_group, last_words, shorten_log, stop

LONGEST_PAUSE = 30.0
STEADY_AFTER = 60.0
LOGS_EVERY = 60.0


class Service(Protocol):
    """Something that can be started and asked whether it works."""

    @property
    def name(self) -> str: ...
    @property
    def log(self) -> Path: ...
    @property
    def stop_plan(self) -> Sequence[tuple[signal.Signals, float]]: ...
    @property
    def start_limit(self) -> float: ...
    @property
    def needed_by_others(self) -> bool:
        """Whether it stops only after those that were started later."""

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the child."""

    def ready(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether this child answers."""

    def explain(self) -> str:
        """Why it did not start."""


@dataclass
class Running:
    """A service with its present child, or the time of its next attempt."""

    service: Service
    process: subprocess.Popen[bytes]
    since: float
    pause: float = 0.0
    again_at: float | None = None


class Supervisor:
    """Holds the children of one ./run. Use it from the main thread and always `stop` it.

    What dies again and again is restarted after pauses that grow up to `longest_pause` seconds.
    """

    def __init__(self, longest_pause: float = LONGEST_PAUSE) -> None:
        self.running: list[Running] = []
        self._longest_pause = longest_pause
        self.asked_to_stop = 0
        self._logs_seen = time.monotonic()
        self.last_signal = signal.SIGINT
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._handlers = {
            number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        }
        self._handlers[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)

    def _on_signal(self, number: int, frame: object) -> None:
        self.asked_to_stop += 1
        self.last_signal = signal.Signals(number)

    def pause(self, seconds: float) -> None:
        """Sleep, but wake at once for a signal or the end of a child."""
        if select.select([self._wake_read], [], [], seconds)[0]:
            os.read(self._wake_read, 4096)

    def start(self, *services: Service) -> None:
        """Start the services in this order, then wait until each answers. Raises `StackError` when one does not."""
        started = []
        for service in services:
            running = Running(service, service.spawn(), time.monotonic())
            self.running.append(running)
            started.append(running)
        for running in started:
            self._wait_until_ready(running)

    def _wait_until_ready(self, running: Running) -> None:
        service, told = running.service, False
        while not service.ready(running.process):
            self.refuse_if_stopped()
            waited = time.monotonic() - running.since
            if running.process.poll() is not None or waited > service.start_limit:
                raise StackError(self._failure(running))
            if waited > 15 and not told:
                say(f"{service.name} takes longer than usual (log: {service.log}) …")
                told = True
            self.pause(0.05)

    def _failure(self, running: Running) -> str:
        code = running.process.poll()
        how = f"ended with code {code}" if code is not None else "does not answer"
        words = "\n".join("    " + line for line in last_words(running.service.log).splitlines())
        return f"{running.service.explain()}" + (
            f"\n{running.service.name} {how}; its last words:\n{words}" if words else ""
        )

    def tick(self) -> None:
        """Restart what died, each time after a longer pause; call it often."""
        now = time.monotonic()
        if now - self._logs_seen > LOGS_EVERY:
            self._logs_seen = now
            for running in self.running:
                with contextlib.suppress(OSError):  # a full disk is no reason to stop serving
                    shorten_log(running.service.log)
        for running in self.running:
            if running.again_at is None and running.process.poll() is not None:
                end_group(running.process.pid)
                if now - running.since > STEADY_AFTER:
                    running.pause = 0.0
                code, log = running.process.returncode, running.service.log
                say(f"{running.service.name} ended with code {code} (log: {log}); restarting it.")
                running.again_at = now + running.pause
                running.pause = min(self._longest_pause, max(0.5, running.pause * 2))
            if running.again_at is not None and now >= running.again_at:
                try:
                    running.process = running.service.spawn()
                    running.since, running.again_at = now, None
                except (StackError, OSError) as error:
                    say(f"{running.service.name} cannot be restarted yet: {error}")
                    running.again_at = now + running.pause
                    running.pause = min(self._longest_pause, max(0.1, running.pause * 2))

    def watch(self) -> None:
        """Keep the services running until somebody asks to stop."""
        while not self.asked_to_stop:
            self.tick()
            self.pause(0.5)

    def foreground(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        output: IO[bytes] | None = None,
    ) -> int:
        """Run a command that owns the terminal, keeping the services up meanwhile; its exit code.

        Its output goes to ours, or to the file `output`.
        """
        child = subprocess.Popen(
            [str(part) for part in argv],
            env=dict(env),
            cwd=cwd,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            preexec_fn=dies_with_us(signal.SIGTERM),
        )
        passed_on = 0
        while child.poll() is None:
            self.tick()
            if self.asked_to_stop > passed_on:
                passed_on = self.asked_to_stop
                # Ctrl-C reaches the command through the terminal; a second one from us would interrupt its clean-up.
                if not (self.last_signal == signal.SIGINT and _terminal_tells_the_child()):
                    child.send_signal(self.last_signal)
            self.pause(0.25)
        return 128 - child.returncode if child.returncode < 0 else child.returncode

    def captured(
        self, argv: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path | None = None
    ) -> tuple[int, str]:
        """Run a short command; its exit code and what it printed to stdout."""
        with tempfile.TemporaryFile() as file:
            child = subprocess.Popen(
                [str(part) for part in argv],
                env=dict(env),
                cwd=cwd,
                stdout=file,
                preexec_fn=dies_with_us(signal.SIGTERM),
            )
            code = child.wait()
            file.seek(0)
            return code, file.read().decode(errors="replace")

    def refuse_if_stopped(self) -> None:
        """Raise `Stopped` once somebody has asked to stop."""
        if self.asked_to_stop:
            raise Stopped

    def stop(self) -> None:
        """Stop the services in reverse order, each within its limits; further Ctrl-C do not interrupt this."""
        # The site's processes do not need one another to end, so they are all asked before the first is waited for.
        asked = [running for running in reversed(self.running) if not running.service.needed_by_others]
        for running in asked:
            if running.process.poll() is None:
                running.process.send_signal(running.service.stop_plan[0][0])
        while self.running:
            running = self.running.pop()
            stop(running.process, running.service.stop_plan, asked=running in asked)
        signal.set_wakeup_fd(-1)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        os.close(self._wake_read)
        os.close(self._wake_write)


def _terminal_tells_the_child() -> bool:
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False
