"""Dawid–Skene and majority against crowd-kit, in one process and on the same votes, and how right every method is on
recorded crowds; prints JSON.

    ./run bench aggregation [DIR] [--rounds 5] [--tasks 1000000] [--judges]

Both start from columns in memory: crowd-kit from a data frame, ours from the same columns encoded by `Votes.of`.
`seconds` is the fit alone and `ratio` that of the medians; `with_encoding_s` and `ratio_with_encoding` are the whole
way. Recorded crowds are read from DIR, or the folder that TOUCHSTONE_CROWDS names, and left out without it; the large
crowd is simulated: three of 10,000 workers per task, four labels. `accuracy` has every method on `product-matching`
beside the figures that the README in DIR states, and the errors of the methods for numbers on `emotion`. With --judges
crowd-kit's one-coin, MACE and GLAD are run on `product-matching` too, once, in a minute. Where crowd-kit is not
installed it is brought into an environment of the benchmark, in which everything then runs; where it cannot be, ours is
measured alone.
"""

import argparse
import csv
import gc
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.dawid_skene import dawid_skene
from marketplace.aggregation.majority import majority
from marketplace.aggregation.votes import Votes
from tests.benchmarks.environments import NotInstallable, environment
from tests.benchmarks.label_accuracy import LABELS, of_labels, of_numbers
from tests.benchmarks.report import progress

CROWD_KIT = "crowd-kit==1.4.2"
BUDGET = 20
Columns = dict[str, NDArray[Any]]


def simulated(n_tasks: int, seed: int = 7) -> Columns:
    """Workers right with a probability from Beta(6, 2.5), errors uniform over the other labels."""
    rng = np.random.default_rng(seed)
    n_workers, n_labels, overlap = 10_000, 4, 3
    truth, skill = rng.integers(0, n_labels, n_tasks), rng.beta(6, 2.5, n_workers)
    step = rng.integers(1, n_workers // overlap, n_tasks)
    worker = (rng.integers(0, n_workers, n_tasks)[:, None] + step[:, None] * np.arange(overlap)) % n_workers
    wrong = (truth[:, None] + rng.integers(1, n_labels, (n_tasks, overlap))) % n_labels
    label = np.where(rng.random((n_tasks, overlap)) < skill[worker], truth[:, None], wrong)
    task = np.repeat(np.arange(n_tasks), overlap)
    return {"task": task, "worker": worker.ravel(), "label": label.ravel()}


def recorded(folder: Path) -> Columns:
    """The answers of a recorded crowd."""
    with open(folder / "answers.csv", newline="") as file:
        rows = [(row["external_id"], row["worker"], row["label"]) for row in csv.DictReader(file)]
    return {
        name: np.array(column, object)
        for name, column in zip(("task", "worker", "label"), zip(*rows, strict=True), strict=True)
    }


def median_s(function: Callable[[], Any], rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        gc.collect()
        start = time.perf_counter()
        function()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def peak_mib(function: Callable[[], Any]) -> float:
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return round(peak / 2**20, 1)


def alone(name: str, columns: Columns, rounds: int) -> dict[str, Any]:
    """Ours without a judge."""
    votes, _ = Votes.of(*columns.values())
    return {
        "data": name,
        "answers": len(votes),
        "dawid_skene": {
            "seconds": round(median_s(lambda: dawid_skene(votes), rounds), 5),
            "iterations": dawid_skene(votes).iterations,
            "peak_mib": peak_mib(lambda: dawid_skene(votes)),
        },
        "majority": {"seconds": round(median_s(lambda: majority(votes), rounds), 5)},
    }


def compare(name: str, given: Columns, rounds: int, rounds_of_theirs: int) -> dict[str, Any]:
    """Ours and crowd-kit's on the same votes."""
    import crowdkit.aggregation
    import pandas

    data = pandas.DataFrame(given)
    columns = [data[column].to_numpy() for column in ("task", "worker", "label")]
    model = crowdkit.aggregation.DawidSkene(n_iter=100).fit(data)
    votes, words = Votes.of(*columns, label_order=list(model.probas_.columns))
    ours = dawid_skene(votes)
    labels = np.array(words.labels, dtype=object)[ours.labels]
    equal = float(np.mean(labels == model.labels_.loc[list(words.tasks)].to_numpy()))
    majority_labels = np.array(words.labels, dtype=object)[majority(votes).labels]
    theirs_by_majority = crowdkit.aggregation.MajorityVote().fit_predict(data).loc[list(words.tasks)].to_numpy()

    def fit_theirs() -> object:
        return crowdkit.aggregation.DawidSkene(n_iter=100).fit_predict(data)

    encoding_s = median_s(lambda: Votes.of(*columns), rounds)
    ours_s = median_s(lambda: dawid_skene(votes), rounds)
    theirs_s = median_s(fit_theirs, rounds_of_theirs)
    majority_s = median_s(lambda: majority(votes), rounds)
    theirs_majority_s = median_s(lambda: crowdkit.aggregation.MajorityVote().fit_predict(data), rounds)
    return {
        "data": name,
        "answers": len(votes),
        "tasks": votes.n_tasks,
        "workers": votes.n_workers,
        "labels": votes.n_labels,
        "dawid_skene": {
            "seconds": round(ours_s, 5),
            "with_encoding_s": round(ours_s + encoding_s, 5),
            "crowd_kit_s": round(theirs_s, 4),
            "ratio": round(theirs_s / ours_s, 1),
            "ratio_with_encoding": round(theirs_s / (ours_s + encoding_s), 1),
            "budget": BUDGET,
            "iterations": ours.iterations,
            "crowd_kit_iterations": len(model.loss_history_),
            "equal_labels": equal,
            "peak_mib": peak_mib(lambda: dawid_skene(votes)),
            "crowd_kit_peak_mib": peak_mib(fit_theirs),
        },
        "majority": {
            "seconds": round(majority_s, 5),
            "crowd_kit_s": round(theirs_majority_s, 4),
            "ratio": round(theirs_majority_s / majority_s, 1),
            "equal_labels": float(np.mean(majority_labels == theirs_by_majority)),
        },
    }


def other_judges(given: Columns) -> dict[str, Any]:
    """Our other methods and crowd-kit's on the same votes: seconds, and the share of equal labels."""
    import crowdkit.aggregation
    import pandas

    data = pandas.DataFrame(given)
    votes, words = Votes.of(*given.values())
    judges = {
        "one_coin": crowdkit.aggregation.OneCoinDawidSkene(n_iter=100),
        "glad": crowdkit.aggregation.GLAD(),
        "mace": crowdkit.aggregation.MACE(),
    }
    results = {}
    for name, judge in judges.items():
        started = time.perf_counter()
        theirs = judge.fit_predict(data).loc[list(words.tasks)].to_numpy()
        theirs_s = time.perf_counter() - started
        started = time.perf_counter()
        labels = np.array(words.labels, dtype=object)[LABELS[name](votes).labels]
        ours_s = time.perf_counter() - started
        results[name] = {
            "seconds": round(ours_s, 4),
            "crowd_kit_s": round(theirs_s, 2),
            "ratio": round(theirs_s / ours_s, 1),
            "equal_labels": round(float(np.mean(labels == theirs)), 4),
        }
    return results


def main(argv: list[str]) -> int:
    """Run the command; its exit code."""
    parser = argparse.ArgumentParser(prog="./run bench aggregation", description=__doc__.partition("\n")[0])
    parser.add_argument("crowds", nargs="?", metavar="DIR", default=os.environ.get("TOUCHSTONE_CROWDS"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tasks", type=int, default=1_000_000, help="size of the simulated crowd; 0 leaves it out")
    parser.add_argument("--judges", action="store_true", help="run crowd-kit's slower methods too")
    parser.add_argument("--json", action="store_true", help="the output is JSON in any case")
    options = parser.parse_args(argv)
    judged = importlib.util.find_spec("crowdkit") is not None
    if not judged:
        try:
            binaries = environment("aggregation", [CROWD_KIT])
        except NotInstallable as why:
            progress(f"{why}\nOurs is measured alone.")
        else:
            again = [str(binaries / "python"), "-P", "-m", "tests.benchmarks", "aggregation", *argv]
            return subprocess.run(again, check=False).returncode
    crowds = []
    report: dict[str, Any] = {}
    if options.crowds:
        folder = Path(options.crowds)
        matching = recorded(folder / "product-matching")
        crowds.append(("product-matching", matching, options.rounds))
        report["accuracy"] = {"product-matching": of_labels(folder), "emotion": of_numbers(folder)}
        if judged and options.judges:
            report["other_methods"] = other_judges(matching)
    if options.tasks:
        crowds.append(("simulated", simulated(options.tasks), 1))
    results = [
        compare(name, columns, options.rounds, rounds_of_theirs) if judged else alone(name, columns, options.rounds)
        for name, columns, rounds_of_theirs in crowds
    ]
    print(json.dumps({"aggregation": results, **report}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
