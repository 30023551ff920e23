"""When a worker is shown gold: a schedule per worker, as values in and values out.

Positions are counted from 0 over all that the worker leases in a batch. They come in phases: the first is probation,
with the heaviest share; later ones have a share that falls as his credible interval narrows. Within a phase every
position is equally likely to be gold, so that nothing about a position tells.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

PHASE = 20


@dataclass(frozen=True)
class Policy:
    """Shares of gold from 0 to 1. `probation` is how many first positions have `probation_share`."""

    min_share: float = 0.05
    max_share: float = 0.10
    probation: int = 20
    probation_share: float = 0.20


@dataclass(frozen=True)
class Schedule:
    """How far the worker has come (`position` places were used), where the drawn phases end, and their gold positions."""

    position: int = 0
    phase_end: int = 0
    gold_positions: tuple[int, ...] = field(default=())

    def take(self, used: int) -> Schedule:
        """The schedule after `used` of the planned places were leased; the others keep their drawn positions."""
        position = self.position + used
        return Schedule(position, self.phase_end, tuple(p for p in self.gold_positions if p >= position))


def share(policy: Policy, *, position: int, width: float) -> float:
    """The share of gold in a phase that begins at `position`, for a worker whose 95 % interval is `width` wide.

    It falls linearly from `max_share` at a width of 0.5 or more to `min_share` at 0.1 or less.
    """
    if position < policy.probation:
        return policy.probation_share
    doubt = min(1.0, max(0.0, (width - 0.1) / 0.4))
    return policy.min_share + (policy.max_share - policy.min_share) * doubt


def advance(
    schedule: Schedule, count: int, policy: Policy, width: float, chance: Random
) -> tuple[list[bool], Schedule]:
    """Which of the worker's next `count` positions are gold, and the schedule with all phases drawn that they need.

    The position does not move: call `take` with how many places were really used. A phase once drawn stays, so planning
    again for the same positions gives the same flags. An expected number of gold that is not whole is rounded up or down
    by chance, so that the share is right in the long run.
    """
    end, gold = schedule.phase_end, list(schedule.gold_positions)
    while end < schedule.position + count:
        length = max(1, min(PHASE, policy.probation - end)) if end < policy.probation else PHASE
        expected = length * share(policy, position=end, width=width)
        number = int(expected) + (chance.random() < expected - int(expected))
        gold += sorted(end + place for place in chance.sample(range(length), min(number, length)))
        end += length
    planned = Schedule(schedule.position, end, tuple(gold))
    wanted = set(gold)
    return [schedule.position + step in wanted for step in range(count)], planned
