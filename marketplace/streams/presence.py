"""Who is there, as a hint: each live server says so every few seconds, and Redis forgets it by itself.

For each kind of socket a sorted set holds the accounts with the time until which they count as present. Nothing depends
on it: without Redis nobody knows how many are there, and all goes on.
"""

import logging
import os
import time
from collections.abc import Collection
from typing import Any

import redis
from django.conf import settings

log = logging.getLogger("touchstone.streams")

KINDS = ("worker", "requester", "admin")
# Said every 10 s, so that one that got lost makes nobody vanish.
ALIVE_S = 25
TIMEOUT_S = 1.0
AT_ONCE = 1_000

_client: tuple[int, Any] | None = None


def present(kind: str, user_ids: Collection[int]) -> bool:
    """Say that these accounts have a socket of this kind now; False where nobody could be told. Never raises."""
    now, users = time.time(), sorted(user_ids)
    try:
        for start in range(0, len(users), AT_ONCE):
            pipe = _connected().pipeline(transaction=False)
            pipe.zadd(_name(kind), dict.fromkeys(users[start : start + AT_ONCE], now + ALIVE_S), gt=True)
            pipe.zremrangebyscore(_name(kind), "-inf", now)
            pipe.expire(_name(kind), 2 * ALIVE_S)
            pipe.execute()
    except (redis.RedisError, OSError) as error:
        log.warning("nobody was told who is there: %s", error)
        return False
    return True


def online(kind: str) -> int | None:
    """How many accounts have a socket of this kind now, within some 25 s; None where Redis does not say."""
    try:
        return int(_connected().zcount(_name(kind), f"({time.time()}", "+inf"))
    except (redis.RedisError, OSError) as error:
        log.warning("nobody knows who is there: %s", error)
        return None


def _name(kind: str) -> str:
    assert kind in KINDS, kind
    return f"touchstone.present.{kind}"


def _connected() -> Any:
    global _client
    # A connection does not survive a fork, so each process makes its own.
    if _client is None or _client[0] != os.getpid():
        made = redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=None
        )
        _client = (os.getpid(), made)
    return _client[1]
