"""The ladder of measures: slow down, then more check questions, then a limit in the project, then a person looks.

A rule climbs one rung at a time and never to a ban: that is a person's. Who has had nothing for 30 days since his last
measure ended begins at the bottom again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

RUNGS: tuple[dict[str, Any], ...] = (
    {"do": "slow_down", "scope": "project", "pace_s": 20, "hours": 24},
    {"do": "extra_gold", "scope": "project", "hours": 72},
    {"do": "limit", "scope": "project", "hours": 72},
    {"do": "review", "scope": "project", "hours": 720},
)
ORDER = {rung["do"]: at for at, rung in enumerate(RUNGS)}
FORGOTTEN_AFTER = timedelta(days=30)


@dataclass(frozen=True)
class Measure:
    """A measure taken against the worker, and when it ended or ends."""

    measure: str
    ends_at: datetime


def next_rung(past: Sequence[Measure], now: datetime) -> dict[str, Any]:
    """What comes next; the last rung stays the last."""
    known = [one for one in past if one.measure in ORDER]
    if not known or max(one.ends_at for one in known) + FORGOTTEN_AFTER <= now:
        return RUNGS[0]
    # What ended a month before the next began does not count any more.
    known.sort(key=lambda one: one.ends_at, reverse=True)
    highest = 0
    later = now
    for one in known:
        if one.ends_at + FORGOTTEN_AFTER <= later:
            break
        highest = max(highest, ORDER[one.measure] + 1)
        later = min(later, one.ends_at)
    return RUNGS[min(highest, len(RUNGS) - 1)]
