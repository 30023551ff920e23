"""Celery entry points of what every app shares."""

from typing import Any

from marketplace.common.commands import forget_old as forget
from marketplace.common.outbox import deliver, read
from marketplace.common.sweeps import got_on, sweep
from marketplace.common.transactions import one_transaction


@sweep
def relay_outbox(**_: Any) -> None:
    """Hand new events to their handlers, oldest first, until none is left."""
    for _round in range(20):
        with one_transaction(principal="system"):
            events = list(read("relay"))
            for event in events:
                deliver(event)
            if events:
                got_on()
        if not events:
            return


@sweep
def forget_old(**_: Any) -> None:
    """Drop stored responses and delivered events past their retention."""
    with one_transaction(principal="system"):
        forget()
