"""Celery entry points of earnings."""

import logging
from typing import Any

from marketplace.common.errors import DomainError
from marketplace.common.sweeps import got_on, sweep
from marketplace.common.transactions import one_transaction
from marketplace.payouts.queries import due_thresholds
from workers.earnings.commands import withdraw_by_threshold

logger = logging.getLogger("touchstone.earnings")


@sweep
def withdraw_above_thresholds(**_: Any) -> None:
    """Ask for the payouts of workers who wished to be paid by themselves and have earned enough."""
    for threshold in due_thresholds():
        try:
            with one_transaction(principal="system"):
                withdraw_by_threshold(threshold=threshold)
                got_on()
        except DomainError as refusal:
            # As when the day's limit is reached: it is tried again until it passes.
            logger.info("a threshold of user %s waits: %s", threshold.user_id, refusal.code)
