"""Events exist if and only if their change committed (R21), and a reader by horizon misses none (R22)."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connections

from marketplace.common.database import run, value
from marketplace.common.outbox import Event, backlog, deliver, handles, publish, read
from marketplace.common.transactions import one_transaction
from tests.conftest import owner_connection

# Events that this session's statements have looked at lately.
TOUCHED = """SELECT coalesce(sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)), 0)
  FROM pg_stat_xact_user_tables WHERE relname = 'common_outbox'"""


@dataclass(frozen=True)
class Happened(Event):
    number: int


def drain(reader: str, expected: int = 0) -> list[int]:
    """All that the reader finds, waiting until it is at least `expected`: any writer on the server, in whatever
    database, holds the horizon while he runs."""
    seen: list[int] = []
    deadline = time.monotonic() + 30
    while len(seen) < expected and time.monotonic() < deadline:
        seen += _rest(reader)
    return seen + _rest(reader)


def _rest(reader: str) -> list[int]:
    seen: list[int] = []
    while True:
        with one_transaction(principal="test"):
            found = [event.body["number"] for event in read(reader, limit=100)]
        if not found:
            return seen
        seen += found


def say(number: int) -> None:
    with one_transaction(principal="test"):
        publish(Happened(number))


def test_an_event_is_there_exactly_when_its_change_is(committed: str) -> None:
    say(1)
    with pytest.raises(LookupError), one_transaction(principal="test"):
        publish(Happened(2))
        raise LookupError
    say(3)
    assert drain("r", 2) == [1, 3]
    assert drain("r") == []
    assert drain("another", 2) == [1, 3]


def test_an_event_of_a_running_transaction_is_not_passed_over(committed: str) -> None:
    """The classic loss: a reader by id sees 2, moves on, and 1, which commits later, is never read."""
    early_written, may_commit = threading.Event(), threading.Event()

    def straggler() -> None:
        try:
            with one_transaction(principal="slow"):
                publish(Happened(1))
                early_written.set()
                may_commit.wait(20)
        finally:
            connections.close_all()

    thread = threading.Thread(target=straggler)
    thread.start()
    assert early_written.wait(20)
    say(2)
    assert drain("r") == []
    assert backlog("r") == 1
    may_commit.set()
    thread.join()
    assert sorted(drain("r", 2)) == [1, 2]


def test_many_writers_with_rollbacks_and_a_straggler_lose_nothing(
    committed: str, together: Callable[..., list[Any]]
) -> None:
    writers, each = 16, 40
    stop = threading.Event()
    seen: list[int] = []

    def write(writer: int) -> list[int]:
        chance = random.Random(writer)
        kept = []
        for turn in range(each):
            number = writer * 1_000 + turn
            try:
                with one_transaction(principal="w"):
                    publish(Happened(number))
                    if writer == 0 and turn == 5:
                        time.sleep(1.0)
                    if chance.random() < 0.2:
                        raise LookupError
                kept.append(number)
            except LookupError:
                pass
        return kept

    def listen() -> None:
        while not stop.is_set():
            seen.extend(drain("r"))
        connections.close_all()

    listener = threading.Thread(target=listen)
    listener.start()
    written = together([lambda w=w: write(w) for w in range(writers)])
    time.sleep(0.2)
    stop.set()
    listener.join()
    deadline = time.monotonic() + 20
    while backlog("r") and time.monotonic() < deadline:
        seen.extend(drain("r"))
    expected = [number for numbers in written for number in numbers]
    assert sorted(seen) == sorted(expected)
    assert value("SELECT count(*) FROM common_outbox") == len(expected)


def test_what_a_read_costs_does_not_grow_with_what_was_read_before(committed: str) -> None:
    before = 20_000
    with one_transaction(principal="test"):
        run(
            "INSERT INTO common_outbox (kind, body, made_at)"
            " SELECT 'Happened', jsonb_build_object('number', n), market_now() FROM generate_series(1, %s) n",
            [before],
        )
    seen = 0
    while seen < before:
        with one_transaction(principal="test"):
            seen += len(list(read("r", limit=before)))
    with owner_connection(committed) as owner:
        owner.execute("ANALYZE common_outbox, common_outboxcursor")
    for number in range(3):
        say(number)

    found: list[int] = []
    touched = 0
    while len(found) < 3:
        with one_transaction(principal="test"):
            earlier = value(TOUCHED)
            found += [event.body["number"] for event in read("r")]
            touched += value(TOUCHED) - earlier

    assert found == [0, 1, 2]
    assert touched < 100


def test_two_relays_share_no_event(committed: str, together: Callable[..., list[Any]]) -> None:
    for number in range(60):
        say(number)
    found = together([lambda: drain("r") for _ in range(4)])
    seen = [number for numbers in found for number in numbers]
    assert sorted(seen + drain("r", 60 - len(seen))) == list(range(60))


def test_handlers_hear_the_events_they_asked_for(committed: str) -> None:
    heard: list[int] = []
    handles(Happened)(lambda event: heard.append(event.body["number"]))
    say(7)
    deadline = time.monotonic() + 30
    while not heard and time.monotonic() < deadline:
        with one_transaction(principal="test"):
            for event in read("h"):
                deliver(event)
    assert heard == [7]
