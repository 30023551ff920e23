"""Who holds readers back is seen, named, and ended when he sleeps (R22)."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connections

from marketplace.common.database import run, value
from marketplace.common.outbox import Event, backlogs, holders, horizon, publish, read
from marketplace.common.transactions import one_transaction
from marketplace.settings.base import database
from tests import acts


@dataclass(frozen=True)
class Spoken(Event):
    number: int


def speak(number: int) -> None:
    with one_transaction(principal="test"):
        publish(Spoken(number))


@contextmanager
def straggling() -> Iterator[int]:
    """A transaction that has written an event and does not end; its session's process id."""
    written, done = threading.Event(), threading.Event()
    pids: list[int] = []

    def straggle() -> None:
        try:
            with one_transaction(principal="slow"):
                publish(Spoken(0))
                pids.append(value("SELECT pg_backend_pid()"))
                written.set()
                # Never idle for long: it is somebody who works, and is not ended.
                while not done.wait(0.2):
                    run("SELECT 1")
        finally:
            written.set()
            connections.close_all()

    thread = threading.Thread(target=straggle)
    thread.start()
    try:
        assert written.wait(30)
        yield pids[0]
    finally:
        done.set()
        thread.join()


@pytest.mark.committed
def test_a_transaction_that_holds_readers_back_is_measured_and_named(committed: str) -> None:
    with straggling() as pid:
        speak(1)
        time.sleep(1)
        assert horizon() >= 1
        # Transactions of other databases of the server hold it too, and are named before this one while they last.
        deadline = time.monotonic() + 60
        while pid not in {held.pid for held in holders()}:
            assert time.monotonic() < deadline
        assert backlogs()["relay"] == 1
    acts.horizon()
    assert horizon() < 60
    with one_transaction(principal="test"):
        assert sorted(event.body["number"] for event in read("relay")) == [0, 1]
    assert backlogs()["relay"] == 0
    assert horizon() == 0


@pytest.mark.committed
def test_the_command_tells_the_backlog_of_each_reader_and_fails_while_readers_wait_too_long(committed: str) -> None:
    with straggling():
        speak(1)
        time.sleep(0.6)
        said = StringIO()
        with pytest.raises(SystemExit):
            call_command("outbox", alarm=0.5, stdout=said)
        assert "readers are held back for" in said.getvalue()
        assert "consensus" in said.getvalue()
        call_command("outbox", alarm=3600.0, stdout=StringIO())


@pytest.mark.committed
def test_a_transaction_that_falls_asleep_is_ended_and_readers_go_on(committed: str) -> None:
    """`idle_in_transaction_session_timeout` of the settings, shortened for the test."""
    assert "idle_in_transaction_session_timeout=10s" in database("postgresql://somebody@/there")["OPTIONS"]["options"]
    with pytest.raises(DatabaseError), one_transaction(principal="sleeper"):
        publish(Spoken(2))
        run("SET LOCAL idle_in_transaction_session_timeout = '300ms'")
        time.sleep(1.5)
        publish(Spoken(3))
    connections["default"].close()
    speak(4)
    acts.horizon()
    with one_transaction(principal="test"):
        assert [event.body["number"] for event in read("relay")] == [4]
