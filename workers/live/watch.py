"""Closing sockets whose key no longer opens anything: revoked, expired, of a closed account (R27), or of somebody who
is banned (R40)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from channels.db import database_sync_to_async
from django.db import DatabaseError, InterfaceError

from marketplace.common.database import rows, value

log = logging.getLogger("touchstone.live")

EVERY_S = 4.0
# Whether it is for a ban; otherwise the key stopped working.
Close = Callable[[bool], Awaitable[None]]


class Watch:
    """One look at all keys in use, for all sockets of the process together."""

    def __init__(self) -> None:
        self._sockets: dict[str, set[Close]] = {}
        self._task: asyncio.Task[None] | None = None

    def add(self, digest: str, close: Close) -> None:
        """Call `close` once the key stops working or its holder is banned."""
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
        working = dict(await database_sync_to_async(working_keys)(watched))
        for digest in watched:
            if working.get(digest) is not False:
                for close in list(self._sockets.get(digest, ())):
                    await close(digest in working)

    async def _look_again_and_again(self) -> None:
        while self._sockets:
            await asyncio.sleep(EVERY_S)
            try:
                await self.look()
            except (DatabaseError, InterfaceError) as error:
                log.warning("keys in use could not be checked: %s", error)


# A ban of any account of the person's.
BANNED = (
    "EXISTS (SELECT 1 FROM profiles_worker me JOIN profiles_worker w ON w.person_id = me.person_id"
    " JOIN accounts_sanction s ON s.user_id = w.user_id WHERE me.user_id = {user} AND s.measure = 'ban'"
    " AND s.lifted_at IS NULL AND s.expires_at > market_now())"
)


def working_keys(digests: list[str]) -> list[tuple[str, bool]]:
    """Those of the keys that still open something, each with whether its holder is banned."""
    return rows(
        f"SELECT k.digest, {BANNED.format(user='u.id')} FROM accounts_apikey k JOIN accounts_user u ON u.id = k.user_id"
        " WHERE k.digest = ANY(%s) AND u.is_active AND (k.expiry IS NULL OR k.expiry > market_now())",
        [digests],
    )


def is_banned(user_id: int) -> bool:
    """Whether the person whose account this is may hold no socket."""
    return bool(value(f"SELECT {BANNED.format(user='%s')}", [user_id]))


watch = Watch()
