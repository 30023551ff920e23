"""Where the live server waits for the database: a few threads of its own, each with a connection that persists."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import SystemRandom
from typing import TypeVar

from asgiref.sync import sync_to_async
from django.db import InterfaceError, OperationalError, close_old_connections, connection

T = TypeVar("T")
THREADS = 8
# Spreads out what many would otherwise do at the same moment.
CHANCE = SystemRandom()
# What says that the database is away, rather than that a question was wrong.
AWAY = (OperationalError, InterfaceError)


class Pool:
    """Runs functions that speak to the database. One thread for all sockets, as the framework would have it, would
    let every reader wait for the slowest claim."""

    def __init__(self, threads: int = THREADS) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="live-database")
        # Tests keep all in their own thread, whose transaction nobody else can see.
        self.in_callers_thread = False

    async def run(self, function: Callable[..., T], *args: object) -> T:
        """The function's result. A connection found broken is closed, so the next one asks on a new one."""
        if self.in_callers_thread:
            # Shielded, because this way of calling takes a cancellation for a result.
            return await asyncio.shield(asyncio.ensure_future(sync_to_async(function, thread_sensitive=True)(*args)))
        return await asyncio.get_running_loop().run_in_executor(self._executor, _on_good_connection, function, args)

    async def read(self, function: Callable[..., T], *args: object) -> T:
        """As `run`, for what only reads: asked once more if the connection had died since it was last used."""
        try:
            return await self.run(function, *args)
        except AWAY:
            return await self.run(function, *args)


def _on_good_connection(function: Callable[..., T], args: tuple[object, ...]) -> T:
    close_old_connections()
    try:
        return function(*args)
    except AWAY:
        connection.close()
        raise


pool = Pool()
