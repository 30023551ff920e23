"""Celery entry points of results."""

from typing import Any

from marketplace.common.sweeps import sweep
from marketplace.common.transactions import one_transaction
from marketplace.results.commands.aggregate import aggregate
from marketplace.results.queries import settled_without_results


@sweep
def aggregate_settled(**_: Any) -> None:
    """Make the final results of every settled batch that has none."""
    for batch_id in settled_without_results(limit=20):
        with one_transaction(principal="system"):
            aggregate(batch_id=batch_id, final=True)
