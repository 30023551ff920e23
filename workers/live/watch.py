"""Whose sockets may stay (R27): they are closed once what opened them no longer does, within 5 s.

That is a key that was revoked or has expired, a session that ended, an account that was closed, a password, a role or
a membership that changed; and a person who was banned (R40).
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

from django.db import DatabaseError, InterfaceError

from marketplace.accounts.commands.tickets import Holder
from marketplace.common.database import rows
from workers.live.pool import pool

log = logging.getLogger("touchstone.live")

EVERY_S = 4.0
HOLDERS_AT_ONCE = 1_000

# A ban of any account of the person's.
BANNED = (
    "EXISTS (SELECT 1 FROM profiles_worker me JOIN profiles_worker w ON w.person_id = me.person_id"
    " JOIN accounts_sanction s ON s.user_id = w.user_id WHERE me.user_id = {user} AND s.measure = 'ban'"
    " AND s.lifted_at IS NULL AND s.expires_at > market_now())"
)
# What a holder may have been given when his socket opened; where the mark differs, he must show again who he is.
MARK = (
    "md5(concat_ws('|', u.password, u.is_staff, (SELECT string_agg(m.requester_id || m.role, ',' ORDER BY"
    " m.requester_id) FROM accounts_member m WHERE m.user_id = u.id)))"
)
STANDING = (
    "SELECT g.place, u.is_active AND (k.digest IS NOT NULL AND coalesce(k.expiry > market_now(), true)"
    "   OR s.session_key IS NOT NULL AND s.expire_date > market_now()),"
    f" {BANNED.format(user='u.id')}, {MARK}, u.is_staff, k.scopes, w.id, w.public_id"
    " FROM unnest(%s::bigint[], %s::text[], %s::text[]) WITH ORDINALITY AS g(user_id, key_digest, session_key, place)"
    " JOIN accounts_user u ON u.id = g.user_id LEFT JOIN profiles_worker w ON w.user_id = u.id"
    " LEFT JOIN accounts_apikey k ON k.digest = g.key_digest AND k.user_id = u.id"
    " LEFT JOIN django_session s ON s.session_key = g.session_key"
)


class Standing(NamedTuple):
    """How somebody stands who holds a key or a session: whether it still opens anything, and what it may be used for
    (`scopes` is None for a session, which may be used for all that the person may)."""

    opens: bool
    banned: bool
    mark: str
    is_staff: bool
    scopes: list[str] | None
    worker_id: int | None
    worker: str | None


NOBODY = Standing(False, False, "", False, [], None, None)


def standings(holders: Sequence[Holder]) -> list[Standing]:
    """How each stands now, in their order."""
    found = [NOBODY] * len(holders)
    columns = [
        list(column) for column in zip(*((h.user_id, h.key_digest, h.session_key) for h in holders), strict=True)
    ]
    for place, *cells in rows(STANDING, columns) if holders else ():
        found[place - 1] = Standing(*cells)
    return found


# Whether it is for a ban; otherwise what opened the socket no longer does.
Close = Callable[[bool], None]


class Watch:
    """One look at all holders, for all sockets of the process together."""

    def __init__(self) -> None:
        self._sockets: dict[tuple[Holder, str], set[Close]] = {}

    def __len__(self) -> int:
        return len(self._sockets)

    def add(self, holder: Holder, mark: str, close: Close) -> None:
        """Call `close` once the holder no longer stands as he did when he had this mark, or is banned."""
        self._sockets.setdefault((holder, mark), set()).add(close)

    def discard(self, holder: Holder, mark: str, close: Close) -> None:
        """The socket is gone."""
        left = self._sockets.get((holder, mark), set())
        left.discard(close)
        if not left:
            self._sockets.pop((holder, mark), None)

    async def look(self) -> None:
        """Close what must be closed."""
        watched = list(self._sockets)
        for start in range(0, len(watched), HOLDERS_AT_ONCE):
            chunk = watched[start : start + HOLDERS_AT_ONCE]
            stand = await pool.read(standings, [holder for holder, _ in chunk])
            for (holder, mark), now in zip(chunk, stand, strict=True):
                if now.banned or not now.opens or now.mark != mark:
                    for close in list(self._sockets.get((holder, mark), ())):
                        close(now.opens and now.banned)

    async def run(self) -> None:
        """Look for ever; while the database is away nothing can be said of anybody, and the sockets stay."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.look()
            except (DatabaseError, InterfaceError) as error:
                log.warning("holders of sockets could not be checked: %s", error)
