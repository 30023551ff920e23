"""Which events concern whom: registered by upper apps, called by the relay with all events of a step at once."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from marketplace.common.outbox import Delivered, Event


@dataclass(frozen=True)
class Fact:
    """One thing that a person is told, because of one event. `body` holds public ids only, and nothing that tells known
    answers from work."""

    event_id: int
    stream: str
    kind: str
    body: dict[str, Any]


@dataclass(frozen=True)
class Touch:
    """What a shared topic shows has changed."""

    topic: str


Route = Callable[[list[Delivered]], Iterable[Fact | Touch]]
_routes: list[tuple[frozenset[str], Route]] = []


def routes(*kinds: type[Event]) -> Callable[[Route], Route]:
    """Register a function for these events. It only reads; it gives an event at most one fact for each stream."""

    def register(function: Route) -> Route:
        _routes.append((frozenset(kind.__name__ for kind in kinds), function))
        return function

    return register


def routed(events: Sequence[Delivered]) -> tuple[list[Fact], set[str]]:
    """The facts of the events, in the order of the events, and the topics that they touch."""
    facts, topics = [], set()
    for kinds, route in _routes:
        mine = [event for event in events if event.kind in kinds]
        for made in route(mine) if mine else ():
            if isinstance(made, Touch):
                topics.add(made.topic)
            else:
                facts.append(made)
    place = {event.id: place for place, event in enumerate(events)}
    return sorted(facts, key=lambda fact: place[fact.event_id]), topics


def address_of_worker(worker_id: int) -> str:
    """The stream of a worker."""
    return f"worker:{worker_id}"


def address_of_requester(requester_id: int) -> str:
    """The stream of a requester's members."""
    return f"requester:{requester_id}"


def topic_of_batch(batch_id: int) -> str:
    """The topic of a batch."""
    return f"batch:{batch_id}"


def batch_of_topic(topic: str) -> int | None:
    """The batch whose topic it is; None for another topic."""
    kind, _, number = topic.partition(":")
    return int(number) if kind == "batch" else None


BOARD, MARKET, STAFF = "board", "market", "staff"
