"""The containers' database as the site meets it: roles by postgres-roles.sh, PgBouncer by pgbouncer.ini, and all of the
API guide through both, on so few sessions that each serves many. Skips where there is no PgBouncer."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from deploy.stack.paths import ROOT, remove_temporary_sockets, socket_directory
from deploy.stack.postgres import APP, DATABASE, OWNER, STOP_PLAN, Postgres
from deploy.stack.privileges import service_user
from deploy.stack.processes import dies_with_us, stop
from tests.browser.market import own_redis
from tests.contracts.test_guides import run_guide
from tests.live.servers import serving, until
from tests.stack.harness import free_port

pytestmark = pytest.mark.stack
POOL = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
PASSWORDS = {"OWNER": "of-the-owner", "APP": "of-the-site", "BACKUP": "of-backups"}
SESSIONS = 4


@dataclass
class Database:
    """A cluster as the image makes it, and the pool before it."""

    port: int
    pool_port: int

    def url(self, role: str, port: int) -> str:
        password = PASSWORDS["OWNER" if role == OWNER else "APP"]
        return f"postgresql://{role}:{password}@127.0.0.1:{port}/{DATABASE}"

    @property
    def env(self) -> dict[str, str]:
        return {"DATABASE_URL": self.url(APP, self.pool_port), "DATABASE_OWNER_URL": self.url(OWNER, self.port)}


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    if POOL is None:
        pytest.skip("there is no PgBouncer here: deploy/pgbouncer.ini was not tried")
    folder = Path(tempfile.mkdtemp(prefix="ts-pool-"))
    folder.chmod(0o711)
    made = Database(free_port(), free_port())
    user = service_user(folder / "postgres")
    # As in compose.yaml, but for memory.
    settings = {"listen_addresses": "127.0.0.1", "port": str(made.port), "shared_buffers": "64MB"}
    server = Postgres(folder, socket_directory(folder, user.uid, user.gid), user, settings)
    server.prepare()
    (folder / "logs").mkdir()
    rules = folder / "pg_hba.conf"
    rules.write_text(f"{rules.read_text()}host all all 127.0.0.1/32 scram-sha-256\n")
    process = server.spawn()
    pool: subprocess.Popen[bytes] | None = None
    try:
        until(lambda: answers(server, made), 90)
        make_roles(server, made)
        pool = start_pool(folder, made)
        until(lambda: connects(made.url(APP, made.pool_port)), 30)
        yield made
    finally:
        if pool is not None:
            pool.terminate()
            pool.wait(20)
        stop(process, STOP_PLAN, asked=False)
        remove_temporary_sockets(folder)
        shutil.rmtree(folder, ignore_errors=True)


def answers(server: Postgres, made: Database) -> bool:
    return connects(f"postgresql://postgres@/postgres?host={server.sockets}&port={made.port}")


def connects(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def make_roles(server: Postgres, made: Database) -> None:
    """Run the image's script where nothing of ours is yet."""
    address = {"host": str(server.sockets), "port": made.port, "user": "postgres", "dbname": "postgres"}
    with psycopg.connect(**address, autocommit=True) as superuser:  # type: ignore[arg-type]
        superuser.execute(f"DROP DATABASE {DATABASE}")
        superuser.execute(f"DROP ROLE {OWNER}, {APP}")  # type: ignore[arg-type]
    env = {
        "PATH": f"{server.install / 'bin'}{os.pathsep}{os.defpath}",
        "PGHOST": str(server.sockets),
        "PGPORT": str(made.port),
        "PGDATA": str(server.data / "logs"),
        "POSTGRES_USER": "postgres",
        **{f"TOUCHSTONE_{name}_PASSWORD": password for name, password in PASSWORDS.items()},
    }
    done = subprocess.run(
        ["sh", str(ROOT / "deploy" / "postgres-roles.sh")], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "host replication touchstone_backup all scram-sha-256" in (server.data / "logs/pg_hba.conf").read_text()


def start_pool(folder: Path, made: Database) -> "subprocess.Popen[bytes]":
    """PgBouncer by our file, with the places of this machine in it and few sessions."""
    text = (ROOT / "deploy" / "pgbouncer.ini").read_text()
    users = folder / "users.txt"
    users.write_text(f'"{APP}" "{PASSWORDS["APP"]}"\n')
    for place, ours in {
        "host=postgres port=5432": f"host=127.0.0.1 port={made.port}",
        "listen_addr = *": "listen_addr = 127.0.0.1",
        "listen_port = 6432": f"listen_port = {made.pool_port}",
        "/etc/touchstone/users.txt": str(users),
    }.items():
        assert place in text, place
        text = text.replace(place, ours)
    text = re.sub(r"default_pool_size = \d+", f"default_pool_size = {SESSIONS}", text)
    text = re.sub(r"reserve_pool_size = \d+", "reserve_pool_size = 0", text)
    configured = folder / "pgbouncer.ini"
    configured.write_text(text)
    for path in (users, configured):
        path.chmod(0o644)
    user = service_user(folder / "postgres")
    drop: dict[str, Any] = {} if user.is_caller else {"user": user.uid, "group": user.gid, "extra_groups": []}
    argv = [str(POOL), str(configured)]
    with (folder / "logs" / "pool.log").open("wb") as log:
        return subprocess.Popen(argv, stdout=log, stderr=log, preexec_fn=dies_with_us(signal.SIGTERM), **drop)


def test_sessions_are_as_the_site_wants_them_though_the_pool_passes_nothing_on(database: Database) -> None:
    asked = "-c synchronous_commit=off -c statement_timeout=1"
    with psycopg.connect(database.url(APP, database.pool_port), options=asked) as session:
        names = ("synchronous_commit", "statement_timeout", "idle_in_transaction_session_timeout", "timezone")
        found = {name: session.execute(f"SHOW {name}").fetchone() for name in names}  # type: ignore[arg-type]
    assert {name: row and row[0] for name, row in found.items()} == {
        "synchronous_commit": "on",
        "statement_timeout": "1min",
        "idle_in_transaction_session_timeout": "10s",
        "timezone": "UTC",
    }


def test_the_whole_site_works_behind_the_pool(database: Database, tmp_path: Path) -> None:
    env = {**os.environ, **database.env, "DJANGO_SETTINGS_MODULE": "marketplace.settings.dev"}

    def manage(*argv: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *argv], env=env, cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    manage("migrate", "--database", "owner", "--no-input")
    key = json.loads(manage("staff_key", "--email", "staff@example.org").splitlines()[-1])["key"]
    own = own_redis()
    with redis.Redis.from_url(own) as client:
        client.flushdb()
    names = ("web", "live", "relay", "worker", "beat")
    with serving(DATABASE, tmp_path, *names, REDIS_URL=own, **database.env) as servers:
        run_guide(servers.web_url, key)
        at_once(lambda number: run_guide(servers.web_url, key, people=f"of{number}.example.org"), 4)
        said = "".join(servers.log(name) for name in names)

    assert "prepared statement" not in said
    assert "Traceback" not in said, said[-3000:]
    with psycopg.connect(database.url(OWNER, database.port)) as owner:
        row = owner.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = %s", [APP]).fetchone()
    assert row is not None
    assert row[0] <= SESSIONS
    assert json.loads(manage("check_promises", "--json").splitlines()[-1])["violations"] == 0


def at_once(work: Callable[[int], None], how_many: int) -> None:
    with ThreadPoolExecutor(how_many) as threads:
        list(threads.map(work, range(how_many)))
