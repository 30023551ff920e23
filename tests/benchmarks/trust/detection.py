"""Whom the market limited, after how many answers, and whether rightly (R40)."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from marketplace.common.database import rows, value
from tests.crowd.acting import Clock, Crowd
from tests.crowd.people import Person, Sleeper
from tests.crowd.story import Story

STOPPING = ("limit", "ban")


@dataclass(frozen=True, slots=True)
class Sanctioned:
    """One sanction of one person: what, why, when on the crowd's clock, and after how many of his answers."""

    person: int
    measure: str
    reason: str
    at_s: float
    answers: int
    complete: bool


def sanctions_of(crowd: Crowd, clock: Clock) -> list[Sanctioned]:
    """All sanctions of the crowd's people, oldest first; none where the market knows no sanctions.

    `complete` says that it has reason, evidence, an end and a time to appeal.
    """
    if not value("SELECT to_regclass('accounts_sanction') IS NOT NULL"):
        return []
    people = {hand.worker_id: hand.index for hand in crowd.hands}
    times: defaultdict[int, list[float]] = defaultdict(list)
    for given in crowd.story.answers:
        times[given.person].append(given.at_s)
    found = []
    for worker, measure, reason, at_s, complete in rows(
        "SELECT w.id, s.measure, s.reason, extract(epoch FROM s.made_at - %s)::float8,"
        " s.reason <> '' AND s.evidence <> '{}' AND s.expires_at IS NOT NULL AND s.appeal_until IS NOT NULL"
        " FROM accounts_sanction s JOIN profiles_worker w ON w.user_id = s.user_id WHERE w.id = ANY(%s)"
        " ORDER BY s.made_at, s.id",
        [clock.start, list(people)],
    ):
        person = people[worker]
        found.append(Sanctioned(person, measure, reason, at_s, bisect_right(times[person], at_s), bool(complete)))
    return found


def detection(people: Sequence[Person], story: Story, sanctions: Sequence[Sanctioned]) -> dict[str, Any]:
    """Per kind: how many were limited, and the median of their answers until then, of a sleeper after he turned.

    Whoever was never limited counts as later than everybody; the median is None where that is half of them. A sleeper
    limited before he turned was honest then: he is counted as wrongly limited, and again from his turn on.
    """
    first: dict[int, Sanctioned] = {}
    turned: dict[int, Sanctioned] = {}
    wrongly: set[int] = set()
    for sanction in sanctions:
        if sanction.measure not in STOPPING:
            continue
        person = people[sanction.person]
        first.setdefault(sanction.person, sanction)
        if isinstance(person, Sleeper) and sanction.answers <= person.turns_after:
            wrongly.add(sanction.person)
        elif isinstance(person, Sleeper):
            turned.setdefault(sanction.person, sanction)
        elif person.honest:
            wrongly.add(sanction.person)
    answered = Counter(given.person for given in story.answers)
    kinds: dict[str, Any] = {}
    for kind in sorted({person.kind for person in people}):
        members = [index for index, person in enumerate(people) if person.kind == kind]
        delays = []
        for index in members:
            person = people[index]
            if isinstance(person, Sleeper):
                if answered[index] <= person.turns_after and index not in first:
                    continue
                found = turned.get(index)
                delays.append(float("inf") if found is None else float(found.answers - person.turns_after))
            else:
                found = first.get(index)
                delays.append(float("inf") if found is None else float(found.answers))
        middle = median(delays) if delays else float("inf")
        kinds[kind] = {
            "people": len(members),
            "judged": len(delays),
            "limited": sum(delay < float("inf") for delay in delays),
            "median_answers": None if middle == float("inf") else middle,
            "answers": round(sum(answered[index] for index in members) / len(members), 1),
            "measures": dict(Counter(s.measure for s in sanctions if people[s.person].kind == kind)),
            "reasons": dict(Counter(s.reason for s in sanctions if people[s.person].kind == kind)),
        }
    honest = [index for index, person in enumerate(people) if person.honest]
    return {
        "kinds": kinds,
        "honest": len(honest),
        "honest_limited": len(wrongly & set(honest)),
        "honest_limited_share": round(len(wrongly & set(honest)) / max(1, len(honest)), 4),
        "sleepers_limited_while_good": len(wrongly - set(honest)),
        "wrongly": [_wrongly(index, people[index], first[index]) for index in sorted(wrongly)],
        "sanctions": len(sanctions),
        "sanctions_incomplete": sum(not sanction.complete for sanction in sanctions),
    }


def _wrongly(index: int, person: Person, sanction: Sanctioned) -> Mapping[str, Any]:
    return {
        "person": index,
        "accuracy": round(getattr(person, "accuracy", 0.0), 3),
        "reason": sanction.reason,
        "after": sanction.answers,
    }


def starved(people: Sequence[Person], story: Story, sanctions: Sequence[Sanctioned]) -> dict[str, Any]:
    """Good workers who asked for work, were not limited, and got none although ordinary work was open for them."""
    good = {index for index, person in enumerate(people) if person.honest}
    in_vain = {refused.person for refused in story.refusals if refused.person in good and refused.ordinary_open}
    asked = {show.person for show in story.shows if show.person in good} | in_vain
    other = Counter(refused.code for refused in story.refusals if refused.person in good)
    return {
        "asked": len(asked),
        "starved": len(in_vain),
        "share": round(len(in_vain) / max(1, len(asked)), 4),
        "refusals_of_good": dict(other),
        "slowed": len({s.person for s in sanctions if s.person in good and s.measure == "slow_down"}),
    }
