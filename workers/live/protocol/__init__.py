"""The protocol of the sockets, version 1: a JSON schema of every frame that either side may send."""

import json
from functools import cache
from pathlib import Path
from typing import Any, Literal

VERSION = 1
FRAMES = Path(__file__).with_name("frames.json")
Side = Literal["server", "client"]


@cache
def text() -> bytes:
    """The schema document as it is served."""
    return FRAMES.read_bytes()


@cache
def document() -> dict[str, Any]:
    """The whole schema document: `#/$defs/server.<type>` and `#/$defs/client.<type>`."""
    return dict(json.loads(text()))


@cache
def types(side: Side) -> frozenset[str]:
    """The types of the frames that this side may send."""
    return frozenset(name.removeprefix(f"{side}.") for name in document()["$defs"] if name.startswith(f"{side}."))
