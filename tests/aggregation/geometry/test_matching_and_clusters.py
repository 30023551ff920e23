"""Which things are the same: pairs of two lists, and clusters of many."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from marketplace.aggregation.geometry.clusters import Near, clusters, medoid
from marketplace.aggregation.geometry.matching import matching


def drawn(seed, height, width):
    rng = np.random.default_rng(seed)
    return np.where(rng.random((height, width)) < 0.5, np.round(rng.random((height, width)), 2), 0.0)


@settings(max_examples=300)
@given(st.integers(0, 10**6), st.integers(0, 4), st.integers(0, 5))
def test_there_are_as_many_pairs_as_trying_all_finds_and_no_likelier_ones(seed, height, width):
    likeness = drawn(seed, height, width)
    tried = likeness if height <= width else likeness.T
    best = max(
        (sum(row[at] >= 0.3 for row, at in zip(tried, chosen, strict=True)),
         round(sum(row[at] for row, at in zip(tried, chosen, strict=True) if row[at] >= 0.3), 9))
        for chosen in permutations(range(tried.shape[1]), tried.shape[0])
    )  # fmt: skip

    pairs = matching(likeness, 0.3)
    assert (len(pairs), round(float(likeness[pairs[:, 0], pairs[:, 1]].sum()), 9)) == best
    assert len(set(pairs[:, 0].tolist())) == len(set(pairs[:, 1].tolist())) == len(pairs)


@settings(max_examples=50)
@given(st.integers(0, 10**6), st.integers(1, 40), st.integers(1, 40))
def test_pairs_are_as_good_as_those_of_scipy(seed, height, width):
    likeness = drawn(seed, height, width)
    fits = likeness >= 0.2
    weight = np.where(fits, 100 + likeness, 0.0)
    rows, columns = linear_sum_assignment(weight, maximize=True)

    pairs = matching(likeness, 0.2)
    assert float(weight[pairs[:, 0], pairs[:, 1]].sum()) == pytest.approx(float(weight[rows, columns].sum()))


def test_a_thousand_things_on_each_other_are_matched_soon():
    assert len(matching(np.full((300, 300), 0.9), 0.5)) == 300
    assert len(matching(np.eye(1_000), 0.5)) == 1_000


def near_of(likeness):
    first, second = np.nonzero(np.triu(likeness, 1))
    return Near(first, second, likeness[first, second])


@settings(max_examples=200)
@given(st.integers(0, 10**6), st.integers(0, 12), st.integers(1, 4))
def test_each_thing_is_in_one_cluster_with_at_most_one_of_each_answer(seed, count, answers):
    rng = np.random.default_rng(seed)
    likeness = np.round(np.triu(rng.random((count, count)), 1), 2)
    likeness += likeness.T
    answer = rng.integers(0, answers, count)

    found = clusters(answer, near_of(likeness), 0.5)

    assert sorted(at for members in found for at in members.tolist()) == list(range(count))
    for members in found:
        assert len(set(answer[members].tolist())) == len(members)
        assert (likeness[members[0], members[1:]] >= 0.5).all()
    # Nothing that would still fit the one that begins is left over for a later cluster of its own.
    for at, members in enumerate(found):
        for later in found[at + 1 :]:
            for thing in later.tolist():
                fits = likeness[members[0], thing] >= 0.5
                assert not fits or answer[thing] in answer[members]


@settings(max_examples=100)
@given(st.integers(0, 10**6), st.integers(1, 10))
def test_likeness_among_members_is_read_off_the_pairs(seed, count):
    rng = np.random.default_rng(seed)
    likeness = np.where(rng.random((count, count)) < 0.6, rng.random((count, count)), 0)
    likeness = np.triu(likeness, 1)
    likeness += likeness.T + np.eye(count)
    members = rng.permutation(count)[: rng.integers(1, count + 1)]

    assert (near_of(likeness).among(members) == likeness[np.ix_(members, members)]).all()


def test_the_medoid_is_the_likest_and_of_equals_the_first():
    assert medoid(np.array([[1, 0.2, 0.2], [0.2, 1, 0.9], [0.2, 0.9, 1]])) == 1
    assert medoid(np.ones((3, 3))) == 0
