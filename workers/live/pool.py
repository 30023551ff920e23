"""Where the live server waits for the database: a few threads of its own, each with a connection that persists."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import SystemRandom
from typing import TypeVar

from asgiref.sync import sync_to_async
from django.db import InterfaceError, OperationalError, close_old_connections, connection

T = TypeVar("T")
LOOKING = 4  # threads for what is told to sockets, and to those who come
COMMANDING = 6  # threads for what sockets ask to have done
# Spreads out what many would otherwise do at the same moment.
CHANCE = SystemRandom()
# What says that the database is away, rather than that a question was wrong.
AWAY = (OperationalError, InterfaceError)


class Pool:
    """Runs functions that speak to the database. One thread for all sockets, as the framework would have it, would
    let every reader wait for the slowest claim. Commands have threads of their own: after the death of a server
    hundreds come back and repeat theirs, and what is told to everybody else must not stand in line behind them."""

    def __init__(self) -> None:
        self._looking = ThreadPoolExecutor(LOOKING, thread_name_prefix="live-looks")
        self._commanding = ThreadPoolExecutor(COMMANDING, thread_name_prefix="live-commands")
        # Tests keep all in their own thread, whose transaction nobody else can see.
        self.in_callers_thread = False

    async def run(self, function: Callable[..., T], *args: object) -> T:
        """The function's result. A connection found broken is closed, so the next one asks on a new one."""
        return await self._run(self._looking, function, args)

    async def command(self, function: Callable[..., T], *args: object) -> T:
        """As `run`, for what a worker asks to have done: it waits for other commands only, and nothing waits for it."""
        return await self._run(self._commanding, function, args)

    async def read(self, function: Callable[..., T], *args: object) -> T:
        """As `run`, for what only reads: asked once more if the connection had died since it was last used."""
        try:
            return await self.run(function, *args)
        except AWAY:
            return await self.run(function, *args)

    async def _run(self, executor: ThreadPoolExecutor, function: Callable[..., T], args: tuple[object, ...]) -> T:
        if self.in_callers_thread:
            # Shielded, because this way of calling takes a cancellation for a result.
            return await asyncio.shield(asyncio.ensure_future(sync_to_async(function, thread_sensitive=True)(*args)))
        return await asyncio.get_running_loop().run_in_executor(executor, _on_good_connection, function, args)


def _on_good_connection(function: Callable[..., T], args: tuple[object, ...]) -> T:
    close_old_connections()
    try:
        return function(*args)
    except AWAY:
        connection.close()
        raise


pool = Pool()
