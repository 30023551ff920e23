"""Refusals that belong to the interface and not to the market."""

from typing import Any

from rest_framework.exceptions import APIException, AuthenticationFailed

from marketplace.common.errors import BadRequest, Conflict
from marketplace.common.errors import Malformed as Malformed


class UnknownField(BadRequest):
    code = "unknown-field"
    title = "The request has a field that is not known here"


class BadCursor(BadRequest):
    code = "bad-cursor"
    title = "This cursor belongs to no list"


class KeyMissing(BadRequest):
    code = "idempotency-key-missing"
    title = "An Idempotency-Key header is needed"


class KeyMalformed(BadRequest):
    code = "idempotency-key-malformed"
    title = "The Idempotency-Key header is not usable"


class AnswerForgotten(Conflict):
    code = "answer-forgotten"
    title = "The first answer can no longer be read"


class KeyRefused(AuthenticationFailed):
    """401: the key, or the password, does not open anything."""

    default_code = "key-refused"

    def __init__(self, detail: str, code: str = default_code) -> None:
        super().__init__(detail, code)


class Unavailable(APIException):
    """503: something that is needed here does not answer; trying again later is right."""

    status_code = 503
    default_detail = "A part of the site does not answer just now. Try again in a moment."
    default_code = "unavailable"


class TooMany(APIException):
    """429 with Retry-After."""

    status_code = 429
    default_code = "too-many-requests"

    def __init__(self, detail: str, wait_s: int) -> None:
        super().__init__(detail)
        self.wait = wait_s


def facts_of(error: APIException) -> dict[str, Any]:
    """What a client can act on, of an exception that carries it."""
    wait = getattr(error, "wait", None)
    return {} if wait is None else {"retry_after_s": int(wait)}
