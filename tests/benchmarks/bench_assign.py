"""Claim and submit over HTTP, beside the floors of HTTP and SQL, interleaved in one run.

    ./run bench assign [--tasks 1000 100000 1000000] [--workers 200] [--clients 32] [--seconds 6] [--repeat 3] [--json]

Every figure is the median of the repeats, and a repeat visits everything once, so that a disturbance of the machine
meets all alike. `cpu_ms` is processor time for each answer by process (user and system, exited children included); the
cost of a cycle is that of web and PostgreSQL together.
"""

import argparse
import os
import platform
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from tests.benchmarks import cpu
from tests.benchmarks.floors import Floors
from tests.benchmarks.in_process import answer_pages
from tests.benchmarks.load import Meter, Script, run_loop, run_through
from tests.benchmarks.report import give, median_of, progress, ratio, table
from tests.benchmarks.seeding import Market, SeededBatch, SeededWorker, analyze, warm
from tests.benchmarks.touchstone import Hands, first_leases, hand_in, separate, shared_out, steady

# name: (script, page, whether by one client)
MODES: dict[str, tuple[Callable[[Meter, Sequence[Hands], int], Script], int, bool]] = {
    "steady": (steady, 1, False),
    "steady_one_client": (steady, 1, True),
    "pages_of_ten": (steady, 10, False),
    "separate": (separate, 1, False),
}
# A batch with at least so many places is used by all runs; of a smaller one each run gets one of its own.
REUSED_FROM_PLACES = 300_000
LIFE_PARTS = 10


class Bench:
    """The stack, its workers, and batches of every size."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self.asked = asked
        self.port = int(os.environ["TOUCHSTONE_PORT"])
        self.roots = cpu.site_processes()
        self.market = Market()
        progress(f"Seeding {asked.workers} workers …")
        self.workers = self.market.workers(asked.workers)
        self._large: dict[int, tuple[SeededBatch, list[Hands]]] = {}

    def supply(self, tasks: int) -> tuple[SeededBatch, list[Hands]]:
        """A published batch of that size with places enough for a run, and hands on it."""
        if tasks in self._large:
            return self._large[tasks]
        batch = self.market.batch(tasks, overlap=self.asked.overlap)
        supplied = batch, self.hands(batch, self.workers)
        if batch.places >= REUSED_FROM_PLACES:
            self._large[tasks] = supplied
        return supplied

    def hands(self, batch: SeededBatch, workers: Sequence[SeededWorker]) -> list[Hands]:
        """Fresh hands of these workers in the batch."""
        return [Hands(worker, batch, self.port) for worker in workers]

    def run(
        self,
        mode: str,
        hands: Sequence[Hands],
        *,
        answers_max: int | None = None,
        warm_s: float | None = None,
        seconds: float | None = None,
        hand_back: bool = True,
    ) -> dict[str, Any]:
        """One closed loop in a mode; the workers claim what they need before it and hand in what they hold after it."""
        script, page, alone = MODES[mode]
        dealt = shared_out(hands, 1 if alone else self.asked.clients)
        if script is steady:
            run_through(lambda meter: [first_leases(meter, part, page) for part in dealt], port=self.port)
        measured = run_loop(
            lambda meter: [script(meter, part, page) for part in dealt],
            port=self.port,
            seconds=self.asked.seconds if seconds is None else seconds,
            warm_s=self.asked.warm if warm_s is None else warm_s,
            roots=self.roots,
            answers_max=answers_max,
        )
        if hand_back:
            run_through(lambda meter: [hand_in(meter, part) for part in dealt], port=self.port)
        return measured

    def sized(self, tasks: int, mode: str) -> dict[str, Any]:
        """One run in a mode on a batch of that size; on a small batch it ends before the places do."""
        batch, hands = self.supply(tasks)
        if batch.places >= REUSED_FROM_PLACES:
            return self.run(mode, hands)
        page = MODES[mode][1]
        # Pages of two hundred workers would be most of a small batch.
        few = hands[: max(1, min(len(hands), batch.places // (5 * page)))]
        return self.run(
            mode, few, answers_max=int(batch.places * 0.6), warm_s=min(0.3, self.asked.warm, batch.places / 10_000)
        )


def life(bench: Bench, tasks: int) -> dict[str, Any]:
    """A batch from its first place to its last, in tenths."""
    batch = bench.market.batch(tasks, overlap=bench.asked.overlap)
    hands = bench.hands(batch, bench.workers)
    parts: list[dict[str, Any]] = []
    done = 0
    for part in range(LIFE_PARTS):
        # Answers that were under way when a part ended belong to no part, but they are given.
        target = batch.places * (part + 1) // LIFE_PARTS - done if part < LIFE_PARTS - 1 else None
        run = bench.run("steady", hands, answers_max=target, warm_s=0.0, seconds=300.0, hand_back=False)
        done += run["in_all"].get("answers", 0)
        progress(f"  tenth {part + 1}: {run['answers_per_s']} answers/s, {server_cpu(run)} ms CPU")
        parts.append({name: run[name] for name in ("answers", "answers_per_s", "cpu_ms", "errors")})
    costs = [server_cpu(part) for part in parts]
    return {
        "tasks": tasks,
        "places": batch.places,
        "tenths": parts,
        "answered": done,
        "middle_to_start": ratio(costs[len(costs) // 2], costs[0]),
        "end_to_start": ratio(costs[-1], costs[0]),
    }


def past_answers(bench: Bench, tasks: int, past: int, few: int = 10) -> dict[str, Any]:
    """A worker with many past answers in the batch against one with few, one client each, in turns."""
    batch, _ = bench.supply(tasks)
    veteran, novice = bench.market.workers(2)
    progress(f"Letting a worker answer {past:,} of {tasks:,} tasks …")
    answered = answer_pages(veteran, batch, past)
    answer_pages(novice, batch, few)
    hands = {"many": bench.hands(batch, [veteran]), "few": bench.hands(batch, [novice])}
    runs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for _ in range(bench.asked.repeat):
        for name, one in hands.items():
            runs[name].append(bench.run("steady_one_client", one))
    medians = {name: median_of(several) for name, several in runs.items()}
    return {
        "tasks": tasks,
        "past": answered,
        **medians,
        "cpu_ratio": ratio(server_cpu(medians["many"]), server_cpu(medians["few"])),
        "p50_ratio": ratio(p50(medians["many"]), p50(medians["few"])),
    }


def worker_counts(bench: Bench, tasks: int) -> dict[str, Any]:
    """One worker alone against all workers taking turns, one client each, in turns."""
    batch, everybody = bench.supply(tasks)
    alone = bench.hands(batch, bench.market.workers(1))
    runs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for _ in range(bench.asked.repeat):
        runs["one"].append(bench.run("steady_one_client", alone))
        runs["all"].append(bench.run("steady_one_client", everybody))
    medians = {name: median_of(several) for name, several in runs.items()}
    return {
        "tasks": tasks,
        "workers": len(everybody),
        **medians,
        "cpu_ratio": ratio(server_cpu(medians["all"]), server_cpu(medians["one"])),
    }


def server_cpu(run: dict[str, Any]) -> float:
    """Milliseconds of web and PostgreSQL for one answer."""
    return round(run["cpu_ms"]["web"] + run["cpu_ms"]["postgres"], 3)


def p50(run: dict[str, Any]) -> float:
    return float(run["operations"]["cycle"]["p50_ms"])


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """All of it."""
    bench = Bench(asked)
    sizes = sorted(set(asked.tasks))
    for tasks in sizes:
        if tasks * asked.overlap >= REUSED_FROM_PLACES:
            progress(f"Seeding {tasks:,} tasks …")
            warm([bench.supply(tasks)[0].id])
    progress("Making the floors …")
    floors = Floors(max(asked.floor_tasks, 10_000))
    analyze()
    idle = _idle(bench, min(5.0, asked.seconds))
    progress("Warming up …")
    bench.run("steady", bench.hands(bench.market.batch(2_000), bench.workers), seconds=min(4.0, asked.seconds))
    runs: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)

    def note(group: str, name: str, run: dict[str, Any]) -> None:
        runs[group, name].append(run)
        rate = run.get("answers_per_s") or run.get("cycles_per_s") or run["requests_per_s"]
        used = {process: ms for process, ms in run["cpu_ms"].items() if process in ("web", "postgres")}
        progress(f"  {group:>10} {name:<18} {rate:>8}/s  {used}" + (f"  {run['errors']}" if run.get("errors") else ""))

    with floors.trivial_site() as site:
        for turn in range(asked.repeat):
            progress(f"Round {turn + 1} of {asked.repeat}")
            for name, clients in (("many_clients", asked.clients), ("one_client", 1)):
                note("floor_http", name, floors.http(site, bench.roots, clients=clients, seconds=asked.seconds))
            for script in ("cycle", "separate"):
                note("floor_sql", script, floors.sql(script, bench.roots, clients=asked.clients, seconds=asked.seconds))
            for tasks in sizes:
                for mode in MODES:
                    note(str(tasks), mode, bench.sized(tasks, mode))
    medians: dict[str, dict[str, Any]] = defaultdict(dict)
    for (group, name), several in runs.items():
        medians[group][name] = median_of(several) | {"repeats": len(several)}
    floor_http, floor_sql = medians.pop("floor_http"), medians.pop("floor_sql")
    results: dict[str, Any] = {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "server": _server_version()},
        "options": vars(asked),
        "idle_cores": idle,
        "assign": dict(medians),
        "floor_http": floor_http,
        "floor_sql": floor_sql,
        "ratios": {str(tasks): ratios(medians[str(tasks)], floor_http, floor_sql) for tasks in sizes},
        "flat": flatness(medians, sizes),
    }
    if asked.life_tasks:
        progress(f"A batch of {asked.life_tasks:,} tasks from start to end")
        results["life"] = life(bench, asked.life_tasks)
    largest = sizes[-1]
    if asked.past and largest > asked.past:
        results["past_answers"] = past_answers(bench, next(size for size in sizes if size > asked.past), asked.past)
    if asked.workers > 1 and largest * asked.overlap >= REUSED_FROM_PLACES:
        results["worker_counts"] = worker_counts(bench, largest)
    results["memory_mib"] = cpu.rss_mib(bench.roots)
    results["waiting_for_score"] = _waiting()
    return results


def ratios(modes: dict[str, Any], floor_http: dict[str, Any], floor_sql: dict[str, Any]) -> dict[str, float | None]:
    """The steady cycle against both floors, and the other ways of working against the steady cycle."""
    cycle, view, sql = modes["steady"], floor_http["many_clients"], floor_sql["cycle"]
    return {
        "cpu_to_http_floor": ratio(server_cpu(cycle), server_cpu(view)),
        "rate_to_http_floor": ratio(cycle["answers_per_s"], view["requests_per_s"]),
        "postgres_cpu_to_sql_floor": ratio(cycle["cpu_ms"]["postgres"], sql["cpu_ms"]["postgres"]),
        "rate_to_sql_floor": ratio(cycle["answers_per_s"], sql["cycles_per_s"]),
        "pages_of_ten_rate_to_single": ratio(modes["pages_of_ten"]["answers_per_s"], cycle["answers_per_s"]),
        "separate_cpu_to_steady": ratio(server_cpu(modes["separate"]), server_cpu(cycle)),
    }


def flatness(medians: dict[str, dict[str, Any]], sizes: list[int]) -> dict[str, Any]:
    """Cost and rate at each size over those at the smallest."""
    first = medians[str(sizes[0])]
    return {
        mode: {
            str(tasks): {
                "cpu": ratio(server_cpu(medians[str(tasks)][mode]), server_cpu(first[mode])),
                "rate": ratio(medians[str(tasks)][mode]["answers_per_s"], first[mode]["answers_per_s"]),
            }
            for tasks in sizes[1:]
        }
        for mode in MODES
    }


def _idle(bench: Bench, seconds: float) -> dict[str, float]:
    """Cores in use without any load: sweeps and health checks, which the figures for an answer contain."""
    window = cpu.Window(bench.roots)
    time.sleep(seconds)
    wall, used, _ = window.close()
    return {name: round(spent / wall, 3) for name, spent in used.items()}


def _server_version() -> str:
    from marketplace.common.database import value

    return str(value("SELECT version()"))


def _waiting() -> int:
    """Answers that the scoring step has not reached yet: what the figures above do not contain."""
    from marketplace.common.database import value

    return int(value("SELECT count(*) FROM gold_toscore"))


def described(results: dict[str, Any]) -> str:
    """The results as tables."""
    processes = ("web", "postgres", "worker", "beat", "live", "valkey", "generator")
    rows = []
    for tasks, modes in results["assign"].items():
        for mode, run in modes.items():
            latency = next(run["operations"][name] for name in ("cycle", "submit") if name in run["operations"])
            rows.append(
                [f"{int(tasks):,}", mode, run["clients"], run["requests_per_s"], run["answers_per_s"]]
                + ["/".join(str(latency.get(name)) for name in ("p50_ms", "p95_ms", "p99_ms"))]
                + [server_cpu(run)]
                + [run["cpu_ms"].get(name) for name in processes]
                + [run["strangers_cores"], sum(run["errors"].values())]
            )
    for name, run in results["floor_http"].items():
        latency = run["operations"].get("trivial", {})
        rows.append(
            ["floor", f"trivial view, {name}", run["clients"], run["requests_per_s"], "-"]
            + ["/".join(str(latency.get(part)) for part in ("p50_ms", "p95_ms", "p99_ms")), server_cpu(run)]
            + [run["cpu_ms"].get(name) for name in processes]
            + [run["strangers_cores"], sum(run["errors"].values())]
        )
    for name, run in results["floor_sql"].items():
        rows.append(
            ["floor", f"SQL, {name}", run["clients"], "-", run["cycles_per_s"]]
            + ["/".join(str(run[part]) for part in ("p50_ms", "p95_ms", "p99_ms")), run["cpu_ms"]["postgres"]]
            + [run["cpu_ms"].get(name) for name in processes]
            + ["-", "-"]
        )
    head = ["tasks", "what", "clients", "requests/s", "answers/s", "p50/p95/p99 ms", "web + PostgreSQL CPU ms"]
    head += [f"{name} ms" for name in processes] + ["strangers' cores", "errors"]
    parts = [table(head, rows)]
    for name in ("ratios", "flat"):
        lines = [f"  {key}: {values}" for key, values in results[name].items()]
        parts.append(f"{name}\n" + "\n".join(lines))
    if "life" in results:
        whole = results["life"]
        parts.append(
            f"a batch of {whole['tasks']:,} tasks from start to end, in tenths\n\n"
            + table(
                ["tenth", "answers/s", "web + PostgreSQL CPU ms"],
                [(n + 1, part["answers_per_s"], server_cpu(part)) for n, part in enumerate(whole["tenths"])],
            )
            + f"\n\nCPU, middle to start: {whole['middle_to_start']}; end to start: {whole['end_to_start']}"
        )
    if "past_answers" in results:
        old = results["past_answers"]
        parts.append(
            f"a worker with {old['past']:,} past answers in the batch against one with 10:"
            f" {server_cpu(old['many'])} and {server_cpu(old['few'])} ms CPU (ratio {old['cpu_ratio']}),"
            f" p50 {p50(old['many'])} and {p50(old['few'])} ms (ratio {old['p50_ratio']})"
        )
    if "worker_counts" in results:
        crowd = results["worker_counts"]
        parts.append(
            f"{crowd['workers']} workers in turns against one, one client: {server_cpu(crowd['all'])} and"
            f" {server_cpu(crowd['one'])} ms CPU (ratio {crowd['cpu_ratio']})"
        )
    parts.append(f"cores in use without load: {results['idle_cores']}")
    parts.append(f"answers that still wait for their score: {results['waiting_for_score']}")
    return "\n\n".join(parts)


def arguments(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="./run bench assign", description=__doc__.partition("\n")[0])
    number, positive = partial(parser.add_argument, type=int), parser.add_argument
    number("--tasks", nargs="+", default=[1_000, 100_000, 1_000_000], help="sizes of batches")
    number("--workers", default=200)
    number("--clients", default=32)
    number("--overlap", default=3)
    positive("--seconds", type=float, default=6.0, help="of each run")
    positive("--warm", type=float, default=2.0, help="seconds of each run before its measurement")
    number("--repeat", default=3)
    number("--life-tasks", default=10_000, help="size of the batch that is driven from start to end; 0 leaves it out")
    number("--past", default=50_000, help="past answers of the veteran; 0, or no larger batch, leaves it out")
    number("--floor-tasks", default=1_000_000, help="tasks of the SQL floor")
    parser.add_argument(
        "--patience", type=float, default=0.0, help="seconds to wait for a quiet machine before each run"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    """Run the command; its exit code."""
    asked = arguments(argv)
    cpu.be_patient(asked.patience)
    results = measure(asked)
    give(results, described(results), as_json=asked.json)
    return 0
