"""Patterns that a requester may ask texts to match: only those that no text can make slow.

Python's matcher tries the ways in which a text could match one after another, and for some patterns their number grows
exponentially: `(a+)+` takes hours on thirty letters. The number of ways is bounded here from the pattern alone.
"""

import re
from functools import lru_cache
from importlib import import_module
from typing import Any

PATTERN_MAX = 500
WAYS_MAX = 10_000_000  # some tenths of a second at the very worst

_parser: Any = import_module("re._parser")
_FIXED = {"LITERAL", "NOT_LITERAL", "ANY", "IN", "AT", "CATEGORY", "RANGE", "NEGATE"}
_REPEATS = {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}


def pattern_problem(pattern: str, max_length: int) -> str | None:
    """Why texts of up to `max_length` characters should not be matched against the pattern, or None if they may be."""
    if len(pattern) > PATTERN_MAX:
        return f"must have at most {PATTERN_MAX} characters"
    try:
        re.compile(pattern)
        ways = _ways(_parser.parse(pattern), max_length)
    except (re.error, OverflowError, RecursionError) as error:
        return f"is not a usable pattern: {error}"
    if ways > WAYS_MAX:
        return "could take too long to match; use fewer open repetitions, none inside another, or a smaller max_length"
    return None


@lru_cache(maxsize=512)
def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern ready for use."""
    return re.compile(pattern)


def _ways(items: Any, max_length: int) -> int:
    """An upper bound for the number of ways to match a text of `max_length` characters; beyond the limit, just more."""
    ways = 1
    for op, argument in items:
        name = str(op)
        if name in _FIXED:
            continue
        if name in _REPEATS:
            low, high, inner = argument
            if high > 1 and inner.getwidth()[0] == 0:
                raise re.error("what is repeated must not be empty")
            ways *= _ways_repeated(_ways(inner, max_length), int(low), min(int(high), max_length))
        elif name == "SUBPATTERN":
            ways *= _ways(argument[-1], max_length)
        elif name == "ATOMIC_GROUP":
            ways *= _ways(argument, max_length)
        elif name == "BRANCH":
            ways *= sum(_ways(branch, max_length) for branch in argument[1])
        else:
            raise re.error("back-references, conditions and look-around are not supported")
        ways = min(ways, WAYS_MAX + 1)
    return ways


def _ways_repeated(inner: int, low: int, high: int) -> int:
    if inner == 1:
        return max(high - low + 1, 1)
    total = 0
    for count in range(low, max(low, high) + 1):
        total += inner ** min(count, WAYS_MAX.bit_length())
        if total > WAYS_MAX:
            break
    return total
