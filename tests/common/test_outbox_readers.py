"""One transaction at a time reads for a reader: a second finds nothing and waits for nobody."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from marketplace.common.database import value
from marketplace.common.outbox import Event, publish, read
from marketplace.common.transactions import one_transaction


@dataclass(frozen=True)
class Told(Event):
    number: int


def tell(number: int) -> None:
    """Publish, and wait until the horizon has passed it: transactions in other databases hold it back too."""
    with one_transaction(principal="test"):
        publish(Told(number))
    deadline = time.monotonic() + 60
    while not value("SELECT max(xid) < pg_snapshot_xmin(pg_current_snapshot()) FROM common_outbox"):
        assert time.monotonic() < deadline, "an older transaction never ends"
        time.sleep(0.01)


def next_for(reader: str) -> int | None:
    event = next(read(reader), None)
    return None if event is None else int(event.body["number"])


def test_while_one_reads_a_second_of_the_same_name_finds_nothing(
    committed: str, together: Callable[..., list[Any]]
) -> None:
    tell(1)
    with one_transaction(principal="test"):
        assert [event.body["number"] for event in read("r")] == [1]
    tell(2)
    reading, looked = threading.Event(), threading.Event()

    def first() -> int | None:
        with one_transaction(principal="test"):
            found = next_for("r")
            reading.set()
            looked.wait(20)
            return found

    def second() -> tuple[int | None, int | None]:
        try:
            assert reading.wait(20)
            with one_transaction(principal="test"):
                return next_for("r"), next_for("another")
        finally:
            looked.set()

    assert together([first, second]) == [2, (None, 1)]
