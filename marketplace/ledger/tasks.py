"""Celery entry points of the ledger."""

import logging
from typing import Any

from django.conf import settings

from marketplace.common.chains import send_anchor
from marketplace.common.sweeps import got_on, sweep
from marketplace.common.transactions import one_transaction
from marketplace.ledger.commands import SEALED_AT_ONCE, anchor_sent, make_anchor, seal
from marketplace.ledger.queries import anchors, head

logger = logging.getLogger("touchstone.ledger")
ALARM_S = 5.0
ROUNDS = 40


@sweep
def seal_transfers(**_: Any) -> None:
    """Seal what was committed since the last time; an alarm where a transfer waits for longer than it should."""
    waited = head().unsealed_s
    if waited > ALARM_S:
        logger.error("a transfer has waited %.1f s for its seal", waited)
    for _round in range(ROUNDS):
        with one_transaction(principal="system"):
            sealed = seal()
            if sealed:
                got_on()
        if sealed < SEALED_AT_ONCE:
            return


@sweep
def anchor_daily(**_: Any) -> None:
    """Write the end of the chain down once a day, and mail what was not mailed yet to those who keep it elsewhere."""
    with one_transaction(principal="system"):
        make_anchor()
    if not settings.LEDGER_ANCHOR_EMAILS:
        return
    for anchor in reversed([anchor for anchor in anchors() if not anchor["sent"]]):
        send_anchor(what="Ledger", anchor=anchor, to=settings.LEDGER_ANCHOR_EMAILS)
        with one_transaction(principal="system"):
            anchor_sent(day=anchor["day"])
