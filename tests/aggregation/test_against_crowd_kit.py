"""crowd-kit 1.4.2 as the judge: the same labels from the same votes."""

import csv
import math
import os
from pathlib import Path

import numpy as np
import pytest

from marketplace.aggregation.dawid_skene import dawid_skene
from marketplace.aggregation.majority import majority
from marketplace.aggregation.votes import Votes

crowdkit = pytest.importorskip("crowdkit.aggregation")
pandas = pytest.importorskip("pandas")


def frame(votes):
    return pandas.DataFrame({"task": votes.task, "worker": votes.worker, "label": votes.label})


def random_votes(seed):
    rng = np.random.default_rng(seed)
    n_tasks, n_workers, n_labels, overlap = 400, 30, int(rng.integers(2, 6)), int(rng.integers(2, 7))
    truth, skill = rng.integers(0, n_labels, n_tasks), rng.beta(6, 2.5, n_workers)
    task = np.repeat(np.arange(n_tasks), overlap)
    worker = rng.integers(0, n_workers, len(task))
    wrong = (truth[task] + rng.integers(1, n_labels, len(task))) % n_labels
    label = np.where(rng.random(len(task)) < skill[worker], truth[task], wrong)
    return Votes(task, worker, label, n_tasks, n_workers, n_labels)


@pytest.fixture(scope="module")
def recorded():
    """(votes, vocabularies, truth by task index, crowd-kit's frame) of the recorded crowd."""
    if "TOUCHSTONE_CROWDS" not in os.environ:
        pytest.skip("TOUCHSTONE_CROWDS names no folder of recorded crowds")
    folder = Path(os.environ["TOUCHSTONE_CROWDS"]) / "product-matching"
    with open(folder / "answers.csv", newline="") as file:
        rows = [(row["external_id"], row["worker"], row["label"]) for row in csv.DictReader(file)]
    with open(folder / "truth.csv", newline="") as file:
        truth = {row["external_id"]: row["label"] for row in csv.DictReader(file)}
    votes, words = Votes.of(*zip(*rows, strict=True))
    data = pandas.DataFrame(rows, columns=["task", "worker", "label"])
    return votes, words, [truth[task] for task in words.tasks], data


def in_the_order_of(model, votes):
    """The votes with labels numbered as crowd-kit's columns are, whose order decides its ties."""
    order = [int(label) for label in model.probas_.columns]
    renumbered, _ = Votes.of(votes.task, votes.worker, votes.label, task_order=range(votes.n_tasks), label_order=order)
    return renumbered, order


def posteriors_of(model):
    return model.probas_.sort_index().to_numpy()


@pytest.mark.parametrize("seed", range(20))
def test_majority_labels_equal_crowd_kits_on_random_votes_with_ties(seed):
    model = crowdkit.MajorityVote().fit(frame(random_votes(seed)))
    votes, order = in_the_order_of(model, random_votes(seed))

    ours = majority(votes)

    assert np.array_equal(np.array(order)[ours.labels], model.labels_.sort_index().to_numpy())
    assert ours.posteriors == pytest.approx(posteriors_of(model))


@pytest.mark.parametrize("seed", range(20))
def test_dawid_skene_equals_crowd_kits_on_random_votes(seed):
    model = crowdkit.DawidSkene(n_iter=100, tol=1e-5).fit(frame(random_votes(seed)))
    votes, order = in_the_order_of(model, random_votes(seed))

    ours = dawid_skene(votes)

    assert np.array_equal(np.array(order)[ours.labels], model.labels_.sort_index().to_numpy())
    assert ours.iterations == len(model.loss_history_)
    assert ours.posteriors == pytest.approx(posteriors_of(model), abs=1e-6)


@pytest.mark.parametrize("iterations", [1, 2, 17])
def test_every_iteration_equals_crowd_kits(iterations):
    model = crowdkit.DawidSkene(n_iter=iterations, tol=-math.inf).fit(frame(random_votes(99)))
    votes, order = in_the_order_of(model, random_votes(99))

    ours = dawid_skene(votes, max_iterations=iterations, tolerance=-math.inf)

    assert ours.posteriors == pytest.approx(posteriors_of(model), abs=1e-6)
    assert ours.class_prior == pytest.approx(model.priors_.to_numpy(), abs=1e-6)
    worker_of = list(dict.fromkeys(random_votes(99).worker.tolist()))
    for (worker, given), rates in model.errors_.iterrows():
        true_rates = ours.confusion[worker_of.index(worker), :, order.index(given)]
        assert true_rates == pytest.approx(rates.to_numpy(), abs=1e-6)


def test_majority_on_the_recorded_crowd_is_right_for_8966_of_10000(recorded):
    votes, words, truth, data = recorded

    ours = [words.labels[label] for label in majority(votes).labels]

    assert ours == crowdkit.MajorityVote().fit_predict(data).loc[list(words.tasks)].tolist()
    assert round(np.mean(np.array(ours) == np.array(truth)), 4) == 0.8966


def test_dawid_skene_on_the_recorded_crowd_equals_crowd_kit_and_is_right_for_9397_of_10000(recorded):
    votes, words, truth, data = recorded
    result = dawid_skene(votes)
    ours = [words.labels[label] for label in result.labels]

    assert ours == crowdkit.DawidSkene(n_iter=100).fit_predict(data).loc[list(words.tasks)].tolist()
    assert round(np.mean(np.array(ours) == np.array(truth)), 4) == 0.9397
    assert (result.iterations, result.converged) == (80, True)
