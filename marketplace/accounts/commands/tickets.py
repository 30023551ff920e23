"""Tickets: what a page shows once to open a socket, so that neither key nor session travels there (R27)."""

import secrets
from dataclasses import dataclass
from datetime import datetime

from knox.crypto import hash_token

from marketplace.common.commands import forgets
from marketplace.common.database import one, run, value
from marketplace.common.transactions import require_transaction

LIFE_S = 30
TEXT_LENGTH_MAX = 100


@dataclass(frozen=True, slots=True)
class Holder:
    """Who opens a socket, and by what: the digest of a key, or a session. What stands behind it must go on standing."""

    user_id: int
    key_digest: str | None = None
    session_key: str | None = None


def issue_ticket(
    *, user_id: int, socket: str, key_digest: str | None = None, session_key: str | None = None
) -> tuple[str, datetime]:
    """The text of a new ticket for one kind of socket, and until when it is good: 30 s, and once.

    Only its digest is kept. It is bound to the key or the session by which it was asked for.
    """
    require_transaction()
    assert (key_digest is None) != (session_key is None), "a ticket is bound to a key or to a session"
    text = secrets.token_urlsafe(32)
    expires_at = value(
        "INSERT INTO accounts_ticket (digest, user_id, key_digest, session_key, socket, expires_at)"
        " VALUES (%s, %s, %s, %s, %s, market_now() + make_interval(secs => %s)) RETURNING expires_at",
        [hash_token(text), user_id, key_digest, session_key, socket, LIFE_S],
    )
    return text, expires_at


def use_ticket(*, text: str, socket: str) -> Holder | None:
    """Use a ticket up: of any number of callers one is told who holds it. None for one that is used, too old, for
    another kind of socket, or no ticket at all; trying it at the wrong socket uses it up as well."""
    require_transaction()
    if not 0 < len(text) <= TEXT_LENGTH_MAX or not text.isascii():
        return None
    row = one(
        "DELETE FROM accounts_ticket WHERE digest = %s"
        " RETURNING user_id, key_digest, session_key, socket = %s AND expires_at > market_now()",
        [hash_token(text), socket],
    )
    return Holder(*row[:3]) if row is not None and row[3] else None


@forgets
def forget_tickets(limit: int) -> int:
    """Drop tickets that nobody used in time; returns how many went."""
    return run(
        "DELETE FROM accounts_ticket WHERE digest IN"
        " (SELECT digest FROM accounts_ticket WHERE expires_at < market_now() LIMIT %s)",
        [limit],
    )
