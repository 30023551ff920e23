"""How often strangers may try something: moving windows in Redis, for each address, account or code (R34).

Where Redis does not answer, its error comes through: whoever asks stays closed, and says so in its own way.
"""

import functools
import hashlib
import ipaddress
import math
import time
from typing import Any

import limits
from django.conf import settings

# Whoever has one address of IPv6 has all of its network.
NETWORK_BITS = 64


@functools.cache
def windows() -> limits.strategies.MovingWindowRateLimiter:
    """Where tries are counted."""
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


class Limit:
    """One moving window: at most `settings.THROTTLES[name]` hits for each `whom`."""

    def __init__(self, name: str, whom: str) -> None:
        self._rate = _rate(settings.THROTTLES[name])
        # Hashed, so that Redis holds no address and no code.
        self._keys = (name, hashlib.sha256(whom.encode()).hexdigest()[:32])

    def hit(self) -> bool:
        """Count one more; False when that is too many."""
        return windows().hit(self._rate, *self._keys)

    def spent(self) -> bool:
        """Whether no further hit is allowed."""
        return not windows().test(self._rate, *self._keys)

    def clear(self) -> None:
        """Start afresh."""
        windows().clear(self._rate, *self._keys)

    def wait_s(self) -> int:
        """Seconds until the window has room again."""
        return max(1, math.ceil(windows().get_window_stats(self._rate, *self._keys).reset_time - time.time()))


class PasswordGuesses:
    """Wrong passwords, for each account and for each address, wherever they are tried: forms and API count together. A
    right one starts its account's window afresh."""

    def __init__(self, *, address: str, account: str) -> None:
        self._account = Limit("password-account", account.strip().lower())
        self._address = Limit("password-address", address)

    def too_many_s(self) -> int | None:
        """Count this try against the account before the password is looked at, so that tries at once cannot pass.
        Seconds to wait where there were too many."""
        for limit, refused in ((self._address, self._address.spent()), (self._account, not self._account.hit())):
            if refused:
                return limit.wait_s()
        return None

    def count_wrong(self) -> None:
        """Remember the wrong try for the address."""
        self._address.hit()

    def forget(self) -> None:
        """The password was right."""
        self._account.clear()


def client_of(request: Any) -> str:
    """The client's address; what proxies add is believed for as many of them as the settings name."""
    text = str(request.META.get("REMOTE_ADDR") or "unknown")
    passed = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
    if settings.PROXIES and passed:
        text = passed[-min(settings.PROXIES, len(passed))]
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return text
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)


def address_of(request: Any) -> str:
    """What is counted of a client: its address, or its network where one has many."""
    text = client_of(request)
    try:
        return str(ipaddress.IPv6Network((text, NETWORK_BITS), strict=False))
    except ValueError:
        return text
