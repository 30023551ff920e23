"""One transaction at a time reads for a reader: a second finds nothing and waits for nobody."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from marketplace.common.outbox import Event, publish, read
from marketplace.common.transactions import one_transaction
from tests.acts import horizon


@dataclass(frozen=True)
class Told(Event):
    number: int


def tell(number: int) -> None:
    """Publish, and wait until the horizon has passed it: transactions in other databases hold it back too."""
    with one_transaction(principal="test"):
        publish(Told(number))
    horizon()


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
