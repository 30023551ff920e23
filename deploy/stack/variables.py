"""What a running stack is (`stack.json`) and the environment variables that its processes read."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from .environment import VENV
from .site import HOST

RUNTIME_FILE = "stack.json"
# A shell that is set up for some other database must not redirect ours.
LIBPQ = ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGSERVICE", "PGOPTIONS", "PGSSLMODE")


@dataclass(frozen=True)
class Stack:
    """Everything that another ./run needs in order to join. Written once the stack is ready."""

    command: str
    pid: int
    data: str
    database_url: str
    database_owner_url: str
    redis_url: str
    sockets: str | None = None
    web_port: int | None = None
    live_port: int | None = None

    @property
    def has_site(self) -> bool:
        """Whether web and live run, not only the database and Valkey."""
        return self.web_port is not None

    @property
    def base_url(self) -> str:
        """Where people and programs reach the site."""
        return f"http://{HOST}:{self.web_port}"

    def write(self) -> None:
        """Publish this stack to other ./run of the same data directory. The URLs may hold passwords: mode 0600."""
        path = Path(self.data) / RUNTIME_FILE
        partial = path.with_name(path.name + ".new")
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(asdict(self), file, indent=1)
        partial.replace(path)

    @staticmethod
    def read(data: Path) -> Stack | None:
        """The stack that was published there last; whether it still lives is the caller's question."""
        try:
            return Stack(**json.loads((data / RUNTIME_FILE).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    @staticmethod
    def forget(data: Path) -> None:
        """Take the published stack back."""
        (data / RUNTIME_FILE).unlink(missing_ok=True)


def secret_key(data: Path) -> str:
    """SECRET_KEY from the environment, else one made once for this data directory."""
    given = os.environ.get("SECRET_KEY")
    if given:
        return given
    path = data / "secret_key"
    if not path.exists():
        partial = path.with_name(path.name + ".new")
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48))
        partial.replace(path)
    return path.read_text(encoding="ascii")


def for_children(stack: Stack, *, settings: str) -> dict[str, str]:
    """The environment of every process of ours that loads Django."""
    data = Path(stack.data)
    env = dict(os.environ)
    if not os.environ.get("DATABASE_URL"):
        for name in LIBPQ:
            env.pop(name, None)
    env.update(
        DATABASE_URL=stack.database_url,
        DATABASE_OWNER_URL=stack.database_owner_url,
        REDIS_URL=stack.redis_url,
        SECRET_KEY=secret_key(data),
        TOUCHSTONE_DATA=stack.data,
        DJANGO_SETTINGS_MODULE=settings,
        PYTHONUNBUFFERED="1",
        VIRTUAL_ENV=str(VENV),
        PATH=f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    )
    if stack.has_site:
        env.update(TOUCHSTONE_PORT=str(stack.web_port), TOUCHSTONE_LIVE_PORT=str(stack.live_port))
        env.setdefault("TOUCHSTONE_LIVE_URL", f"ws://{HOST}:{stack.live_port}")
        pages = [f"http://{host}:{stack.web_port}" for host in ("localhost", HOST)]
        env.setdefault("TOUCHSTONE_LIVE_ORIGINS", ",".join(pages))
    return env


def external_servers(environ: Mapping[str, str] = os.environ) -> tuple[str, str, str]:
    """DATABASE_URL, DATABASE_OWNER_URL and REDIS_URL as given; empty where the embedded server is wanted."""
    return environ.get("DATABASE_URL", ""), environ.get("DATABASE_OWNER_URL", ""), environ.get("REDIS_URL", "")
