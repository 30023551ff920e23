"""Everybody and everything of a run, as values that can be written to a file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
LEASE_CAP = 10
PRICE_MICROS = 20_000
CURRENCY = "EUR"
FRESH_WORKERS = 3  # above the overlap: they have not worked when the faults stop

INTERFACE = {
    "data": [{"name": "text", "type": "text"}],
    "answer": [
        {
            "name": "label",
            "type": "choice",
            "labels": [{"value": "cat", "title": "Cat"}, {"value": "dog", "title": "Dog"}],
        },
        {"name": "note", "type": "text", "required": False},
    ],
}


@dataclass(frozen=True)
class Person:
    """Somebody who can sign in; `id` is his worker id, or his organisation's."""

    name: str
    key: str
    id: str


@dataclass
class Stage:
    """Who takes part, and what was made before the first fault."""

    staff: Person
    second: Person  # of the staff too, who releases what the first has made
    requesters: list[Person]
    workers: list[Person]
    fresh: list[Person]
    arena: Person
    arena_owner_worker: str
    arena_workers: list[Person]
    colleague: Person  # who is a member of the first requester's organisation, and is not; `id` is his account's
    clerk: Person  # who is of the staff, and is not; `id` is his account's
    overlap: int
    tasks: int
    time_limit_s: int = 6
    auto_accept_s: int = 10
    max_attempts: int = 6
    oddity: int = 1  # how much more often than usual workers do what is odd
    memory: dict[str, dict[str, Any]] = field(default_factory=dict)  # what actors keep from before the run, by name
    arena_batch: str = ""

    def write(self, path: Path) -> None:
        """To a file."""
        path.write_text(json.dumps(asdict(self)))

    @staticmethod
    def read(path: Path) -> Stage:
        """From a file."""
        given = json.loads(path.read_text())
        for name in ("staff", "second", "arena", "colleague", "clerk"):
            given[name] = Person(**given[name])
        for name in ("requesters", "workers", "fresh", "arena_workers"):
            given[name] = [Person(**one) for one in given[name]]
        return Stage(**given)
