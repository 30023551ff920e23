"""Where things are: the checkout, its virtual environment, data directories and the directory for sockets."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import socket
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"

# sun_path holds 108 bytes with the closing zero; PostgreSQL itself counts 107.
SOCKET_PATH_LIMIT = 107
LONGEST_SOCKET_NAME = "/.s.PGSQL.5432"
TEMPORARY = "touchstone-"
NOTE = "sockets-are-in"
# Socket paths travel in URLs through several client libraries; these characters mean the same in all of them.
PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]+\Z")


def data_directory(name: str) -> Path:
    """The data directory that this command asks for: TOUCHSTONE_DATA, or .data/<name> of the checkout."""
    chosen = os.environ.get("TOUCHSTONE_DATA")
    if chosen:
        return Path(os.path.abspath(os.path.expanduser(chosen)))
    return ROOT / ".data" / name


def short_name(path: Path) -> str:
    """A short stable name for a path, for places outside the checkout."""
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]


def sockets_fit(directory: Path) -> bool:
    """Whether sockets in this directory keep a path that the kernel and all client libraries accept."""
    text = str(directory)
    return len(os.fsencode(text + LONGEST_SOCKET_NAME)) < SOCKET_PATH_LIMIT and PLAIN_PATH.match(text) is not None


def socket_directory(data: Path, uid: int, gid: int) -> Path:
    """A directory of mode 0700 owned by `uid` whose sockets have short, plain paths.

    Inside the data directory where that fits; else a fresh private directory under the system's temporary folder,
    which `remove_temporary_sockets` removes once the servers have stopped.
    """
    remove_temporary_sockets(data)
    chosen = data / "sockets"
    chosen.mkdir(mode=0o700, exist_ok=True)
    if not (sockets_fit(chosen) and _takes_sockets(chosen)):
        shutil.rmtree(chosen)
        chosen = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=_short_temporary_folder()))
        (data / NOTE).write_text(str(chosen), encoding="utf-8")
    if os.geteuid() == 0:
        os.chown(chosen, uid, gid)
    os.chmod(chosen, 0o700)
    return chosen


def remove_temporary_sockets(data: Path) -> None:
    """Remove the directory of sockets that was made outside the data directory, by this run or a killed one."""
    try:
        noted = Path((data / NOTE).read_text(encoding="utf-8"))
    except OSError:
        return
    if noted.name.startswith(TEMPORARY):
        shutil.rmtree(noted, ignore_errors=True)
    (data / NOTE).unlink(missing_ok=True)


def _takes_sockets(directory: Path) -> bool:
    """Whether the file system can hold unix sockets: shared folders of virtual machines often cannot."""
    probe = directory / "probe"
    probe.unlink(missing_ok=True)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(probe))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
            raise
        return False
    finally:
        probe.unlink(missing_ok=True)
    return True


def _short_temporary_folder() -> str:
    """TMPDIR may itself be too long or odd for sockets; /tmp never is."""
    usual = Path(tempfile.gettempdir())
    return str(usual) if sockets_fit(usual / "touchstone-12345678") else "/tmp"  # nosec B108 (mkdtemp makes it private)
