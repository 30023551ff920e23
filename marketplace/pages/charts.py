"""Charts as whole numbers that templates draw: no script and no style of their own, and a table beside each. Pure.

`pages/components/bar_chart.html`, `parts_chart.html` and `interval.html` draw them; `pages/charts.css` colours them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil

WIDTH, HEIGHT, FOOT = 720, 160, 24
# Words of the scale stand left of the bars, in so much room: a letter's width where a phone draws it, and the gap.
LETTER, GAP = 13, 10
# So many bars have a word below each; of more, so many have one if they have the whole width.
NAMED, LABELS = 12, 6
# How much of its length a word takes down and to the left where it is slanted (45°), and its height in the drawing.
SLANT, LETTER_HEIGHT = 0.71, 24
# Steps of the scale: a person reads multiples of these at once.
STEPS = (1, 2, 5)
# A heat map has so many shades, from nothing up.
SHADES = 10


@dataclass(frozen=True)
class Point:
    """One bar's value, the short word below it, and all that it says."""

    value: int
    label: str
    text: str


@dataclass(frozen=True)
class Bar:
    """One bar: where it stands, in units of the drawing; `label_x` where the word below stands, if there is room."""

    label: str
    text: str
    x: int
    y: int
    width: int
    height: int
    label_x: int | None


@dataclass(frozen=True)
class Line:
    """One line of the scale."""

    text: str
    y: int


@dataclass(frozen=True)
class Chart:
    """What the template draws. The scale's words end `GAP` before `side`, where the bars begin. Words below the bars
    are `slanted` where they have no room beside each other."""

    width: int
    height: int
    foot: int
    side: int
    bars: list[Bar]
    lines: list[Line]
    slanted: bool = False


@dataclass(frozen=True)
class Part:
    """A part of a whole: its name, how much it is, what it says, and where it lies on a line of 0 … `WIDTH`. `tone` is
    the number of its colour, from 1."""

    name: str
    value: int
    text: str
    x: int
    width: int
    tone: int


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


def bar_chart(points: Sequence[Point], scale: Callable[[int], str] = str) -> Chart:
    """Bars from nothing up; what is below nothing counts as nothing. Whatever is more than nothing is seen, however
    small. `scale` says a value beside its line, left of all bars."""
    top = nice_top(max((point.value for point in points), default=0))
    lines = [Line(scale(at), HEIGHT - HEIGHT * at // top) for at in (top, top // 2) if at]
    if not any(point.value > 0 for point in points):
        lines = []
    # However long the words are, half of the drawing is for the bars.
    side = min(WIDTH // 2, max((LETTER * len(line.text) + GAP for line in lines), default=0))
    count, foot = max(1, len(points)), FOOT
    longest = LETTER * max((len(point.label) for point in points), default=0)
    slanted = 1 < count <= NAMED and longest > (WIDTH - side) // count
    if slanted:
        # The first word ends below the middle of its bar and begins no further left than the drawing.
        long = ceil(SLANT * longest)
        side = min(WIDTH // 2, max(side, -(-(2 * count * long - WIDTH) // (2 * count - 1))))
        foot = long + LETTER_HEIGHT
    room = WIDTH - side
    every = 1 if count <= NAMED else -(-count // -(-LABELS * room // WIDTH))
    bars = []
    for place, point in enumerate(points):
        left, right = side + place * room // count, side + (place + 1) * room // count
        height = max(2, HEIGHT * point.value // top) if point.value > 0 else 0
        gap = max(1, (right - left) // 6)
        label = (left + right) // 2 if place % every == every // 2 else None
        bars.append(
            Bar(point.label, point.text, left + gap, HEIGHT - height, max(1, right - left - 2 * gap), height, label)
        )
    return Chart(WIDTH, HEIGHT + foot, HEIGHT, side, bars, lines, slanted)


def parts_chart(parts: Sequence[tuple[str, int, str]]) -> list[Part]:
    """Parts of a whole beside each other, as (name, value, text): those that are nothing have no width. They fill the
    line; each is as long as its share, rounded where it ends."""
    whole = sum(max(0, value) for _name, value, _text in parts)
    found: list[Part] = []
    so_far = 0
    for tone, (name, value, text) in enumerate(parts, 1):
        begin = WIDTH * so_far // whole if whole else 0
        so_far += max(0, value)
        end = WIDTH * so_far // whole if whole else 0
        found.append(Part(name, value, text, begin, end - begin, tone))
    return found


def shade(share: float) -> int:
    """The shade of a share of one in a heat map: 0 for nothing, then 1 … 9.

    >>> shade(0.0), shade(0.001), shade(0.5), shade(1.0)
    (0, 1, 5, 9)
    """
    return 0 if share <= 0 else min(SHADES - 1, 1 + int(share * (SHADES - 1)))
