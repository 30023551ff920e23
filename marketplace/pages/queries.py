"""What the home page says about this site."""

import tomllib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import cast

from django.conf import settings
from django.db import DatabaseError, connection
from redis import Redis
from redis.exceptions import RedisError

from marketplace.accounts.models import Member
from marketplace.batches.models import Batch
from marketplace.batches.states import BatchState
from workers.profiles.queries import worker_of


@dataclass(frozen=True)
class SiteState:
    """What runs here now; None where it could not be asked."""

    version: str
    database: str | None
    redis: str | None
    live_url: str
    open_batches: int | None


def site_state() -> SiteState:
    """Ask every part; one that does not answer is told as such and stops nothing."""
    try:
        database, open_batches = database_version(), Batch.objects.filter(state=BatchState.PUBLISHED).count()
    except DatabaseError:
        database, open_batches = None, None
    return SiteState(_version(), database, redis_version(), settings.LIVE_URL, open_batches)


def is_worker(user_id: int) -> bool:
    """Whether the person does paid work here."""
    return worker_of(user_id) is not None


def is_member(user_id: int) -> bool:
    """Whether the person works for an organisation that posts work."""
    return Member.objects.filter(user_id=user_id).exists()


def database_version() -> str:
    """The server's version, by a round trip to it; raises `DatabaseError`."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        (number,) = cursor.fetchone()
    return f"PostgreSQL {number.split()[0]}"


def redis_version() -> str | None:
    """The version of the server behind REDIS_URL, or None if it does not answer within a second."""
    try:
        with Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1) as server:
            facts = cast(dict[str, str], server.info("server"))
    except (RedisError, OSError):
        return None
    if "valkey_version" in facts:
        return f"Valkey {facts['valkey_version']}"
    return f"Redis {facts['redis_version']}"


def _version() -> str:
    try:
        return version("touchstone")
    except PackageNotFoundError:
        project = Path(settings.BASE_DIR) / "pyproject.toml"
        return str(tomllib.loads(project.read_text())["project"]["version"]) if project.exists() else "unknown"
