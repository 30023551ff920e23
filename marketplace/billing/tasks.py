"""Celery entry points of billing."""

import logging
from typing import Any

from django.conf import settings

from marketplace.billing.commands.invoices import close_month
from marketplace.billing.queries import open_months
from marketplace.common.sweeps import got_on, sweep
from marketplace.common.transactions import one_transaction

logger = logging.getLogger("touchstone.billing")
MONTHS_AT_ONCE, ROUNDS = 100, 20


@sweep
def issue_invoices(**_: Any) -> None:
    """Invoice every month that is over, requester by requester, each in a transaction of its own."""
    for _round in range(ROUNDS):
        found = open_months(MONTHS_AT_ONCE)
        if found and not settings.INVOICE_SELLER["name"]:
            logger.warning("months wait for their invoices: TOUCHSTONE_INVOICE_SELLER does not say who sends them")
            return
        for requester_id, currency, month in found:
            with one_transaction(principal="system"):
                close_month(requester_id=requester_id, currency=currency, month=month)
                got_on()
        if not found:
            return
