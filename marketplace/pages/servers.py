"""How the servers behind the site are: PostgreSQL, Redis and Celery, asked now and briefly."""

from dataclasses import dataclass
from typing import cast

from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError

from marketplace.celery import app
from marketplace.common.database import one
from marketplace.common.sweeps import parked_sweeps, runs_now
from marketplace.pages.queries import redis_named

PING_S = 0.5


@dataclass(frozen=True)
class Postgres:
    """The database server; the connections are those of all its databases."""

    version: str
    size_bytes: int
    connections: int
    connections_max: int
    hit_share: float | None


@dataclass(frozen=True)
class Valkey:
    """The Redis-protocol server, by the `name` that it gives itself; `queued` is how many tasks wait in Celery's
    queue."""

    name: str
    version: str
    used_bytes: int
    clients: int
    queued: int


@dataclass(frozen=True)
class Sweeps:
    """The background workers: how many answered a call now, how many sweeps run, and which are parked."""

    workers: int | None
    running: int
    parked: list[str]


@dataclass(frozen=True)
class Servers:
    """All of them; None for one that does not answer."""

    postgres: Postgres
    redis: Valkey | None
    celery: Sweeps


def servers() -> Servers:
    """Ask every server; raises `DatabaseError` where the database does not answer."""
    return Servers(_postgres(), _redis(), _celery())


def _postgres() -> Postgres:
    row = one(
        "SELECT current_setting('server_version'), pg_database_size(current_database()),"
        " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),"
        " current_setting('max_connections')::integer,"
        " (SELECT blks_hit::float8 / nullif(blks_hit + blks_read, 0) FROM pg_stat_database"
        "   WHERE datname = current_database())"
    )
    assert row is not None
    version, *facts = row
    return Postgres(version.split()[0], *facts)


def _redis() -> Valkey | None:
    try:
        with Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1) as server:
            facts = cast(dict[str, str], server.info())
            queued = cast(int, server.llen(app.conf.task_default_queue))
    except (RedisError, OSError):
        return None
    return Valkey(*redis_named(facts), int(facts["used_memory"]), int(facts["connected_clients"]), queued)


def _celery() -> Sweeps:
    try:
        answered: int | None = len(app.control.ping(timeout=PING_S))
    except Exception:
        # The broker's client knows many ways not to be reached; all say the same.
        answered = None
    return Sweeps(answered, runs_now(), parked_sweeps())
