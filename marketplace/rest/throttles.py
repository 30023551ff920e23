"""Limits on what strangers may try. Where Redis does not answer they fail closed; nothing else depends on it."""

import functools
import hashlib
import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import limits
from django.conf import settings
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from marketplace.rest.errors import TooMany, Unavailable

log = logging.getLogger("touchstone.rest")


@functools.cache
def _windows() -> limits.strategies.MovingWindowRateLimiter:
    uri = settings.REDIS_URL
    storage = limits.storage.RedisStorage(
        f"redis+{uri}" if uri.startswith("unix:") else uri,
        key_prefix=settings.LIMITS_PREFIX,
        socket_timeout=1,
        socket_connect_timeout=1,
    )
    return limits.strategies.MovingWindowRateLimiter(storage)


@functools.cache
def _rate(text: str) -> limits.RateLimitItem:
    return limits.parse(text)


@contextmanager
def _fail_closed() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        log.warning("a limit cannot be checked, so the request is refused: %s", error)
        raise Unavailable() from error


class Limit:
    """One moving window: at most `settings.THROTTLES[name]` hits for each `whom`."""

    def __init__(self, name: str, whom: str) -> None:
        self._rate = _rate(settings.THROTTLES[name])
        # Hashed, so that Redis holds no address and no code.
        self._keys = (name, hashlib.sha256(whom.encode()).hexdigest()[:32])

    def hit(self) -> bool:
        """Count one more; False when that is too many."""
        with _fail_closed():
            return _windows().hit(self._rate, *self._keys)

    def spent(self) -> bool:
        """Whether no further hit is allowed."""
        with _fail_closed():
            return not _windows().test(self._rate, *self._keys)

    def clear(self) -> None:
        """Start afresh."""
        with _fail_closed():
            _windows().clear(self._rate, *self._keys)

    def wait_s(self) -> int:
        """Seconds until the window has room again."""
        with _fail_closed():
            return max(1, math.ceil(_windows().get_window_stats(self._rate, *self._keys).reset_time - time.time()))


def address_of(request: Request) -> str:
    """The client's address; what proxies add is believed for as many of them as the settings name."""
    return BaseThrottle().get_ident(request) or "unknown"


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
    """Wrong passwords, for each account and for each address. A right one starts its account's window afresh."""

    def __init__(self, request: Request, email: str) -> None:
        self._account = Limit("password-account", email)
        self._address = Limit("password-address", address_of(request))

    def require_some_left(self) -> None:
        """Count this try against the account before the password is looked at, so that tries at once cannot pass.

        Raises `TooMany`, `Unavailable`.
        """
        for limit, refused in ((self._address, self._address.spent()), (self._account, not self._account.hit())):
            if refused:
                raise TooMany("Too many wrong passwords. Wait before you try again.", limit.wait_s())

    def count_wrong(self) -> None:
        """Remember the wrong try for the address."""
        self._address.hit()

    def forget(self) -> None:
        """The password was right."""
        self._account.clear()
