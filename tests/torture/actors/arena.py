"""Prepares the batch that only the adversary plays in."""

from __future__ import annotations

from typing import ClassVar

from tests.torture.actors.requester import Requester


class Arena(Requester):
    """Makes the arena and rests."""

    kind: ClassVar[str] = "arena"

    def publish_main(self, tasks: int) -> None:
        """A few tasks with two places, one of them gold, one reserved for the adversary's first worker."""
        rows = [
            {"external_id": "a0", "data": {"text": "arena 0"}},
            {"external_id": "a1", "data": {"text": "arena 1"}},
            {"external_id": "a2", "data": {"text": "arena 2"}, "reserved_for": self.pseudonyms},
            {"external_id": "a3", "data": {"text": "arena 3"}, "gold": {"label": "cat"}},
        ]
        self.stage.arena_batch = self.make("arena", rows, overlap=2, lease_cap=3, time_limit_s=3600) or ""

    def step(self) -> float:
        return 1.0
