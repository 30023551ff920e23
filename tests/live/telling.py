"""Facts for a stream, as the relay would append them."""

import asyncio
from collections.abc import Callable
from itertools import count
from typing import TypeVar

from django.db import connections

from marketplace.common.transactions import one_transaction
from marketplace.streams.commands import append
from marketplace.streams.routes import Fact, address_of_worker
from marketplace.streams.wake import announce

_events = count(10**9)
T = TypeVar("T")


def tell(worker_id: int, number: int, kind: str = "place_taken") -> None:
    """That many facts for a worker, committed and announced."""
    facts = [Fact(next(_events), address_of_worker(worker_id), kind, {"number": n}) for n in range(number)]
    with one_transaction(principal="test"):
        heads = append(facts)
    announce(heads, {})


async def beside(function: Callable[..., T], *args: object) -> T:
    """Run what speaks to the database in a thread, and leave no connection open there."""

    def run() -> T:
        try:
            return function(*args)
        finally:
            connections.close_all()

    return await asyncio.to_thread(run)
