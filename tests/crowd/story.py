"""What happened to a crowd at work: what everybody was shown, what they answered, and when they were refused."""

from __future__ import annotations

from dataclasses import dataclass, field

from workers.assignments.queries import LeasedTask


@dataclass(frozen=True, slots=True)
class Show:
    """One task as one person was shown it, and what was then true of it.

    nth       which of his places in the batch it was, from 0; `at_s` counts from the start of the clock
    gold      whether it had a key that counted when it was shown
    page      which of his pages it was on, `item` which place of that page, `page_size` how many there were
    claim_s   how long the claim took that gave it, in this process
    """

    person: int
    question: str
    nth: int
    at_s: float
    gold: bool
    page: int
    item: int
    page_size: int
    claim_s: float
    lease: LeasedTask


@dataclass(frozen=True, slots=True)
class Given:
    """One stored answer."""

    person: int
    question: str
    label: str
    nth: int
    at_s: float
    gold: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """A claim that gave nothing: the refusal's code, and whether ordinary work that he could do was open then."""

    person: int
    at_s: float
    answers: int
    code: str
    ordinary_open: bool


@dataclass(slots=True)
class Story:
    """Everything that happened, in the order in which it happened."""

    shows: list[Show] = field(default_factory=list)
    answers: list[Given] = field(default_factory=list)
    refusals: list[Refused] = field(default_factory=list)
    seconds: float = 0.0
    seconds_on_the_clock: float = 0.0
