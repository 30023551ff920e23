import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.aggregation import layout as module
from marketplace.aggregation.dawid_skene import dawid_skene
from marketplace.aggregation.votes import Votes

crowds = st.integers(1, 4).flatmap(
    lambda n_labels: st.tuples(
        st.just(n_labels),
        st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4), st.integers(0, n_labels - 1)), max_size=40),
    )
)


def votes_of(triples, *, n_tasks=6, n_workers=5, n_labels=2):
    task, worker, label = np.array(triples, dtype=int).reshape(-1, 3).T
    return Votes(task, worker, label, n_tasks, n_workers, n_labels)


def random_crowd(seed, *, n_tasks=300, n_workers=25, n_labels=3, overlap=5):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_labels, n_tasks)
    skill = rng.beta(6, 2.5, n_workers)
    task = np.repeat(np.arange(n_tasks), overlap)
    worker = np.concatenate([rng.choice(n_workers, overlap, replace=False) for _ in range(n_tasks)])
    wrong = (truth[task] + rng.integers(1, n_labels, len(task))) % n_labels
    label = np.where(rng.random(len(task)) < skill[worker], truth[task], wrong)
    shuffle = rng.permutation(len(task))
    return Votes(task[shuffle], worker[shuffle], label[shuffle], n_tasks, n_workers, n_labels)


def by_hand(triples, n_tasks, n_workers, n_labels, iterations, pseudocount=0.0):
    """The method as the paper writes it, with plain products over plain lists."""
    labels = range(n_labels)
    of_task = [[(w, k) for t, w, k in triples if t == task] for task in range(n_tasks)]
    voted = [task for task in range(n_tasks) if of_task[task]]
    posterior = {t: [sum(k == c for _, k in of_task[t]) / len(of_task[t]) for c in labels] for t in voted}
    used = [{k for _, w, k in triples if w == worker} for worker in range(n_workers)]
    for _ in range(iterations):
        prior = [sum(posterior[t][c] for t in voted) / len(voted) for c in labels]
        rate = {}
        for worker in range(n_workers):
            for c in labels:
                count = dict.fromkeys(used[worker], 1e-10)
                for k in used[worker]:
                    expected = sum(posterior[t][c] for t, w, given in triples if (w, given) == (worker, k))
                    count[k] = max(expected, 1e-10) + pseudocount
                total = sum(count.values()) + pseudocount * (n_labels - len(count))
                rate.update({(worker, c, k): count[k] / total for k in count})
        for t in voted:
            joint = [max(prior[c], 1e-10) * math.prod(rate[w, c, k] for w, k in of_task[t]) for c in labels]
            posterior[t] = [value / sum(joint) for value in joint]
    return posterior


@given(crowds, st.integers(1, 6), st.sampled_from([0.0, 0.5]))
def test_em_computes_what_the_formulas_say(crowd, iterations, pseudocount):
    n_labels, triples = crowd
    votes = votes_of(triples, n_labels=n_labels)

    result = dawid_skene(votes, max_iterations=iterations, tolerance=-math.inf, pseudocount=pseudocount)

    if triples:
        assert result.iterations == iterations
    for task, expected in by_hand(triples, 6, 5, n_labels, iterations, pseudocount).items() if triples else ():
        assert result.posteriors[task] == pytest.approx(expected, abs=1e-7)


@given(crowds, st.sampled_from([0.0, 0.1, 1.0]), st.booleans())
def test_em_never_lowers_the_likelihood(crowd, pseudocount, prior_given):
    n_labels, triples = crowd
    class_prior = range(1, n_labels + 1) if prior_given else None

    result = dawid_skene(
        votes_of(triples, n_labels=n_labels), pseudocount=pseudocount, class_prior=class_prior, tolerance=-math.inf
    )

    assert np.all(np.diff(result.log_likelihoods) > -1e-6)  # the floor of 1e-10 may cost that much, never more


@given(crowds)
def test_posteriors_and_confusion_are_probabilities(crowd):
    n_labels, triples = crowd
    result = dawid_skene(votes_of(triples, n_labels=n_labels))

    assert result.posteriors.sum(axis=1) == pytest.approx(np.ones(6))
    assert result.class_prior.sum() == pytest.approx(1.0)
    assert result.confusion.shape == (5, n_labels, n_labels)
    assert result.confusion.sum(axis=2) == pytest.approx(np.ones((5, n_labels)))
    assert np.array_equal(result.labels, result.posteriors.argmax(axis=1))
    assert np.array_equal(result.confidence, result.posteriors.max(axis=1))


@pytest.mark.parametrize("seed", range(5))
def test_relabelling_workers_and_tasks_changes_no_posterior(seed):
    votes = random_crowd(seed)
    rng = np.random.default_rng(seed + 100)
    workers, tasks = rng.permutation(votes.n_workers), rng.permutation(votes.n_tasks)

    plain = dawid_skene(votes)
    moved = dawid_skene(Votes(tasks[votes.task], workers[votes.worker], votes.label, 300, 25, 3))

    assert moved.posteriors[tasks] == pytest.approx(plain.posteriors, abs=1e-9)
    assert moved.confusion[workers] == pytest.approx(plain.confusion, abs=1e-9)
    assert moved.iterations == plain.iterations


@pytest.mark.parametrize("seed", range(5))
def test_renaming_labels_renames_the_result(seed):
    votes = random_crowd(seed)
    renamed = np.array([2, 0, 1])

    plain = dawid_skene(votes)
    moved = dawid_skene(Votes(votes.task, votes.worker, renamed[votes.label], 300, 25, 3))

    assert moved.posteriors[:, renamed] == pytest.approx(plain.posteriors, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_unanimous_votes_win(seed):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, 50)
    task = np.repeat(np.arange(50), 3)

    result = dawid_skene(Votes(task, np.tile(np.arange(3), 50), truth[task], 50, 3, 3))

    assert np.array_equal(result.labels, truth)
    assert result.confidence.min() > 0.999999


def test_a_worker_who_swaps_labels_is_seen_through():
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 2, 400)
    task = np.repeat(np.arange(400), 5)
    worker = np.tile(np.arange(5), 400)
    right = rng.random(2000) < np.array([0.85, 0.85, 0.85, 0.1, 0.1])[worker]

    result = dawid_skene(Votes(task, worker, np.where(right, truth[task], 1 - truth[task]), 400, 5, 2))

    assert np.mean(result.labels == truth) > 0.95
    assert result.confusion[3, 0, 1] == pytest.approx(0.9, abs=0.05)
    assert result.converged


def test_one_class_is_certain():
    result = dawid_skene(votes_of([(0, 0, 0), (1, 1, 0)], n_tasks=2, n_labels=1))

    assert result.posteriors.tolist() == [[1.0], [1.0]]
    assert result.labels.tolist() == [0, 0]
    assert result.converged


def test_one_worker_is_believed():
    result = dawid_skene(votes_of([(0, 0, 0), (1, 0, 1), (2, 0, 1)], n_tasks=3, n_workers=1))

    assert result.labels.tolist() == [0, 1, 1]


def test_a_task_without_votes_returns_the_class_prior():
    result = dawid_skene(votes_of([(0, 0, 1), (2, 0, 1), (3, 0, 0)], n_tasks=4))

    assert result.posteriors[1].tolist() == result.class_prior.tolist()
    assert result.class_prior == pytest.approx([1 / 3, 2 / 3])
    assert result.n_votes.tolist() == [1, 0, 1, 1]


def test_no_votes_at_all_return_the_prior_without_an_iteration():
    uniform = dawid_skene(votes_of([], n_tasks=2, n_labels=4))
    told = dawid_skene(votes_of([], n_tasks=2, n_labels=2), class_prior=[3, 1])

    assert uniform.posteriors.tolist() == [[0.25] * 4] * 2
    assert told.posteriors.tolist() == [[0.75, 0.25]] * 2
    assert (uniform.iterations, uniform.converged) == (0, True)


def test_empty_input_gives_empty_arrays():
    result = dawid_skene(votes_of([], n_tasks=0, n_workers=0, n_labels=0))

    assert result.posteriors.shape == (0, 0)
    assert result.confusion.shape == (0, 0, 0)
    assert result.labels.shape == (0,)


def test_a_given_class_prior_is_kept():
    result = dawid_skene(votes_of([(0, 0, 0), (0, 1, 1)]), class_prior=[1, 3])

    assert result.class_prior.tolist() == [0.25, 0.75]
    assert result.labels[0] == 1


def test_stopping_at_the_iteration_limit_is_part_of_the_result():
    result = dawid_skene(random_crowd(1), max_iterations=2)

    assert (result.iterations, result.converged) == (2, False)
    assert len(result.log_likelihoods) == 2


def test_the_same_votes_give_the_same_bits():
    first, second = dawid_skene(random_crowd(4)), dawid_skene(random_crowd(4))

    assert first.posteriors.tobytes() == second.posteriors.tobytes()
    assert first.confusion.tobytes() == second.confusion.tobytes()


@pytest.mark.parametrize(("slots", "run"), [(1, 1), (2, 2**17), (64, 1)])
def test_how_the_votes_are_laid_out_changes_nothing(monkeypatch, slots, run):
    rng = np.random.default_rng(8)
    task = rng.integers(0, 3000, 9000) * (rng.random(9000) < 0.9)  # task 0 has several hundred votes
    votes = Votes(task, rng.integers(0, 30, 9000), rng.integers(0, 2, 9000), 3000, 30, 2)
    usual = dawid_skene(votes, max_iterations=10)

    monkeypatch.setattr(module, "SLOTS", slots)
    monkeypatch.setattr(module, "RUN", run)
    result = dawid_skene(votes, max_iterations=10)

    assert result.posteriors == pytest.approx(usual.posteriors, abs=1e-9)
    assert result.log_likelihoods == pytest.approx(usual.log_likelihoods)


@pytest.mark.parametrize(
    "wrong", [{"pseudocount": -1}, {"max_iterations": 0}, {"class_prior": [1]}, {"class_prior": [0, 1]}]
)
def test_options_that_mean_nothing_are_refused(wrong):
    with pytest.raises(ValueError, match="must be"):
        dawid_skene(votes_of([(0, 0, 0)]), **wrong)
