"""R23 in short: fifty workers at work on sockets while live server and relay die, and Redis forgets everything."""

import asyncio
from pathlib import Path

import pytest
import redis
from django.conf import settings

from tests import factories as make
from tests.api_client import key_for
from tests.live.servers import Servers, serving
from tests.live.soaking import Person, Soak, Trouble

SOCKETS, TASKS = 50, 600
CALM_S, TROUBLE_S = 8.0, 40.0


@pytest.mark.stack
def test_every_client_has_seen_his_whole_stream_once_and_in_order_whatever_died(committed: str, tmp_path: Path) -> None:
    batch = make.make_batch(tasks=TASKS, overlap=1)
    workers = [make.make_worker() for _ in range(SOCKETS)]
    people = [Person(worker.pk, key_for(worker.user, "worker")) for worker in workers]

    with serving(committed, tmp_path, "live", "relay") as servers:
        soak = Soak(f"{servers.live_url}/ws/worker/", str(batch.public_id), people, pace_s=2.0, flap_s=(2.0, 6.0))
        figures = asyncio.run(soak.run(calm_s=CALM_S, trouble_s=TROUBLE_S, troubles=_troubles(servers)))

    assert figures["problems"] == [], figures
    assert figures["facts"] >= 2 * figures["answers"] > SOCKETS
    assert figures["happened"].keys() == {"kill_live", "kill_relay", "flushall"}
    # All of them lost the server, and came back by their cursors: nobody needed a second snapshot.
    assert figures["losses"] >= 2 * SOCKETS
    assert figures["snapshots"] == SOCKETS
    assert figures["resumes"] >= 2 * SOCKETS


def _troubles(servers: Servers) -> list[Trouble]:
    def again(name: str) -> None:
        servers.kill(name)
        servers.start(name)

    def flush() -> None:
        redis.Redis.from_url(settings.REDIS_URL).flushdb()

    return [
        Trouble("kill_live", 2.0, 15.0, lambda: again("live")),
        Trouble("kill_relay", 8.0, 12.0, lambda: again("relay")),
        Trouble("flushall", 5.0, 8.0, flush),
    ]
