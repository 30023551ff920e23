"""What ./run says. Progress goes to stderr, because the stdout of `replay --json` and `manage` belongs to them."""

from __future__ import annotations

import contextlib
import errno
import sys
from dataclasses import dataclass
from pathlib import Path


class StackError(Exception):
    """Something the person at the terminal can put right. The text is one sentence (or two) that says how."""


class Stopped(Exception):
    """The person asked to stop (Ctrl-C, SIGTERM) while something was still starting."""


def say(text: str) -> None:
    """Print one line of progress to stderr, at once. A closed terminal is no reason to fail."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


@dataclass
class Steps:
    """Numbered progress lines: [2/5] starting PostgreSQL …"""

    total: int
    done: int = 0

    def next(self, text: str) -> None:
        """Announce the next step."""
        self.done += 1
        say(f"[{self.done}/{self.total}] {text}")


def explain_os_error(error: OSError, doing: str | None = None) -> str:
    """One sentence for the ways a disk or folder refuses; anything else keeps the system's own words."""
    where = Path(str(error.filename)) if error.filename else None
    place = f" {where}" if where else ""
    prefix = f"{doing}: " if doing else ""
    remedy = "or set TOUCHSTONE_DATA to a directory elsewhere"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{prefix}the disk is full{f' (writing {where})' if where else ''}: free some space {remedy}."
    if error.errno == errno.EFBIG:
        return f"{prefix}a file may not grow further{place}: raise the file size limit (ulimit -f) {remedy}."
    if error.errno == errno.EROFS:
        return f"{prefix}{where or 'the directory'} is on a read-only file system: make it writable {remedy}."
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            f"{prefix}no permission for {where or 'a file'}: it may belong to another user "
            f"(an earlier ./run as root?); change its owner {remedy}."
        )
    return f"{prefix}{error.strerror or error}{place}."
