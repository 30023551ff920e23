"""Match those who wait with what is open, in all batches: any process may do it, at any time, beside any other."""

import logging
from collections.abc import Callable, Collection

from django.db import IntegrityError, OperationalError

from marketplace.common.sweeps import got_on
from marketplace.common.transactions import one_transaction
from workers.assignments.commands.decide import apply_due
from workers.assignments.commands.waiting import Step, match_step
from workers.assignments.waits import batches_to_match

logger = logging.getLogger("touchstone.assignments")
ROUNDS = 40


def match_due(batch_ids: Collection[int] | None = None) -> int:
    """Give what is open to those who wait, in these batches or in all; returns how many leases began.

    First expires the leases of those batches that are past their end, so that their places are offered at once. Opens
    transactions of its own, one for each step, and goes from batch to batch, so that a large one does not keep small
    ones waiting. Ends after so many rounds; the next call goes on.
    """
    leases = 0
    found = batches_to_match(batch_ids)
    left = [batch_id for batch_id, due in found if not due or _alone(_expire, batch_id).looked]
    for _round in range(ROUNDS):
        steps = {batch_id: _alone(_step, batch_id) for batch_id in left}
        leases += sum(step.leases for step in steps.values())
        left = [batch_id for batch_id, step in steps.items() if step.looked]
        if not left:
            break
    return leases


def _expire(batch_id: int) -> Step:
    apply_due(batch_id=batch_id)
    return Step(0, 1)


def _step(batch_id: int) -> Step:
    step = match_step(batch_id=batch_id)
    if step.leases:
        got_on()
    return step


def _alone(act: Callable[[int], Step], batch_id: int) -> Step:
    """Act in a transaction of its own; what the database refuses of one batch does not stand in the way of others."""
    try:
        with one_transaction(principal="system"):
            return act(batch_id)
    except (IntegrityError, OperationalError):
        logger.exception("could not match batch %s", batch_id)
        return Step(0, 0)
