"""Web servers and ways of holding connections, on the steady cycle and on the trivial view.

    ./run bench servers [--clients 32] [--seconds 5] [--repeat 3] [--only TEXT] [--json]

Every variant serves the product and the trivial view in turn, all variants in each round. Servers that are no
dependencies are installed into an environment of the benchmark. ASGI serves the trivial view only: the product's pages
and API are not served by it.
"""

import argparse
import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.benchmarks import cpu
from tests.benchmarks.bench_assign import Bench, server_cpu
from tests.benchmarks.environments import NotInstallable, environment
from tests.benchmarks.floors import Floors, floor_env, trivial_loop, web_argv
from tests.benchmarks.report import give, median_of, progress, table
from tests.benchmarks.seeding import analyze
from tests.benchmarks.serving import free_port, serving

GUNICORN = "gunicorn==27.0.1"
PRODUCT, TRIVIAL = "marketplace.wsgi:application", "tests.benchmarks.floor.wsgi:application"


@dataclass(frozen=True)
class Variant:
    """A server with its options; `asgi` ones serve the trivial view only."""

    name: str
    argv: Sequence[str] = ()
    replaced: dict[str, str] = field(default_factory=dict)  # options of the product's own command
    pool: bool = False
    asgi: bool = False


GRANIAN_ASGI = ["-m", "granian", "--interface", "asginl", "--workers", "2", "--no-access-log", "--host", "127.0.0.1"]
UVICORN = ["-m", "uvicorn", "--workers", "2", "--lifespan", "off", "--no-access-log", "--host", "127.0.0.1"]
GTHREAD = ["-m", "gunicorn", "--workers", "2", "--worker-class", "gthread", "--keep-alive", "30"]
VARIANTS = [
    Variant("granian WSGI, 8 threads (as ./run)"),
    Variant("granian WSGI, 2 threads", replaced={"--blocking-threads": "2"}),
    Variant("granian WSGI, 4 threads", replaced={"--blocking-threads": "4"}),
    Variant("granian WSGI, 16 threads", replaced={"--blocking-threads": "16"}),
    Variant("granian WSGI, 8 threads, backpressure 16", replaced={"--backpressure": "16"}),
    Variant("granian WSGI, 8 threads, runtime mt", replaced={"--runtime-mode": "mt"}),
    Variant("granian WSGI, 8 threads, pool", pool=True),
    Variant("gunicorn gthread, 8 threads", [*GTHREAD, "--threads", "8"]),
    Variant("gunicorn gthread, 8 threads, pool", [*GTHREAD, "--threads", "8"], pool=True),
    Variant("granian ASGI, pool", GRANIAN_ASGI, pool=True, asgi=True),
    Variant("uvicorn ASGI, pool", UVICORN, pool=True, asgi=True),
]


def command(variant: Variant, port: int, application: str) -> list[str]:
    """The command line of a variant."""
    if not variant.argv:
        argv = web_argv(port, application)
        for option, value in variant.replaced.items():
            if option in argv:
                argv[argv.index(option) + 1] = value
            else:
                argv[-1:-1] = [option, value]
        return argv
    if "gunicorn" in variant.argv:
        return [sys.executable, *variant.argv, "--bind", f"127.0.0.1:{port}", application]
    return [sys.executable, *variant.argv, "--port", str(port), application]


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """All variants, in every round."""
    bench = Bench(asked)
    Floors(10_000)
    skipped: dict[str, str] = {}
    extra = ""
    try:
        binaries = environment("servers", [GUNICORN])
        extra = str(next((binaries.parent / "lib").glob("python*/site-packages")))
    except NotInstallable as why:
        skipped["gunicorn"] = str(why)
    chosen = [v for v in VARIANTS if asked.only in v.name and not ("gunicorn" in v.name and skipped)]
    bench.supply(asked.tasks)
    analyze()
    runs: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for turn in range(asked.repeat):
        progress(f"Round {turn + 1} of {asked.repeat}")
        for variant in chosen:
            for what, run in _variant(variant, bench, extra).items():
                runs[variant.name, what].append(run)
                rate = run["answers_per_s"] or run["requests_per_s"]
                errors = f"  {run['errors']}" if run["errors"] else ""
                progress(f"  {variant.name:<42} {what:<22} {rate:>8}/s  {server_cpu(run)} ms CPU{errors}")
    rows = [
        {"server": name, "what": what, **median_of(several), "repeats": len(several)}
        for (name, what), several in runs.items()
    ]
    return {"options": vars(asked), "runs": rows, "skipped": skipped}


def _variant(variant: Variant, bench: Bench, extra: str) -> dict[str, dict[str, Any]]:
    asked, measured = bench.asked, {}
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH", ""), extra]))
    own_port, own_roots = bench.port, bench.roots
    floor = {**floor_env(), "DJANGO_SETTINGS_MODULE": "tests.benchmarks.floor.settings", "PYTHONPATH": path}
    floor["BENCH_CONNECTIONS"] = "pool" if variant.pool else "persist"
    application = TRIVIAL.replace("wsgi", "asgi") if variant.asgi else TRIVIAL
    port = free_port()
    with serving("server-trivial", command(variant, port, application), port=port, env=floor) as pid:
        roots = {**own_roots, "web": pid}
        trivial_loop(port, roots, clients=asked.clients, seconds=0.5)
        for what, clients in (("trivial view", asked.clients), ("trivial view, alone", 1)):
            measured[what] = trivial_loop(port, roots, clients=clients, seconds=asked.seconds)
    if variant.asgi:
        return measured
    env = {"PYTHONPATH": path}
    if variant.pool:
        env["DJANGO_SETTINGS_MODULE"] = "tests.benchmarks.pooled_settings"
    port = free_port()
    with serving("server-product", command(variant, port, PRODUCT), port=port, env=env) as pid:
        bench.port, bench.roots = port, {**own_roots, "web": pid}
        try:
            hands = bench.supply(asked.tasks)[1]
            for what, mode in (("steady cycle", "steady"), ("steady cycle, alone", "steady_one_client")):
                measured[what] = bench.run(mode, hands)
            measured["steady cycle"]["memory_mib"] = cpu.rss_mib({"web": pid})["web"]
        finally:
            bench.port, bench.roots = own_port, own_roots
    return measured


def described(results: dict[str, Any]) -> str:
    """The results as a table."""
    rows = []
    for run in results["runs"]:
        latency = run["operations"].get("cycle") or run["operations"]["trivial"]
        times = "/".join(str(latency[name]) for name in ("p50_ms", "p95_ms", "p99_ms"))
        cells = [run["server"], run["what"], run["clients"], run["answers_per_s"] or run["requests_per_s"], times]
        cells += [run["cpu_ms"]["web"], run["cpu_ms"]["postgres"], server_cpu(run), run.get("memory_mib")]
        rows.append([*cells, run["strangers_cores"], sum(run["errors"].values())])
    head = ["server", "what", "clients", "per s", "p50/p95/p99 ms", "web ms", "PostgreSQL ms", "both ms", "MiB"]
    parts = [table([*head, "strangers' cores", "errors"], rows)]
    parts += [f"{name} was left out: {why}" for name, why in results["skipped"].items()]
    return "\n\n".join(parts)


def main(argv: list[str]) -> int:
    """Run the command; its exit code."""
    parser = argparse.ArgumentParser(prog="./run bench servers", description=__doc__.partition("\n")[0])
    parser.add_argument("--tasks", type=int, default=200_000)
    parser.add_argument("--workers", type=int, default=200)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--overlap", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--warm", type=float, default=2.0)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", default="", help="variants whose name contains this")
    parser.add_argument(
        "--patience", type=float, default=0.0, help="seconds to wait for a quiet machine before each run"
    )
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(argv)
    cpu.be_patient(asked.patience)
    results = measure(asked)
    give(results, described(results), as_json=asked.json)
    return 0
