"""Data directories that a run makes anew and may therefore remove: a mark says so, and nothing unmarked is touched."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .console import StackError
from .postgres import STOP_PLAN
from .processes import free_of_holders

MARK = "scratch"
# What costs time to make and holds no data: environments of peers.
KEPT = {MARK, "lock", "users.lock", "postgres.lock", "valkey.lock", "environments", "results"}


def clear(data: Path) -> None:
    """Remove the cluster and all else of an earlier run from a marked directory; mark a new one.

    The caller holds the directory's lock. Raises `StackError` for a directory with a cluster that no such run made.
    """
    mark = data / MARK
    if not mark.exists():
        if (data / "postgres").exists():
            raise StackError(
                f"{data} holds a database, and this command starts with an empty one that it removes at the end: "
                "unset TOUCHSTONE_DATA or name another directory."
            )
        mark.touch()
    # A server of a run that was killed may still write here.
    os.close(free_of_holders(data / "postgres.lock", what="PostgreSQL", main_process=lambda: None, plan=STOP_PLAN))
    for left in data.iterdir():
        if left.name in KEPT or left.name.startswith("binaries-"):
            continue
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)
