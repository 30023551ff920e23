"""Celery entry points of batches."""

import time
from typing import Any

from marketplace.batches.commands.imports import abandon_stale, advance, next_import
from marketplace.batches.commands.progress import fold
from marketplace.common.sweeps import sweep
from marketplace.common.transactions import one_transaction


@sweep
def fold_progress(**_: Any) -> None:
    """Fold the counters' deltas."""
    with one_transaction(principal="system"):
        fold()


# An import takes one worker process for so long; then the next sweep, and the next import, have their turn.
TURN_S = 20.0
ABANDONED_AFTER_S = 600


@sweep
def advance_imports(**_: Any) -> None:
    """Take steps of the imports that are under way, for a while; give up those whose body stopped arriving."""
    with one_transaction(principal="system"):
        abandon_stale(after_s=ABANDONED_AFTER_S)
    until = time.monotonic() + TURN_S
    waiting = next_import()
    while waiting is not None:
        steps = 0
        for _step in advance(waiting):
            steps += 1
            if time.monotonic() > until:
                return
        if not steps:
            return  # another process is at it
        waiting = next_import()
