"""JSON in, strictly: what two readers could understand differently is refused, and what no table could hold."""

import json
import math
import re
from typing import Any, NoReturn

from marketplace.common.errors import Malformed

# Nothing that is meant is nested deeper. Python itself gives up at some hundreds, and where depends on who calls.
DEPTH_MAX = 100
_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_OTHERS = bytes(set(range(256)) - set(b"[]{}"))


def strict_json(raw: bytes) -> Any:
    """The value; raises `Malformed`."""
    try:
        value = json.loads(raw.decode(), object_pairs_hook=_unique, parse_constant=_constant, parse_float=_finite)
    except RecursionError:
        raise Malformed("The JSON is nested too deeply.") from None
    except ValueError as error:
        raise Malformed(f"The body is not valid JSON: {error}.") from None
    if _is_deep(raw):
        raise Malformed("The JSON is nested too deeply.")
    # Only an escape can bring in such a character, so most bodies need no second look.
    if b"\\u0000" in raw or b"\\ud" in raw or b"\\uD" in raw:
        _refuse_unstorable(value)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise Malformed(f"The name {name!r} occurs twice in one object.")
            seen.add(name)
    return found


def _constant(name: str) -> NoReturn:
    raise Malformed(f"{name} is not JSON.")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Malformed(f"The number {text[:40]} is too large.")
    return number


def _refuse_unstorable(value: Any) -> None:
    """A walk without recursion."""
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if isinstance(current, str):
            if "\x00" in current:
                raise Malformed("Text must not contain the character NUL.")
            if any("\ud800" <= character <= "\udfff" for character in current):
                raise Malformed("Text must not contain half of a surrogate pair.")
        elif isinstance(current, dict):
            waiting.extend(current.keys())
            waiting.extend(current.values())
        elif isinstance(current, list):
            waiting.extend(current)


def _is_deep(raw: bytes) -> bool:
    """Whether lists and objects stand in each other deeper than they may, in JSON that was read: told by its brackets
    alone, for a look at each value costs more than reading it did."""
    if raw.count(b"[") + raw.count(b"{") <= DEPTH_MAX:
        return False
    left = _TEXT.sub(b"", raw).translate(_BRACKETS, _OTHERS)
    for _level in range(DEPTH_MAX):
        # What holds nothing more goes, level by level.
        left = left.replace(b"[]", b"")
    return bool(left)
