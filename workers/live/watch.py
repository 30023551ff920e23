"""Closing sockets whose key no longer opens anything: revoked, expired, or of a closed account (R27)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from channels.db import database_sync_to_async
from django.db import DatabaseError, InterfaceError

from marketplace.common.database import rows

log = logging.getLogger("touchstone.live")

EVERY_S = 4.0
Close = Callable[[], Awaitable[None]]


class Watch:
    """One look at all keys in use, for all sockets of the process together."""

    def __init__(self) -> None:
        self._sockets: dict[str, set[Close]] = {}
        self._task: asyncio.Task[None] | None = None

    def add(self, digest: str, close: Close) -> None:
        """Call `close` once the key stops working."""
        self._sockets.setdefault(digest, set()).add(close)
        if self._task is None or self._task.done() or self._task.get_loop() is not asyncio.get_running_loop():
            self._task = asyncio.create_task(self._look_again_and_again())

    def discard(self, digest: str, close: Close) -> None:
        """The socket is gone."""
        left = self._sockets.get(digest, set())
        left.discard(close)
        if not left:
            self._sockets.pop(digest, None)

    async def look(self) -> None:
        """Close what must be closed."""
        watched = list(self._sockets)
        working = set(await database_sync_to_async(working_keys)(watched))
        for digest in watched:
            if digest not in working:
                for close in list(self._sockets.get(digest, ())):
                    await close()

    async def _look_again_and_again(self) -> None:
        while self._sockets:
            await asyncio.sleep(EVERY_S)
            try:
                await self.look()
            except (DatabaseError, InterfaceError) as error:
                log.warning("keys in use could not be checked: %s", error)


def working_keys(digests: list[str]) -> list[str]:
    """Those of the keys that still open something."""
    found = rows(
        "SELECT k.digest FROM accounts_apikey k JOIN accounts_user u ON u.id = k.user_id"
        " WHERE k.digest = ANY(%s) AND u.is_active AND (k.expiry IS NULL OR k.expiry > market_now())",
        [digests],
    )
    return [digest for (digest,) in found]


watch = Watch()
