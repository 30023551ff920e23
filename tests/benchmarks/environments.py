"""Environments of a benchmark's own, for packages that are no dependencies of the product. Made once, kept."""

import subprocess
import sys
from pathlib import Path

from tests.benchmarks.report import progress
from tests.benchmarks.serving import data_directory


class NotInstallable(Exception):
    """What the installer said."""


def environment(name: str, packages: list[str]) -> Path:
    """The `bin` of an environment with these packages, installed from the package index if it is not there yet."""
    folder = data_directory() / "environments" / name
    mark = folder / "installed.txt"
    wanted = "\n".join(packages)
    if not (mark.exists() and mark.read_text(encoding="utf-8") == wanted):
        progress(f"Installing {', '.join(packages)} into {folder} (this happens once) …")
        for argv in (
            [sys.executable, "-m", "venv", "--clear", str(folder)],
            [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *packages],
        ):
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
            if done.returncode:
                raise NotInstallable(f"{', '.join(packages)} cannot be installed: {done.stderr.strip()[-800:]}")
        mark.write_text(wanted, encoding="utf-8")
    return folder / "bin"


def versions(binaries: Path, packages: list[str]) -> dict[str, str]:
    """The installed versions."""
    code = "import sys, importlib.metadata as m; print('\\n'.join(m.version(name) for name in sys.argv[1:]))"
    argv = [str(binaries / "python"), "-c", code, *packages]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return dict(zip(packages, done.stdout.split(), strict=True))
