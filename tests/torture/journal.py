"""What a client was told. Only an answer that arrived is a fact; the rest stays unknown until a repeat is answered."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Fact = dict[str, Any]


class Journal:
    """The append-only record of one actor: a line for each fact, out of the process before the next request."""

    def __init__(self, path: Path, who: str) -> None:
        self.who = who
        self._file = path.open("a", encoding="utf-8")

    def note(self, did: str, **fact: Any) -> None:
        """Write one fact down."""
        self._file.write(json.dumps({"did": did, "at": time.time(), "who": self.who, **fact}) + "\n")
        self._file.flush()


class Journals:
    """All journals of a folder, read on from where the last look ended."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts: list[Fact] = []
        self._read: dict[Path, int] = {}

    def read_on(self) -> list[Fact]:
        """The facts that are new; all of them are in `facts`."""
        new: list[Fact] = []
        for path in sorted(self.folder.glob("*.jsonl")):
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                content = file.read()
            whole = content[: content.rfind(b"\n") + 1]  # the last line may be half written
            self._read[path] = self._read.get(path, 0) + len(whole)
            new += [json.loads(line) for line in whole.splitlines()]
        self.facts += new
        return new

    def of(self, did: str) -> Iterable[Fact]:
        """The facts of one kind."""
        return (fact for fact in self.facts if fact["did"] == did)
