"""Answers one by one, and votes in pieces."""

import copy
import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.aggregation.dawid_skene import dawid_skene
from marketplace.aggregation.incremental import Incremental
from marketplace.aggregation.statistics import Statistics, dawid_skene_in_pieces
from marketplace.aggregation.votes import Votes
from tests.aggregation.crowds import N_WORKERS, crowds, recorded, simulated, votes_of

PRIORS = {"class_pseudocount": 1.0, "pseudocount": 1.0, "right_pseudocount": 2.0}


def followed(votes):
    found = Incremental(votes.n_labels)
    for task, worker, label in zip(votes.task.tolist(), votes.worker.tolist(), votes.label.tolist(), strict=True):
        found.add(task, worker, label)
    return found


def posteriors(found, votes):
    return np.array([found.posterior(task) for task in range(votes.n_tasks)])


@pytest.mark.parametrize("seed", range(5))
def test_visiting_all_tasks_again_comes_to_what_a_fit_of_all_answers_comes_to(seed):
    votes, truth = simulated(seed)
    whole = dawid_skene(votes, max_iterations=3000, tolerance=-np.inf, **PRIORS)
    found = followed(votes)
    at_once = posteriors(found, votes)

    rounds = found.sweep(rounds=500, tolerance=1e-10)

    assert rounds < 500
    assert posteriors(found, votes) == pytest.approx(whole.posteriors, abs=1e-5)
    assert found.confusion(3) == pytest.approx(whole.confusion[3], abs=1e-5)
    assert (at_once.argmax(axis=1) == whole.labels).mean() > 0.93
    assert (at_once.argmax(axis=1) == truth).mean() > 0.85


@pytest.mark.parametrize("seed", range(3))
def test_a_refit_in_the_background_is_the_fit_of_all_answers_and_goes_on_from_there(seed):
    votes, _ = simulated(seed)
    found = followed(votes)

    refitted = copy.deepcopy(found)
    assert refitted.refit(max_iterations=1000)

    assert posteriors(refitted, votes) == pytest.approx(dawid_skene(votes, max_iterations=1000, **PRIORS).posteriors)
    before = refitted.posterior(0)
    refitted.add(0, "somebody new", int(before.argmin()))
    assert refitted.posterior(0)[before.argmin()] > before.min()
    assert posteriors(refitted, votes)[1:] == pytest.approx(
        dawid_skene(votes, max_iterations=1000, **PRIORS).posteriors[1:]
    )


@settings(max_examples=50)
@given(crowds)
def test_what_is_known_of_workers_is_the_sum_over_their_answers(crowd):
    n_labels, triples = crowd
    votes = votes_of(triples, n_labels)
    found = followed(votes)

    for worker in range(N_WORKERS):
        counts = np.ones((n_labels, n_labels)) + 2 * np.eye(n_labels)
        for task, by, label in triples:
            if by == worker:
                counts[:, label] += found.posterior(task)
        assert found.confusion(worker) == pytest.approx(counts / counts.sum(axis=1, keepdims=True))


def test_a_new_answer_changes_its_task_and_its_worker_and_no_other_task():
    votes, _ = simulated(2)
    found = followed(votes)
    before, trusted = posteriors(found, votes), found.confusion(4)
    other = int(before[7].argmin())

    found.add(7, 4, other)

    after = posteriors(found, votes)
    assert after[7, other] > before[7, other]
    assert np.array_equal(np.delete(after, 7, axis=0), np.delete(before, 7, axis=0))
    assert not np.array_equal(found.confusion(4), trusted)


def test_an_answer_is_folded_in_within_a_millisecond():
    rows, truth = recorded("product-matching", "label")
    labels, found, taken = ["different", "same"], Incremental(2), []

    for task, worker, label in rows:
        started = time.perf_counter()
        found.add(task, worker, labels.index(label))
        taken.append(time.perf_counter() - started)

    # Half of them: what a machine does beside takes its time from a few.
    assert np.median(taken) < 1e-3
    right = [labels[found.posterior(task).argmax()] == label for task, label in truth.items()]
    assert np.mean(right) > 0.92


def test_what_was_never_seen_is_as_the_priors_say():
    found = Incremental(3)

    assert found.posterior("task").tolist() == pytest.approx([1 / 3] * 3)
    assert found.confusion("worker") == pytest.approx(np.full((3, 3), 0.2) + 0.4 * np.eye(3))
    assert found.refit() and found.sweep() == 1


def test_a_label_out_of_range_is_refused_and_changes_nothing():
    found = Incremental(2)
    found.add("task", "worker", 1)
    before = found.posterior("task"), found.confusion("worker")

    for label in (2, -1):
        with pytest.raises(ValueError, match="outside 0 … 1"):
            found.add("task", "worker", label)

    assert np.array_equal(found.posterior("task"), before[0])
    assert np.array_equal(found.confusion("worker"), before[1])
    with pytest.raises(ValueError, match="above 0"):
        Incremental(2, pseudocount=0)


def in_pieces(votes, cuts):
    edges = [0, *cuts, votes.n_tasks]
    parts = []
    for start, stop in itertools.pairwise(edges):
        here = (votes.task >= start) & (votes.task < stop)
        parts.append(
            Votes(votes.task[here] - start, votes.worker[here], votes.label[here], stop - start, votes.n_workers,
                  votes.n_labels)
        )  # fmt: skip
    return parts


@settings(max_examples=50)
@given(crowds, st.lists(st.integers(0, 6), max_size=3).map(sorted), st.sampled_from([{}, PRIORS]))
def test_a_fit_in_pieces_is_the_fit_of_the_whole(crowd, cuts, priors):
    n_labels, triples = crowd
    votes = votes_of(triples, n_labels)
    priors = {name: value for name, value in priors.items() if name != "class_pseudocount"}
    pieces = in_pieces(votes, cuts)

    found = dawid_skene_in_pieces(lambda: pieces, max_iterations=5, tolerance=-np.inf, **priors)

    whole = dawid_skene(votes, max_iterations=5, tolerance=-np.inf, **priors)
    after = dawid_skene(votes, max_iterations=6, tolerance=-np.inf, **priors)
    assert found.log_likelihoods == pytest.approx(whole.log_likelihoods, abs=1e-6)
    together = np.concatenate([found.model.posteriors(piece)[0] for piece in pieces])
    voted = after.n_votes > 0
    assert together[voted] == pytest.approx(after.posteriors[voted], abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_statistics_of_pieces_add_up_to_those_of_the_whole_in_any_order(seed):
    votes, _ = simulated(seed)
    shares = dawid_skene(votes).posteriors
    parts = [
        Statistics.of(piece, shares[start : start + piece.n_tasks], 1.5)
        for start, piece in zip((0, 90, 91), in_pieces(votes, [90, 91]), strict=True)
    ]
    whole = Statistics.of(votes, shares)

    for one, two, three in ((0, 1, 2), (2, 0, 1)):
        total = parts[one] + (parts[two] + parts[three])
        assert total.pair.tolist() == whole.pair.tolist()
        assert total.counts == pytest.approx(whole.counts)
        assert total.tasks_by_label == pytest.approx(whole.tasks_by_label)
        assert total.log_likelihood == 4.5


def test_pieces_of_different_labels_do_not_add_up():
    one, other = Votes([0], [0], [0], 1, 1, 2), Votes([0], [0], [0], 1, 1, 3)

    with pytest.raises(ValueError, match="different labels"):
        dawid_skene_in_pieces(lambda: [one, other])


def test_no_pieces_need_no_iteration():
    found = dawid_skene_in_pieces(list)

    assert (found.iterations, found.converged) == (0, True)


def test_workers_that_the_model_has_not_seen_count_by_the_priors_alone():
    votes, _ = simulated(1, n_workers=5)
    model = dawid_skene_in_pieces(lambda: [votes], pseudocount=1, right_pseudocount=2).model
    stranger = Votes([0], [9], [1], 1, 10, 3)

    found, _ = model.posteriors(stranger)

    expected = model.class_prior * np.array([0.2, 0.6, 0.2])
    assert found[0] == pytest.approx(expected / expected.sum())
