"""Import over HTTP and in process, beside raw COPY of the same rows.

    ./run bench import [--rows 1000000] [--repeat 1] [--json]

The rows have about 200 bytes of data each. Raw COPY writes the same data from memory into one table with a primary key
and a partial index: what the server itself can take in. Peak memory is that of the largest process: of the web and
worker processes for HTTP, of a process of its own for the import in process, at a tenth of the rows and at all of them.
At last workers answer in another batch, first alone, then while all the rows are imported over HTTP and published.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psycopg

from tests.benchmarks import cpu
from tests.benchmarks.floors import Floors
from tests.benchmarks.load import Meter, Script, run_loop, run_through
from tests.benchmarks.report import give, median_of, progress, ratio, table
from tests.benchmarks.requester import Requester
from tests.benchmarks.seeding import Market, jsonl, jsonl_file
from tests.benchmarks.touchstone import Hands, first_leases, shared_out, steady

CLIENTS, WORKERS, ALONE_S = 4, 40, 8.0

IN_PROCESS = """
import resource, sys, time, json
import django; django.setup()
from marketplace.batches.commands.import_tasks import import_tasks
from marketplace.batches.rows import read_jsonl
from marketplace.common.transactions import one_transaction
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began = time.perf_counter()
with open(sys.argv[2], "rb") as file, one_transaction(principal="bench"):
    import_tasks(batch_id=int(sys.argv[1]), source=read_jsonl(file), body_sha256=b"bench")
print(json.dumps({"seconds": time.perf_counter() - began, "mib_before": before >> 10,
                  "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10}))
"""


def raw_copy(rows: int) -> float:
    """Seconds of COPY alone, from prepared bytes."""
    from django.conf import settings

    payloads = (json.dumps(json.loads(line)["data"]) for line in jsonl(rows))
    lines = (f"1\t3\t{payload}\n".encode() for payload in payloads)
    block, blocks = bytearray(), []
    for line in lines:
        block += line
        if len(block) > 1 << 17:
            blocks.append(bytes(block))
            block.clear()
    blocks.append(bytes(block))
    with psycopg.connect(settings.DATABASE_OWNER_URL, dbname="floor") as owner:
        owner.execute("TRUNCATE task, assignment, ledger")
        owner.commit()
        began = time.perf_counter()
        with owner.cursor().copy("COPY task (batch, slots, payload) FROM STDIN") as copy:
            for one in blocks:
                copy.write(one)
        owner.commit()
        return time.perf_counter() - began


def processes_of(roots: Iterable[int]) -> list[int]:
    """The processes of these trees."""
    return [pid for root in roots for pid in cpu.tree(root)]


def forget_peaks(pids: Iterable[int]) -> None:
    """Let the kernel count the peak of memory anew, where it allows that."""
    for pid in pids:
        try:
            Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")
        except OSError:
            continue


def peak_mib(pids: Iterable[int]) -> int:
    """The largest peak among these processes."""
    peaks = [0]
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
        except OSError:
            continue
        peaks += [int(line.split()[1]) >> 10 for line in lines if line.startswith("VmHWM:")]
    return max(peaks)


def over_http(market: Market, rows: int, roots: dict[str, int]) -> dict[str, Any]:
    """One import through the API."""
    requester = Requester(int(os.environ["TOUCHSTONE_PORT"]), market.key)
    draft = market.draft()
    working = [roots[name] for name in ("web", "worker") if name in roots]
    pids = processes_of(working)
    forget_peaks(pids)
    resting = peak_mib(pids)
    with jsonl_file(rows) as file:
        window = cpu.Window(roots)
        imported = requester.import_file(str(draft.public_id), file)
        seconds, used, strangers = window.close()
    return {
        "rows": rows,
        "seconds": round(seconds, 2),
        "rows_per_s": round(rows / seconds),
        "arrived_s": round(imported["arrived_s"], 2),
        "peak_mib": peak_mib(processes_of(working)),
        "resting_mib": resting,
        "cpu_s": {name: round(spent, 2) for name, spent in used.items()},
        "strangers_cores": round(strangers, 2),
    }


def in_process(market: Market, rows: int) -> dict[str, Any]:
    """One import by the command, in a process of its own."""
    draft = market.draft()
    with jsonl_file(rows) as file:
        # The file has no name; its descriptor is inherited.
        argv = [sys.executable, "-P", "-c", IN_PROCESS, str(draft.pk), f"/dev/fd/{file.fileno()}"]
        done = subprocess.run(argv, pass_fds=[file.fileno()], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    told = json.loads(done.stdout)
    return {"rows": rows, "rows_per_s": round(rows / told["seconds"]), **told}


def beside_work(market: Market, rows: int, roots: dict[str, int]) -> dict[str, Any]:
    """Latencies of steady cycles in a running batch: alone, and during the import and publication of another."""
    port = int(os.environ["TOUCHSTONE_PORT"])
    requester = Requester(port, market.key)
    batch = market.batch(30_000)
    hands = shared_out([Hands(worker, batch, port) for worker in market.workers(WORKERS)], CLIENTS)
    told: dict[str, Any] = {}

    def scripts(meter: Meter) -> list[Script]:
        return [steady(meter, part) for part in hands]

    def import_and_publish(meter: Meter) -> None:
        try:
            draft = market.draft()
            with jsonl_file(rows) as file:
                began = time.monotonic()
                requester.import_file(str(draft.public_id), file)
                told["import_s"] = round(time.monotonic() - began, 2)
            time.sleep(1)
            began = time.monotonic()
            requester.call("POST", f"/batches/{draft.public_id}/publish", {})
            told["publish_ms"] = round(1000 * (time.monotonic() - began), 1)
            time.sleep(1)
        finally:
            meter.over = True

    def scripts_beside(meter: Meter) -> list[Script]:
        threading.Thread(target=import_and_publish, args=[meter], name="import", daemon=True).start()
        return scripts(meter)

    run_through(lambda meter: [first_leases(meter, part) for part in hands], port=port)
    alone = run_loop(scripts, port=port, seconds=ALONE_S, warm_s=1.0, roots=roots)
    beside = run_loop(scripts_beside, port=port, seconds=600.0, warm_s=0.0, roots=roots)
    if "publish_ms" not in told:
        raise RuntimeError("the import beside the work failed")
    return {
        name: {"answers_per_s": run["answers_per_s"], "errors": run["errors"], **run["operations"].get("cycle", {})}
        for name, run in (("alone", alone), ("beside", beside))
    } | told


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """All of it, as often as asked."""
    market, roots = Market(), cpu.site_processes()
    Floors(1)
    small = max(1, asked.rows // 10)
    progress("Warming up …")
    in_process(market, 1_000)
    runs = []
    for turn in range(asked.repeat):
        progress(f"Round {turn + 1} of {asked.repeat}")
        seconds = raw_copy(asked.rows)
        run: dict[str, Any] = {"copy": {"rows_per_s": round(asked.rows / seconds), "seconds": round(seconds, 2)}}
        for name, made in (
            ("in_process_tenth", lambda: in_process(market, small)),
            ("in_process", lambda: in_process(market, asked.rows)),
            ("http", lambda: over_http(market, asked.rows, roots)),
        ):
            run[name] = made()
            progress(f"  {name:<18} {run[name]['rows_per_s']:>9,} rows/s, peak {run[name]['peak_mib']} MiB")
        progress(f"  {'copy':<18} {run['copy']['rows_per_s']:>9,} rows/s")
        runs.append(run)
    medians = median_of(runs)
    progress("Answers beside an import")
    beside = beside_work(market, asked.rows, roots)
    return {
        "options": vars(asked),
        **medians,
        "work": beside,
        "http_to_copy": ratio(medians["http"]["rows_per_s"], medians["copy"]["rows_per_s"]),
        "in_process_to_copy": ratio(medians["in_process"]["rows_per_s"], medians["copy"]["rows_per_s"]),
        "budget_to_copy": 0.3,
        "peak_growth_mib": medians["in_process"]["peak_mib"] - medians["in_process_tenth"]["peak_mib"],
    }


def described(results: dict[str, Any]) -> str:
    """The results as a table."""
    rows = [
        [name, *(results[name].get(part) for part in ("rows", "seconds", "rows_per_s", "peak_mib"))]
        for name in ("copy", "in_process_tenth", "in_process", "http")
    ]
    work = results["work"]
    latencies = [
        [name, *(work[name].get(part) for part in ("answers_per_s", "p50_ms", "p95_ms", "p99_ms", "max_ms"))]
        for name in ("alone", "beside")
    ]
    return (
        table(["what", "rows", "seconds", "rows/s", "peak MiB"], rows)
        + f"\n\nHTTP to raw COPY: {results['http_to_copy']}, in process: {results['in_process_to_copy']} (budget: 0.3);"
        f" ten times the rows take {results['peak_growth_mib']} MiB more\n\n"
        + table([f"cycles of {CLIENTS} clients", "answers/s", "p50 ms", "p95 ms", "p99 ms", "largest"], latencies)
        + f"\n\nbeside: an import ({work['import_s']} s) and its publication ({work['publish_ms']} ms)"
    )


def main(argv: list[str]) -> int:
    """Run the command; its exit code."""
    parser = argparse.ArgumentParser(prog="./run bench import", description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(argv)
    results = measure(asked)
    give(results, described(results), as_json=asked.json)
    return 0
