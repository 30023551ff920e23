"""Waiting until a transaction waits for another one, as every orchestrated race must before it goes on."""

import time
from collections.abc import Callable

from marketplace.common.database import value

PATIENCE_S = 60.0

# By locks alone: what pg_stat_activity says is remembered until a transaction ends, so that one which asks within its
# own would never see a connection that was opened after its first look.
WAITING = """
    SELECT count(DISTINCT pid) FROM pg_locks waits JOIN pg_locks holds USING (pid)
      JOIN pg_database d ON d.oid = holds.database
     WHERE NOT waits.granted AND d.datname = current_database()
"""


def until_somebody_waits(number: int = 1, *, or_else: Callable[[], bool] = lambda: False) -> None:
    """Until so many connections to this database wait for locks of others, or until `or_else` says that none will."""
    deadline = time.monotonic() + PATIENCE_S
    while not or_else() and value(WAITING) < number:
        assert time.monotonic() < deadline, "nobody waits"
        time.sleep(0.01)
