"""The system's PostgreSQL, for a peer that needs extensions which the embedded one does not carry."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from deploy.stack.privileges import service_user
from deploy.stack.processes import dies_with_us
from tests.benchmarks.serving import data_directory, last_words

# As for the embedded server in a benchmark.
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "300",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
}
PLACES = "/usr/lib/postgresql/*/bin"


class NoSystemPostgres(Exception):
    """There is none with the extensions that are needed."""


class SystemPostgres:
    """A cluster of the system's PostgreSQL in the data directory, reached by a socket."""

    def __init__(self, binaries: Path, sockets: Path, pid: int) -> None:
        self.version = binaries.parent.name
        self.sockets = sockets
        self.pid = pid

    def create(self, database: str) -> None:
        """An empty database."""
        with psycopg.connect(host=str(self.sockets), user="postgres", dbname="postgres", autocommit=True) as boss:
            boss.execute(f'CREATE DATABASE "{database}"')

    @staticmethod
    @contextmanager
    def started() -> "Iterator[SystemPostgres]":
        """Make and run a cluster until the block ends. Raises `NoSystemPostgres`."""
        found = [
            place
            for place in sorted(Path("/").glob(PLACES.lstrip("/")), key=lambda path: float(path.parent.name))
            if (Path("/usr/share/postgresql") / place.parent.name / "extension" / "btree_gin.control").exists()
        ]
        if not found:
            raise NoSystemPostgres(f"no PostgreSQL with pg_trgm and btree_gin in {PLACES} (apt install postgresql)")
        binaries = found[-1]
        user = service_user(data_directory() / "postgres")
        folder = data_directory() / "system-postgres"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(folder, user.uid, user.gid)
        as_user = {} if user.is_caller else {"user": user.uid, "group": user.gid, "extra_groups": []}
        argv = [binaries / "initdb", "-D", folder / "cluster", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8"]
        argv += ["--auth=trust"]
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, cwd="/", **as_user)  # type: ignore[call-overload]
        argv = [binaries / "postgres", "-D", folder / "cluster", "-k", folder]
        argv += [part for name, text in SETTINGS.items() for part in ("-c", f"{name}={text}")]
        log = data_directory() / "logs" / "system-postgres.log"
        with log.open("ab") as output:
            process = subprocess.Popen(  # type: ignore[call-overload]
                argv,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=dies_with_us(signal.SIGINT),
                **as_user,
            )
        try:
            made = SystemPostgres(binaries, folder, process.pid)
            made._wait(process, log)
            yield made
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            shutil.rmtree(folder, ignore_errors=True)

    def _wait(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        for _ in range(300):
            try:
                psycopg.connect(host=str(self.sockets), user="postgres", dbname="postgres").close()
            except psycopg.OperationalError:
                if process.poll() is not None:
                    break
                time.sleep(0.1)
            else:
                return
        raise RuntimeError(f"the system's PostgreSQL did not start:\n{last_words(log)}")
