"""What the tests of benchmarks share."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def data() -> Iterator[Path]:
    """A data directory that every user may enter, unlike pytest's own folders."""
    folder = Path(tempfile.mkdtemp(prefix="ts-bench-"))
    folder.chmod(0o755)
    yield folder / "bench"
    shutil.rmtree(folder, ignore_errors=True)
