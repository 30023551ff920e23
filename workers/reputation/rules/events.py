"""What rules look at: a worker's recorded outcomes, and what is known of the crowd around him."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from workers.reputation.states import Kind


@dataclass(frozen=True)
class Event:
    """One recorded outcome; ids rise with time. `undoes` is the outcome that an UNDO takes back."""

    id: int
    made_at: datetime
    kind: str
    batch_id: int
    project_id: int
    score: float | None = None
    weight: float = 1.0
    assignment_id: int | None = None
    truth: str | None = None
    given: str | None = None
    answer_type: str = ""
    took_ms: int | None = None
    digest: int | None = None
    easiness: float | None = None
    undoes: int | None = None


@dataclass(frozen=True)
class Crowd:
    """What is known of a batch beyond one worker.

    batch_id       whose times and shares these are; other batches' answers are not compared with them
    fast_below_ms  by answer type, faster than which all but a few honest answers are not; nothing where unknown
    shares         of each answer (label, or digest as text) among all answers, at most likely, each worker counted
                   alike; nothing where too few are known
    classes        how many labels there are to choose from; 0 where answers are no labels
    pay_micros     what an answer pays, by batch
    submitted      how many answers the worker gave in all, where the history is only the latest of them
    """

    batch_id: int | None = None
    fast_below_ms: Mapping[str, float] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)
    classes: int = 0
    pay_micros: Mapping[int, int] = field(default_factory=dict)
    submitted: int | None = None


@dataclass(frozen=True)
class Measured:
    """A figure with the ends of its 95 % interval and how much stands behind it; None is not known."""

    value: float | None
    low: float | None
    high: float | None
    n: int

    def at(self, bound: str) -> float | None:
        """The figure at `low`, `point` or `high`."""
        return {"low": self.low, "point": self.value, "high": self.high}[bound]


@dataclass(frozen=True)
class Scored:
    """An answer that was compared with the truth or with what others made of it.

    `clarity` is how much the comparison tells, from 0 (nothing) to 1 (a known truth): an agreement weighs half the
    confidence in the final result beyond chance, so twice its weight.
    """

    order: int
    score: float
    weight: float
    clarity: float
    truth: str | None
    given: str | None
    easiness: float | None


# Final results may be surer of themselves than they should be: hard tasks are hard for everybody.
TRUST_IN_AGREEMENT = 0.9


def standing(history: Sequence[Event]) -> list[Event]:
    """The history in order, without what was taken back and without the taking back."""
    undone = {event.undoes for event in history if event.kind == Kind.UNDO}
    return [e for e in sorted(history, key=lambda e: e.id) if e.kind != Kind.UNDO and e.id not in undone]


def scored(events: Sequence[Event], kinds: Sequence[str] = (Kind.GOLD, Kind.AGREEMENT)) -> list[Scored]:
    """The judged answers in the order in which they were given; of one judged twice the check question counts."""
    given_at = {e.assignment_id: e.id for e in events if e.kind == Kind.ANSWER and e.assignment_id is not None}
    known = {e.assignment_id for e in events if e.kind == Kind.GOLD and Kind.GOLD in kinds and e.score is not None}
    known.discard(None)
    found = []
    for event in events:
        if event.kind not in kinds or event.score is None or event.weight <= 0:
            continue
        agreement = event.kind == Kind.AGREEMENT
        if agreement and event.assignment_id in known:
            continue
        clarity = TRUST_IN_AGREEMENT * min(1.0, 2 * event.weight) if agreement else 1.0
        order = event.id if event.assignment_id is None else given_at.get(event.assignment_id, event.id)
        found.append(Scored(order, event.score, event.weight, clarity, event.truth, event.given, event.easiness))
    return sorted(found, key=lambda s: s.order)
