"""Limits on what strangers may try over the API. Where Redis does not answer they fail closed; nothing else depends on
it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.http import HttpRequest
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from marketplace.common import limits
from marketplace.common.limits import address_of
from marketplace.rest.errors import TooMany, Unavailable

log = logging.getLogger("touchstone.rest")


@contextmanager
def _fail_closed() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        log.warning("a limit cannot be checked, so the request is refused: %s", error)
        raise Unavailable() from error


class Limit:
    """A limit as `common.limits` has it, that refuses with a problem. Raises `Unavailable`."""

    def __init__(self, name: str, whom: str) -> None:
        self._limit = limits.Limit(name, whom)

    def hit(self) -> bool:
        """Count one more; False when that is too many."""
        with _fail_closed():
            return self._limit.hit()

    def spent(self) -> bool:
        """Whether no further hit is allowed."""
        with _fail_closed():
            return self._limit.spent()

    def wait_s(self) -> int:
        """Seconds until there is room again."""
        with _fail_closed():
            return self._limit.wait_s()


class SignUpThrottle(BaseThrottle):
    """New accounts for each address."""

    _limit: Limit

    def allow_request(self, request: Request, view: Any) -> bool:
        if request.method in ("GET", "HEAD", "OPTIONS"):
            return True
        self._limit = Limit("sign-up", address_of(request))
        return self._limit.hit()

    def wait(self) -> float | None:
        return float(self._limit.wait_s())


class InvitationThrottle(BaseThrottle):
    """Tries of one code, and wrong JSON of one address: a code has 128 bits, so this bounds work, not guessing."""

    _limit: Limit

    def allow_request(self, request: Request, view: Any) -> bool:
        if request.method in ("GET", "HEAD", "OPTIONS"):
            return True
        data: Any = request.data
        code = data.get("code") if isinstance(data, dict) else None
        self._limit = Limit("invitation", code if isinstance(code, str) else f"address:{address_of(request)}")
        return self._limit.hit()

    def wait(self) -> float | None:
        return float(self._limit.wait_s())


class PasswordGuesses:
    """`common.limits.PasswordGuesses` for one request."""

    def __init__(self, request: Request | HttpRequest, email: str) -> None:
        self._guesses = limits.PasswordGuesses(address=address_of(request), account=email)

    def require_some_left(self) -> None:
        """Count this try before the password is looked at. Raises `TooMany`, `Unavailable`."""
        with _fail_closed():
            wait_s = self._guesses.too_many_s()
        if wait_s is not None:
            raise TooMany("Too many wrong passwords. Wait before you try again.", wait_s)

    def count_wrong(self) -> None:
        """Remember the wrong try for the address."""
        with _fail_closed():
            self._guesses.count_wrong()

    def forget(self) -> None:
        """The password was right."""
        with _fail_closed():
            self._guesses.forget()
