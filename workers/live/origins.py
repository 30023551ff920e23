"""Which pages may open sockets here (R27)."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from django.conf import settings


def origin_allowed(origin: str, allowed: Iterable[str] | None = None) -> bool:
    """Whether the Origin header names one of the pages that may: scheme, host and port must all be the same.

    A browser writes it in one form only, so anything else (a path, user, `null`, other letters) is refused.
    """
    return origin in {entry.rstrip("/") for entry in (settings.LIVE_ORIGINS if allowed is None else allowed)}


def origin_of(url: str) -> str:
    """The origin of an address as browsers write it: lower case, without the scheme's own port."""
    parts = urlsplit(url)
    port = "" if parts.port in (None, {"http": 80, "https": 443}.get(parts.scheme)) else f":{parts.port}"
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"
