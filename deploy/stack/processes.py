"""Starting and ending children so that none outlives us unnoticed."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .console import StackError, say
from .locks import holders, take
from .privileges import ServiceUser

PR_SET_PDEATHSIG = 1
MARKER = "TOUCHSTONE_SUPERVISED"
LOG_LIMIT = 10_000_000

# Loaded before any fork: nothing may be imported between fork and exec.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def spawn(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    log: Path,
    cwd: Path,
    user: ServiceUser | None = None,
    keep_open: Sequence[int] = (),
    death_signal: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, its output appended to `log`, that gets `death_signal` when we die.

    Call it from the main thread: the kernel sends the signal when the *thread* that forked ends.
    """
    drop = user is not None and not user.is_caller
    with open_log(log) as output:
        return subprocess.Popen(
            [str(part) for part in argv],
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=tuple(keep_open),
            user=user.uid if user and drop else None,
            group=user.gid if user and drop else None,
            extra_groups=[] if drop else None,
            umask=0o077,
            preexec_fn=dies_with_us(death_signal),  # after the change of user, which would clear it
        )


def dies_with_us(death_signal: signal.Signals) -> Callable[[], None]:
    """What a child runs between fork and exec to get a signal at our death."""
    parent = os.getpid()

    def ask_the_kernel() -> None:
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:  # we died before the kernel knew
            os._exit(1)

    return ask_the_kernel


def open_log(path: Path):  # type: ignore[no-untyped-def]  # an unbuffered binary file; its type has no public name
    """The log opened for appending."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    shorten_log(path)
    return path.open("ab", buffering=0)


def shorten_log(path: Path) -> None:
    """Put a log that has grown large aside as `.1` and empty it. Its writers append, so they go on at its new end."""
    if path.exists() and path.stat().st_size > LOG_LIMIT:
        shutil.copyfile(path, path.with_name(path.name + ".1"))
        os.truncate(path, 0)


def stop(process: subprocess.Popen[bytes], plan: Sequence[tuple[signal.Signals, float]], *, asked: bool) -> None:
    """Send each signal of the plan and wait its seconds, until the child is gone; then end the rest of its group.

    `asked` says that the first signal was sent already.
    """
    for step, (number, seconds) in enumerate(plan):
        if process.poll() is not None:
            break
        if step > 0 or not asked:
            process.send_signal(number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
    if process.poll() is None:
        process.kill()
        process.wait()
    end_group(process.pid)


def end_group(leader: int) -> None:
    """Kill whatever remains of the process group whose leader, our child, has been waited for."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def free_of_holders(
    lock: Path,
    *,
    what: str,
    main_process: Callable[[], int | None],
    plan: Sequence[tuple[signal.Signals, float]],
) -> int:
    """The lock that a server and all its children keep open, once every one of an earlier run is gone.

    A server of an earlier run may still be shutting down, or have lost its supervisor to kill -9. It is asked to end,
    then forced. Only processes that really have this lock file open are ever signalled.
    """
    descriptor = take(lock)
    if descriptor is not None:
        return descriptor
    say(f"{what} of an earlier run is still there; waiting for it to end …")
    main = main_process()
    # A signal that means "shut down" to the main process means "cancel" to its children, so it goes to him alone.
    # Children without a main process end by themselves, mostly.
    steps: Sequence[tuple[signal.Signals | None, float]] = plan if main in holders(lock) else ((None, 2.0), *plan[1:])
    for number, seconds in steps:
        found = holders(lock)
        for pid in [main] if main in found and number != signal.SIGKILL else found:
            if pid is not None and number is not None:
                _signal(pid, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            descriptor = take(lock)
            if descriptor is not None:
                return descriptor
            time.sleep(0.05)
    raise StackError(f"{what} of an earlier run does not end (processes {holders(lock)}): stop it and run again.")


def end_marked(data: Path) -> None:
    """End the site's processes that an earlier run on this data directory left behind, and wait until they are gone."""
    left = marked(data)
    if not left:
        return
    say("Processes of an earlier run are still there; waiting for them to end …")
    for number, seconds in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        for pid in left:
            _signal(pid, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            left = marked(data)
            if not left:
                return
            time.sleep(0.1)
    raise StackError(f"Processes {left} of an earlier run do not end: stop them and run again.")


def marked(data: Path) -> list[int]:
    """Processes whose environment says that a supervisor of this data directory started them."""
    wanted = f"{MARKER}={data}".encode()
    found = []
    for process in Path("/proc").iterdir() if Path("/proc").is_dir() else ():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        try:
            environment = (process / "environ").read_bytes()
        except OSError:
            continue
        if wanted in environment.split(b"\0"):
            found.append(int(process.name))
    return found


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def last_words(log: Path, lines: int = 6) -> str:
    """The last lines of a log, for a sentence about a child that did not start."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 8000))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])
