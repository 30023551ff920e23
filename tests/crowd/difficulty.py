"""How hard a task is and how long it takes, the same for everybody: pure, by seed and task."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, pi, sqrt
from random import Random


def draws_for(*parts: object) -> Random:
    """A generator of its own for each (person, task). A text seed does not depend on the process's hash seed."""
    return Random("\x1f".join(str(part) for part in parts))


@dataclass(frozen=True, slots=True)
class Difficulty:
    """Each task has an easiness, in logits, drawn from a normal distribution with that spread around 0.

    It shifts everybody's chance to be right: whoever is right in 80 % on the whole is so in 95 % of the easy and in
    half of the hard ones. With spread 0 all tasks are alike.
    """

    seed: int
    spread: float = 1.0

    def easiness(self, task: str) -> float:
        """Of one task: above 0 easier than most."""
        return draws_for("easiness", self.seed, task).gauss(0.0, 1.0) * self.spread

    def length(self, task: str) -> float:
        """How many times the usual time the task takes everybody: log-normal around 1, longer where it is harder."""
        own = draws_for("length", self.seed, task).gauss(0.0, 0.25)
        return exp(own - 0.1 * self.easiness(task))


ALIKE = Difficulty(seed=0, spread=0.0)


def chance_right(accuracy: float, easiness: float, spread: float) -> float:
    """The chance of somebody with that mean accuracy on a task of that easiness: logistic in both.

    The mean over tasks stays `accuracy` (within about 0.01), for which the logit is stretched by as much as the spread
    of the tasks flattens it.
    """
    if accuracy in (0.0, 1.0) or not spread:
        return accuracy
    skill = log(accuracy / (1 - accuracy)) * sqrt(1 + pi * spread**2 / 8)
    return 1 / (1 + exp(-(skill + easiness)))


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a person takes: log-normal around `median_s`, times the length of the task."""

    median_s: float = 8.0
    spread: float = 0.5

    def seconds(self, seed: object, task: str, length: float = 1.0) -> float:
        """For one task. Nobody answers within a fifth of a second."""
        return max(0.2, self.median_s * length * exp(draws_for("pace", seed, task).gauss(0.0, self.spread)))
