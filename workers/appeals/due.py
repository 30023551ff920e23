"""What is due of appeals, each in a transaction of its own: called by the sweep, and before appeals are read, so that
nothing needs a background process (R18)."""

import logging

from django.db import IntegrityError

from marketplace.common.sweeps import got_on
from marketplace.common.transactions import one_transaction
from marketplace.ledger.errors import NotEnough
from workers.appeals.commands.decide import settle_appeal
from workers.appeals.queries import due_appeals

logger = logging.getLogger("touchstone.appeals")
GROUP = 100


def settle_due(*, limit: int = GROUP) -> int:
    """Settle up to `limit` appeals that may be due; returns how many moved. One that cannot be paid yet is said, and
    does not stand in the way of the others."""
    moved = 0
    for appeal_id in due_appeals(limit):
        try:
            with one_transaction(principal="system"):
                if settle_appeal(appeal_id=appeal_id):
                    got_on()
                    moved += 1
        except (NotEnough, IntegrityError):
            logger.exception("appeal %s could not be settled", appeal_id)
    return moved
