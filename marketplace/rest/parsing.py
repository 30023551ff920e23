"""JSON in, strictly: what two readers could understand differently is refused."""

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn

from rest_framework.parsers import BaseParser

from marketplace.rest.errors import Malformed


class StrictJSONParser(BaseParser):
    """RFC 8259 in UTF-8, without duplicate names, NaN, infinite numbers, NUL characters or half surrogate pairs."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        # The body is kept by the request, which bounds its size; the boundary hashes the same bytes later.
        return strict_json(parser_context["request"].body if parser_context else stream.read())


class AnyBodyParser(BaseParser):
    """Leaves the body alone: the view reads the stream itself."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        return {}


def strict_json(raw: bytes) -> Any:
    """The value; raises `Malformed`."""
    try:
        value = json.loads(raw.decode(), object_pairs_hook=_unique, parse_constant=_constant, parse_float=_finite)
    except RecursionError:
        raise Malformed("The JSON is nested too deeply.") from None
    except ValueError as error:
        raise Malformed(f"The body is not valid JSON: {error}.") from None
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
    """Walk without recursion: the parser bounds the depth, but far above Python's own limit for a second walk."""
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
