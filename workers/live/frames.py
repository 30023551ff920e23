"""Frames of the protocol as text: made once, whoever gets them."""

from typing import Any

from marketplace.common.errors import BadRequest
from marketplace.rest.errors import Malformed
from marketplace.rest.parsing import strict_json
from marketplace.rest.rendering import json_bytes

PROTOCOL = 1
FRAME_BYTES_MAX = 64 * 1024
ID_LENGTH_MAX = 64

# Why a socket is closed.
WRONG_FRAME = 4400
NOT_AUTHENTICATED = 4401
NOT_ALLOWED = 4403
NO_SUCH_SOCKET = 4404
RESUME = 4008
TOO_MANY = 4429
NOT_JSON = 1007
TOO_LARGE = 1009
FAILED = 1011


class WrongFrame(BadRequest):
    """A frame that no client of this protocol sends: the socket is closed, and told why."""

    code = "wrong-frame"
    title = "This frame cannot be understood"

    def __init__(self, detail: str, *, closes_with: int = WRONG_FRAME, **facts: Any) -> None:
        super().__init__(detail, **facts)
        self.closes_with = closes_with


def frame(kind: str, /, **members: Any) -> str:
    """One frame to a client."""
    return json_bytes({"type": kind, **members}).decode()


def read_frame(text: str | None) -> dict[str, Any]:
    """A client's frame, which has a type. Raises `WrongFrame`."""
    if text is None:
        raise WrongFrame("Frames are text.")
    raw = text.encode("utf-8", "surrogatepass")
    if len(raw) > FRAME_BYTES_MAX:
        raise WrongFrame(f"A frame has at most {FRAME_BYTES_MAX} bytes.", closes_with=TOO_LARGE)
    try:
        message = strict_json(raw)
    except Malformed as error:
        raise WrongFrame(error.detail, closes_with=NOT_JSON) from None
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise WrongFrame("A frame is an object with a type.")
    return message


def only(message: dict[str, Any], *names: str) -> None:
    """Raise `WrongFrame` where the frame says anything else than its type and these."""
    unknown = sorted(set(message) - {"type", *names})
    if unknown:
        raise WrongFrame(f"Not known here: {', '.join(repr(name) for name in unknown[:10])}.")


def text_of(message: dict[str, Any], name: str, length_max: int = 200) -> str:
    """A member that must be text. Raises `WrongFrame`."""
    found = message.get(name)
    if not isinstance(found, str) or not 0 < len(found) <= length_max:
        raise WrongFrame(f"{name!r} must be text of 1 to {length_max} characters.")
    return found
