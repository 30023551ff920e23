"""Who of those that wait for work is next, and how much of it he gets: values in, values out.

Time is cut into turns of a few seconds. Whoever began to wait in an earlier turn comes first; those of one turn have
waited about as long, and of them the better one comes first. Whoever is given work stands in line again from the next
turn on. So nobody is starved: nobody who came after the end of somebody's turn (at most two turns after he himself
began) is served before him, and of those who came before that each is served at most once from then on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

TURN_S = 15


@dataclass(frozen=True)
class Waiter:
    """One who waits: the turn in which he stands, his score (0 to 1), since when (seconds) within it, and how many
    places he has room for."""

    worker_id: int
    turn: int
    score: float
    since_s: float
    need: int


def turn_at(now_s: float, served_s: float | None = None) -> int:
    """The turn of somebody who begins to wait now and was last given work at `served_s`; seconds of one clock."""
    now = int(now_s // TURN_S)
    return now if served_s is None else max(now, int(served_s // TURN_S) + 1)


def place_in_line(waiter: Waiter) -> tuple[int, float, float, int]:
    """What the line is ordered by; it does not depend on the moment, so two who wait never change places."""
    return waiter.turn, -waiter.score, waiter.since_s, waiter.worker_id


def allot(line: Sequence[Waiter], places: int, *, more_wait: bool) -> list[tuple[Waiter, int]]:
    """How many places each gets, in the order of the line; those who get none are left out.

    One each as long as there are enough, then another round among those who have room, until nothing is left: nobody
    gets a second place while one in this line has none. `more_wait` says that others stand behind this part of the
    line; then nobody gets a second one at all.
    """
    ordered = sorted(line, key=place_in_line)
    given = [0] * len(ordered)
    rounds = 0
    while places > 0 and not (more_wait and rounds):
        hungry = [i for i, waiter in enumerate(ordered) if waiter.need > rounds][:places]
        if not hungry:
            break
        for i in hungry:
            given[i] += 1
        places -= len(hungry)
        rounds += 1
    return [(waiter, count) for waiter, count in zip(ordered, given, strict=True) if count]
