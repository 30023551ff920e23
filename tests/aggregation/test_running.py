"""The running consensus: Bayes' rule for each task, checked against the sum over all that could be true."""

from math import exp, log, prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.aggregation.majority import majority
from marketplace.aggregation.running import (
    ACCURACY_MAX,
    ACCURACY_MIN,
    agreement_weight,
    running_consensus,
    weighted_majority,
)
from marketplace.aggregation.votes import Votes

WORKERS = 4


def votes_of(pairs, *, n_labels, n_tasks=1):
    """Votes on task 0, or triples with the task first."""
    triples = [pair if len(pair) == 3 else (0, *pair) for pair in pairs]
    task, worker, label = np.array(triples, dtype=int).reshape(-1, 3).T
    return Votes(task, worker, label, n_tasks, WORKERS, n_labels)


@st.composite
def cases(draw, n_tasks=1):
    """Votes of up to four workers, each once on a task, and how often each is right, by true label."""
    n_labels = draw(st.integers(2, 4))
    pairs = [(t, w, draw(st.integers(0, n_labels - 1))) for t in range(n_tasks)
             for w in range(WORKERS) if draw(st.booleans())]  # fmt: skip
    shares = st.floats(0, 1, allow_nan=False)
    accuracy = np.array([[draw(shares) for _ in range(n_labels)] for _ in range(WORKERS)])
    return pairs, accuracy, n_labels


def by_hand(pairs, accuracy, n_labels, prior=None):
    """The posterior of one task by the definition, one product for each label that could be true."""

    def likely(worker, given_label, true):
        clipped = [min(max(value, ACCURACY_MIN), ACCURACY_MAX) for value in accuracy[worker]]
        if given_label == true:
            return clipped[true]
        return min((1 - clipped[true]) / (n_labels - 1), clipped[given_label])

    joint = [
        (prior[true] if prior else 1.0) * prod(likely(worker, label, true) for _, worker, label in pairs)
        for true in range(n_labels)
    ]
    return [value / sum(joint) for value in joint]


@given(cases())
def test_the_posterior_is_what_the_definition_says(case):
    pairs, accuracy, n_labels = case
    found = running_consensus(votes_of(pairs, n_labels=n_labels), accuracy)

    assert found.posteriors[0] == pytest.approx(by_hand(pairs, accuracy, n_labels), abs=1e-12)
    for at in range(len(pairs)):
        others = pairs[:at] + pairs[at + 1 :]
        assert found.others_posteriors[at] == pytest.approx(by_hand(others, accuracy, n_labels), abs=1e-9)
        assert found.others_count[at] == len(others)
        alike = [other for other in others if other[2] == pairs[at][2]]
        assert found.others_agree[at] == pytest.approx(
            len(alike) / len(others) if others else float("nan"), nan_ok=True
        )
        alone = running_consensus(votes_of(others, n_labels=n_labels), accuracy)
        assert found.others_labels[at] == alone.labels[0]


def test_a_prior_counts_as_it_is():
    pairs, accuracy, prior = [(0, 0, 1), (0, 1, 1)], np.full((WORKERS, 2), 0.7), [0.9, 0.1]
    found = running_consensus(votes_of(pairs, n_labels=2), accuracy, np.log(prior))

    assert found.posteriors[0] == pytest.approx(by_hand(pairs, accuracy, 2, prior))
    assert found.posteriors[0, 1] == pytest.approx(0.1 * 0.49 / (0.1 * 0.49 + 0.9 * 0.09))


@given(cases(), st.data())
def test_other_names_for_labels_and_workers_change_nothing(case, data):
    pairs, accuracy, n_labels = case
    label_to = data.draw(st.permutations(range(n_labels)))
    worker_to = data.draw(st.permutations(range(WORKERS)))
    renamed = np.empty_like(accuracy)
    for worker in range(WORKERS):
        for label in range(n_labels):
            renamed[worker_to[worker], label_to[label]] = accuracy[worker, label]
    one = running_consensus(votes_of(pairs, n_labels=n_labels), accuracy)
    other = running_consensus(
        votes_of([(task, worker_to[worker], label_to[label]) for task, worker, label in pairs], n_labels=n_labels),
        renamed,
    )

    assert other.posteriors[0][label_to] == pytest.approx(one.posteriors[0], abs=1e-12)
    assert other.others_posteriors[:, label_to] == pytest.approx(one.others_posteriors, abs=1e-9)


@given(cases(n_tasks=3))
def test_tasks_and_the_order_of_votes_have_nothing_to_do_with_each_other(case):
    triples, accuracy, n_labels = case
    together = running_consensus(votes_of(triples, n_labels=n_labels, n_tasks=3), accuracy)
    backwards = running_consensus(votes_of(triples[::-1], n_labels=n_labels, n_tasks=3), accuracy)

    assert backwards.posteriors == pytest.approx(together.posteriors, abs=1e-12)
    for task in range(3):
        mine = [(0, worker, label) for at, worker, label in triples if at == task]
        alone = running_consensus(votes_of(mine, n_labels=n_labels), accuracy)
        assert together.posteriors[task] == pytest.approx(alone.posteriors[0], abs=1e-12)
        assert together.n_votes[task] == len(mine)


@given(cases(), st.data())
def test_one_more_vote_for_a_label_never_makes_it_less_probable(case, data):
    pairs, accuracy, n_labels = case
    label = data.draw(st.integers(0, n_labels - 1))
    free = [worker for worker in range(WORKERS) if worker not in {pair[1] for pair in pairs}]
    if not free:
        return
    before = running_consensus(votes_of(pairs, n_labels=n_labels), accuracy).posteriors[0, label]
    after = running_consensus(votes_of([*pairs, (0, free[0], label)], n_labels=n_labels), accuracy).posteriors[0, label]

    assert after >= before - 1e-12


@given(cases(), st.floats(0, 1), st.floats(0, 1))
def test_the_better_the_worker_the_more_his_label_gains(case, one, another):
    pairs, accuracy, n_labels = case
    if not pairs:
        return
    _, worker, label = pairs[0]
    posteriors = []
    for share in sorted((one, another)):
        changed = accuracy.copy()
        changed[worker] = share
        posteriors.append(running_consensus(votes_of(pairs, n_labels=n_labels), changed).posteriors[0, label])

    assert posteriors[0] <= posteriors[1] + 1e-12


@given(cases(), st.data())
def test_unanimous_votes_win_whoever_gives_them(case, data):
    pairs, accuracy, n_labels = case
    label = data.draw(st.integers(0, n_labels - 1))
    unanimous = [(task, worker, label) for task, worker, _ in pairs]
    if not unanimous:
        return
    found = running_consensus(votes_of(unanimous, n_labels=n_labels), accuracy)

    assert found.labels[0] == label
    assert found.posteriors[0, label] == pytest.approx(found.posteriors[0].max())


def test_of_equally_probable_labels_the_one_with_more_votes_wins_and_then_the_first():
    guessers = np.full((WORKERS, 3), 1 / 3)
    assert running_consensus(votes_of([(0, 2), (1, 2), (2, 1)], n_labels=3), guessers).labels.tolist() == [2]
    assert running_consensus(votes_of([(0, 2), (1, 1)], n_labels=3), guessers).labels.tolist() == [1]
    equals = np.full((WORKERS, 3), 0.8)
    assert running_consensus(votes_of([(0, 2), (1, 1)], n_labels=3), equals).labels.tolist() == [1]


def test_one_who_always_says_the_same_says_nothing_by_it():
    """By true label he is right always or never: his answer is as probable under either, so it moves nothing."""
    accuracy = np.full((WORKERS, 2), 0.8)
    accuracy[0] = [0.99, 0.01]
    assert running_consensus(votes_of([(0, 0)], n_labels=2), accuracy).posteriors[0] == pytest.approx([0.5, 0.5])
    assert running_consensus(votes_of([(1, 0)], n_labels=2), accuracy).posteriors[0] == pytest.approx([0.8, 0.2])


def test_nobodys_answers_are_turned_around():
    accuracy = np.full((WORKERS, 2), 0.1)
    assert running_consensus(votes_of([(0, 0)], n_labels=2), accuracy).posteriors[0] == pytest.approx([0.5, 0.5])


def test_three_strangers_leave_a_doubt_and_three_known_workers_do_not():
    three = [(0, 1), (1, 1), (2, 1)]
    strangers = running_consensus(votes_of(three, n_labels=2), np.full((WORKERS, 2), 2 / 3))
    known = running_consensus(votes_of(three, n_labels=2), np.full((WORKERS, 2), 0.9))

    assert strangers.posteriors[0, 1] == pytest.approx(8 / 9)
    assert known.posteriors[0, 1] == pytest.approx(729 / 730)
    assert known.posteriors[0, 1] > 0.99 > strangers.posteriors[0, 1]


def test_empty_input_gives_empty_arrays_and_a_task_without_votes_the_prior():
    empty = running_consensus(votes_of([], n_labels=2, n_tasks=0), np.full((WORKERS, 2), 0.7))
    assert empty.posteriors.shape == (0, 2)
    assert empty.others_posteriors.shape == (0, 2)
    unvoted = running_consensus(votes_of([], n_labels=2), np.full((WORKERS, 2), 0.7))
    assert unvoted.posteriors.tolist() == [[0.5, 0.5]]
    assert (unvoted.labels.tolist(), unvoted.n_votes.tolist()) == ([0], [0])


def test_accuracies_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="shape"):
        running_consensus(votes_of([(0, 1)], n_labels=2), np.full((WORKERS, 3), 0.7))


def test_weighted_majority_adds_up_log_odds():
    votes = votes_of([(0, 0), (1, 1), (2, 1)], n_labels=2)
    accuracy = np.array([0.95, 0.8, 0.6, 0.5])
    result = weighted_majority(votes, accuracy)
    weight = [log(p / (1 - p)) for p in accuracy]

    assert majority(votes).labels.tolist() == [1]
    assert result.labels.tolist() == [0]
    assert result.confidence[0] == pytest.approx(1 / (1 + exp(weight[1] + weight[2] - weight[0])))
    assert (result.method, result.n_votes.tolist()) == ("weighted_majority", [3])


@given(cases(n_tasks=2))
def test_among_equals_weighted_majority_is_majority(case):
    triples, _, n_labels = case
    votes = votes_of(triples, n_labels=n_labels, n_tasks=2)

    assert weighted_majority(votes, np.full(WORKERS, 0.8)).labels.tolist() == majority(votes).labels.tolist()
    assert weighted_majority(votes, np.full(WORKERS, 0.1)).labels.tolist() == majority(votes).labels.tolist()


def test_agreement_with_a_guess_weighs_nothing():
    assert agreement_weight(0.5, 2) == 0
    assert agreement_weight(1.0, 2) == 1
    assert agreement_weight(0.75, 2) == pytest.approx(0.5)
    assert agreement_weight(0.2, 4) == 0
    assert agreement_weight(1.0, 1) == 0
