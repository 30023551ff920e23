"""Marks that are the same, and edits by the table of the textbook."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.aggregation.agreement.overlap import (
    paired,
    stretch_overlaps,
)
from marketplace.aggregation.agreement.sequences import error_rate, span_f1
from marketplace.aggregation.text.edits import edit_distance


def textbook(one, other):
    table = np.zeros((len(one) + 1, len(other) + 1), int)
    table[:, 0], table[0] = np.arange(len(one) + 1), np.arange(len(other) + 1)
    for i, a in enumerate(one, 1):
        for j, b in enumerate(other, 1):
            table[i, j] = min(table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (a != b))
    return table[-1, -1]


def test_stretches_overlap_by_what_they_share():
    assert stretch_overlaps([(0, 10)], [(5, 15), (10, 12), (0, 10)]).tolist() == [[5 / 15, 0.0, 1.0]]


@given(st.integers(0, 5), st.integers(0, 5), st.data())
@settings(max_examples=100)
def test_each_mark_is_in_one_pair_and_none_that_could_be_is_left_over(rows, columns, data):
    share = st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0])
    table = np.array([[data.draw(share) for _ in range(columns)] for _ in range(rows)]).reshape(rows, columns)
    found = paired(table)
    assert sorted([*(one for one, _, _ in found.pairs), *found.only_one]) == list(range(rows))
    assert sorted([*(other for _, other, _ in found.pairs), *found.only_other]) == list(range(columns))
    assert all(table[one, other] < 0.5 for one in found.only_one for other in found.only_other)
    assert 0 <= found.mean_overlap() <= found.mean_dice() <= found.f1() <= 1
    assert len(paired(table.T).pairs) == len(found.pairs)


def test_what_both_leave_empty_is_the_same_and_what_one_marks_alone_is_not():
    assert paired(np.zeros((0, 0))).mean_overlap() == 1.0
    assert paired(np.zeros((0, 2))).f1() == 0.0
    half = paired([[0.6, 0.0]])
    assert (half.mean_overlap(), half.f1()) == (0.3, pytest.approx(2 / 3))


@given(st.lists(st.sampled_from("abc"), max_size=12), st.lists(st.sampled_from("abc"), max_size=12))
@settings(max_examples=300)
def test_edits_are_those_of_the_textbook_in_both_directions(one, other):
    assert edit_distance(one, other) == textbook(one, other) == edit_distance(other, one)
    assert error_rate(one, other) == pytest.approx(textbook(one, other) / max(len(one), len(other), 1))


def test_word_error_and_span_f1_of_known_cases():
    assert error_rate(["the", "cat", "sat"], ["the", "cat", "sat", "down"]) == 0.25
    assert span_f1([("PER", 0, 3), ("LOC", 5, 9)], [("PER", 0, 3), ("ORG", 5, 9)]) == 0.5
    assert span_f1([], []) == 1.0
    assert span_f1([("PER", 0, 3)] * 2, [("PER", 0, 3)]) == pytest.approx(2 / 3)
