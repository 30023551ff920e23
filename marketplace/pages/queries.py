"""What the home page says about this site, and whether it can serve."""

import pkgutil
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import cast

from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from redis import Redis
from redis.exceptions import RedisError

from marketplace.accounts.models import Member
from marketplace.batches.models import Batch
from marketplace.batches.states import BatchState
from marketplace.common.database import rows
from marketplace.streams.queries import relay_waits_s
from workers.profiles.queries import worker_of


@dataclass(frozen=True)
class SiteState:
    """What runs here now; None where it could not be asked."""

    version: str
    database: str | None
    redis: str | None
    live_url: str
    open_batches: int | None


# Facts so late that nobody seems to relay any.
RELAY_UNSEEN_S = 30.0
# Whether the database was seen to have all of this release's migrations; none is taken back under a running process.
_migrated = False


@dataclass(frozen=True)
class Readiness:
    """Whether requests can be served now. Neither Redis nor the relay is needed for that: without them hints are lost
    and news comes late, and nothing else."""

    migrated: bool
    redis: bool
    relay: bool


def readiness() -> Readiness:
    """Ask every part; raises `DatabaseError` where the database does not answer."""
    database_version()
    if not migrated():
        return Readiness(False, redis_version() is not None, False)
    return Readiness(True, redis_version() is not None, relay_waits_s() <= RELAY_UNSEEN_S)


def migrated() -> bool:
    """Whether the database has every migration of this release. It is not asked again once it has."""
    global _migrated
    if not _migrated:
        known = "SELECT to_regclass('django_migrations') IS NOT NULL"
        applied = set(rows("SELECT app, name FROM django_migrations")) if rows(known)[0][0] else set()
        _migrated = not set(_migrations()) - applied
    return _migrated


def _migrations() -> list[tuple[str, str]]:
    """App and name of each; found by their files, for loading them takes a second."""
    found = []
    for app in apps.get_app_configs():
        module, _ = MigrationLoader.migrations_module(app.label)
        if module is None or app.models_module is None:
            continue
        try:
            package = import_module(module)
        except ModuleNotFoundError:
            continue
        names = [name for _, name, is_package in pkgutil.iter_modules(package.__path__) if not is_package]
        found += [(app.label, name) for name in names if name[0] not in "_~"]
    return found


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
    return " ".join(redis_named(facts))


def redis_named(facts: Mapping[str, str]) -> tuple[str, str]:
    """What the server behind REDIS_URL calls itself, and its version, by what it says of itself."""
    if "valkey_version" in facts:
        return "Valkey", facts["valkey_version"]
    return "Redis", facts["redis_version"]


def _version() -> str:
    try:
        return version("touchstone")
    except PackageNotFoundError:
        project = Path(settings.BASE_DIR) / "pyproject.toml"
        return str(tomllib.loads(project.read_text())["project"]["version"]) if project.exists() else "unknown"
