"""`./run bench assign` with tiny numbers, end to end on a stack of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TINY = "--tasks 60 400 --workers 8 --clients 4 --seconds 0.5 --warm 0.2 --repeat 1 --life-tasks 40 --past 100"


@pytest.mark.slow
@pytest.mark.stack
def test_bench_assign_measures_cycles_floors_and_flatness(data: Path) -> None:
    ours = ("DATABASE_", "REDIS_", "TOUCHSTONE_", "DJANGO_")
    env = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
    env["TOUCHSTONE_DATA"] = str(data)

    done = subprocess.run(
        [sys.executable, ROOT / "run", "bench", "assign", *TINY.split(), "--floor-tasks", "10000", "--json"],
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    results = json.loads(done.stdout)
    for size in ("60", "400"):
        for mode in ("steady", "steady_one_client", "pages_of_ten", "separate"):
            run = results["assign"][size][mode]
            assert run["answers"] > 0
            assert run["answers_per_s"] > 0
            assert not run["errors"]
            assert {"web", "postgres", "worker", "beat", "live", "valkey", "generator"} <= run["cpu_ms"].keys()
            assert run["cpu_ms"]["web"] > 0
            assert run["cpu_ms"]["postgres"] > 0
            latency = next(run["operations"][name] for name in ("cycle", "submit") if name in run["operations"])
            assert 0 < latency["p50_ms"] <= latency["p95_ms"] <= latency["p99_ms"]
    assert results["floor_http"]["many_clients"]["requests_per_s"] > 0
    assert not results["floor_http"]["many_clients"]["errors"]
    assert results["floor_sql"]["cycle"]["cycles_per_s"] > results["assign"]["400"]["steady"]["answers_per_s"]
    assert results["ratios"]["400"]["cpu_to_http_floor"] > 0
    assert results["flat"]["steady"]["400"]["cpu"] > 0
    # Every place of the batch was filled, and none twice.
    assert results["life"]["answered"] == results["life"]["places"] == 40 * 3
    assert results["past_answers"]["past"] == 100
    # The database that was measured is gone.
    assert not (data / "postgres").exists()
