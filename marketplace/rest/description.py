"""Parts of the API's description that are written by hand. They import nothing, so that the settings may name them."""

from typing import Any

PROBLEM_COMPONENT: dict[str, Any] = {
    "type": "object",
    "description": "Why a request was refused (RFC 9457). Further members are the facts of this refusal.",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {
            "type": "string",
            "description": "/problems/ and the stable code",
            "examples": ["/problems/not-found"],
        },
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "errors": {
            "type": "array",
            "description": "What is wrong with which field.",
            "items": {"type": "object", "properties": {"field": {"type": "string"}, "message": {"type": "string"}}},
        },
    },
    "additionalProperties": True,
}
PASSWORD_SCHEME = {
    "type": "http",
    "scheme": "basic",
    "description": "E-mail address and password, to make a key",
}
