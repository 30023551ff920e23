"""Writes of what every app shares."""

from collections.abc import Callable

from marketplace.common.database import run
from marketplace.common.outbox import forget_seen
from marketplace.common.transactions import require_transaction

_forgetters: list[Callable[[int], int]] = []


def forgets(function: Callable[[int], int]) -> Callable[[int], int]:
    """Register what else is kept for a time only: it deletes up to so many rows and says how many it did."""
    _forgetters.append(function)
    return function


def forget_old(*, limit: int = 10_000) -> int:
    """Delete what is kept for a time only: stored responses for 30 days, events for 7 and until every reader has seen
    them, dead runs for 7, and what other apps have registered.

    Returns how many rows went. Repeatable.
    """
    require_transaction()
    responses = run(
        "DELETE FROM common_idempotency WHERE (principal, key) IN (SELECT principal, key FROM common_idempotency"
        " WHERE made_at < market_now() - interval '30 days' LIMIT %s)",
        [limit],
    )
    events = forget_seen(limit=limit)
    runs = run("DELETE FROM common_sweeprun WHERE died_at < market_now() - interval '7 days'")
    return responses + events + runs + sum(forget(limit) for forget in _forgetters)
