"""Fixtures of the stack tests; what they are made of is in harness.py."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.stack.harness import Checkout, clean_up, make_checkout, python_for


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.stack)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A temporary folder that every user may enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="ts-stack-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def ready_cluster() -> Iterator[Path]:
    """A cluster as the first start leaves it, to be copied: making one takes seconds, and most tests only need one."""
    folder = Path(tempfile.mkdtemp(prefix="ts-stack-"))
    folder.chmod(0o755)
    made = make_checkout(folder / "touchstone")
    made.facts()
    yield made.data() / "postgres"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def new_checkout(open_folder: Path) -> Iterator[Checkout]:
    """A copy of ./run in an ordinary folder, before its first start."""
    made = make_checkout(open_folder / "touchstone")
    yield made
    clean_up(made)


@pytest.fixture
def checkout(new_checkout: Checkout, ready_cluster: Path) -> Checkout:
    """A copy of ./run that was started before."""
    new_checkout.data().mkdir(parents=True, mode=0o711)
    subprocess.run(["cp", "-a", str(ready_cluster), str(new_checkout.data())], check=True)
    return new_checkout


@pytest.fixture
def checkout_at(open_folder: Path) -> Iterator[Callable[[str], Checkout]]:
    """Makes a copy of ./run at a path of the test's choice."""
    made: list[Checkout] = []

    def make(name: str) -> Checkout:
        made.append(make_checkout(open_folder / name))
        return made[-1]

    yield make
    for one in made:
        clean_up(one)


@pytest.fixture
def plain_user_checkout(open_folder: Path) -> Iterator[Checkout]:
    """A copy of ./run that belongs to a plain user and runs as him. Run by a plain user, that is he himself."""
    if os.geteuid() != 0:
        made = make_checkout(open_folder / "touchstone")
    else:
        python = python_for("nobody")
        made = make_checkout(open_folder / "touchstone", base_python=python)
        made.user = "nobody"
        entry = pwd.getpwnam("nobody")
        for path in (made.root, *made.root.rglob("*")):
            os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)
    yield made
    clean_up(made)
