"""Crowds for the tests of aggregation: random ones, and those recorded."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st

from marketplace.aggregation.votes import Votes

N_TASKS, N_WORKERS = 6, 5

# (n_labels, [(task, worker, label), …]): small, with empty, lonely and disconnected parts.
crowds = st.integers(1, 4).flatmap(
    lambda n_labels: st.tuples(
        st.just(n_labels),
        st.lists(
            st.tuples(st.integers(0, N_TASKS - 1), st.integers(0, N_WORKERS - 1), st.integers(0, n_labels - 1)),
            max_size=40,
        ),
    )
)


def votes_of(triples, n_labels, n_tasks=N_TASKS, n_workers=N_WORKERS):
    task, worker, label = np.array(triples, dtype=int).reshape(-1, 3).T
    return Votes(task, worker, label, n_tasks, n_workers, n_labels)


def simulated(seed, *, n_tasks=300, n_workers=25, n_labels=3, overlap=5):
    """Votes of workers right with a probability from Beta(6, 2.5), and the truth (n_tasks,)."""
    rng = np.random.default_rng(seed)
    truth, skill = rng.integers(0, n_labels, n_tasks), rng.beta(6, 2.5, n_workers)
    task = np.repeat(np.arange(n_tasks), overlap)
    worker = np.concatenate([rng.choice(n_workers, overlap, replace=False) for _ in range(n_tasks)])
    wrong = (truth[task] + rng.integers(1, n_labels, len(task))) % n_labels
    label = np.where(rng.random(len(task)) < skill[worker], truth[task], wrong)
    return Votes(task, worker, label, n_tasks, n_workers, n_labels), truth


def recorded(name, column):
    """The rows (task, worker, value) and the truth by task of a recorded crowd; skips where there is none."""
    if "TOUCHSTONE_CROWDS" not in os.environ:
        pytest.skip("TOUCHSTONE_CROWDS names no folder of recorded crowds")
    folder = Path(os.environ["TOUCHSTONE_CROWDS"]) / name
    with open(folder / "answers.csv", newline="") as file:
        rows = [(row["external_id"], row["worker"], row[column]) for row in csv.DictReader(file)]
    with open(folder / "truth.csv", newline="") as file:
        return rows, {row["external_id"]: row[column] for row in csv.DictReader(file)}
