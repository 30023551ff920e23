"""The crowd that promise R40 names, with a few of every other kind."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from tests.crowd.difficulty import ALIKE, Difficulty, Pace
from tests.crowd.people import (
    Biased,
    Constant,
    Copier,
    Honest,
    Person,
    RandomClicker,
    Sloppy,
    Speeder,
    ring,
    sleeper,
)


def promised_crowd(
    size: int, *, seed: int, tasks: Difficulty = ALIKE, turns_after: int = 200, extras: bool = True
) -> list[Person]:
    """The crowd of promise R40, shuffled: of `size` people 70 % honest (0.65 to 0.95, evenly), 10 % random, 10 %
    constant, 10 % sleepers who turn after `turns_after` answers.

    With `extras`, for every 40 of them one each of the other kinds comes on top: sloppy, biased, copier (of a random
    honest one), speeder, and a ring of two; they make it harder and are measured without a target.
    """
    draws = Random(f"promised crowd {seed}")

    def fresh() -> int:
        return draws.randrange(2**32)

    tenth = max(1, round(size / 10))
    n_honest = max(1, size - 3 * tenth)
    honest = [
        Honest(
            accuracy=0.65 + 0.30 * i / max(1, n_honest - 1),
            seed=fresh(),
            tasks=tasks,
            pace=Pace(median_s=8.0 * 2 ** draws.gauss(0.0, 0.4)),
        )
        for i in range(n_honest)
    ]
    people: list[Person] = [
        *honest,
        *(RandomClicker(seed=fresh()) for _ in range(tenth)),
        *(Constant(seed=fresh()) for _ in range(tenth)),
        *(sleeper(accuracy=0.85, turns_after=turns_after, seed=fresh(), tasks=tasks) for _ in range(tenth)),
    ]
    for _ in range(round(size / 40) if extras else 0):
        people += [
            Sloppy(attention=0.35, seed=fresh(), tasks=tasks),
            Biased(accuracy=0.8, lean=0.5, seed=fresh(), tasks=tasks),
            Copier(source=draws.choice(honest), share=0.9, seed=fresh()),
            Speeder(accuracy=0.55, seed=fresh(), tasks=tasks),
            *(replace(member, kind="ring") for member in ring(2, accuracy=0.2, seed=fresh())),
        ]
    draws.shuffle(people)
    return people
