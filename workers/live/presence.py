"""Whose sockets this process holds, said in bulk to `marketplace.streams.presence`."""

import asyncio
from collections import Counter

from marketplace.streams.presence import present

EVERY_S = 10.0


class Presence:
    """The accounts that are connected here, by kind of socket. Who comes is told of within a second, with all others
    again every 10 s; who goes is forgotten by himself, within half a minute."""

    def __init__(self) -> None:
        self._here: dict[str, Counter[int]] = {}
        self._new: dict[str, set[int]] = {}
        self._said_at = float("-inf")
        self._saying: asyncio.Task[None] | None = None

    def enter(self, kind: str, user_id: int) -> None:
        """One more socket of this account's."""
        self._here.setdefault(kind, Counter())[user_id] += 1
        self._new.setdefault(kind, set()).add(user_id)

    def leave(self, kind: str, user_id: int) -> None:
        """One less."""
        here = self._here[kind]
        here[user_id] -= 1
        if not here[user_id]:
            del here[user_id]

    async def round(self) -> None:
        """Say what is due; called about every second, and never waits for Redis."""
        if self._saying is not None and not self._saying.done():
            return
        now = asyncio.get_running_loop().time()
        told = self._new
        if now - self._said_at >= EVERY_S:
            self._said_at = now
            told = {kind: set(here) for kind, here in self._here.items()}
        self._new = {}
        if any(told.values()):
            self._saying = asyncio.create_task(self._say(told))

    async def _say(self, told: dict[str, set[int]]) -> None:
        for kind, user_ids in told.items():
            # In a thread of its own: a Redis that hangs holds up neither sockets nor the database's threads.
            await asyncio.to_thread(present, kind, user_ids)
