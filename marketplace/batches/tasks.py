"""Celery entry points of batches."""

from typing import Any

from marketplace.batches.commands.progress import fold
from marketplace.common.sweeps import sweep
from marketplace.common.transactions import one_transaction


@sweep
def fold_progress(**_: Any) -> None:
    """Fold the counters' deltas."""
    with one_transaction(principal="system"):
        fold()
