"""Celery entry points of results."""

from typing import Any

from marketplace.common.sweeps import got_on, sweep
from marketplace.common.transactions import one_transaction
from marketplace.results.commands import aggregate
from marketplace.results.commands.rejections import apply_approved, lapse_reviews
from marketplace.results.commands.reviews import record_reviews as record
from marketplace.results.queries import settled_without_results


@sweep
def aggregate_settled(**_: Any) -> None:
    """Make the final results of every settled batch that has none."""
    for batch_id in settled_without_results(limit=20):
        with one_transaction(principal="system"):
            aggregate(batch_id=batch_id, final=True)


ROUNDS = 40


@sweep
def move_reviews(**_: Any) -> None:
    """Let approved reviews of rejections take effect, and close those in which nothing is left to decide."""
    with one_transaction(principal="system"):
        lapse_reviews()
    for _round in range(ROUNDS):
        with one_transaction(principal="system"):
            done = apply_approved()
            if done:
                got_on()
        if not done:
            return


@sweep
def record_reviews(**_: Any) -> None:
    """Make final decisions of requesters part of reputations."""
    for _round in range(ROUNDS):
        with one_transaction(principal="system"):
            done = record()
            if done:
                got_on()
        if not done:
            return
