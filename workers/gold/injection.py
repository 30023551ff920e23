"""When a worker meets hidden gold: a schedule of his own in each batch, drawn phase by phase.

The places that a worker takes in a batch have positions 0, 1, 2, … . They are cut into phases. Each phase has a share
of gold, and its gold positions are a uniform random subset of its positions, so that no position of a phase is more
likely to be gold than another. The first phase is the probation; from then on the share falls from `max_share` to
`min_share` as what is known of the worker gets more certain. A phase is drawn with less where the batch's budget for
gold is nearly used up, and with twice as much for somebody who is to meet more.
"""

import math
from bisect import bisect_left
from dataclasses import dataclass, replace
from typing import Protocol

REFILLS = ("auto", "confirm", "off")
# No more than every second place, however little somebody is trusted: he is there to work.
EXTRA_MAX = 0.5


class Draws(Protocol):
    """A source of chance, as `random.Random` or, where it must not be guessed, `random.SystemRandom`."""

    def random(self) -> float:
        """A number drawn uniformly from [0, 1)."""
        ...


@dataclass(frozen=True)
class Policy:
    """How much gold a batch wants its workers to meet. Shares are of the places that a worker takes.

    probation        how many places the first phase has, and
    probation_share  its share
    min_share        the share for a worker whose credible interval is `narrow` or narrower, and
    max_share        for one whose interval is `wide` or wider; in between it falls in proportion
    phase            how many places each later phase has
    budget           the share of all places of the batch that may be gold; None where the shares alone decide
    refill           what becomes of tasks that the crowd is sure of before their places are used up: gold at once
                     (`auto`), gold once the requester agrees (`confirm`), or nothing (`off`)
    """

    min_share: float = 0.05
    max_share: float = 0.10
    probation: int = 20
    probation_share: float = 0.30
    phase: int = 40
    wide: float = 0.40
    narrow: float = 0.10
    budget: float | None = None
    refill: str = "off"

    def __post_init__(self) -> None:
        if not (0 <= self.min_share <= self.max_share <= 1 and 0 <= self.probation_share <= 1):
            raise ValueError("shares must lie between 0 and 1, and min_share must not exceed max_share")
        if self.probation < 0 or self.phase < 1 or not 0 <= self.narrow < self.wide:
            raise ValueError("a phase must have places, and narrow must be less than wide")
        if self.budget is not None and not 0 <= self.budget <= 1:
            raise ValueError("a budget must lie between 0 and 1")
        if self.refill not in REFILLS:
            raise ValueError(f"refill must be one of {', '.join(REFILLS)}")

    @property
    def usual_share(self) -> float:
        """Midway between the shares after probation."""
        return (self.min_share + self.max_share) / 2

    def share(self, posterior_width: float) -> float:
        """The share after probation for a worker whose 95 % interval is that wide."""
        doubt = (posterior_width - self.narrow) / (self.wide - self.narrow)
        return self.min_share + (self.max_share - self.min_share) * min(max(doubt, 0.0), 1.0)


@dataclass(frozen=True)
class Schedule:
    """Where a worker stands: places used, the end of the last phase drawn, and the gold positions still ahead,
    rising."""

    position: int = 0
    phase_end: int = 0
    gold_positions: tuple[int, ...] = ()

    def take(self, used: int) -> "Schedule":
        """The schedule once the next `used` places are used, whatever they were used for.

        A gold position for which no gold was at hand is used up like any other: gold gets rarer, never later, since
        what comes later would no longer be uniform. Raises `ValueError` beyond what is drawn: call `advance` first.
        """
        if not 0 <= used <= self.phase_end - self.position:
            raise ValueError(f"{used} places do not fit into the {self.phase_end - self.position} that are drawn")
        position = self.position + used
        ahead = self.gold_positions[bisect_left(self.gold_positions, position) :]
        return replace(self, position=position, gold_positions=ahead)


def advance(
    schedule: Schedule,
    count: int,
    policy: Policy,
    posterior_width: float,
    draws: Draws,
    *,
    extra: bool = False,
    allowance: int | None = None,
) -> tuple[list[bool], Schedule]:
    """For the next `count` places, whether each is to be gold; and the schedule with the phases that took drawn.

    The returned schedule still stands at the same position, for fewer places may be used in the end: keep
    `schedule.take(used)`. Until then, asking again gives the same flags, however many are asked for. A phase is drawn
    when its first place is asked for, with the share that `posterior_width` (of the worker's 95 % interval) gives then,
    twice that with `extra`, and never more gold than is left of `allowance`; it stays as it is drawn. Chance is
    consumed only by drawing a phase, so that steps of one place and one step of many see the same flags where all else
    is the same.
    """
    if count < 0:
        raise ValueError(f"count must not be negative: {count}")
    end = schedule.position + count
    while schedule.phase_end < end:
        before = len(schedule.gold_positions)
        schedule = _with_next_phase(schedule, policy, posterior_width, draws, extra, allowance)
        if allowance is not None:
            allowance -= len(schedule.gold_positions) - before
    gold = set(schedule.gold_positions)
    return [position in gold for position in range(schedule.position, end)], schedule


def allowed(policy: Policy, *, places: int, spent: int) -> int | None:
    """How many more places of the batch may be gold, of which `spent` have been or are drawn; None without a budget."""
    return None if policy.budget is None else max(0, math.floor(round(policy.budget * places, 9)) - spent)


def _with_next_phase(
    schedule: Schedule, policy: Policy, posterior_width: float, draws: Draws, extra: bool, allowance: int | None
) -> Schedule:
    start = schedule.phase_end
    on_probation = start < policy.probation
    size = policy.probation - start if on_probation else policy.phase
    share = policy.probation_share if on_probation else policy.share(posterior_width)
    if extra:
        share = max(share, min(EXTRA_MAX, 2 * share))
    count = _rounded(share * size, draws)
    chosen = _subset(size, count if allowance is None else min(count, max(0, allowance)), draws)
    gold = schedule.gold_positions + tuple(start + place for place in chosen)
    return Schedule(schedule.position, start + size, gold)


def _rounded(expected: float, draws: Draws) -> int:
    """A whole number next to `expected` whose mean over the draws is `expected`: the long-run share comes out right."""
    # Shares such as 0.1 of 40 must be 4 and not, once in 10^16 phases, 5.
    expected = round(expected, 9)
    whole = int(expected)
    return whole + (draws.random() < expected - whole)


def _subset(size: int, count: int, draws: Draws) -> list[int]:
    """`count` of the numbers below `size`, each subset as likely as any other, sorted."""
    places = list(range(size))
    for at in range(count):
        other = at + int(draws.random() * (size - at))
        places[at], places[other] = places[other], places[at]
    return sorted(places[:count])
