"""Celery entry points of batches."""

from typing import Any

from celery import shared_task

from marketplace.batches.commands.progress import fold
from marketplace.common.transactions import one_transaction


@shared_task
def fold_progress(**_: Any) -> None:
    """Fold the counters' deltas."""
    with one_transaction(principal="system"):
        fold()
