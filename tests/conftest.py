"""Tests run on real servers as the runtime role.

A template database is migrated once by the owner; every test process gets a clone of it, and a test that needs real
commits gets a clone of its own (`committed`), because append-only tables cannot be truncated. In the template
`market_now()` is replaced, so that `clock` can move time.
"""

import hashlib
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import hypothesis
import psycopg
import pytest
from django.conf import settings
from django.core.cache import caches
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.db.migrations.migration import Migration
from django.db.migrations.state import ProjectState
from psycopg import sql
from whitenoise.middleware import WhiteNoiseMiddleware

from marketplace.common import limits
from marketplace.common.database import value

ROOT = Path(__file__).resolve().parents[1]
# Databases are made beside the tests, by a thread that must not meet settings which a test is just changing.
OWNER_URL = settings.DATABASE_OWNER_URL

# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile(
    "touchstone", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("touchstone")

CLOCK = """
CREATE TABLE test_clock (shift interval NOT NULL);
INSERT INTO test_clock VALUES ('0');
GRANT SELECT, UPDATE ON test_clock TO PUBLIC;
CREATE OR REPLACE FUNCTION market_now() RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE SECURITY DEFINER
    SET search_path = public AS 'SELECT clock_timestamp() + (SELECT shift FROM test_clock)';
"""

# Tests make staff within transactions that no other connection sees into. So their login may do by itself what the
# console does as the owner; the role whose rights the program has, `touchstone_runtime`, may not, and tests show it.
CONSOLE = """
GRANT EXECUTE ON FUNCTION accounts_give_role(bigint, text, bigint, text), accounts_take_role(bigint, text, bigint, text)
    TO {}
"""

django_mutate_state = Migration.mutate_state

UNTOLD = """
SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
 WHERE t.tgname LIKE 'told%' AND NOT t.tgisinternal
"""


class ToldAtOnce:
    """Names what failed and why as soon as it is known: a run that is ended from outside shows it too."""

    def __init__(self, terminal: Any) -> None:
        self.terminal = terminal

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            why = (crash.message if crash else report.longreprtext)[:400]
            self.terminal.write_line(f"\n{report.nodeid} ({report.when}, {report.duration:.0f} s): {why}", red=True)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    # A test that does all of it in one transaction may think for longer, on a busy machine, than the site ever does.
    options = connections.settings["default"]["OPTIONS"]
    options["options"] = re.sub(r"(idle_in_transaction_session_timeout)=\w+", r"\1=60s", options["options"])
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(ToldAtOnce(terminal))


@contextmanager
def owner_connection(database: str | None = None, user: str | None = None) -> Iterator[psycopg.Connection[Any]]:
    """A connection as the owner role (or as `user`), in autocommit, to the named database or to the owner's own."""
    other = {name: given for name, given in (("dbname", database), ("user", user)) if given}
    with psycopg.connect(OWNER_URL, autocommit=True, **other) as made:  # type: ignore[arg-type]
        yield made


def _schema_digest() -> str:
    digest = hashlib.sha256((CLOCK + CONSOLE).encode() + repr(settings.INSTALLED_APPS).encode())
    command = ROOT / "marketplace/common/management/commands/migrate.py"
    for path in [*sorted(ROOT.glob("*/*/migrations/*.py")), command, ROOT / "requirements.lock"]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _create(name: str, template: str) -> None:
    with owner_connection() as owner:
        owner.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))


def _drop(name: str) -> None:
    with owner_connection() as owner:
        for patience in range(11, -1, -1):
            try:
                # Without FORCE: the owner may not end the runtime role's connections, and waits 5 s for their end.
                owner.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
                return
            except psycopg.errors.ObjectInUse:
                if not patience:
                    raise


@contextmanager
def _using(name: str) -> Iterator[None]:
    """Point the default connection, of this thread and of every one to come, at a database. The connection from before
    stays open beside it, with the transaction that it may be in."""
    before, kept = connections.databases["default"]["NAME"], connections["default"]
    connections.databases["default"]["NAME"] = name
    connections["default"] = connections.create_connection("default")
    try:
        yield
    finally:
        connections["default"].close()
        connections.databases["default"]["NAME"] = before
        connections["default"] = kept


def _unrendered(migration: Migration, project_state: ProjectState, preserve: bool = True) -> ProjectState:
    """`Migration.mutate_state` that forgets the rendered models first. Django would render all that a migration touches
    anew after each of its operations, also of the migrations of other apps that are not run; so the executor renders
    them once, for each migration that it runs."""
    state = project_state.clone() if preserve else project_state
    state.__dict__.pop("apps", None)
    return django_mutate_state(migration, state, preserve=False)


@contextmanager
def _migrating(database: str) -> Iterator[Any]:
    """The owner's connection, by which Django migrates, pointed at a database."""
    migrator = connections["owner"]
    before = migrator.settings_dict["NAME"]
    migrator.close()
    migrator.settings_dict["NAME"] = database
    try:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Migration, "mutate_state", _unrendered)
            yield migrator
    finally:
        migrator.close()
        migrator.settings_dict["NAME"] = before


@pytest.fixture(scope="session")
def template(django_db_blocker: Any) -> str:
    """The migrated template; made once for each state of the migrations and kept for the next run."""
    name = f"touchstone_template_{_schema_digest()}"
    with owner_connection() as owner:
        owner.execute("SELECT pg_advisory_lock(hashtextextended('touchstone_template', 0))")
        if not owner.execute("SELECT 1 FROM pg_database WHERE datname = %s AND datistemplate", [name]).fetchone():
            _drop(name)
            owner.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            with django_db_blocker.unblock(), _migrating(name):
                call_command("migrate", database="owner", verbosity=0)
            with owner_connection(name) as made:
                made.execute(CLOCK)
                made.execute(sql.SQL(CONSOLE).format(sql.Identifier(settings.RUNTIME_LOGIN)))
            owner.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE true").format(sql.Identifier(name)))
    return name


@pytest.fixture(scope="session")
def django_db_setup(template: str, django_db_blocker: Any) -> Iterator[None]:
    """The database of this test process: a clone of the template."""
    name = f"test_{os.getpid()}_{uuid4().hex[:6]}"
    _create(name, template)
    with django_db_blocker.unblock(), _using(name):
        yield
    _drop(name)


class Databases:
    """Databases for tests that commit. The next one is made, and those behind are dropped, beside the tests: the disk
    takes most of a second for each, in which a test can run."""

    def __init__(self, template: str) -> None:
        self._template = template
        self._making, self._dropping = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        self._next: Future[str] | None = None
        self._dropped: list[Future[None]] = []

    @contextmanager
    def one(self) -> Iterator[str]:
        """A fresh one for the length of the block; its name."""
        ready = self._next or self._making.submit(self._made)
        self._next = self._making.submit(self._made)
        name = ready.result()
        try:
            yield name
        finally:
            self._dropped.append(self._dropping.submit(_drop, name))

    def close(self) -> None:
        """Wait until none is left."""
        if self._next is not None:
            _drop(self._next.result())
        for dropped in self._dropped:
            dropped.result()
        self._making.shutdown()
        self._dropping.shutdown()

    def _made(self) -> str:
        name = f"test_{os.getpid()}_{uuid4().hex[:6]}"
        _create(name, self._template)
        return name


@pytest.fixture(scope="session")
def databases(template: str) -> Iterator[Databases]:
    """Where tests that commit get theirs from."""
    made = Databases(template)
    yield made
    made.close()


@contextmanager
def own_database(databases: Databases, blocker: Any) -> Iterator[str]:
    """A database for real commits and many connections, for the length of the block; its name."""
    with databases.one() as name, blocker.unblock(), _using(name):
        yield name


@pytest.fixture
def committed(databases: Databases, django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    """A database of this test's own, for real commits and many connections; its name."""
    with own_database(databases, django_db_blocker) as name:
        yield name


@pytest.fixture(scope="module")
def staged(databases: Databases, django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """For fixtures of a module that cost much: a database for its tests, in which what is committed stands at the
    beginning of each. No transaction is open from one test to the next, since sealing would wait for it."""
    with own_database(databases, django_db_blocker):
        yield


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where the browser is; skips where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("there is no Chromium here")
    return found


@pytest.fixture
def untold(request: pytest.FixtureRequest) -> Iterator[None]:
    """For raw statements that probe other walls than R21: what they change has no event. Within a test's transaction
    they are rolled back unasked; for what is committed, the triggers that ask for events are taken off."""
    if "committed" in request.fixturenames:
        with owner_connection(request.getfixturevalue("committed")) as owner:
            for table, trigger in owner.execute(UNTOLD).fetchall():
                owner.execute(
                    sql.SQL("ALTER TABLE {} DISABLE TRIGGER {}").format(*map(sql.Identifier, (table, trigger)))
                )
        yield
    else:
        request.getfixturevalue("db")
        yield
        transaction.set_rollback(True)


@pytest.fixture
def as_owner(committed: str) -> Iterator[psycopg.Connection[Any]]:
    """The committed database as its owner sees it, for attacks and for mutants."""
    with owner_connection(committed) as owner:
        yield owner


@pytest.fixture
def migrator(committed: str) -> Iterator[Any]:
    """The owner's connection, by which Django migrates, pointed at this test's database."""
    with _migrating(committed) as owner:
        yield owner


def older_ended() -> None:
    """Wait until every transaction has ended that is older than a transfer, even one of another test's database beside
    this one: before that nothing is sealed."""
    behind = "SELECT bool_and(xid < pg_snapshot_xmin(pg_current_snapshot())) FROM ledger_transfer"
    for _moment in range(4_000):
        if value(behind) is not False:
            return
        time.sleep(0.05)
    raise AssertionError("a transaction runs for minutes")


@pytest.fixture
def clock() -> Callable[[timedelta], None]:
    """Move the market's clock forward by a time; every deadline and fence sees it."""

    def forward(by: timedelta) -> None:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE test_clock SET shift = shift + %s", [by])

    return forward


@pytest.fixture
def together() -> Callable[..., list[Any]]:
    """Run functions at once, each in a thread with a connection of its own; results or exceptions, in order."""

    def run(functions: list[Callable[[], Any]]) -> list[Any]:
        start = threading.Barrier(len(functions))

        def one(function: Callable[[], Any]) -> Any:
            try:
                connection.ensure_connection()
                start.wait(timeout=60)
                return function()
            except Exception as error:
                return error
            finally:
                connections.close_all()

        with ThreadPoolExecutor(len(functions)) as pool:
            return list(pool.map(one, functions))

    return run


@pytest.fixture(scope="session", autouse=True)
def static_files() -> Iterator[None]:
    """What lies under /static/ is found once, not for every client of a test: that took most of its first request."""
    found: dict[str, Any] = {}
    find = WhiteNoiseMiddleware.add_files_from_finders

    def known(self: Any) -> None:
        if not found:
            find(self)
            found.update(self.files)
        self.files = found

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(WhiteNoiseMiddleware, "add_files_from_finders", known)
        yield


@pytest.fixture(autouse=True)
def own_limits(settings: Any) -> None:
    """Each test has the limits to itself, ours and those of the sign-in library: they are counted in Redis, which all
    tests share, and by primary keys, which are the same in each database."""
    settings.LIMITS_PREFIX = f"test-{uuid4().hex}"
    limits.windows.cache_clear()
    caches["default"].key_prefix = settings.LIMITS_PREFIX


@pytest.fixture(scope="session")
def crowds() -> Path:
    """The folder of recorded crowds; skips where there is none."""
    folder = os.environ.get("TOUCHSTONE_CROWDS")
    if not folder:
        pytest.skip("TOUCHSTONE_CROWDS names no folder of recorded crowds")
    return Path(folder)
