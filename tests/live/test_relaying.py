"""The relay as a process: killed again and again it tells everything once, and says look after what it committed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
import redis
from django.conf import settings
from django.db import DatabaseError

from marketplace.batches.commands.lifecycle import pause_batch, resume_batch
from marketplace.common.database import value
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from marketplace.streams.queries import after, anything_to_relay, head
from marketplace.streams.routes import BOARD, address_of_requester, address_of_worker, topic_of_batch
from marketplace.streams.wake import CHANNEL, announce
from tests import factories as make
from tests.acts import horizon
from workers.assignments.commands.leases import return_lease
from workers.assignments.commands.waiting import wait_for_work
from workers.assignments.queries import live_leases
from workers.live.relaying import relay_until, step

ROOT = Path(__file__).resolve().parents[2]


def to_database(name: str) -> str:
    """The runtime role's URL of another database of the same server."""
    return urlunsplit(urlsplit(settings.DATABASE_URL)._replace(path=f"/{name}"))


def wait_for(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@pytest.fixture
def relay_process(committed: str) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts `manage relay` on the test's database."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        env = {**os.environ, "DATABASE_URL": to_database(committed)}
        started.append(subprocess.Popen([sys.executable, str(ROOT / "manage.py"), "relay"], env=env, cwd=ROOT))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait(20)


def test_a_relay_that_is_killed_again_and_again_tells_everything_once(
    relay_process: Callable[[], subprocess.Popen[bytes]],
) -> None:
    batch = make.make_batch()
    stream = address_of_requester(batch.requester_id)
    beside = relay_process()
    for _round in range(3):
        doomed = relay_process()
        for _ in range(20):
            with one_transaction(principal="test"):
                pause_batch(batch_id=batch.pk)
            with one_transaction(principal="test"):
                resume_batch(batch_id=batch.pk)
        doomed.kill()
    wait_for(lambda: not anything_to_relay() and head(stream) == 121, "the relay did not come to the end")
    entries = after({stream: 0}, limit_each=1_000)[stream]
    assert entries is not None
    assert [entry.seq for entry in entries] == list(range(1, 122))
    assert [entry.kind for entry in entries] == ["batch_published", *["batch_paused", "batch_resumed"] * 60]
    assert [finding.name for finding in check_promises() if finding.violations] == []
    beside.send_signal(signal.SIGTERM)
    assert beside.wait(20) == 0, "a relay that is asked to stop stops"


def test_what_was_relayed_is_announced_to_the_live_servers(committed: str) -> None:
    client = redis.Redis.from_url(settings.REDIS_URL)
    heard = client.pubsub()
    heard.subscribe(CHANNEL)
    batch = make.make_batch()
    horizon()
    done = step()
    assert done.events and done.topics.keys() >= {BOARD, topic_of_batch(batch.pk)}

    def announced() -> bool:
        message = heard.get_message(ignore_subscribe_messages=True, timeout=1)
        if message is None:
            return False
        said = json.loads(message["data"])
        # Other test processes share the server.
        return bool(said["streams"] == done.streams and said["topics"] == done.topics)

    wait_for(announced, "nothing was announced")
    assert step().events == 0
    heard.close()


def test_a_place_that_is_given_back_is_offered_to_who_waits_without_a_sweep(
    relay_process: Callable[[], subprocess.Popen[bytes]],
) -> None:
    batch, holder, waiter = make.make_batch(tasks=1, overlap=1), make.make_worker(), make.make_worker()
    [lease] = make.take(holder, batch, 1)
    with one_transaction(principal="test"):
        wait_for_work(worker_id=waiter.pk, batch_id=batch.pk, window=1, alive_s=300)
    relay_process()
    with one_transaction(principal="test"):
        return_lease(worker_id=holder.pk, assignment=lease.id, token=lease.token)
    wait_for(lambda: len(live_leases(waiter.pk)) == 1, "nothing was offered")
    wait_for(lambda: head(address_of_worker(waiter.pk)) == 1, "he was not told")


def test_without_redis_the_relay_goes_on(committed: str, settings: pytest.FixtureRequest) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"  # type: ignore[attr-defined]
    announce({"worker:1": 1}, {})
    batch = make.make_batch()
    horizon()
    steps = iter(range(50))
    relay_until(lambda: next(steps, None) is None or head(address_of_requester(batch.requester_id)) == 1)
    assert head(address_of_requester(batch.requester_id)) == 1


def test_a_relay_waits_for_a_database_that_is_away(committed: str) -> None:
    batch = make.make_batch()
    stream = address_of_requester(batch.requester_id)
    horizon()
    rounds = iter(range(30))

    def stopped() -> bool:
        turn = next(rounds, None)
        if turn == 0:
            with pytest.raises(DatabaseError):
                value("SELECT pg_terminate_backend(pg_backend_pid())")
        return turn is None

    relay_until(stopped)
    assert head(stream) == 1
