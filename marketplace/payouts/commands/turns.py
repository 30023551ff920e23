"""Whose turn it is to do a long sweep. Only a courtesy: what is right does not rest on it."""

from uuid import UUID, uuid4

from marketplace.common.database import run
from marketplace.common.transactions import require_transaction


def take_turn(*, name: str, seconds: int) -> UUID | None:
    """A turn of at most so long, or None while it is somebody else's."""
    require_transaction()
    token = uuid4()
    mine = run(
        "INSERT INTO payouts_turn (name, token, until) VALUES (%s, %s, market_now() + make_interval(secs => %s))"
        " ON CONFLICT (name) DO UPDATE SET token = excluded.token, until = excluded.until"
        " WHERE payouts_turn.until < market_now()",
        [name, token, seconds],
    )
    return token if mine else None


def end_turn(*, name: str, token: UUID) -> None:
    """Let the next one begin."""
    require_transaction()
    run(
        "UPDATE payouts_turn SET until = market_now() - interval '1 second' WHERE name = %s AND token = %s",
        [name, token],
    )
