"""A socket's personal stream: snapshot, then facts in order; a cursor brings what was missed, once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from channels.db import database_sync_to_async

from marketplace.streams import commands, wake
from marketplace.streams.queries import epoch
from marketplace.streams.routes import Fact, address_of_worker
from tests import factories as make
from tests.api_client import key_for
from tests.live.communicators import Socket
from workers.profiles.models import Worker


def run(story: Callable[[], Awaitable[None]]) -> None:
    """Tell an async story in the test's own thread and transaction."""

    async def whole() -> None:
        async with asyncio.timeout(60):
            await story()

    async_to_sync(whole)()


async def opened(key: str) -> Socket:
    """A socket that was welcomed."""
    connected = Socket(authorization=f"Bearer {key}")
    assert (await connected.connect())[0]
    await connected.hello()
    return connected


async def happened(worker: Worker, *numbers: int, told: bool = True) -> None:
    """Facts in the worker's stream, with the numbers in their bodies."""

    def append() -> dict[str, int]:
        return commands.append([Fact(n, address_of_worker(worker.pk), "place_taken", {"n": n}) for n in numbers])

    heads = await database_sync_to_async(append)()
    if told:
        await asyncio.to_thread(wake.announce, heads, {})


async def facts(socket: Socket, count: int) -> list[tuple[int, int]]:
    """The next facts: their numbers in the stream and in their bodies."""
    found = []
    for _ in range(count):
        said = await socket.receive_json()
        assert said["type"] == "fact", said
        found.append((said["seq"], said["body"]["n"]))
    return found


def test_facts_follow_the_snapshot_in_order(db: None) -> None:
    worker = make.make_worker()
    key = key_for(worker.user, "worker")

    async def story() -> None:
        await happened(worker, 1, 2)
        socket = await opened(key)
        snapshot = await socket.join()
        assert (snapshot["type"], snapshot["cursor"]["seq"]) == ("snapshot", 2)
        await happened(worker, 3, 4)
        await happened(worker, 5)
        assert await facts(socket, 3) == [(3, 3), (4, 4), (5, 5)]
        assert await socket.receive_nothing(timeout=0.2)
        await socket.leave()

    run(story)


def test_without_a_wake_the_facts_come_by_poll(db: None) -> None:
    worker = make.make_worker()
    key = key_for(worker.user, "worker")

    async def story() -> None:
        socket = await opened(key)
        await socket.join()
        await happened(worker, 1, told=False)
        assert await facts(socket, 1) == [(1, 1)]
        await socket.leave()

    run(story)


def test_a_cursor_brings_what_was_missed_once_and_more_than_one_read_of_it(db: None) -> None:
    worker = make.make_worker()
    key = key_for(worker.user, "worker")

    async def story() -> None:
        await happened(worker, *range(1, 251))
        socket = await opened(key)
        cursor = {"epoch": str(await database_sync_to_async(epoch)()), "seq": 7}
        assert await socket.join(cursor) == {"type": "resumed", "cursor": cursor}
        assert await facts(socket, 243) == [(n, n) for n in range(8, 251)]
        assert await socket.receive_json() == {"type": "caught_up", "cursor": {**cursor, "seq": 250}}
        await happened(worker, 251)
        assert await facts(socket, 1) == [(251, 251)]
        await socket.leave()

    run(story)


@pytest.mark.parametrize(
    ("seq", "other_epoch", "reason"), [(1, False, "expired"), (99, False, "ahead"), (3, True, "epoch")]
)
def test_a_cursor_that_means_nothing_brings_a_snapshot(db: None, seq: int, other_epoch: bool, reason: str) -> None:
    worker = make.make_worker()
    key = key_for(worker.user, "worker")

    async def story() -> None:
        await happened(worker, 1, 2, 3)
        await database_sync_to_async(forgotten)(worker)
        socket = await opened(key)
        known = "00000000-0000-4000-8000-000000000000" if other_epoch else str(await database_sync_to_async(epoch)())
        assert await socket.join({"epoch": known, "seq": seq}) == {"type": "snapshot_required", "reason": reason}
        snapshot = await socket.receive_json()
        assert (snapshot["type"], snapshot["cursor"]["seq"]) == ("snapshot", 3)
        await happened(worker, 4)
        assert await facts(socket, 1) == [(4, 4)]
        await socket.leave()

    def forgotten(of: Worker) -> Any:
        from django.db import connection

        with connection.cursor() as cursor:
            # As the sweep does a week later, but for the newest.
            cursor.execute("SELECT streams_trim(interval '-1 day', 2)")

    run(story)
