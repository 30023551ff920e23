import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from marketplace.aggregation.majority import majority
from marketplace.aggregation.votes import Votes


def votes_of(triples, *, n_tasks, n_labels):
    task, worker, label = np.array(triples, dtype=int).reshape(-1, 3).T
    return Votes(task, worker, label, n_tasks, int(worker.max(initial=-1)) + 1, n_labels)


def test_the_most_frequent_label_wins_with_its_share_as_confidence():
    result = majority(votes_of([(0, 0, 1), (0, 1, 1), (0, 2, 0), (1, 0, 0)], n_tasks=2, n_labels=2))

    assert result.method == "majority"
    assert result.labels.tolist() == [1, 0]
    assert result.confidence.tolist() == [2 / 3, 1.0]
    assert result.posteriors.tolist() == [[1 / 3, 2 / 3], [1.0, 0.0]]
    assert result.n_votes.tolist() == [3, 1]
    assert (result.iterations, result.converged) == (0, True)


def test_ties_break_to_the_label_that_comes_first_in_the_order():
    triples = (["t", "t"], ["w1", "w2"], ["no", "yes"])

    for order in (["yes", "no"], ["no", "yes"]):
        votes, words = Votes.of(*triples, label_order=order)
        assert words.labels[majority(votes).labels[0]] == order[0]


def test_a_task_without_votes_is_uniform_and_says_so():
    result = majority(votes_of([(1, 0, 1)], n_tasks=2, n_labels=4))

    assert result.posteriors[0].tolist() == [0.25, 0.25, 0.25, 0.25]
    assert result.n_votes.tolist() == [0, 1]


def test_empty_input_gives_empty_arrays():
    result = majority(votes_of([], n_tasks=0, n_labels=0))

    assert result.posteriors.shape == (0, 0)
    assert result.labels.shape == result.confidence.shape == (0,)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5), st.integers(0, 2)), max_size=40))
def test_majority_counts_as_a_person_would(triples):
    result = majority(votes_of(triples, n_tasks=5, n_labels=3))

    for task in range(5):
        given_labels = [label for of_task, _, label in triples if of_task == task]
        counts = [given_labels.count(label) for label in range(3)]
        assert result.labels[task] == counts.index(max(counts))
        assert result.n_votes[task] == len(given_labels)
        if given_labels:
            assert result.confidence[task] == max(counts) / len(given_labels)
