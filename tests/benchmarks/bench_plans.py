"""Plans and buffers of every statement of claim and submit, at a small and at a large number of tasks.

    ./run bench plans [--tasks 1000000] [--small 1000] [--past 50000] [--json]

For a worker with many past answers in the batch: EXPLAIN (ANALYZE, BUFFERS) of each statement that the API sends for a
claim, for a submission and for a steady cycle; the scans of every statement inside functions, triggers and foreign
keys, as the session planned them; blocks touched by each operation at both sizes; and rows that sequential scans read,
in a fresh session and in one that planned everything while the market was empty. Exit code 1 when a table that grows is
read by a sequential scan, or when a claim or a submission touches more blocks at the large size (see `--growth`).
"""

import argparse
import re
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.benchmarks.counters import Counters, Touched
from tests.benchmarks.in_process import Cycler, answer_pages, every_statement, shortened
from tests.benchmarks.planned import Plans, watched
from tests.benchmarks.report import give, progress, ratio, table
from tests.benchmarks.seeding import Market, SeededBatch, SeededWorker, analyze

WARM_CYCLES = 20
EXPLAINABLE = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|MERGE)\b", re.I)
# A table of this database with fewer rows than this is small for good (batches, projects, organisations) or not in use.
SMALL_TABLE_ROWS = 1_000
# Workers besides those who work here, each with a task in a batch with as many gold tasks: so the tables of people,
# walks, schedules and keys are not small.
BYSTANDERS = 1_500


def explained(cycle: Callable[[], None]) -> list[dict[str, Any]]:
    """EXPLAIN (ANALYZE, BUFFERS) of every statement of one operation, each run first inside a savepoint and undone."""
    from django.db import connection

    found: list[dict[str, Any]] = []
    busy = False

    def hook(sql: str, params: Any, execute: Callable[[], Any]) -> Any:
        nonlocal busy
        if not busy and EXPLAINABLE.match(sql):
            busy = True
            try:
                found.append({"statement": shortened(sql, 400), **_explain(connection.connection, sql, params)})
            finally:
                busy = False
        return execute()

    with every_statement(hook):
        cycle()
    return found


def _explain(raw: Any, sql: str, params: Any) -> dict[str, Any]:
    alone = raw.autocommit and raw.info.transaction_status.name == "IDLE"
    raw.execute("BEGIN" if alone else "SAVEPOINT explained")
    try:
        with raw.cursor() as cursor:
            cursor.execute("EXPLAIN (ANALYZE, BUFFERS, SUMMARY) " + sql, params)
            lines = [row[0] for row in cursor.fetchall()]
    finally:
        raw.execute("ROLLBACK" if alone else "ROLLBACK TO SAVEPOINT explained")
    return {"blocks": _blocks(lines), "plan": lines}


def _blocks(lines: list[str]) -> int:
    """Blocks that the execution touched; the first line of buffers is the whole statement's."""
    for line in lines:
        if line.strip().startswith("Planning"):
            return 0
        if "Buffers: shared" in line:
            return sum(int(number) for number in re.findall(r"(?:hit|read)=(\d+)", line))
    return 0


def touched(counters: Counters, operations: dict[str, Callable[[], None]], rounds: int) -> dict[str, dict[str, Any]]:
    """Blocks and rows of sequential scans for one operation, each operation in turn; the blocks by relation too."""
    sums = {name: Touched(0, 0) for name in operations}
    relations: dict[str, Counter[str]] = {name: Counter() for name in operations}
    before, blocks_before = counters.read(), counters.by_relation()
    for _ in range(rounds):
        for name, operation in operations.items():
            operation()
            after, blocks_after = counters.read(), counters.by_relation()
            sums[name] = sums[name] + (after - before)
            relations[name].update({r: count - blocks_before.get(r, 0) for r, count in blocks_after.items()})
            before, blocks_before = after, blocks_after
    return {
        name: {
            "blocks": round(total.blocks / rounds, 1),
            "rows_scanned_sequentially": round(total.rows_scanned / rounds, 1),
            "blocks_by_relation": {r: round(count / rounds, 1) for r, count in relations[name].most_common(12)},
        }
        for name, total in sums.items()
    }


class OldSession:
    """A thread whose database session does its first cycles on an almost empty market, and lives on while it grows."""

    def __init__(self, worker: SeededWorker, small: SeededBatch) -> None:
        self._worker = worker
        self._pool = ThreadPoolExecutor(1)
        self._do(self._cycles, small, 12)

    def touched(self, counters: Counters, batch: SeededBatch, cycles: int) -> dict[str, Any]:
        """What one cycle of this session touches, as by `touched`; and the rows of its sequential scans by table."""
        return self._do(self._touched, counters, batch, cycles)

    def end(self) -> None:
        """Close the session."""
        from django.db import connections

        self._do(connections.close_all)
        self._pool.shutdown()

    def _do(self, order: Callable[..., Any], *arguments: Any) -> Any:
        return self._pool.submit(order, *arguments).result()

    def _cycles(self, batch: SeededBatch, number: int) -> None:
        cycler = Cycler(self._worker, batch)
        for _ in range(number):
            cycler.cycle()

    def _touched(self, counters: Counters, batch: SeededBatch, cycles: int) -> dict[str, Any]:
        cycler = Cycler(self._worker, batch)
        # What other sessions did meanwhile may have emptied this one's caches: to fill them again is not what is asked.
        for _ in range(8):
            cycler.cycle()
        counters.read()
        before = counters.scanned_tables()
        counted = touched(counters, {"cycle": cycler.cycle}, cycles)["cycle"]
        after = counters.scanned_tables()
        scanned = {name: (after[name] - before.get(name, 0)) // cycles for name in after}
        return counted | {"scanned_tables": {name: count for name, count in scanned.items() if count}}


def at_size(market: Market, counters: Counters, tasks: int, past: int, rounds: int) -> dict[str, Any]:
    """Everything at one size, for a worker with past answers and in a session that begins with it."""
    from django.db import connection

    progress(f"Seeding {tasks:,} tasks …")
    batch = market.batch(tasks)
    worker = market.workers(1)[0]
    past = min(past, tasks // 2)
    progress(f"Letting a worker answer {past:,} of them …")
    answered = answer_pages(worker, batch, past)
    analyze()
    connection.close()
    cycler = Cycler(worker, batch)
    for _ in range(12):
        cycler.cycle()
    cycler.submit()
    operations = {"claim": cycler.claim, "submit": cycler.submit}
    by_operation = touched(counters, operations, rounds)
    cycler.claim()
    by_operation |= touched(counters, {"cycle": cycler.cycle}, rounds)
    progress("Explaining …")
    statements = {"cycle": explained(cycler.cycle)}
    statements["submit"] = explained(cycler.submit)
    statements["claim"] = explained(cycler.claim)
    with watched(connection.connection) as plans:
        for _ in range(8):  # a prepared plan becomes a general one at its sixth use
            cycler.cycle()
    with watched(connection.connection, anew=False) as again:
        for _ in range(WARM_CYCLES):
            cycler.cycle()
    sizes = counters.sizes()
    growing = {name for name, count in sizes.items() if count >= SMALL_TABLE_ROWS}
    return {
        "tasks": tasks,
        "past_answers": answered,
        "batch": batch,
        "touched": by_operation,
        "statements": statements,
        "inside": _inside(plans),
        # What a warm session plans all the same, and how often in a cycle: time that no answer needs.
        "planned_each_cycle": [
            {**one, "times": round(count / WARM_CYCLES, 2)}
            for one, count in zip(_inside(again), again.found.values(), strict=True)
            if count >= WARM_CYCLES / 2
        ],
        "growing_tables": sorted(growing),
        "sequential_scans": plans.sequential(growing),
    }


def _inside(plans: Plans) -> list[dict[str, Any]]:
    return [
        {
            "function": plan.function,
            "statement": plan.statement,
            "scans": [
                " ".join(filter(None, [kind, "on", name, f"using {index}" if index else ""]))
                for kind, name, index in plan.scans
            ],
        }
        for plan in plans.found
    ]


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """Both sizes."""
    from django.conf import settings

    market = Market()
    counters = Counters(settings.DATABASE_OWNER_URL)
    old = OldSession(market.workers(1)[0], market.batch(100))
    progress(f"Seeding {BYSTANDERS:,} bystanders …")
    elsewhere = market.batch(BYSTANDERS, known=BYSTANDERS)
    for bystander in market.workers(BYSTANDERS):
        answer_pages(bystander, elsewhere, 1)
    results = {
        name: at_size(market, counters, tasks, asked.past, asked.rounds)
        for name, tasks in (("small", asked.small), ("large", asked.tasks))
    }
    large = results["large"]
    progress("Asking a session that planned on an empty market …")
    grown = set(large["growing_tables"])
    veteran = old.touched(counters, large.pop("batch"), 20)
    old.end()
    results["small"].pop("batch")
    scanned = {name: count for name, count in veteran["scanned_tables"].items() if name in grown}
    growth = {
        operation: ratio(large["touched"][operation]["blocks"], results["small"]["touched"][operation]["blocks"])
        for operation in large["touched"]
    }
    failures = [f"a sequential scan of {scan['table']}: {scan['statement']}" for scan in large["sequential_scans"]]
    failures += [
        f"a session that planned on an empty market reads {count:,} rows of {name} by sequential scans in each cycle"
        for name, count in scanned.items()
    ]
    failures += [
        f"{operation} touches {by} times the blocks" for operation, by in growth.items() if by and by > asked.growth
    ]
    by = ratio(veteran["blocks"], large["touched"]["cycle"]["blocks"])
    if by and by > asked.growth:
        failures.append(f"a session that planned on an empty market touches {by} times the blocks of a new one")
    return {
        "options": vars(asked),
        **results,
        "blocks_large_to_small": growth,
        "old_session": veteran | {"scanned_growing_tables": scanned, "blocks_to_new_session": by},
        "failures": failures,
        "ok": not failures,
    }


def described(results: dict[str, Any]) -> str:
    """The results as text."""
    parts = []
    large = results["large"]
    for operation, statements in large["statements"].items():
        parts.append(
            f"== {operation} at {large['tasks']:,} tasks, {large['past_answers']:,} past answers of the worker"
        )
        for one in statements:
            parts.append(f"-- {one['statement']}\n" + "\n".join("   " + line for line in one["plan"]))
    parts.append("== scans of every statement of a cycle, those inside functions, triggers and foreign keys included")
    parts.append(
        "\n".join(
            f"{one['function'] or '-':<28} {'; '.join(one['scans'])}\n{'':<28} {shortened(one['statement'], 200)}"
            for one in large["inside"]
        )
    )
    parts.append("== statements that a warm session plans in each cycle")
    parts.append(
        "\n".join(
            f"{one['times']:>5} {one['function'] or '-':<28} {shortened(one['statement'], 200)}"
            for one in large["planned_each_cycle"]
        )
        or "none"
    )
    rows = [
        [operation]
        + [
            results[size]["touched"][operation][what]
            for what in ("blocks", "rows_scanned_sequentially")
            for size in ("small", "large")
        ]
        + [results["blocks_large_to_small"][operation]]
        for operation in large["touched"]
    ]
    sizes = [f"{results[size]['tasks']:,}" for size in ("small", "large")]
    head = ["operation", *(f"blocks at {size}" for size in sizes), *(f"rows scanned at {size}" for size in sizes)]
    parts.append(table([*head, "growth of blocks"], rows))
    for size in ("small", "large"):
        for operation, counted in results[size]["touched"].items():
            most = ", ".join(f"{name} {count}" for name, count in counted["blocks_by_relation"].items())
            parts.append(f"blocks of one {operation} at {results[size]['tasks']:,} tasks, by relation: {most}")
    old = results["old_session"]
    parts.append(
        f"a session that planned on an empty market: {old['blocks']} blocks a cycle"
        f" ({old['blocks_to_new_session']} times those of a new one), rows of growing tables read by sequential scans:"
        f" {old['scanned_growing_tables'] or 'none'}; blocks by relation: {old['blocks_by_relation']}"
    )
    parts.append("\n".join(["failures:", *results["failures"]]) if results["failures"] else "no failures")
    return "\n\n".join(parts)


def main(argv: list[str]) -> int:
    """Run the command; its exit code."""
    parser = argparse.ArgumentParser(prog="./run bench plans", description=__doc__.partition("\n")[0])
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("--small", type=int, default=1_000)
    parser.add_argument("--past", type=int, default=50_000, help="past answers, at most half of the tasks")
    parser.add_argument("--rounds", type=int, default=30, help="operations whose blocks are counted")
    parser.add_argument("--growth", type=float, default=1.5, help="how many times the blocks are still flat")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(argv)
    results = measure(asked)
    give(results, described(results), as_json=asked.json)
    return 0 if results["ok"] else 1
