"""Shows and answers made by hand, of markets with and without a fault, for the tests of what finds such faults."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

from tests.crowd.story import Given, Show
from workers.assignments.queries import LeasedTask

BATCH = UUID(int=7, version=4)
BEGIN = datetime(2026, 1, 5, tzinfo=UTC)


def show(
    person: int,
    question: str,
    nth: int,
    *,
    at_s: float,
    gold: bool,
    draws: Random,
    text: str | None = None,
    page_size: int = 1,
    **changed: object,
) -> Show:
    """One task as shown; ids at random, all else alike."""
    fields = {
        "id": UUID(int=draws.getrandbits(128), version=4),
        "token": UUID(int=draws.getrandbits(128), version=4),
        "batch": BATCH,
        "data": {"text": text or " ".join(f"{question}{n}" for n in range(12))},
        "draft": None,
        "lease_until": BEGIN + timedelta(seconds=at_s + 900),
        "price_micros": 20_000,
        "currency": "EUR",
        "version": 1,
        **changed,
    }
    page, item = divmod(nth, page_size)
    return Show(person, question, nth, at_s, gold, page, item, page_size, 0.005, LeasedTask(**fields))  # type: ignore[arg-type]


def fair_market(
    *, people: int = 60, each: int = 100, tasks: int = 1500, gold: int = 300, overlap: int = 5, seed: int = 1
) -> tuple[list[Show], list[Given]]:
    """Everybody is shown tasks at random, gold among them at random positions and at the rate of all others: what a
    market that tells nothing would do. Answers are right in 80 % of the cases."""
    draws = Random(f"fair {seed}")
    names = [f"t{n}" for n in range(tasks)]
    known = set(draws.sample(names, gold))
    left = dict.fromkeys(names, overlap)
    shows: list[Show] = []
    answers: list[Given] = []
    seen: list[set[str]] = [set() for _ in range(people)]
    for nth in range(each):
        for person in draws.sample(range(people), people):
            open_ones = [name for name in draws.sample(names, 60) if left[name] and name not in seen[person]]
            if not open_ones:
                continue
            name = open_ones[0]
            left[name] -= 1
            at_s = nth * 10.0 + draws.random() * 9
            shows.append(show(person, name, len(seen[person]), at_s=at_s, gold=name in known, draws=draws))
            seen[person].add(name)
            label = "right" if draws.random() < 0.8 else "wrong"
            answers.append(Given(person, name, label, nth, at_s + 5, name in known))
    return shows, answers
