import numpy as np
import pytest

from marketplace.aggregation.votes import Votes


def test_encoding_numbers_tasks_and_workers_by_first_appearance_and_sorts_labels():
    votes, words = Votes.of(["t2", "t1", "t2"], ["w9", "w9", "w1"], ["same", "different", "different"])

    assert words.tasks == ("t2", "t1")
    assert words.workers == ("w9", "w1")
    assert words.labels == ("different", "same")
    assert votes.task.tolist() == [0, 1, 0]
    assert votes.worker.tolist() == [0, 0, 1]
    assert votes.label.tolist() == [1, 0, 0]
    assert (votes.n_tasks, votes.n_workers, votes.n_labels, len(votes)) == (2, 2, 2, 3)


def test_given_orders_may_name_tasks_and_labels_without_votes():
    votes, words = Votes.of([7], [1], ["b"], task_order=[5, 7], label_order=["c", "b", "a"])

    assert words.labels == ("c", "b", "a")
    assert (votes.task.tolist(), votes.label.tolist(), votes.n_tasks, votes.n_labels) == ([1], [1], 2, 3)


def test_numpy_columns_encode_like_lists():
    from_arrays, words = Votes.of(np.array([3, 1]), np.array([0, 0]), np.array(["x", "y"]))

    assert words.tasks == (3, 1)
    assert words.labels == ("x", "y")
    assert from_arrays.task.tolist() == [0, 1]


@pytest.mark.parametrize("scale", [1, -3, 10**12])
def test_integer_columns_encode_alike_as_lists_and_as_arrays(scale):
    column = np.random.default_rng(5).integers(0, 50, 400) * scale

    by_table, words = Votes.of(column, column, column)
    by_hash, same_words = Votes.of(column.tolist(), column.tolist(), column.tolist())

    assert words == same_words
    assert by_table.task.tolist() == by_hash.task.tolist()
    assert by_table.label.tolist() == by_hash.label.tolist()
    assert [words.tasks[task] for task in by_table.task] == column.tolist()


def test_a_label_outside_the_given_order_is_refused():
    with pytest.raises(ValueError, match="'maybe' is not in the label order"):
        Votes.of(["t"], ["w"], ["maybe"], label_order=["yes", "no"])


def test_an_order_that_names_a_label_twice_is_refused():
    with pytest.raises(ValueError, match="names a value twice"):
        Votes.of(["t"], ["w"], ["yes"], label_order=["yes", "yes"])


@pytest.mark.parametrize(
    ("task", "worker", "label", "sizes", "message"),
    [
        ([0, 0], [0], [0, 0], (1, 1, 1), "differ in length"),
        ([1], [0], [0], (1, 1, 1), "outside 0 … 0"),
        ([-1], [0], [0], (1, 1, 1), "outside 0 … 0"),
        ([0.5], [0], [0], (1, 1, 1), "instead of integers"),
        ([[0]], [0], [0], (1, 1, 1), "2 dimensions"),
        ([], [], [], (1, 0, 0), "without any label"),
        ([], [], [], (-1, 0, 1), "n_tasks is negative"),
    ],
)
def test_votes_that_do_not_fit_are_refused(task, worker, label, sizes, message):
    with pytest.raises(ValueError, match=message):
        Votes(task, worker, label, *sizes)


def test_votes_keep_copies_that_nobody_can_change():
    task = np.array([0, 1])
    votes = Votes(task, [0, 0], [0, 0], 2, 1, 1)

    task[0] = 1

    assert votes.task.tolist() == [0, 1]
    with pytest.raises(ValueError, match="read-only"):
        votes.task[0] = 1
