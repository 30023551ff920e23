"""Simulated workers. Pure: the same seed, task, truth and labels give the same answer, in any order of asking.

What changes with time is an argument: `nth` says how many answers the person has given before, for those who turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from tests.crowd.difficulty import ALIKE, Difficulty, Pace, chance_right, draws_for

STEADY, UNEVEN, BRISK, QUICK, HASTY = (
    Pace(8.0, 0.5),
    Pace(5.0, 0.7),
    Pace(6.0, 0.5),
    Pace(5.0, 0.5),
    Pace(0.9, 0.3),
)


class Person(Protocol):
    """Somebody who answers tasks."""

    @property
    def kind(self) -> str:
        """What sort of worker this is, for reports."""
        ...

    @property
    def honest(self) -> bool:
        """Whether this person tries; the others are those that a market should notice."""
        ...

    def answer(self, task: str, truth: str, labels: Sequence[str], nth: int = 0) -> str:
        """One of `labels` for `task`, whose true label is `truth`, as his answer number `nth` (from 0)."""
        ...

    def seconds(self, task: str, nth: int = 0) -> float:
        """How long he takes for the task."""
        ...


def _another(draws: Random, truth: str, labels: Sequence[str]) -> str:
    """A wrong label, each equally likely; the truth itself where there is no other."""
    return draws.choice([label for label in labels if label != truth] or [truth])


def _tried(draws: Random, accuracy: float, tasks: Difficulty, task: str, truth: str, labels: Sequence[str]) -> str:
    """The answer of one who tries: the truth with his chance on that task, else a mistake."""
    chance = chance_right(accuracy, tasks.easiness(task), tasks.spread) if tasks.spread else accuracy
    return truth if draws.random() < chance else _another(draws, truth, labels)


@dataclass(frozen=True, slots=True)
class Honest:
    """Right with probability `accuracy` over all tasks, otherwise one of the other labels."""

    accuracy: float
    seed: int
    kind: str = "honest"
    honest: bool = True
    tasks: Difficulty = ALIKE
    pace: Pace = STEADY

    def answer(self, task: str, truth: str, labels: Sequence[str], nth: int = 0) -> str:
        """The truth, or a mistake."""
        return _tried(draws_for("honest", self.seed, task), self.accuracy, self.tasks, task, truth, labels)

    def seconds(self, task: str, nth: int = 0) -> float:
        """At his own pace."""
        return self.pace.seconds(("honest", self.seed), task, self.tasks.length(task))


@dataclass(frozen=True, slots=True)
class Sloppy:
    """Looks only at some tasks (`attention`); for the others gives the label that lies nearest to his hand."""

    attention: float
    seed: int
    kind: str = "sloppy"
    honest: bool = False
    tasks: Difficulty = ALIKE
    pace: Pace = UNEVEN

    def answer(self, task: str, truth: str, labels: Sequence[str], nth: int = 0) -> str:
        """The truth when he looked, else mostly his favourite and sometimes anything."""
        draws = draws_for("sloppy", self.seed, task)
        if draws.random() < chance_right(self.attention, self.tasks.easiness(task), self.tasks.spread):
            return truth
        favourite = labels[Random(f"favourite {self.seed}").randrange(len(labels))]
        return favourite if draws.random() < 0.6 else draws.choice(labels)

    def seconds(self, task: str, nth: int = 0) -> float:
        """Unevenly."""
        return self.pace.seconds(("sloppy", self.seed), task, self.tasks.length(task))


@dataclass(frozen=True, slots=True)
class RandomClicker:
    """Clicks anything, at a pace that alone would not give him away."""

    seed: int
    kind: str = "random"
    honest: bool = False
    pace: Pace = BRISK

    def answer(self, task: str, truth: str, labels: Sequence[str], nth: int = 0) -> str:
        """Any label, each equally likely."""
        return draws_for("random", self.seed, task).choice(labels)

    def seconds(self, task: str, nth: int = 0) -> float:
        """Whatever the task."""
        return self.pace.seconds(("random", self.seed), task)


@dataclass(frozen=True, slots=True)
class Constant:
    """Always the same label, chosen by the seed."""

    seed: int
    kind: str = "constant"
    honest: bool = False
    pace: Pace = BRISK

    def answer(self, task: str, truth: str, labels: Sequence[str], nth: int = 0) -> str:
        """The one label."""
        return labels[Random(f"constant {self.seed}").randrange(len(labels))]

    def seconds(self, task: str, nth: int = 0) -> float:
        """Whatever the task."""
        return self.pace.seconds(("constant", self.seed), task)


@dataclass(frozen=True, slots=True)
class Biased:
    """Tries, but gives one label, chosen by the seed, wherever in `lean` of the cases it might do."""

    accuracy: float
    lean: float
    seed: int
    kind: str = "biased"
    honest: bool = False
    tasks: Difficulty = ALIKE
    pace: Pace = STEADY

    def answer(self, task: str, truth: str, labels: Sequence[str], nth: int = 0) -> str:
        """His label, or what he thinks."""
        draws = draws_for("biased", self.seed, task)
        if draws.random() < self.lean:
            return labels[Random(f"biased {self.seed}").randrange(len(labels))]
        return _tried(draws, self.accuracy, self.tasks, task, truth, labels)

    def seconds(self, task: str, nth: int = 0) -> float:
        """As one who tries."""
        return self.pace.seconds(("biased", self.seed), task, self.tasks.length(task))


@dataclass(frozen=True, slots=True)
class Copier:
    """Gives another's answer with probability `share`, however that one came by it; else clicks anything."""

    source: Person
    share: float
    seed: int
    kind: str = "copier"
    honest: bool = False
    pace: Pace = QUICK

    def answer(self, task: str, truth: str, labels: Sequence[str], nth: int = 0) -> str:
        """What the other says, or anything."""
        draws = draws_for("copier", self.seed, task)
        return self.source.answer(task, truth, labels) if draws.random() < self.share else draws.choice(labels)

    def seconds(self, task: str, nth: int = 0) -> float:
        """Whatever the task."""
        return self.pace.seconds(("copier", self.seed), task)


@dataclass(frozen=True, slots=True)
class Colluder:
    """A member of a ring. All members copy one answer sheet, so that they always agree; the sheet is mostly wrong."""

    sheet: int
    accuracy: float
    kind: str = "colluding"
    honest: bool = False
    pace: Pace = QUICK

    def answer(self, task: str, truth: str, labels: Sequence[str], nth: int = 0) -> str:
        """What the sheet of the ring says."""
        draws = draws_for("sheet", self.sheet, task)
        return truth if draws.random() < self.accuracy else _another(draws, truth, labels)

    def seconds(self, task: str, nth: int = 0) -> float:
        """Whatever the task."""
        return self.pace.seconds(("sheet", self.sheet), task)


@dataclass(frozen=True, slots=True)
class Sleeper:
    """As good as `awake` until he has given `turns_after` answers, and from then on as bad as `asleep`."""

    awake: Person
    asleep: Person
    turns_after: int
    kind: str = "sleeper"
    honest: bool = False

    def answer(self, task: str, truth: str, labels: Sequence[str], nth: int = 0) -> str:
        """What the one or the other he is by then says."""
        return self._at(nth).answer(task, truth, labels, nth)

    def seconds(self, task: str, nth: int = 0) -> float:
        """As the one or the other."""
        return self._at(nth).seconds(task, nth)

    def _at(self, nth: int) -> Person:
        return self.awake if nth < self.turns_after else self.asleep


@dataclass(frozen=True, slots=True)
class Speeder:
    """Tries, in far less time than it takes, and is worse for that."""

    accuracy: float
    seed: int
    kind: str = "speeder"
    honest: bool = False
    tasks: Difficulty = ALIKE
    pace: Pace = HASTY

    def answer(self, task: str, truth: str, labels: Sequence[str], nth: int = 0) -> str:
        """The truth, or a mistake."""
        return _tried(draws_for("speeder", self.seed, task), self.accuracy, self.tasks, task, truth, labels)

    def seconds(self, task: str, nth: int = 0) -> float:
        """Far below everybody's, whatever the task."""
        return self.pace.seconds(("speeder", self.seed), task)


def sleeper(*, accuracy: float, turns_after: int, seed: int, tasks: Difficulty = ALIKE) -> Sleeper:
    """An honest worker who clicks anything after `turns_after` answers, at his old pace."""
    awake = Honest(accuracy=accuracy, seed=seed, tasks=tasks)
    return Sleeper(awake=awake, asleep=RandomClicker(seed=seed, pace=awake.pace), turns_after=turns_after)


def ring(size: int, *, accuracy: float, seed: int) -> list[Colluder]:
    """`size` members who share one answer sheet."""
    return [Colluder(sheet=seed, accuracy=accuracy) for _ in range(size)]


def mixed_crowd(seed: int) -> list[Person]:
    """24 people in a shuffled order: 14 honest (0.75 to 0.95), 3 sloppy, 2 random, 2 constant, a ring of 3."""
    draws = Random(f"crowd {seed}")
    honest = [Honest(accuracy=0.75 + 0.20 * i / 13, seed=draws.randrange(2**32)) for i in range(14)]
    people: list[Person] = [
        *honest,
        *(Sloppy(attention=0.35, seed=draws.randrange(2**32)) for _ in range(3)),
        *(RandomClicker(seed=draws.randrange(2**32)) for _ in range(2)),
        *(Constant(seed=draws.randrange(2**32)) for _ in range(2)),
        *ring(3, accuracy=0.2, seed=draws.randrange(2**32)),
    ]
    draws.shuffle(people)
    return people
