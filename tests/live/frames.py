"""Frames against the protocol's schemas."""

from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from workers.live.protocol import Side, document, types


def faults(side: Side, frame: Any) -> list[str]:
    """What is wrong with a frame of this side, in words; nothing for one as the protocol has it."""
    kind = frame.get("type") if isinstance(frame, dict) else None
    if not isinstance(kind, str) or kind not in types(side):
        return [f"the {side} sends no frame of the type {kind!r}"]
    return [f"{error.json_path}: {error.message}" for error in _validator(f"{side}.{kind}").iter_errors(frame)]


@cache
def _validator(name: str) -> Draft202012Validator:
    schema = {"$defs": document()["$defs"], "$ref": f"#/$defs/{name}"}
    return Draft202012Validator(schema, format_checker=FormatChecker())
