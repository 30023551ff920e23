"""Where things are: the checkout, its virtual environment, data directories and the directory for sockets."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"

# sun_path holds 108 bytes with the closing zero; PostgreSQL itself counts 107.
SOCKET_PATH_LIMIT = 107
LONGEST_SOCKET_NAME = "/.s.PGSQL.5432"
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
    which the caller removes (`temporary_sockets` tells) when the servers have stopped.
    """
    inside = data / "sockets"
    if sockets_fit(inside):
        inside.mkdir(mode=0o700, exist_ok=True)
        chosen = inside
    else:
        chosen = Path(tempfile.mkdtemp(prefix="touchstone-", dir=_short_temporary_folder()))
    if os.geteuid() == 0:
        os.chown(chosen, uid, gid)
    os.chmod(chosen, 0o700)
    return chosen


def temporary_sockets(data: Path, sockets: Path) -> bool:
    """Whether that directory of sockets was made outside the data directory."""
    return sockets != data / "sockets"


def _short_temporary_folder() -> str:
    """TMPDIR may itself be too long or odd for sockets; /tmp never is."""
    usual = Path(tempfile.gettempdir())
    return str(usual) if sockets_fit(usual / "touchstone-12345678") else "/tmp"  # nosec B108 (mkdtemp makes it private)
