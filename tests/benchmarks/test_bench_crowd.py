"""`./run bench crowd` with tiny numbers, end to end on a stack of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.bench_crowd import main

ROOT = Path(__file__).resolve().parents[2]
TINY = "--seed 1 --workers 10 --tasks 160 --turns-after 30"


def bench(data: Path, *options: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    ours = ("DATABASE_", "REDIS_", "TOUCHSTONE_", "DJANGO_")
    env = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
    env |= {"TOUCHSTONE_DATA": str(data), **variables}
    argv = [sys.executable, ROOT / "run", "bench", "crowd", *options, "--json"]
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=900)


@pytest.mark.slow
@pytest.mark.stack
def test_bench_crowd_plays_both_arms_and_judges_every_target(data: Path) -> None:
    done = bench(data, *TINY.split())

    assert done.returncode in (0, 1), done.stderr[-3000:]
    results: dict[str, Any] = json.loads(done.stdout)
    met = [target["met"] for target in results["targets"]]
    assert done.returncode == int(False in met), "a target that is missed is what the exit code says"
    assert results["answers"] == results["answers_without"] > 700
    kinds = results["detection"]["kinds"]
    assert {"honest", "random", "constant", "sleeper"} <= kinds.keys()
    assert all(row["answers"] > 0 for row in kinds.values())
    assert 0 < results["gold"]["overall"] < 0.25
    assert results["gold"]["probation"] > results["gold"]["later"]
    assert 0.3 < results["metadata"]["auc"] < 0.7
    assert results["positions"]["probation"]["stretches"] > 0
    for arm in ("with", "without"):
        assert 0.5 < results["accuracy"][arm]["dawid_skene"] <= 1
    assert results["starved"]["share"] == 0
    asked = {(target["promise"], target["name"].split(" (")[0]) for target in results["targets"]}
    assert {"R37", "R38", "R40"} <= {promise for promise, _ in asked}
    # What is judged on too little says so instead of passing.
    assert {name: target["met"] for target in results["targets"] if "AUC" in (name := target["name"])} == {
        "AUC on response metadata, within phases": None
    }
    # The database that was measured is gone.
    assert not (data / "postgres").exists()


def test_without_a_folder_of_recordings_the_dry_run_is_skipped_with_a_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TOUCHSTONE_CROWDS", raising=False)
    assert main(["--recorded", "product-matching"]) == 0
    assert "TOUCHSTONE_CROWDS names no folder" in capsys.readouterr().err


def test_a_recording_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("TOUCHSTONE_CROWDS", str(tmp_path))
    assert main(["--recorded", "nobody"]) == 2
    assert "nobody is not a folder" in capsys.readouterr().err
