"""The dry run on a recorded crowd: a small made-up one whose bad workers are known, and the real one where there is."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from random import Random

import pytest

from tests.benchmarks.trust.recorded import dry_run, read_order

LABELS = ("different", "same")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """400 tasks with three answers each of twelve workers: ten are right in 90 %, one clicks anything, one always says
    the same."""
    draws = Random(1)
    tasks = {f"t{n}": draws.choice(LABELS) for n in range(400)}
    with (tmp_path / "tasks.jsonl").open("w") as file:
        file.writelines(json.dumps({"external_id": task, "data": {"text": task}}) + "\n" for task in tasks)
    with (tmp_path / "truth.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("external_id", "label"), *tasks.items()])
    people = [f"good{n}" for n in range(10)] + ["clicker", "constant"]
    with (tmp_path / "answers.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("external_id", "worker", "label"))
        for task, truth in tasks.items():
            for worker in draws.sample(people, 3):
                other = LABELS[1 - LABELS.index(truth)]
                good = truth if draws.random() < 0.9 else other
                said = {"clicker": draws.choice(LABELS), "constant": "same"}.get(worker, good)
                writer.writerow((task, worker, said))
    return tmp_path


def test_whoever_guesses_is_limited_rightly_and_good_workers_are_not(folder: Path) -> None:
    results = dry_run(folder, preset="balanced", gold_share=0.1, seed=1)
    who = {one["worker"]: one for one in results["who"]}
    assert set(who) == {"clicker", "constant"}
    assert all(one["rightly"] and one["evidence"] and one["rule"] for one in who.values())
    assert results["limited"]["wrongly"] == 0
    assert results["limited"]["of_bad_workers"] == "2 of 2"
    late = results["cost"]["answers_bought_again"]
    assert 0 < late < 200
    accuracy = results["accuracy"]
    assert accuracy["all_answers"]["answers"] == 1200
    assert accuracy["and_those_bought_again"]["majority"] > accuracy["all_answers"]["majority"]


def test_gold_is_drawn_from_the_truth_by_the_seed_and_costs_what_was_answered_to_it(folder: Path) -> None:
    one, again, other = (dry_run(folder, preset="fast", gold_share=0.1, seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert one["cost"] != other["cost"] or one["who"] != other["who"]
    assert one["cost"]["gold_tasks"] == 40
    # Of limited workers the later answers would not have been given.
    assert 90 <= one["cost"]["gold_answers"] <= 120


def test_of_two_answers_of_one_worker_to_a_task_the_last_counts_at_its_own_place(folder: Path) -> None:
    path = folder / "answers.csv"
    path.write_text("external_id,worker,label\nt1,a,same\nt2,a,same\nt1,a,different\n")
    assert read_order(path) == [("t2", "a", "same"), ("t1", "a", "different")]


@pytest.mark.slow
@pytest.mark.crowd
def test_the_dry_run_reads_the_real_recording(crowds: Path) -> None:
    results = dry_run(crowds / "product-matching", preset="fast", gold_share=0.05, seed=1)
    assert results["answers"] == 24_945
    assert results["accuracy"]["all_answers"]["dawid_skene"] == pytest.approx(0.94, abs=0.01)
    assert results["limited"]["rightly"] > results["limited"]["wrongly"]
