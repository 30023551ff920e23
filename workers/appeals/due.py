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
GROUP = 1_000
BEFORE_A_READ = 20


def settle_late() -> None:
    """Give the workers what nobody decided in time; called before appeals are read."""
    settle_due(limit=BEFORE_A_READ, late_only=True)


def settle_due(*, limit: int = GROUP, late_only: bool = False) -> int:
    """Settle up to `limit` appeals that may be due; returns how many moved. One that cannot be paid yet is said, and
    does not stand in the way of the others."""
    moved = 0
    for appeal_id in due_appeals(limit, late_only=late_only):
        try:
            with one_transaction(principal="system"):
                if settle_appeal(appeal_id=appeal_id):
                    got_on()
                    moved += 1
        except NotEnough as missing:
            logger.warning("appeal %s is won and cannot be paid yet: %s", appeal_id, missing)
        except IntegrityError:
            logger.exception("appeal %s could not be settled", appeal_id)
    return moved
