"""Walks over all that was ever written, as the books and the audit log computed anew: one at a time, and what the last
one found.

A walk grows with the market, so no page walks because it is looked at. It shows what was found last, and has a button.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg.types.json import Jsonb

from marketplace.common.database import run, try_sweep_lock
from marketplace.common.errors import Conflict
from marketplace.common.models import Walk
from marketplace.common.transactions import require_transaction, snapshot


class WalkUnderWay(Conflict):
    code = "check-under-way"
    title = "A check is under way"


@contextmanager
def only_walk() -> Iterator[None]:
    """One view of the database for a walk, while no other is under way. Raises `WalkUnderWay`, without a wait."""
    with snapshot():
        if not try_sweep_lock("walk"):
            raise WalkUnderWay("A check is under way. It reads everything; come back in a while.")
        yield


def keep_walk(*, name: str, found: dict[str, Any]) -> None:
    """Keep what a walk found, instead of what the one before it did."""
    require_transaction()
    run(
        "INSERT INTO common_walk (name, found, made_at) VALUES (%s, %s, market_now())"
        " ON CONFLICT (name) DO UPDATE SET found = excluded.found, made_at = excluded.made_at",
        [name, Jsonb(found)],
    )


def last_walk(name: str) -> Walk | None:
    """What the last walk of this name found; None before the first."""
    return Walk.objects.filter(pk=name).first()
