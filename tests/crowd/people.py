"""Simulated workers. Pure: the same seed, task, truth and labels give the same answer, in any order of asking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol


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

    def answer(self, task: str, truth: str, labels: Sequence[str]) -> str:
        """One of `labels` for `task`, whose true label is `truth`."""
        ...


def _draws(*parts: object) -> Random:
    """A generator of its own for each (person, task). A text seed does not depend on the process's hash seed."""
    return Random("\x1f".join(str(part) for part in parts))


def _another(draws: Random, truth: str, labels: Sequence[str]) -> str:
    """A wrong label, each equally likely; the truth itself where there is no other."""
    return draws.choice([label for label in labels if label != truth] or [truth])


@dataclass(frozen=True, slots=True)
class Honest:
    """Right with probability `accuracy`, otherwise one of the other labels."""

    accuracy: float
    seed: int
    kind: str = "honest"
    honest: bool = True

    def answer(self, task: str, truth: str, labels: Sequence[str]) -> str:
        """The truth, or a mistake."""
        draws = _draws("honest", self.seed, task)
        return truth if draws.random() < self.accuracy else _another(draws, truth, labels)


@dataclass(frozen=True, slots=True)
class Sloppy:
    """Looks only at some tasks (`attention`); for the others gives the label that lies nearest to his hand."""

    attention: float
    seed: int
    kind: str = "sloppy"
    honest: bool = False

    def answer(self, task: str, truth: str, labels: Sequence[str]) -> str:
        """The truth when he looked, else mostly his favourite and sometimes anything."""
        draws = _draws("sloppy", self.seed, task)
        if draws.random() < self.attention:
            return truth
        favourite = labels[Random(f"favourite {self.seed}").randrange(len(labels))]
        return favourite if draws.random() < 0.6 else draws.choice(labels)


@dataclass(frozen=True, slots=True)
class RandomClicker:
    """Clicks anything."""

    seed: int
    kind: str = "random"
    honest: bool = False

    def answer(self, task: str, truth: str, labels: Sequence[str]) -> str:
        """Any label, each equally likely."""
        return _draws("random", self.seed, task).choice(labels)


@dataclass(frozen=True, slots=True)
class Constant:
    """Always the same label, chosen by the seed."""

    seed: int
    kind: str = "constant"
    honest: bool = False

    def answer(self, task: str, truth: str, labels: Sequence[str]) -> str:
        """The one label."""
        return labels[Random(f"constant {self.seed}").randrange(len(labels))]


@dataclass(frozen=True, slots=True)
class Colluder:
    """A member of a ring. All members copy one answer sheet, so that they always agree; the sheet is mostly wrong."""

    sheet: int
    accuracy: float
    kind: str = "colluding"
    honest: bool = False

    def answer(self, task: str, truth: str, labels: Sequence[str]) -> str:
        """What the sheet of the ring says."""
        draws = _draws("sheet", self.sheet, task)
        return truth if draws.random() < self.accuracy else _another(draws, truth, labels)


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
