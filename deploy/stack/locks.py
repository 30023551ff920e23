"""File locks by flock: they vanish with the process that holds them, however it dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .console import StackError, say


def take(path: Path, *, shared: bool = False) -> int | None:
    """The lock's file descriptor, or None when somebody else holds it. Closing every copy of it releases the lock."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def wait_for(
    path: Path,
    *,
    waiting: str,
    shared: bool = False,
    limit: float | None = None,
    give_up: Callable[[], bool] = lambda: False,
) -> int | None:
    """The lock, after waiting for it; `waiting` is said once when it is not free at once.

    None when `give_up` turned true or `limit` seconds passed.
    """
    started = time.monotonic()
    told = False
    while True:
        descriptor = take(path, shared=shared)
        if descriptor is not None:
            return descriptor
        if give_up() or (limit is not None and time.monotonic() - started > limit):
            return None
        if not told:
            say(waiting)
            told = True
        time.sleep(0.1)


@contextmanager
def held(path: Path, *, waiting: str) -> Iterator[None]:
    """Hold the lock for the duration of the block, waiting for it without limit."""
    descriptor = wait_for(path, waiting=waiting)
    if descriptor is None:
        raise StackError(f"{path} could not be locked.")
    try:
        yield
    finally:
        os.close(descriptor)


def holders(path: Path) -> list[int]:
    """Processes that have this file open, other than this one. Needs /proc; elsewhere the list is empty."""
    try:
        wanted = os.stat(path)
    except FileNotFoundError:
        return []
    found = []
    for process in Path("/proc").iterdir() if Path("/proc").is_dir() else ():
        if process.name.isdigit() and int(process.name) != os.getpid() and _has_open(process, wanted):
            found.append(int(process.name))
    return found


def _has_open(process: Path, wanted: os.stat_result) -> bool:
    try:
        for descriptor in (process / "fd").iterdir():
            try:
                status = os.stat(descriptor)
            except OSError:
                continue
            if (status.st_dev, status.st_ino) == (wanted.st_dev, wanted.st_ino):
                return True
    except OSError:
        return False
    return False
