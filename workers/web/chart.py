"""A small chart of days, as whole numbers that a template draws: no script and no style of its own. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

WIDTH, HEIGHT, FOOT = 720, 160, 24
# Steps of the scale: a person reads multiples of these at once.
STEPS = (1, 2, 5)


@dataclass(frozen=True)
class Bar:
    """One day: where its bar stands, in units of the drawing."""

    day: date
    micros: int
    x: int
    y: int
    width: int
    height: int
    label_x: int | None


@dataclass(frozen=True)
class Line:
    """One line of the scale."""

    micros: int
    y: int


@dataclass(frozen=True)
class Chart:
    """What the template draws."""

    width: int
    height: int
    foot: int
    bars: list[Bar]
    lines: list[Line]


def nice_top(most: int) -> int:
    """The least of 1, 2, 5, 10, 20, … that is not below; 1 for nothing.

    >>> nice_top(0), nice_top(20_000), nice_top(20_001)
    (1, 20000, 50000)
    """
    power = 1
    while True:
        for step in STEPS:
            if step * power >= most:
                return step * power
        power *= 10


def chart_of(days: Sequence[tuple[date, int]]) -> Chart:
    """Bars from nothing up; what a day lost counts as nothing. Every day with earnings is seen, however small."""
    top = nice_top(max((micros for _day, micros in days), default=0))
    count = max(1, len(days))
    every = -(-count // 6)
    bars = []
    for place, (day, micros) in enumerate(days):
        left, right = place * WIDTH // count, (place + 1) * WIDTH // count
        height = max(2, HEIGHT * micros // top) if micros > 0 else 0
        gap = max(1, (right - left) // 6)
        label = (left + right) // 2 if place % every == every // 2 else None
        bars.append(Bar(day, micros, left + gap, HEIGHT - height, max(1, right - left - 2 * gap), height, label))
    lines = [Line(top, 0), Line(top // 2, HEIGHT // 2)] if top > 1 else []
    return Chart(WIDTH, HEIGHT + FOOT, HEIGHT, bars, lines)
