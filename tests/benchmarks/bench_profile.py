"""Where the time of one steady cycle goes: the view in process, with cProfile, and every statement with its times.

    ./run bench profile [--tasks 10000] [--cycles 1000]

The WSGI application is called in this process by one thread: routing, middleware, authentication, parsing, SQL round
trips, commit and rendering are all there, only the socket and the server are not (`assign` has them). Three passes:
plain (milliseconds of the wall and of this process's and its backend's CPU), with every statement timed by this
process and by PostgreSQL's own log, and with cProfile. The time of functions of PL/pgSQL is from `track_functions`.
"""

import argparse
import cProfile
import io
import json
import os
import pstats
import re
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from tests.benchmarks import cpu
from tests.benchmarks.report import give, progress, table
from tests.benchmarks.seeding import VALUES, Market, SeededBatch, SeededWorker, analyze

DURATION = re.compile(r"duration: ([\d.]+) ms  (parse|bind|execute|statement)\b[^:]*: ?(.*)")
# Values that a client wrote into its statement.
LITERAL = re.compile(r"'(?:[^']|'')*'|(?<![\w$])-?\d+\b|'(?:[^']|'')*$")


class Cycler:
    """One worker's steady cycle through the WSGI application in this process."""

    def __init__(self, worker: SeededWorker, batch: SeededBatch) -> None:
        from marketplace.wsgi import application

        self._application = application
        self._key = worker.key
        self._batch = batch.public_id
        self._number = 0
        claimed = self._post(f"/api/v1/worker/batches/{batch.public_id}/claim", {"count": 1})
        self._lease = claimed["assignments"][0]

    def cycle(self) -> None:
        """Submit the answer of the lease that is held, and claim the next."""
        answer = {"assignment": self._lease["id"], "token": self._lease["token"], "values": VALUES}
        asked = {"answers": [answer], "then_claim": {"batch": self._batch, "count": 1}}
        self._lease = self._post("/api/v1/worker/submissions", asked)["claimed"][0]

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        raw = json.dumps(body).encode()
        self._number += 1
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": path,
            "SCRIPT_NAME": "",
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "localhost",
            "HTTP_AUTHORIZATION": f"Bearer {self._key}",
            "HTTP_IDEMPOTENCY_KEY": f"profile-{os.getpid()}-{self._number}",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(raw)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(raw),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        status: list[str] = []
        response = self._application(environ, lambda line, headers, _=None: status.append(line))
        content = b"".join(response)
        if hasattr(response, "close"):
            response.close()
        if not status[0].startswith("2"):
            raise RuntimeError(f"{status[0]} {content[:500]!r}")
        return dict(json.loads(content))


def backend_pid() -> int:
    from marketplace.common.database import value

    return int(value("SELECT pg_backend_pid()"))


def timed(cycles: int, cycle: Callable[[], None]) -> dict[str, float]:
    """Milliseconds a cycle: wall, this process, its backend."""
    backend = backend_pid()
    cpu_before, backend_before = time.process_time(), cpu.of_process(backend)
    taken = []
    for _ in range(cycles):
        began = time.perf_counter()
        cycle()
        taken.append(time.perf_counter() - began)
    return {
        "wall_ms": round(1000 * statistics.median(taken), 3),
        "python_cpu_ms": round(1000 * (time.process_time() - cpu_before) / cycles, 3),
        "backend_cpu_ms": round(1000 * (cpu.of_process(backend) - backend_before) / cycles, 3),
    }


class Statements:
    """Every statement of a request with the time that this process waits for it, BEGIN and COMMIT included."""

    def __init__(self) -> None:
        self.taken: dict[str, list[float]] = defaultdict(list)
        self.order: list[str] = []

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        began = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            self._note(shortened(sql), time.perf_counter() - began)

    def _note(self, sql: str, seconds: float) -> None:
        if sql not in self.taken:
            self.order.append(sql)
        self.taken[sql].append(seconds)

    def measure(self, cycles: int, cycle: Callable[[], None]) -> list[dict[str, Any]]:
        from django.db import connection

        commit = connection._commit

        def timed_commit() -> Any:
            began = time.perf_counter()
            try:
                return commit()
            finally:
                self._note("COMMIT", time.perf_counter() - began)

        connection._commit = timed_commit  # type: ignore[method-assign]
        try:
            with connection.execute_wrapper(self):
                for _ in range(cycles):
                    cycle()
        finally:
            del connection._commit
        return [
            {
                "statement": sql,
                "per_cycle": round(len(self.taken[sql]) / cycles, 2),
                "ms_each": round(1000 * statistics.median(self.taken[sql]), 3),
                "ms_per_cycle": round(1000 * sum(self.taken[sql]) / cycles, 3),
            }
            for sql in self.order
        ]


def shortened(sql: str, length: int = 150) -> str:
    """A statement as one short line."""
    text = " ".join(sql.split())
    return text if len(text) <= length else text[: length - 2] + " …"


class ServerSide:
    """What PostgreSQL itself says: statements by its log, functions by `track_functions`."""

    def __init__(self) -> None:
        from django.conf import settings

        self._log = Path(os.environ["TOUCHSTONE_DATA"]) / "logs" / "postgres.log"
        self._super = psycopg.connect(settings.DATABASE_OWNER_URL, user="postgres", autocommit=True)

    def measure(self, cycles: int, cycle: Callable[[], None]) -> dict[str, Any]:
        """Statements and functions over these cycles, in milliseconds a cycle."""
        from django.db import connection

        for setting in ("log_min_duration_statement = 0", "track_functions = 'all'"):
            self._super.execute(f"ALTER SYSTEM SET {setting}")
        self._super.execute("SELECT pg_reload_conf()")
        connection.close()
        time.sleep(0.5)
        cycle()
        self._super.execute("SELECT pg_stat_reset()")
        place = self._log.stat().st_size
        backend = backend_pid()
        for _ in range(cycles):
            cycle()
        connection.close()
        time.sleep(0.5)
        functions = self._super.execute(
            "SELECT funcname, calls, total_time, self_time FROM pg_stat_user_functions ORDER BY self_time DESC"
        ).fetchall()
        for setting in ("log_min_duration_statement", "track_functions"):
            self._super.execute(f"ALTER SYSTEM RESET {setting}")
        self._super.execute("SELECT pg_reload_conf()")
        return {"statements": self._statements(place, backend, cycles), "functions": _functions(functions, cycles)}

    def _statements(self, place: int, backend: int, cycles: int) -> list[dict[str, Any]]:
        sums: dict[str, dict[str, float]] = {}
        with self._log.open(encoding="utf-8", errors="replace") as log:
            log.seek(place)
            entries = re.split(r"\n(?=\d{4}-\d\d-\d\d )", log.read())
        for entry in entries:
            found = DURATION.search(entry.replace("\n", " ")) if f"[{backend}]" in entry else None
            if found:
                step = "execute" if found[2] == "statement" else found[2]
                text = shortened(LITERAL.sub("?", found[3]))
                row = sums.setdefault(text, {"parse": 0.0, "bind": 0.0, "execute": 0.0})
                row[step] += float(found[1]) / cycles
        rows = [{"statement": sql, **{f"{k}_ms": round(v, 4) for k, v in row.items()}} for sql, row in sums.items()]
        return sorted(rows, key=lambda row: -sum(v for v in row.values() if isinstance(v, float)))


def _functions(found: list[tuple[Any, ...]], cycles: int) -> list[dict[str, Any]]:
    return [
        {
            "function": name,
            "calls_per_cycle": round(calls / cycles, 2),
            "total_ms": round(total / cycles, 4),
            "self_ms": round(own / cycles, 4),
        }
        for name, calls, total, own in found
        if calls >= cycles / 10
    ]


def python_side(cycles: int, cycle: Callable[[], None], top: int) -> str:
    """cProfile's tables by cumulative and by own time, in milliseconds a cycle under the profiler."""
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(cycles):
        cycle()
    profiler.disable()
    stats: Any = pstats.Stats(profiler)
    parts = []
    for title, column in (("cumulative", 3), ("self", 2)):
        ordered = sorted(stats.stats.items(), key=lambda item: -item[1][column])[:top]
        rows = [
            (
                f"{1000 * entry[3] / cycles:.3f}",
                f"{1000 * entry[2] / cycles:.3f}",
                round(entry[1] / cycles, 1),
                _named(where),
            )
            for where, entry in ordered
        ]
        parts.append(f"\nTop {top} by {title} time\n\n" + table(["cum ms", "self ms", "calls", "function"], rows))
    return "\n".join(parts)


def _named(where: tuple[str, int, str]) -> str:
    file, line, name = where
    short = re.sub(r".*/(site-packages|python3\.\d+)/", "", file).replace(os.getcwd() + "/", "")
    root = str(Path(__file__).resolve().parents[2]) + "/"
    return f"{short.replace(root, '')}:{line} {name}" if line else name


def main(argv: list[str]) -> int:
    """Run the command; its exit code."""
    parser = argparse.ArgumentParser(prog="./run bench profile", description=__doc__.partition("\n")[0])
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--cycles", type=int, default=1_000)
    parser.add_argument("--top", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(argv)
    market = Market()
    progress(f"Seeding {asked.tasks:,} tasks …")
    batch = market.batch(asked.tasks)
    analyze()
    cycler = Cycler(market.workers(1)[0], batch)
    for _ in range(200):
        cycler.cycle()
    progress("Timing cycles …")
    plain = timed(asked.cycles, cycler.cycle)
    statements = Statements().measure(asked.cycles, cycler.cycle)
    server = ServerSide().measure(asked.cycles, cycler.cycle)
    profile = python_side(asked.cycles, cycler.cycle, asked.top)
    results = {"tasks": asked.tasks, "cycles": asked.cycles, "cycle": plain, "statements": statements, "server": server}
    text = "\n\n".join(
        [
            "One steady cycle in process (no socket, no server): " + json.dumps(plain),
            "Statements as this process waits for them\n\n"
            + table(
                ["ms/cycle", "n", "ms each", "statement"],
                [(s["ms_per_cycle"], s["per_cycle"], s["ms_each"], s["statement"]) for s in statements],
            )
            + f"\n\nsum {sum(s['ms_per_cycle'] for s in statements):.3f} ms in"
            f" {sum(s['per_cycle'] for s in statements):.1f} statements",
            "Statements as PostgreSQL's log times them, ms a cycle\n\n"
            + table(
                ["parse", "bind", "execute", "statement"],
                [(s["parse_ms"], s["bind_ms"], s["execute_ms"], s["statement"]) for s in server["statements"]],
            ),
            "Functions in PostgreSQL, ms a cycle\n\n"
            + table(
                ["calls", "total", "self", "function"],
                [(f["calls_per_cycle"], f["total_ms"], f["self_ms"], f["function"]) for f in server["functions"]],
            ),
            f"Python under cProfile ({asked.cycles} cycles; the profiler itself makes calls dearer)" + profile,
        ]
    )
    give(results, text, as_json=asked.json)
    return 0
