"""A slow socket hurts only itself (R26): a real server, readers that stall, frames that are too large, and a flood."""

import asyncio
import json
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from marketplace.common.transactions import one_transaction
from marketplace.streams import commands, wake
from marketplace.streams.routes import Fact, address_of_worker
from tests import factories as make
from tests.api_client import key_for
from tests.live.servers import serving

STALLED, GOOD, FACTS = 50, 10, 40
# A fact of this size fills what a stalled reader's buffers take within a few seconds.
PADDING = "x" * 8_000


def resident_kib(process_id: int) -> int:
    text = Path(f"/proc/{process_id}/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("VmRSS")).split()[1])


async def opened(port: int, key: str, **more: Any) -> ClientConnection:
    """A client that was welcomed and has joined."""
    client = await connect(
        f"ws://127.0.0.1:{port}/ws/worker/", additional_headers={"Authorization": f"Bearer {key}"},
        compression=None, proxy=None, ping_interval=None, open_timeout=30, max_size=None, **more,
    )  # fmt: skip
    assert json.loads(await client.recv())["type"] == "hello"
    await client.send('{"type":"join"}')
    assert json.loads(await client.recv())["type"] == "snapshot"
    return client


async def stalled(port: int, key: str) -> ClientConnection:
    """The same, but it reads nothing any more, and its kernel takes little."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", port))
    client = await opened(port, key, sock=raw)
    client.transport.pause_reading()
    return client


def tell(worker_ids: list[int], number: int) -> None:
    # In a thread of the loop's, whose connection nobody else would close.
    with closing(connection), one_transaction(principal="test"):
        bodies = {"n": number, "x": PADDING}
        heads = commands.append(
            [Fact(number, address_of_worker(worker), "place_taken", bodies) for worker in worker_ids]
        )
    wake.announce(heads, {})


@pytest.mark.usefixtures("committed")
def test_stalled_readers_are_ended_and_the_others_get_everything(committed: str, tmp_path: Path) -> None:
    workers = [make.make_worker() for _ in range(STALLED + GOOD)]
    ids = [worker.pk for worker in workers]
    keys = [key_for(worker.user, "worker") for worker in workers]

    async def numbers(client: ClientConnection) -> list[int]:
        async with asyncio.timeout(60):
            return [json.loads(await client.recv())["seq"] for _ in range(FACTS)]

    async def ended(client: ClientConnection) -> bool:
        """Whether the server gave it up: after what its buffers hold comes the end."""
        client.transport.resume_reading()
        try:
            async with asyncio.timeout(60):
                while json.loads(await client.recv())["seq"] < FACTS:
                    pass
        except ConnectionClosed:
            return True
        return False

    async def story(port: int, process_id: int) -> None:
        slow = [await stalled(port, key) for key in keys[:STALLED]]
        good = [await opened(port, key) for key in keys[STALLED:]]
        before = resident_kib(process_id)
        reading = [asyncio.create_task(numbers(client)) for client in good]
        for number in range(1, FACTS + 1):
            await asyncio.to_thread(tell, ids, number)
        assert await asyncio.gather(*reading) == [list(range(1, FACTS + 1))] * GOOD
        assert resident_kib(process_id) - before < 50 * 1024
        # Longer than a stalled writer is borne with, and the server says so to nobody who listens.
        await asyncio.sleep(32)
        assert all([await ended(client) for client in slow])
        for client in good:
            await client.send('{"type":"ping"}')
            assert json.loads(await client.recv())["type"] == "pong"
            await client.close()

    with serving(committed, tmp_path, "live") as servers:
        asyncio.run(story(servers.live_port, servers.pid("live")))


@pytest.mark.usefixtures("committed")
def test_a_huge_frame_and_a_flood_of_frames_close_the_socket_that_sent_them(committed: str, tmp_path: Path) -> None:
    workers = [make.make_worker() for _ in range(3)]
    keys = [key_for(worker.user, "worker") for worker in workers]

    async def code_after(client: ClientConnection, *texts: str) -> int:
        async with asyncio.timeout(60):
            try:
                for text in texts:
                    await client.send(text)
                while True:
                    await client.recv()
            except ConnectionClosed as closed:
                assert closed.rcvd is not None
                return closed.rcvd.code

    async def story(port: int, process_id: int) -> None:
        large, flooding, other = [await opened(port, key) for key in keys]
        before = resident_kib(process_id)
        assert await code_after(large, "x" * (10 * 1024 * 1024)) == 1009
        assert resident_kib(process_id) - before < 8 * 1024
        assert await code_after(flooding, *(['{"type":"ping"}'] * 100)) == 4429
        await other.send('{"type":"ping"}')
        assert json.loads(await other.recv())["type"] == "pong"
        await other.close()

    with serving(committed, tmp_path, "live") as servers:
        asyncio.run(story(servers.live_port, servers.pid("live")))
