"""Saying look: one message to all live servers about what has grown. Losing it loses nothing."""

import json
import logging
import os
from collections.abc import Mapping
from typing import Any

import redis
from django.conf import settings

log = logging.getLogger("touchstone.streams")

CHANNEL = "touchstone.live"
TIMEOUT_S = 1.0

_client: tuple[int, str, Any] | None = None


def announce(streams: Mapping[str, int], topics: Mapping[str, int]) -> None:
    """Name the streams with their newest numbers, and the topics with their versions; never raises."""
    if not streams and not topics:
        return
    message = json.dumps({"streams": dict(streams), "topics": dict(topics)})
    try:
        _connected().publish(CHANNEL, message)
    except (redis.RedisError, OSError) as error:
        log.warning("nobody was told to look: %s", error)


def _connected() -> Any:
    global _client
    # A connection does not survive a fork, so each process makes its own.
    if _client is None or _client[:2] != (os.getpid(), settings.REDIS_URL):
        made = redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=None
        )
        _client = (os.getpid(), settings.REDIS_URL, made)
    return _client[2]
