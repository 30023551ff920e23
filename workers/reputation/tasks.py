"""Celery entry points of reputation."""

import logging
from typing import Any

from marketplace.common.sweeps import got_on, sweep
from marketplace.common.transactions import one_transaction
from workers.reputation.commands import apply

logger = logging.getLogger("touchstone.reputation")
ROUNDS = 40


@sweep
def apply_rules(**_: Any) -> None:
    """Judge the quality rules over workers of whom there is something new, oldest first, in groups."""
    size = apply.GROUP
    for _round in range(ROUNDS):
        try:
            with one_transaction(principal="system"):
                looked_at = apply.evaluate_due(limit=size)
                if looked_at:
                    got_on()
        except Exception:
            # One of them cannot be judged: alone it is put aside, so that the others get on. What is recorded of him
            # next asks again.
            if size == 1:
                logger.exception("could not judge the rules over a worker; he is put aside")
                with one_transaction(principal="system"):
                    apply.put_aside()
            size = 1
            continue
        if looked_at < size:
            return
