"""Servers that the person brings along: DATABASE_URL with DATABASE_OWNER_URL, and REDIS_URL."""

from __future__ import annotations

from .console import StackError
from .variables import external_servers


def check_pairing() -> None:
    """Refuse a database without its owner's URL: migrations need it, and guessing it would be wrong."""
    database, owner, _ = external_servers()
    if bool(database) != bool(owner):
        given, lacking = ("DATABASE_URL", "DATABASE_OWNER_URL") if database else ("DATABASE_OWNER_URL", "DATABASE_URL")
        raise StackError(
            f"{given} is set but {lacking} is not: set both (runtime role and owner role of one database) or neither."
        )


def check_answers() -> None:
    """Refuse early, in one sentence, when a server named in the environment does not answer."""
    database, owner, redis_url = external_servers()
    for variable, url in (("DATABASE_URL", database), ("DATABASE_OWNER_URL", owner)):
        if url:
            _ask_database(variable, url)
    if redis_url:
        _ask_redis(redis_url)


def _ask_database(variable: str, url: str) -> None:
    import psycopg  # only inside .venv, and only for servers that are not ours

    try:
        psycopg.connect(url, connect_timeout=10).close()
    except psycopg.Error as error:
        reason = " ".join(str(error).split())
        raise StackError(
            f"The database of {variable} does not answer ({reason}): start it or correct the URL."
        ) from error


def _ask_redis(url: str) -> None:
    import redis

    try:
        client = redis.Redis.from_url(url, socket_connect_timeout=10)
        client.ping()
        client.close()
    except (redis.RedisError, ValueError) as error:
        raise StackError(f"The server of REDIS_URL does not answer ({error}): start it or correct the URL.") from error
