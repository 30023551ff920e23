"""Who comes in: by a key or by a ticket, never by a cookie (R27)."""

from typing import Any

from knox.crypto import hash_token

from marketplace.accounts.commands.tickets import Holder, use_ticket
from marketplace.common.database import one
from marketplace.common.transactions import one_transaction
from marketplace.rest.authentication import TOKEN_LENGTH_MAX
from workers.live.watch import Standing, standings

Admitted = tuple[Holder, Standing]


def by_key(token: str) -> Admitted | None:
    """Who holds the key, and how he stands; None for one that opens nothing."""
    if not 0 < len(token) <= TOKEN_LENGTH_MAX:
        return None
    digest = hash_token(token)
    row = one("SELECT user_id FROM accounts_apikey WHERE digest = %s", [digest])
    return None if row is None else _standing(Holder(row[0], key_digest=digest))


def by_ticket(text: str, socket: str) -> Admitted | None:
    """The same for a ticket, which is used up by this."""
    with one_transaction(principal="ticket"):
        holder = use_ticket(text=text, socket=socket)
    return None if holder is None else _standing(holder)


def token_of(headers: dict[bytes, bytes]) -> str | None:
    """The key of the Authorization header, "" for one that is not a bearer's, None without the header."""
    header = headers.get(b"authorization")
    if header is None:
        return None
    scheme, _, token = header.decode("latin-1").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def secret_of(message: dict[str, Any]) -> tuple[str, str] | None:
    """What an `authenticate` frame shows: ("ticket" or "key", its text)."""
    shown = [(name, message[name]) for name in ("ticket", "key") if name in message]
    if message["type"] != "authenticate" or len(shown) != 1 or len(message) != 2 or not isinstance(shown[0][1], str):
        return None
    return shown[0]


def _standing(holder: Holder) -> Admitted | None:
    (found,) = standings([holder])
    return (holder, found) if found.opens else None
