"""The virtual environment: made once, filled from a lock with hashes, healed after an interrupted install."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from . import locks
from .console import StackError, say
from .paths import ROOT, VENV

STAMP = VENV / "touchstone-installed.json"
# Beside the environment, so that it also covers the making of it.
UNFINISHED = ROOT / ".venv.unfinished"
INSTALL_LOG = VENV / "touchstone-install.log"
PYTHON = VENV / "bin" / "python"
ENTERED = "TOUCHSTONE_RUN_ENTERED"

PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*(?:\[[^\]]*\])?)\s*==\s*(.+?)\s*\\?$")


def pins(lock: Path) -> dict[str, str]:
    """The versions a lock asks for, by package (with its environment marker, if any)."""
    found = {}
    for line in lock.read_text(encoding="utf-8").splitlines():
        match = PIN.match(line)
        if match:
            found[match.group(1).lower()] = match.group(2)
    return found


def installed() -> dict[str, str]:
    """What the stamp says is installed: nothing, when there is no usable environment."""
    if UNFINISHED.exists() or not PYTHON.exists():
        return {}
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return dict(stamp.get("pins", {})) if isinstance(stamp, dict) else {}


def missing(lock: Path) -> dict[str, str]:
    """The pins of the lock that the environment does not hold yet. A superset that is installed satisfies a subset."""
    have = installed()
    return {name: version for name, version in pins(lock).items() if have.get(name) != version}


def enter(lock_name: str, argv: list[str], *, progress: str) -> None:
    """Make sure that the environment satisfies the lock, and that this process runs inside it.

    Returns only inside the environment; otherwise the process is replaced by the environment's Python.
    """
    lock = ROOT / lock_name
    if not lock.exists():
        raise StackError(f"{lock_name} is missing from the checkout: restore it with `git checkout {lock_name}`.")
    if not PYTHON.exists() or missing(lock):
        with locks.held(ROOT / ".venv.lock", waiting="Another ./run is installing packages; waiting for it …"):
            wanted = missing(lock)
            if wanted:
                _install(lock, wanted, progress)
    if Path(sys.prefix) != VENV:
        if os.environ.get(ENTERED) == str(VENV):
            raise StackError(
                f"The Python in {VENV} does not start as a virtual environment: remove {VENV} and run again."
            )
        os.environ[ENTERED] = str(VENV)
        os.execv(PYTHON, [str(PYTHON), str(ROOT / "run"), *argv])  # nosec B606
    os.environ.pop(ENTERED, None)


def install_also(lock_name: str, *, why: str) -> None:
    """Add to the environment, in which this process runs, what another lock names; nothing when it is there."""
    lock = ROOT / lock_name
    if missing(lock):
        with locks.held(ROOT / ".venv.lock", waiting="Another ./run is installing packages; waiting for it …"):
            wanted = missing(lock)
            if wanted:
                say(f"{why}.")
                _install(lock, wanted, "…")


def _install(lock: Path, wanted: dict[str, str], progress: str) -> None:
    # A half-installed package can look complete to an installer, so what was interrupted starts over.
    if VENV.exists() and (UNFINISHED.exists() or not PYTHON.exists()):
        say("The last installation was not finished, or its Python is gone: making .venv anew.")
        _leave_the_environment()
        shutil.rmtree(VENV)
    UNFINISHED.touch()
    count = f"{len(wanted)} package{'' if len(wanted) == 1 else 's'}"
    say(f"[{progress}] installing {count} into .venv (this happens once) …")
    have = installed()
    uv = shutil.which("uv")
    if not (uv and _install_with_uv(uv, lock)):
        _install_with_pip(lock)
    stamp = {"pins": {**have, **pins(lock)}, "python": sys.version.split()[0]}
    partial = STAMP.with_suffix(".new")
    partial.write_text(json.dumps(stamp, indent=1, sort_keys=True), encoding="utf-8")
    partial.replace(STAMP)
    UNFINISHED.unlink(missing_ok=True)


def _leave_the_environment() -> None:
    """Continue under the base interpreter when this process itself runs from the environment to be removed."""
    if Path(sys.prefix) == VENV:
        base = getattr(sys, "_base_executable", None) or shutil.which("python3", path=os.defpath)
        if not base:
            raise StackError(f"Remove {VENV} and run ./run again.")
        os.environ.pop(ENTERED, None)
        os.execv(base, [base, str(ROOT / "run"), *sys.argv[1:]])  # nosec B606


def _install_with_uv(uv: str, lock: Path) -> bool:
    if not PYTHON.exists():
        made = subprocess.run([uv, "venv", "--quiet", "--python", _base_python(), str(VENV)], check=False)
        if made.returncode != 0:
            say("uv could not make the environment; trying venv and pip.")
            shutil.rmtree(VENV, ignore_errors=True)
            return False
    argv = [uv, "pip", "install", "--quiet", "--python", str(PYTHON), "--require-hashes", "--no-deps", "-r", str(lock)]
    if subprocess.run(argv, check=False, cwd=ROOT).returncode == 0:
        return True
    # uv does not read pip's configuration, where a company's own index is often named.
    say("uv could not install the packages; trying pip, which has its own configuration.")
    shutil.rmtree(VENV)
    return False


def _install_with_pip(lock: Path) -> None:
    if not PYTHON.exists():
        _make_venv()
    argv = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    argv += ["--require-hashes", "--no-deps", "-r", str(lock)]
    with INSTALL_LOG.open("w", encoding="utf-8") as log:
        done = subprocess.run(
            argv, check=False, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
    if done.returncode != 0:
        last = [line for line in INSTALL_LOG.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        for line in last[-8:]:
            say(f"    {line}")
        raise StackError(
            f"pip could not install the packages (whole output: {INSTALL_LOG}). Put it right and run again."
        )


def _make_venv() -> None:
    base = _base_python()
    made = subprocess.run([base, "-m", "venv", str(VENV)], check=False, capture_output=True, text=True)
    if made.returncode == 0:
        return
    shutil.rmtree(VENV, ignore_errors=True)
    words = made.stdout + made.stderr
    if "ensurepip" in words or "No module named venv" in words:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise StackError(
            f"This Python has no venv module: run `sudo apt install python{version}-venv` "
            "(Debian, Ubuntu; elsewhere install uv) and then ./run again."
        )
    raise StackError(
        f"`{base} -m venv .venv` failed: {words.strip().splitlines()[-1] if words.strip() else 'no output'}"
    )


def _base_python() -> str:
    return sys.executable or "python3"
