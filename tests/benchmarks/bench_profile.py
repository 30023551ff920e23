"""Where the time of one steady cycle goes: the view in process, with cProfile, and every statement with its times.

    ./run bench profile [--tasks 10000] [--cycles 1000]

The WSGI application is called in this process by one thread: routing, middleware, authentication, parsing, SQL round
trips, commit and rendering are all there, only the socket and the server are not (`assign` has them). Three passes:
plain (milliseconds of the wall and of this process's and its backend's CPU), with every statement timed by this
process and by PostgreSQL's own log, and with cProfile. The time of functions of PL/pgSQL is from `track_functions`.
"""

import argparse
import cProfile
import json
import os
import pstats
import re
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from tests.benchmarks import cpu
from tests.benchmarks.in_process import Cycler, every_statement, shortened
from tests.benchmarks.report import give, progress, table
from tests.benchmarks.seeding import Market, analyze

DURATION = re.compile(r"duration: ([\d.]+) ms  (parse|bind|execute|statement)\b[^:]*: ?(.*)")
# Values that a client wrote into its statement.
LITERAL = re.compile(r"'(?:[^']|'')*'|(?<![\w$])-?\d+\b|'(?:[^']|'')*$")


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


def statement_times(cycles: int, cycle: Callable[[], None]) -> list[dict[str, Any]]:
    """Every statement of a request with the time that this process waits for it, COMMIT included."""
    taken: dict[str, list[float]] = defaultdict(list)

    def note(sql: str, params: Any, execute: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        try:
            return execute()
        finally:
            taken[shortened(sql)].append(time.perf_counter() - began)

    with every_statement(note):
        for _ in range(cycles):
            cycle()
    return [
        {
            "statement": sql,
            "per_cycle": round(len(times) / cycles, 2),
            "ms_each": round(1000 * statistics.median(times), 3),
            "ms_per_cycle": round(1000 * sum(times) / cycles, 3),
        }
        for sql, times in taken.items()
    ]


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


def server_symbols(seconds: float, cycle: Callable[[], None], top: int = 40) -> str:
    """Where the back end's processor time goes, by symbol, where `perf` is installed and allowed."""
    perf = shutil.which("perf")
    if perf is None:
        return "perf is not installed, so there are no symbols of PostgreSQL."
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/perf.data"
        argv = [perf, "record", "-q", "-F", "999", "-p", str(backend_pid()), "-o", file]
        recording = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and recording.poll() is None:
            cycle()
        recording.send_signal(signal.SIGINT)
        recording.wait()
        argv = [perf, "report", "-i", file, "--stdio", "--no-children", "--sort", "dso,symbol", "-g", "none"]
        told = subprocess.run(argv, capture_output=True, text=True, check=False)
    lines = [line.rstrip() for line in told.stdout.splitlines() if line.strip() and not line.startswith("#")]
    return "\n".join(lines[:top]) or f"perf recorded nothing: {told.stderr.strip()[:300]}"


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
    statements = statement_times(asked.cycles, cycler.cycle)
    # Not too many, for the supervisor shortens a log that has grown large.
    server = ServerSide().measure(min(asked.cycles, 1_000), cycler.cycle)
    symbols = server_symbols(6.0, cycler.cycle)
    profile = python_side(asked.cycles, cycler.cycle, asked.top)
    results = {"tasks": asked.tasks, "cycles": asked.cycles, "cycle": plain, "statements": statements, "server": server}
    results["symbols"] = symbols.splitlines()
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
            "The back end's processor time by symbol (perf)\n\n" + symbols,
            f"Python under cProfile ({asked.cycles} cycles; the profiler itself makes calls dearer)" + profile,
        ]
    )
    give(results, text, as_json=asked.json)
    return 0
