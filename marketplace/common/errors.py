"""How the domain refuses. It knows no HTTP: `marketplace.rest.problems` turns each kind into a status, once."""

from typing import Any


class DomainError(Exception):
    """A refusal with a stable `code`, a `title` for people, a sentence of detail and the facts it was raised with."""

    code = "refused"
    title = "The request was refused"

    def __init__(self, detail: str, **facts: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.facts = facts


class BadRequest(DomainError):
    """The request cannot be understood."""


class Malformed(BadRequest):
    code = "malformed"
    title = "The request cannot be understood"


class NotFound(DomainError):
    """There is no such thing, or it is not the caller's: the two look the same on purpose."""

    code = "not-found"
    title = "Not found"


class Forbidden(DomainError):
    """The caller is known and may not do this."""

    code = "forbidden"
    title = "Not allowed"


class Conflict(DomainError):
    """The state of things does not allow this now."""

    code = "conflict"
    title = "Not possible now"


class Unprocessable(DomainError):
    """Well-formed, but its content is wrong; `errors` names each field (and row or item) and what is wrong with it."""

    code = "invalid"
    title = "Some values are not valid"


class KeyReused(Unprocessable):
    code = "idempotency-key-reused"
    title = "This idempotency key was used for another request"
