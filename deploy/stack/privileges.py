"""Which user the embedded servers run as, and whether that user can reach what it needs.

PostgreSQL refuses to run as root. A root caller therefore drops to an unprivileged user in the child. Nothing of the
caller's own folders is opened up for that user: what he cannot reach is copied, or placed elsewhere.
"""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .console import StackError, say
from .paths import ROOT, short_name


@dataclass(frozen=True)
class ServiceUser:
    """The user whom the embedded servers run as."""

    uid: int
    gid: int
    name: str

    @property
    def is_caller(self) -> bool:
        """Whether the servers run as the same user as ./run itself."""
        return self.uid == os.geteuid()


def caller_name() -> str:
    """The login name of the user who runs ./run, as PostgreSQL will see him."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError as error:
        raise StackError(
            f"User id {os.geteuid()} has no name in /etc/passwd, which PostgreSQL needs: add one, "
            "or use your own servers with DATABASE_URL, DATABASE_OWNER_URL and REDIS_URL."
        ) from error


def service_user(existing: Path) -> ServiceUser:
    """The caller himself, unless he is root: then the owner of the existing cluster, of the checkout, or nobody."""
    if os.geteuid() != 0:
        return ServiceUser(os.geteuid(), os.getegid(), caller_name())
    candidates: list[int] = []
    for folder in (existing, ROOT):
        if folder.exists():
            candidates.append(folder.stat().st_uid)
    for uid in candidates:
        if uid != 0:
            try:
                entry = pwd.getpwuid(uid)
            except KeyError:
                continue
            return _usable(ServiceUser(uid, entry.pw_gid, entry.pw_name))
    for name in ("nobody", "daemon"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return _usable(ServiceUser(entry.pw_uid, entry.pw_gid, name))
    raise StackError("PostgreSQL refuses to run as root and there is no user `nobody`: run ./run as a plain user.")


def _usable(user: ServiceUser) -> ServiceUser:
    if not as_user(user, lambda: True):
        raise StackError(
            f"PostgreSQL refuses to run as root, and this container cannot switch to user {user.name}: "
            "run ./run as a plain user."
        )
    return user


def as_user(user: ServiceUser, question: Callable[[], bool]) -> bool:
    """Ask a yes-or-no question of the file system as that user, in a short-lived child."""
    if user.is_caller:
        return question()
    child = os.fork()
    if child == 0:
        answer = 1
        try:
            os.setgroups([])
            os.setgid(user.gid)
            os.setuid(user.uid)
            answer = 0 if question() else 1
        finally:
            os._exit(answer)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def placed(data: Path, user: ServiceUser, *, chosen_by_caller: bool) -> Path:
    """The data directory, made, at a place that the servers' user can traverse.

    It is the wished one wherever possible. When the checkout lies in a closed folder (/root, say) it moves to
    /var/lib/touchstone, or to /var/tmp where that is not writable, and says so.
    """
    ancestor = data
    while not ancestor.exists():
        ancestor = ancestor.parent
    if as_user(user, lambda: os.access(ancestor, os.X_OK)):
        _make_closed(data)
        return data
    if chosen_by_caller:
        raise StackError(
            f"User {user.name}, whom PostgreSQL runs as, cannot enter {ancestor} on the way to {data}: "
            "set TOUCHSTONE_DATA to a directory that he can reach."
        )
    name = f"{short_name(ROOT)}-{data.name}"
    for parent in (Path("/var/lib/touchstone"), Path("/var/tmp/touchstone")):  # nosec B108 (owner and mode are checked)
        try:
            parent.mkdir(mode=0o711, exist_ok=True)
            _require_own(parent)
            moved = parent / name
            moved.mkdir(mode=0o711, exist_ok=True)
            _require_own(moved)
        except OSError:
            continue
        if as_user(user, lambda moved=moved: os.access(moved, os.X_OK)):  # type: ignore[misc]
            say(f"User {user.name}, whom PostgreSQL runs as, cannot enter {ancestor}: the data is in {moved}.")
            return moved
    raise StackError(
        f"User {user.name} can reach no place for the data: set TOUCHSTONE_DATA to a directory that he can reach."
    )


def _make_closed(data: Path) -> None:
    """Make the data directory: its owner alone lists it, and the servers' user may pass through where he is another."""
    data.parent.mkdir(parents=True, exist_ok=True)
    # Two starts may come here at once; one that is there keeps its mode.
    data.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, exist_ok=True)


def _require_own(folder: Path) -> None:
    """Refuse a folder in a shared place that somebody else made or can write to."""
    status = os.lstat(folder)
    if status.st_uid != os.geteuid() or status.st_mode & 0o022 or folder.is_symlink():
        raise PermissionError(f"{folder} is not ours")


def can_run(user: ServiceUser, program: Path, others: tuple[Path, ...] = ()) -> bool:
    """Whether that user can execute the program and read the files beside it."""

    def question() -> bool:
        return os.access(program, os.R_OK | os.X_OK) and all(os.access(path, os.R_OK) for path in others)

    return as_user(user, question)


def copy_readable(source: Path, target: Path, *, without: tuple[str, ...] = ()) -> None:
    """Copy a tree of programs so that everybody may read and run it. The target appears complete or not at all."""
    partial = target.with_name(target.name + ".new")
    shutil.rmtree(partial, ignore_errors=True)
    if source.is_dir():
        shutil.copytree(source, partial, ignore=shutil.ignore_patterns(*without), symlinks=False)
    else:
        shutil.copy(source, partial)
    for path in (partial, *partial.rglob("*")) if partial.is_dir() else (partial,):
        runs = path.is_dir() or path.parent.name == "bin" or not source.is_dir()
        os.chmod(path, 0o755 if runs else 0o644)
    if target.is_dir():
        shutil.rmtree(target)
    partial.replace(target)
