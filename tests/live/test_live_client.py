"""The reference client against the real servers: it connects, loses its server, comes back, and misses nothing."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from knox.crypto import hash_token

from deploy.stack.site import listeners
from marketplace.accounts.commands.tickets import issue_ticket
from marketplace.common.database import rows
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.api_client import key_for
from tests.live.client import Frame, LiveClient, Refused
from tests.live.frames import faults
from tests.live.hearing import Listener
from tests.live.servers import START_LIMIT_S, Servers, serving, until
from tests.live.telling import beside, tell

pytestmark = pytest.mark.stack


@pytest.fixture
def servers(committed: str, tmp_path: Path) -> Iterator[Servers]:
    with serving(committed, tmp_path, "live") as running:
        yield running


def test_facts_told_while_the_server_was_dead_come_once_and_in_order(servers: Servers) -> None:
    worker = make.make_worker()
    heard = Listener(servers, worker)

    async def story() -> None:
        async with heard.client as client:
            await client.until(lambda: client.counts.snapshots == 1)
            await beside(tell, worker.pk, 5)
            await client.until(lambda: len(heard.facts) == 5)
            for number in (signal.SIGKILL, signal.SIGTERM):
                await asyncio.to_thread(servers.kill, "live", number)
                await beside(tell, worker.pk, 300)
                told = len(heard.facts) + 300
                await asyncio.to_thread(servers.start, "live")
                await client.until(lambda told=told: len(heard.facts) >= told, 60)  # type: ignore[misc]
            await beside(tell, worker.pk, 1)
            await client.until(lambda: len(heard.facts) >= 606)

    asyncio.run(story())
    assert heard.numbers == list(range(1, 607))
    counts = heard.client.counts
    assert (counts.snapshots, counts.gaps, counts.duplicates) == (1, 0, 0)
    assert counts.resumes >= 2 and counts.losses >= 2


def test_who_loses_one_of_two_servers_goes_on_at_the_other(servers: Servers) -> None:
    servers.start("live-2")
    until(lambda: listeners(servers.live_port) == 2, START_LIMIT_S)
    hearers = [Listener(servers, make.make_worker()) for _ in range(24)]
    workers = [heard.worker_id for heard in hearers]

    async def story() -> None:
        async with contextlib.AsyncExitStack() as open_clients:
            for heard in hearers:
                await open_clients.enter_async_context(heard.client)
            for heard in hearers:
                await heard.client.until(lambda c=heard.client: c.counts.snapshots == 1)  # type: ignore[misc]
            await asyncio.to_thread(servers.kill, "live")
            for worker in workers:
                await beside(tell, worker, 2)
            # Nobody starts the first one again.
            for heard in hearers:
                await heard.client.until(lambda h=heard: h.numbers == [1, 2])  # type: ignore[misc]

    asyncio.run(story())
    lost = [heard for heard in hearers if heard.client.counts.losses]
    assert 0 < len(lost) < len(hearers), "the kernel spreads connections over both"
    assert all(heard.client.counts.connects == 2 for heard in lost), "nobody was sent to the one that is dead"


def test_a_client_goes_on_where_another_left_off(servers: Servers) -> None:
    worker = make.make_worker()
    first, second = Listener(servers, worker), Listener(servers, worker)

    async def story() -> None:
        async with first.client as client:
            await client.until(lambda: client.counts.snapshots == 1)
            await beside(tell, worker.pk, 3)
            await client.until(lambda: len(first.facts) == 3)
        await beside(tell, worker.pk, 3)
        second.client.cursor = first.client.cursor
        async with second.client as client:
            await client.until(lambda: len(second.facts) == 3)
            assert second.numbers == [4, 5, 6]
            assert (client.counts.snapshots, client.counts.resumes) == (0, 1)

    asyncio.run(story())


@pytest.mark.parametrize(
    "cursor", [{"epoch": "0c4f5ad6-1b6a-4c8e-8b57-3b1b0b0f7c55", "seq": 1}, {"epoch": None, "seq": 10_000}]
)
def test_a_cursor_that_says_nothing_any_more_brings_a_snapshot(servers: Servers, cursor: Frame) -> None:
    worker = make.make_worker()
    ((epoch,),) = rows("SELECT epoch::text FROM streams_epoch")
    tell(worker.pk, 2)
    heard = Listener(servers, worker, cursor={**cursor, "epoch": cursor["epoch"] or epoch})

    async def story() -> None:
        async with heard.client as client:
            await client.until(lambda: client.counts.snapshots == 1)
            assert client.cursor == {"epoch": epoch, "seq": 2}
            await beside(tell, worker.pk, 1)
            await client.until(lambda: heard.numbers == [3])

    asyncio.run(story())


def test_a_gap_and_a_repeat_on_the_way_are_noticed(servers: Servers) -> None:
    worker = make.make_worker()
    tell(worker.pk, 4)
    heard = Listener(servers, worker)

    async def story() -> None:
        async with heard.client as client:
            await client.until(lambda: client.counts.snapshots == 1)
            # As if two facts had been lost on the way, and one had come that is known.
            client.cursor = {**client.cursor, "seq": 2}  # type: ignore[dict-item]
            await beside(tell, worker.pk, 1)
            await client.until(lambda: heard.numbers == [3, 4, 5])
            client.cursor = {**client.cursor, "seq": 9}  # type: ignore[dict-item]
            await beside(tell, worker.pk, 1)
            await client.until(lambda: client.counts.duplicates == 1)

    asyncio.run(story())
    assert heard.client.counts.gaps == 1


def test_every_frame_of_the_server_is_as_its_schema_says(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    worker, batch = make.make_worker(), make.make_batch(tasks=3)
    make.take(worker, batch, 1)
    wrong: list[str] = []
    kinds: set[str] = set()
    take = LiveClient._take

    async def checked(client: LiveClient, frame: Frame) -> None:
        kinds.add(frame["type"])
        wrong.extend(f"{frame}: {fault}" for fault in faults("server", frame))
        await take(client, frame)

    monkeypatch.setattr(LiveClient, "_take", checked)
    heard = Listener(servers, worker)

    async def story() -> None:
        async with heard.client as client:
            await client.until(lambda: client.counts.snapshots == 1)
            wrong.extend(faults("server", client.hello))
            assert len(client.snapshot["leases"]) == 1
            await client.subscribe("board")
            await beside(tell, worker.pk, 1)
            await client.until(lambda: len(heard.facts) == 1)
            await client.drop()
            await client.until(lambda: client.counts.resumes == 1)
            await client._say({"type": "ping"})
            await client.until(lambda: "pong" in kinds)

    asyncio.run(story())
    assert wrong == []
    assert kinds >= {"snapshot", "fact", "resumed", "caught_up", "pong"}


def test_a_client_without_a_good_key_is_told_and_stops_trying(servers: Servers) -> None:
    heard = Listener(servers, make.make_worker(), key="no such key")

    async def story() -> None:
        async with heard.client as client:
            with pytest.raises(Refused) as refused:
                await client.until(lambda: client.counts.snapshots == 1)
            assert refused.value.code == 403

    asyncio.run(story())


def test_a_fresh_ticket_opens_each_connection(servers: Servers) -> None:
    worker = make.make_worker()
    digest = hash_token(key_for(worker.user, "worker"))
    asked: list[str] = []

    def issue() -> str:
        with one_transaction(principal="test"):
            return issue_ticket(user_id=worker.user_id, socket="worker", key_digest=digest)[0]

    async def ticket() -> str:
        asked.append(await beside(issue))
        return asked[-1]

    # As a page does: with an Origin, and without a key.
    heard = Listener(servers, worker, key=None, ticket=ticket, origin=servers.web_url)

    async def story() -> None:
        async with heard.client as client:
            await client.until(lambda: client.counts.snapshots == 1)
            await client.drop()
            await client.until(lambda: client.counts.resumes == 1)

    asyncio.run(story())
    assert len(set(asked)) == 2
    assert rows("SELECT count(*) FROM accounts_ticket") == [(0,)]


def test_heartbeats_are_sent_and_a_silent_server_is_left(servers: Servers) -> None:
    worker = make.make_worker()
    heard = Listener(servers, worker)
    heard.client.heartbeat_s = 0.5

    async def story() -> None:
        async with heard.client as client:
            await client.until(lambda: client.counts.snapshots == 1)
            # The server stands still with its sockets open, as a machine that froze: no word comes, and no end.
            os.kill(servers.pid("live"), signal.SIGSTOP)
            await client.until(lambda: client.counts.losses >= 1)
            os.kill(servers.pid("live"), signal.SIGCONT)
            await client.until(lambda: client.counts.resumes >= 1, 60)

    asyncio.run(story())


def test_facts_come_by_long_poll_where_no_socket_gets_through_and_by_the_socket_once_it_does(servers: Servers) -> None:
    worker = make.make_worker()
    first = Listener(servers, worker)
    poll_url = f"http://127.0.0.1:{servers.live_port}/live/worker/stream"
    # Nobody listens there: as behind a proxy that lets no WebSocket through.
    second = Listener(servers, worker, poll_url=poll_url)
    good, second.client._url = second.client._url, "ws://127.0.0.1:9/ws/worker/"

    async def story() -> None:
        async with first.client as client:
            await client.until(lambda: client.counts.snapshots == 1)
        second.client.cursor = client.cursor
        async with second.client as client:
            await client.until(lambda: client.counts.polls >= 1, 60)
            await beside(tell, worker.pk, 3)
            await client.until(lambda: second.numbers == [1, 2, 3])
            client._url = good
            await client.until(lambda: client.counts.resumes == 1, 60)
            await beside(tell, worker.pk, 1)
            await client.until(lambda: second.numbers == [1, 2, 3, 4])

    asyncio.run(story())
    assert second.client.counts.polls >= 1


# Commands


def test_a_command_asked_while_the_server_is_dead_is_done_once_when_it_is_back(servers: Servers) -> None:
    worker, batch = make.make_worker(), make.make_batch(tasks=5)
    heard = Listener(servers, worker)

    async def story() -> None:
        async with heard.client as client:
            await client.until(lambda: client.counts.snapshots == 1)
            await asyncio.to_thread(servers.kill, "live")
            asking = asyncio.create_task(client.command("claim", batch=str(batch.public_id), count=2))
            await asyncio.sleep(0.3)
            await asyncio.to_thread(servers.start, "live")
            reply = await asyncio.wait_for(asking, 60)
            assert reply["status"] == 201 and len(reply["body"]["assignments"]) == 2
            # The same key again, as after an answer that was lost: the same answer.
            key = "the same"
            first = await client.submit(reply["body"]["assignments"][0], {"label": "cat"}, key=key)
            again = await client.submit(reply["body"]["assignments"][0], {"label": "cat"}, key=key)
            assert (first["status"], first["replayed"], again["replayed"]) == (200, False, True)
            assert again["body"] == first["body"]

    asyncio.run(story())
    assert rows("SELECT state, count(*) FROM assignments_assignment GROUP BY state ORDER BY state") == [
        ("leased", 1),
        ("submitted", 1),
    ]


def test_stream_mode_brings_every_task_once_over_lost_connections(servers: Servers) -> None:
    worker, batch = make.make_worker(), make.make_batch(tasks=12, overlap=1)
    heard = Listener(servers, worker)
    seen: list[str] = []

    async def story() -> None:
        async with heard.client as client, asyncio.timeout(90):
            async for lease in client.stream(str(batch.public_id), 3):
                seen.append(lease["data"]["text"])
                reply = await client.submit(lease, {"label": "cat"})
                assert reply["status"] == 200
                if len(seen) in (4, 8):
                    await client.drop()
                if len(seen) == 12:
                    break

    asyncio.run(story())
    assert sorted(seen) == sorted(f"animal {number}" for number in range(12))
    assert rows("SELECT count(*) FROM assignments_assignment WHERE state = 'submitted'") == [(12,)]
    assert heard.client.counts.losses == 2
