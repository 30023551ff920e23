"""Streams: dense numbers whoever writes, facts exactly once, and a snapshot where a cursor says nothing."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.db.utils import ProgrammingError

from marketplace.common.commands import forget_old
from marketplace.common.database import rows, run, value
from marketplace.common.outbox import Delivered, Event, publish
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from marketplace.streams import routes
from marketplace.streams.commands import append, relay, touch, trim
from marketplace.streams.queries import after, anything_to_relay, epoch, head, health, versions
from marketplace.streams.routes import Fact, Touch
from tests.acts import horizon

Clock = Callable[[timedelta], None]


@dataclass(frozen=True)
class Heard(Event):
    people: list[str]
    number: int


@dataclass(frozen=True)
class Unreadable(Event):
    number: int


@pytest.fixture(autouse=True)
def heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Routes of this file alone."""
    monkeypatch.setattr(routes, "_routes", [])

    @routes.routes(Heard)
    def to_people(events: list[Delivered]) -> Iterator[Fact | Touch]:
        for event in events:
            for person in event.body["people"]:
                yield Fact(event.id, person, "heard", {"number": event.body["number"]})
            yield Touch("hall")

    @routes.routes(Unreadable)
    def fail(events: list[Delivered]) -> Iterator[Fact | Touch]:
        run("SELECT 1 / 0")
        yield Touch("never")


def fact(stream: str, event_id: int, kind: str = "heard") -> Fact:
    return Fact(event_id, stream, kind, {"number": event_id})


def relayed() -> None:
    """Relay all there is, once no older transaction of the cluster hides it."""
    horizon()
    while anything_to_relay():
        with one_transaction(principal="test"):
            relay()


def tell(*events: Event) -> None:
    with one_transaction(principal="test"):
        publish(*events)


def numbers(stream: str, cursor: int = 0) -> list[tuple[int, int]] | None:
    found = after({stream: cursor})[stream]
    return None if found is None else [(entry.seq, entry.body["number"]) for entry in found]


def test_each_stream_is_numbered_from_one_without_gaps(db: None) -> None:
    assert append([fact("a", 1), fact("b", 1), fact("a", 2)]) == {"a": 2, "b": 1}
    assert append([fact("a", 3)]) == {"a": 3}
    assert numbers("a") == [(1, 1), (2, 2), (3, 3)] and numbers("b") == [(1, 1)]
    assert numbers("a", 2) == [(3, 3)] and numbers("a", 3) == []
    assert (head("a"), head("nobody")) == (3, 0)
    assert [len(found or ()) for found in after({"a": 0, "b": 0}, limit_each=2).values()] == [2, 1]


def test_a_cursor_that_is_too_old_or_too_new_needs_a_snapshot(db: None, clock: Clock) -> None:
    append([fact("a", 1), fact("a", 2)])
    clock(timedelta(days=8))
    append([fact("a", 3)])
    assert trim(1_000) == 2
    assert numbers("a", 2) == [(3, 3)]
    assert numbers("a", 1) is None and numbers("a", 4) is None and numbers("nobody", 1) is None
    assert numbers("nobody") == []
    assert trim(1_000) == 0
    assert [finding.name for finding in check_promises() if finding.violations] == []


def test_a_stream_that_was_trimmed_to_nothing_goes_on_with_its_numbers(db: None, clock: Clock) -> None:
    append([fact("a", 1), fact("a", 2)])
    clock(timedelta(days=8))
    assert trim(1) + trim(1_000) == 2
    assert append([fact("a", 3)]) == {"a": 3}
    assert numbers("a", 2) == [(3, 3)]
    assert [finding.name for finding in check_promises() if finding.violations] == []


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO streams_entry (stream, seq, event_id, kind, body, made_at, stored_at)"
        " VALUES ('a', 9, 9, 'heard', '{}', market_now(), market_now())",
        "UPDATE streams_entry SET seq = 9",
        "DELETE FROM streams_entry",
        "UPDATE streams_stream SET seq = 9",
        "INSERT INTO streams_stream VALUES ('b', 4, 0)",
        "UPDATE streams_topic SET version = 1",
        "UPDATE streams_epoch SET epoch = gen_random_uuid()",
        "TRUNCATE streams_entry",
    ],
)
def test_only_the_owners_functions_write_streams(db: None, statement: str) -> None:
    append([fact("a", 1)])
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        run(statement)
    assert numbers("a") == [(1, 1)]


def test_an_event_gives_a_stream_a_fact_once(db: None) -> None:
    append([fact("a", 1)])
    with pytest.raises(Exception, match="streams_fact_once"), transaction.atomic():
        append([fact("a", 1)])
    append([fact("a", 1, "another")])
    assert numbers("a") == [(1, 1), (2, 1)]


def test_versions_grow_with_each_touch(db: None) -> None:
    assert touch(["x", "y", "x"]) == {"x": 1, "y": 1}
    assert touch(["x"]) == {"x": 2}
    assert versions(["x", "y", "z"]) == {"x": 2, "y": 1, "z": 0}


def test_the_relay_turns_events_into_facts_in_their_order_and_once(committed: str) -> None:
    relayed()
    for number in range(6):
        tell(Heard(["a", "b"] if number % 2 else ["a"], number))
    relayed()
    relayed()
    assert numbers("a") == [(place + 1, place) for place in range(6)]
    assert numbers("b") == [(1, 1), (2, 3), (3, 5)]
    assert versions(["hall"])["hall"] >= 1
    assert not anything_to_relay() and health().backlog == 0
    assert [finding.name for finding in check_promises() if finding.violations] == []


def test_what_happened_later_is_told_later_though_its_transaction_began_earlier(
    committed: str, together: Callable[..., list[Any]]
) -> None:
    begun, told = threading.Event(), threading.Event()

    def begins_first() -> None:
        with one_transaction(principal="test"):
            value("SELECT pg_current_xact_id()")
            begun.set()
            assert told.wait(20)
            publish(Heard(["a"], 2))

    def tells_first() -> None:
        assert begun.wait(20)
        tell(Heard(["a"], 1))
        told.set()

    assert together([begins_first, tells_first]) == [None, None]
    relayed()
    assert numbers("a") == [(1, 1), (2, 2)]


def test_what_was_rolled_back_was_never_told(committed: str) -> None:
    with pytest.raises(ZeroDivisionError), one_transaction(principal="test"):
        publish(Heard(["a"], 1))
        raise ZeroDivisionError
    tell(Heard(["a"], 2))
    relayed()
    assert numbers("a") == [(1, 2)]


def test_a_relay_that_dies_before_its_commit_has_done_nothing(committed: str) -> None:
    for number in range(3):
        tell(Heard(["a"], number))
    relayed_before = value("SELECT count(*) FROM streams_entry")
    tell(Heard(["a"], 3))
    horizon()
    with pytest.raises(KeyboardInterrupt), one_transaction(principal="test"):
        assert relay().events >= 1
        raise KeyboardInterrupt
    assert value("SELECT count(*) FROM streams_entry") == relayed_before
    relayed()
    assert numbers("a") == [(place + 1, place) for place in range(4)]


def test_several_relays_at_once_and_writers_beside_them_lose_and_double_nothing(
    committed: str, together: Callable[..., list[Any]]
) -> None:
    """A quarter of the writers' transactions is rolled back; one of the relays loses its connection now and then."""
    writers, each = 6, 40
    done = threading.Event()

    def write(writer: int) -> None:
        for number in range(each):
            try:
                with one_transaction(principal="test"):
                    publish(Heard([f"w{writer}", "all"], number))
                    if number % 4 == 3:
                        raise ZeroDivisionError
            except ZeroDivisionError:
                pass

    def read_on(clumsy: bool) -> None:
        while not done.is_set():
            try:
                with one_transaction(principal="test"):
                    relay(limit=7)
                    if clumsy and time.monotonic_ns() % 3 == 0:
                        value("SELECT pg_terminate_backend(pg_backend_pid())")
            except (psycopg.Error, DatabaseError) as error:
                if "terminat" not in str(error) and "closed" not in str(error):
                    raise
                connection.close()

    def all_writers() -> None:
        try:
            together([lambda place=place: write(place) for place in range(writers)])
        finally:
            done.set()

    found = together([all_writers, lambda: read_on(False), lambda: read_on(True), lambda: read_on(True)])
    assert found == [None] * 4
    relayed()
    kept = [number for number in range(each) if number % 4 != 3]
    for writer in range(writers):
        entries = after({f"w{writer}": 0})[f"w{writer}"]
        assert entries is not None
        assert [(entry.seq, entry.body["number"]) for entry in entries] == list(enumerate(kept, 1))
    assert head("all") == writers * len(kept)
    assert [finding.name for finding in check_promises() if finding.violations] == []


def test_an_event_that_no_route_can_read_is_put_aside_and_the_others_go_on(committed: str) -> None:
    tell(Heard(["a"], 1), Unreadable(7), Heard(["a"], 2))
    relayed()
    assert numbers("a") == [(1, 1), (2, 2)]
    assert [row[0] for row in rows("SELECT kind FROM streams_skipped")] == ["Unreadable"]
    assert health().skipped == 1


def test_a_renewed_epoch_is_another(committed: str, migrator: Any) -> None:
    before = epoch()
    call_command("renew_epoch", verbosity=0)
    assert epoch() != before


def test_old_entries_are_dropped_with_everything_else_that_is_kept_for_a_time(db: None, clock: Clock) -> None:
    append([fact("a", 1)])
    clock(timedelta(days=8))
    forget_old()
    assert (numbers("a", 1), numbers("a"), head("a")) == ([], None, 1)
