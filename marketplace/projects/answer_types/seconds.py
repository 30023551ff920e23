"""Times in a sound or a film."""

import math
from typing import Any

from marketplace.projects.answer_types.base import ValueRefused

# A day. Times are kept to a millisecond.
SECONDS_MAX = 86_400
DIGITS = 3


def clean_times(where: str, entry: Any, *, shortest: float = 0.0, until: float = SECONDS_MAX) -> tuple[float, float]:
    """`start` and `end` of an entry in seconds, to a millisecond. Raises `ValueRefused`, its words begin with
    `where`."""
    times = []
    for end in ("start", "end"):
        at = entry[end]
        if isinstance(at, bool) or not isinstance(at, int | float) or not 0 <= at <= until:
            raise ValueRefused(f"{where}{end} must be a number of seconds from 0 to {until:g}")
        times.append(plain_time(at))
    if times[1] <= times[0]:
        raise ValueRefused(f"{where}must end after it starts")
    if round(times[1] - times[0], DIGITS) < shortest:
        raise ValueRefused(f"{where}must last at least {shortest:g} seconds")
    return times[0], times[1]


def plain_time(seconds: float) -> float:
    """To a millisecond, a whole number where it is one."""
    rounded = round(seconds, DIGITS)
    return int(rounded) if math.floor(rounded) == rounded else rounded
