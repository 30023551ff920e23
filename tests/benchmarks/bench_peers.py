"""Label Studio and Turkle through the same loop as ours, in one run on one machine.

    ./run bench peers [--tasks 1000 100000] [--clients 8 32] [--seconds 10] [--repeat 3] [--json]

Each peer is installed from the package index into an environment of its own in the data directory of the benchmark.
Runs take turns: ours, then each peer's, for every size and number of clients. Ours is the steady cycle (and separate
claim and submit beside it); theirs is what their own clients do for one answer.
"""

import argparse
from collections import defaultdict
from contextlib import ExitStack
from typing import Any, Protocol

from tests.benchmarks import cpu
from tests.benchmarks.bench_assign import Bench, server_cpu
from tests.benchmarks.environments import NotInstallable
from tests.benchmarks.load import Meter, Script, run_loop
from tests.benchmarks.peers.database import NoSystemPostgres
from tests.benchmarks.peers.label_studio import label_studio
from tests.benchmarks.peers.turkle import turkle
from tests.benchmarks.report import give, median_of, progress, ratio, table
from tests.benchmarks.seeding import analyze

# Answers per second of ours over theirs, at 32 clients, from the design.
BUDGETS = {("label_studio", 1_000): 30, ("label_studio", 100_000): 60, ("turkle", 1_000): 20, ("turkle", 100_000): 500}
# From this size on a peer's tasks are not made anew for each run, which would take minutes.
LARGE = 10_000


class Peer(Protocol):
    """What the loop needs of a peer."""

    name: str
    port: int
    roots: dict[str, int]
    versions: dict[str, str]

    def batch(self, tasks: int, overlap: int) -> int: ...
    def scripts(self, meter: Meter, batch: int, clients: int) -> list[Script]: ...


def peer_run(peer: Peer, batch: int, clients: int, seconds: float, warm_s: float) -> dict[str, Any]:
    """One closed loop on a peer."""
    return run_loop(
        lambda meter: peer.scripts(meter, batch, clients),
        port=peer.port,
        seconds=seconds,
        warm_s=warm_s,
        roots=peer.roots,
    )


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """All of it."""
    bench = Bench(asked)
    skipped: dict[str, str] = {}
    peers: list[Peer] = []
    users = max(asked.clients_list)
    with ExitStack() as stack:
        for name in asked.peers:
            progress(f"Starting {name} …")
            try:
                if name == "label_studio":
                    peers.append(stack.enter_context(label_studio(users)))
                else:
                    peers.append(stack.enter_context(turkle(users, bench.roots["postgres"])))
            except (NotInstallable, NoSystemPostgres) as why:
                skipped[name] = str(why)
                progress(f"{name} is skipped: {why}")
        return _rounds(asked, bench, peers) | {"skipped": skipped}


def _rounds(asked: argparse.Namespace, bench: Bench, peers: list[Peer]) -> dict[str, Any]:
    runs: dict[tuple[str, int, int], list[dict[str, Any]]] = defaultdict(list)
    batches: dict[tuple[str, int], int] = {}
    for tasks in asked.tasks:
        if tasks >= LARGE:
            for peer in peers:
                progress(f"Giving {peer.name} {tasks:,} tasks …")
                batches[peer.name, tasks] = peer.batch(tasks, asked.overlap)
            bench.supply(tasks)
    analyze()
    progress("Warming up …")
    asked.clients = users = max(asked.clients_list)
    bench.run("steady", bench.hands(bench.market.batch(2_000), bench.workers), seconds=2.0)
    for turn in range(asked.repeat):
        progress(f"Round {turn + 1} of {asked.repeat}")
        for tasks in asked.tasks:
            for clients in asked.clients_list:
                asked.clients = clients
                for mode in ("steady", "separate"):
                    _note(runs, f"touchstone_{mode}", tasks, clients, bench.sized(tasks, mode))
                for peer in peers:
                    large = tasks >= LARGE
                    batch = batches[peer.name, tasks] if large else peer.batch(tasks, asked.overlap)
                    seconds = asked.seconds * (2 if large else 1)
                    run = peer_run(peer, batch, clients, seconds, asked.warm)
                    _note(runs, peer.name, tasks, clients, run)
    medians = {key: median_of(several) | {"repeats": len(several)} for key, several in runs.items()}
    rows = [
        {"system": name, "tasks": tasks, "clients": clients, **run} for (name, tasks, clients), run in medians.items()
    ]
    compared = [
        _ratios(peer.name, tasks, clients, medians, users)
        for peer in peers
        for tasks in asked.tasks
        for clients in asked.clients_list
    ]
    return {
        "options": vars(asked),
        "versions": {peer.name: peer.versions for peer in peers},
        "runs": rows,
        "ratios": compared,
    }


def _note(
    runs: dict[tuple[str, int, int], list[dict[str, Any]]], name: str, tasks: int, clients: int, run: dict[str, Any]
) -> None:
    runs[name, tasks, clients].append(run)
    progress(
        f"  {name:<20} {tasks:>9,} tasks {clients:>3} clients {run['answers_per_s']:>8} answers/s"
        f"  {server_cpu(run)} ms CPU" + (f"  {run['errors']}" if run["errors"] else "")
    )


def _ratios(name: str, tasks: int, clients: int, medians: dict[Any, dict[str, Any]], users: int) -> dict[str, Any]:
    ours, theirs = medians["touchstone_steady", tasks, clients], medians[name, tasks, clients]
    separate = medians["touchstone_separate", tasks, clients]
    # A peer that finished nothing in the window is taken to do one answer in it.
    their_rate = theirs["answers_per_s"] or 1 / theirs["wall_s"]
    compared = {
        "peer": name,
        "tasks": tasks,
        "clients": clients,
        "answers_per_s": ratio(ours["answers_per_s"], their_rate),
        "answers_per_s_separate": ratio(separate["answers_per_s"], their_rate),
        "at_least": not theirs["answers"],
        "cpu_per_answer": ratio(server_cpu(theirs), server_cpu(ours)) if theirs["answers"] else None,
    }
    budget = BUDGETS.get((name, tasks)) if clients == users else None
    return compared | ({"budget": budget, "met": compared["answers_per_s"] >= budget} if budget else {})


def described(results: dict[str, Any]) -> str:
    """The results as tables."""
    rows = [
        [run["system"], f"{run['tasks']:,}", run["clients"], run["answers_per_s"], run["requests_per_s"]]
        + [
            "/".join(str(part) for part in op.values()) if (op := run["operations"].get(name)) else "-"
            for name in ("cycle", "claim", "submit")
        ]
        + [server_cpu(run), run["cpu_ms"]["generator"], run["strangers_cores"], sum(run["errors"].values())]
        for run in results["runs"]
    ]
    head = ["system", "tasks", "clients", "answers/s", "requests/s"]
    latencies = [f"{name} /s/p50/p95/p99 ms" for name in ("cycle", "claim", "submit")]
    head += [*latencies, "CPU ms an answer", "generator ms", "strangers' cores", "errors"]
    compared = []
    for one in results["ratios"]:
        rate = ("≥ " if one["at_least"] else "") + str(one["answers_per_s"])
        cells = [one["peer"], f"{one['tasks']:,}", one["clients"], rate, one["answers_per_s_separate"]]
        compared.append([*cells, one["cpu_per_answer"], one.get("budget"), one.get("met")])
    words = ["peer", "tasks", "clients", "answers/s", "answers/s, separate requests", "CPU an answer", "budget", "met"]
    parts = [table(head, rows), "ours over theirs (CPU: theirs over ours)\n\n" + table(words, compared)]
    parts.append(f"versions: {results['versions']}")
    parts += [f"{name} was skipped: {why}" for name, why in results["skipped"].items()]
    return "\n\n".join(parts)


def main(argv: list[str]) -> int:
    """Run the command; its exit code."""
    parser = argparse.ArgumentParser(prog="./run bench peers", description=__doc__.partition("\n")[0])
    parser.add_argument("--tasks", type=int, nargs="+", default=[1_000, 100_000])
    parser.add_argument("--clients", type=int, nargs="+", default=[8, 32], dest="clients_list")
    parser.add_argument("--peers", nargs="+", choices=("label_studio", "turkle"), default=["label_studio", "turkle"])
    parser.add_argument("--workers", type=int, default=200)
    parser.add_argument("--overlap", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each run; twice that on large batches")
    parser.add_argument("--warm", type=float, default=3.0)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument(
        "--patience", type=float, default=0.0, help="seconds to wait for a quiet machine before each run"
    )
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(argv)
    asked.clients = max(asked.clients_list)
    cpu.be_patient(asked.patience)
    results = measure(asked)
    give(results, described(results), as_json=asked.json)
    return 0
