"""What is told to sockets does not stand in line behind what sockets ask to have done."""

import asyncio
import contextlib
import threading
from pathlib import Path

import psycopg
import pytest
from django.conf import settings

from tests import factories as make
from tests.live.hearing import Listener
from tests.live.servers import serving
from tests.live.telling import beside, tell
from tests.races.waiting import until_somebody_waits
from workers.live.pool import COMMANDING, Pool

CLAIMING = 3 * COMMANDING
PATIENT = "-c idle_in_transaction_session_timeout=0"


def test_whoever_looks_waits_for_no_command() -> None:
    async def story() -> None:
        pool, gate = Pool(), threading.Event()
        commands = [asyncio.create_task(pool.command(gate.wait, 60)) for _ in range(CLAIMING)]
        try:
            assert await asyncio.wait_for(pool.run(lambda: "seen"), 30) == "seen"
            assert not any(command.done() for command in commands)
        finally:
            gate.set()
        assert all(await asyncio.gather(*commands))

    asyncio.run(story())


@pytest.mark.stack
def test_facts_come_and_newcomers_are_let_in_while_every_command_waits(committed: str, tmp_path: Path) -> None:
    batch = make.make_batch(tasks=CLAIMING)
    claimers = [make.make_worker() for _ in range(CLAIMING)]
    watcher, newcomer = make.make_worker(), make.make_worker()

    with serving(committed, tmp_path, "live") as servers:
        hearers = [Listener(servers, worker) for worker in (*claimers, watcher)]
        late = Listener(servers, newcomer)

        async def story() -> None:
            async with contextlib.AsyncExitStack() as clients:
                for heard in hearers:
                    await clients.enter_async_context(heard.client)
                for heard in hearers:
                    await heard.client.until(lambda c=heard.client: c.counts.snapshots == 1)  # type: ignore[misc]
                with psycopg.connect(settings.DATABASE_OWNER_URL, dbname=committed, options=PATIENT) as holder:
                    holder.execute("LOCK TABLE assignments_assignment IN EXCLUSIVE MODE")
                    claims = [
                        asyncio.create_task(heard.client.command("claim", batch=str(batch.public_id), count=1))
                        for heard in hearers[:-1]
                    ]
                    await beside(until_somebody_waits, COMMANDING)
                    await beside(tell, watcher.pk, 3)
                    await hearers[-1].client.until(lambda: hearers[-1].numbers == [1, 2, 3])
                    await clients.enter_async_context(late.client)
                    await late.client.until(lambda: late.client.counts.snapshots == 1)
                    assert not any(claim.done() for claim in claims)
                    holder.rollback()
                replies = await asyncio.gather(*claims)
                assert {reply["status"] for reply in replies} == {201}

        asyncio.run(story())
