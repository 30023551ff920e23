"""Migrating as the owner, skipped when nothing can be pending."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from .console import StackError, Steps
from .environment import PYTHON
from .paths import ROOT
from .postgres import DATABASE, OWNER
from .processes import last_words, open_log
from .supervisor import Supervisor
from .variables import Stack
from .wire import NoAnswer, ask_postgres

APPLIED = (
    "SELECT count(*), coalesce(max(id), 0), (SELECT system_identifier FROM pg_control_system()) FROM django_migrations"
)


def migrate(supervisor: Supervisor, stack: Stack, env: dict[str, str], steps: Steps) -> None:
    """Bring the database up to date: at once when files and database are as the last migration left them."""
    remembered = Path(stack.data) / "migrated.json"
    wanted = {"files": _fingerprint(), "database": _applied(stack)}
    if wanted["database"] is not None and _read(remembered) == wanted:
        steps.next("the database is up to date")
        return
    steps.next("migrating the database …")
    log = Path(stack.data) / "logs" / "migrate.log"
    with open_log(log) as output:
        argv: list[str | Path] = [
            PYTHON,
            ROOT / "manage.py",
            "migrate",
            "--database",
            "owner",
            "--no-input",
            "--verbosity",
            "1",
        ]
        code = supervisor.foreground(argv, env=env, cwd=ROOT, output=output)
    if code != 0:
        supervisor.refuse_if_stopped()
        words = "\n".join("    " + line for line in last_words(log, 12).splitlines())
        raise StackError(f"The migration failed; whole output in {log}:\n{words}")
    remembered.write_text(json.dumps({**wanted, "database": _applied(stack)}), encoding="utf-8")


def _applied(stack: Stack) -> list[str | None] | None:
    """What the embedded database knows of its migrations; None for a foreign one, which is always asked by Django."""
    if stack.sockets is None or not stack.database_owner_url.startswith(f"postgresql://{OWNER}@/"):
        return None
    try:
        return ask_postgres(Path(stack.sockets), APPLIED, user=OWNER, database=DATABASE)[0]
    except (NoAnswer, IndexError):
        return None


def _fingerprint() -> str:
    """A digest of all that a migration comes from: its files, the command, settings, installed versions."""
    digest = hashlib.sha256()
    files = [ROOT / "requirements.lock", ROOT / "marketplace/common/management/commands/migrate.py"]
    for root in ("marketplace", "workers"):
        for folder, _, names in os.walk(ROOT / root):
            if Path(folder).name in ("migrations", "settings", "sql"):
                files += [Path(folder) / name for name in names if not name.endswith(".pyc")]
    for file in sorted(files):
        if file.exists():
            digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
