"""Scores from comparisons and rankings."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.aggregation.bradley_terry import bradley_terry, noisy_bradley_terry
from marketplace.aggregation.comparisons import Comparisons, groups, strongly_connected

two_of_six = st.permutations(range(6)).map(lambda items: tuple(items[:2]))
rows_of_six = st.lists(
    st.tuples(st.integers(0, 2), two_of_six, st.sampled_from([0.0, 0.5, 1.0])).map(
        lambda row: (row[0], *row[1], row[2])
    ),
    max_size=30,
)


def compared(rows, n_items=6, n_workers=3):
    worker, left, right, won = list(zip(*rows, strict=True)) or [(), (), (), ()]
    return Comparisons(
        np.array(worker, int), np.array(left, int), np.array(right, int), np.array(won, float), np.ones(len(rows)),
        n_workers, n_items,
    )  # fmt: skip


def simulated(seed, *, n_items=12, n_workers=15, count=900, blind=5):
    """Comparisons of which those of the first `blind` workers are mostly blind, and the true scores."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 1.5, n_items)
    left, worker = rng.integers(0, n_items, count), rng.integers(0, n_workers, count)
    right = (left + rng.integers(1, n_items, count)) % n_items
    looked = rng.random(count) < np.where(np.arange(n_workers) < blind, 0.1, 0.97)[worker]
    better = rng.random(count) < 1 / (1 + np.exp(scores[right] - scores[left]))
    won = np.where(looked, better, rng.random(count) < 0.9).astype(float)
    return Comparisons(worker, left, right, won, np.ones(count), n_workers, n_items), scores


@pytest.mark.parametrize("seed", range(5))
def test_bradley_terry_equals_crowd_kits_where_that_goes_on_to_the_end(seed):
    crowdkit = pytest.importorskip("crowdkit.aggregation")
    pandas = pytest.importorskip("pandas")
    given, _ = simulated(seed)
    winner = np.where(given.won == 1, given.left, given.right)
    data = pandas.DataFrame({"worker": given.worker, "left": given.left, "right": given.right, "label": winner})
    # With a tolerance above 0 it stops at its second step, since it compares an array with itself.
    theirs = np.log(crowdkit.BradleyTerry(n_iter=3000, tol=-1).fit_predict(data).sort_index().to_numpy())

    ours = bradley_terry(given, pseudocount=0)

    assert ours.scores == pytest.approx(theirs - theirs.mean(), abs=1e-6)
    assert ours.converged


@pytest.mark.parametrize("seed", range(3))
def test_the_noisy_form_is_more_probable_than_crowd_kits_and_orders_items_alike(seed):
    crowdkit = pytest.importorskip("crowdkit.aggregation")
    pandas = pytest.importorskip("pandas")
    given, truth = simulated(seed)
    winner = np.where(given.won == 1, given.left, given.right)
    data = pandas.DataFrame({"worker": given.worker, "left": given.left, "right": given.right, "label": winner})
    model = crowdkit.NoisyBradleyTerry().fit(data)
    shares = model.scores_.sort_index().to_numpy()

    ours = noisy_bradley_terry(given)

    def log_likelihood(scores, attention, leftness):
        seen = 1 / (1 + np.exp(scores[given.right] - scores[given.left]))
        left = attention[given.worker] * seen + (1 - attention[given.worker]) * leftness[given.worker]
        return np.log(np.where(given.won == 1, left, 1 - left)).sum()

    theirs = log_likelihood(
        np.log(shares / (1 - shares)), model.skills_.sort_index().to_numpy(), model.biases_.sort_index().to_numpy()
    )
    assert log_likelihood(ours.scores, ours.attention, ours.leftness) > theirs
    assert np.corrcoef(ours.scores, truth)[0, 1] > 0.95
    assert np.corrcoef(ours.scores, np.log(shares / (1 - shares)))[0, 1] > 0.9


@pytest.mark.parametrize("seed", range(3))
def test_who_does_not_look_is_found_with_the_side_that_he_gives(seed):
    given, _ = simulated(seed)

    result = noisy_bradley_terry(given)

    assert result.attention[:5].max() < result.attention[5:].min()
    assert result.leftness[:5].min() > 0.7


def test_three_items_have_the_scores_that_a_search_finds():
    rows = [(0, 0, 1, 1)] * 3 + [(0, 1, 0, 1)] + [(0, 1, 2, 1)] * 2 + [(0, 2, 0, 1)] + [(0, 0, 2, 0.5)]
    given = compared(rows, 3, 1)
    result = bradley_terry(given, pseudocount=0)

    def log_likelihood(scores):
        return sum(
            won * -math.log1p(math.exp(scores[right] - scores[left]))
            + (1 - won) * -math.log1p(math.exp(scores[left] - scores[right]))
            for _, left, right, won in rows
        )

    best = log_likelihood(result.scores)
    for change in itertools.product((-0.01, 0, 0.01), repeat=3):
        if any(change):
            assert log_likelihood(result.scores + np.array(change)) <= best + 1e-9
    assert result.log_likelihoods[-1] == pytest.approx(best)
    assert result.preference(np.array([0]), np.array([1]))[0] == pytest.approx(
        1 / (1 + math.exp(result.scores[1] - result.scores[0]))
    )


@pytest.mark.parametrize("method", [bradley_terry, noisy_bradley_terry])
@settings(max_examples=60)
@given(rows_of_six, st.randoms(use_true_random=False))
def test_the_order_of_comparisons_changes_no_bit_and_the_likelihood_never_falls(method, rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)

    one, other = method(compared(rows), max_iterations=200), method(compared(shuffled), max_iterations=200)

    assert one.scores.tobytes() == other.scores.tobytes()
    assert (np.diff(one.log_likelihoods) >= -1e-7).all()
    assert np.isfinite(one.scores).all()


@settings(max_examples=60)
@given(rows_of_six)
def test_exchanging_the_sides_changes_nothing(rows):
    turned = [(worker, right, left, 1 - won) for worker, left, right, won in rows]

    one, other = noisy_bradley_terry(compared(rows)), noisy_bradley_terry(compared(turned))

    assert other.scores == pytest.approx(one.scores, abs=1e-9)
    assert other.leftness == pytest.approx(1 - one.leftness, abs=1e-9)


@pytest.mark.parametrize("method", [bradley_terry, noisy_bradley_terry])
def test_unanimous_rankings_win(method):
    ranking = [[3], [1], [0], [2]]
    given = Comparisons.of_rankings([0, 1, 2], [ranking] * 3, 3, 4)

    assert np.argsort(-method(given).scores).tolist() == [3, 1, 0, 2]


def test_a_ranking_is_the_comparisons_of_its_pairs():
    given = Comparisons.of_rankings([1], [[[2], [0, 3]]], 2, 4)

    rows = list(zip(given.left.tolist(), given.right.tolist(), given.won.tolist(), given.weight.tolist(), strict=True))
    assert rows == [(0, 2, 0.0, 0.5), (0, 3, 0.5, 0.5), (2, 3, 1.0, 0.5)]
    assert given.worker.tolist() == [1, 1, 1]


@given(rows_of_six)
def test_groups_and_chains_of_wins_are_those_that_a_search_finds(rows):
    given = compared(rows)
    wins = np.eye(6, dtype=bool)
    for _, left, right, won in rows:
        wins[left, right] |= won > 0
        wins[right, left] |= won < 1
    linked = wins | wins.T
    for _ in range(6):
        wins, linked = wins @ wins, linked @ linked

    assert groups(given).tolist() == linked.argmax(axis=1).tolist()
    assert strongly_connected(given) == bool((wins == linked).all())


def test_groups_never_compared_with_each_other_are_each_centred_on_0():
    given = compared([(0, 0, 1, 1), (0, 1, 0, 1), (0, 0, 1, 1), (1, 3, 4, 1), (1, 4, 3, 0.5)])

    result = bradley_terry(given)

    assert result.group.tolist() == [0, 0, 2, 3, 3, 5]
    assert result.scores[[0, 3]].min() > 0
    assert [result.scores[:2].sum(), result.scores[3:5].sum(), result.scores[2]] == pytest.approx([0, 0, 0], abs=1e-9)
    assert result.n_compared.tolist() == [3, 3, 0, 2, 2, 0]


def test_an_item_that_always_wins_needs_a_pseudocount():
    given = compared([(0, 0, 1, 1), (1, 0, 1, 1)])

    with pytest.raises(ValueError, match="a pseudocount above 0 gives them finite scores"):
        bradley_terry(given, pseudocount=0)
    assert 0 < bradley_terry(given).scores[0] < 10


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((0, 1, 1, 1.0), "an item is compared with itself"),
        ((0, 0, 1, 1.5), "won must be from 0 to 1"),
        ((0, 0, 1, np.nan), "won must be from 0 to 1"),
        ((0, 0, 9, 1.0), "right holds 9 … 9, outside 0 … 5"),
        ((7, 0, 1, 1.0), "worker holds 7 … 7, outside 0 … 2"),
    ],
)
def test_comparisons_that_do_not_fit_are_refused_with_words(row, message):
    with pytest.raises(ValueError, match=message):
        compared([row])


def test_no_score_of_the_noisy_form_can_be_moved_to_make_the_outcomes_more_probable():
    given, _ = simulated(1)
    result = noisy_bradley_terry(given, pseudocount=1e-6, tolerance=1e-12)

    def log_likelihood(scores):
        seen = 1 / (1 + np.exp(scores[given.right] - scores[given.left]))
        blind = 1 - result.attention[given.worker]
        left = (1 - blind) * seen + blind * result.leftness[given.worker]
        return np.log(np.where(given.won == 1, left, 1 - left)).sum()

    best = log_likelihood(result.scores)
    for item, change in itertools.product(range(12), (-0.05, 0.05)):
        assert log_likelihood(result.scores + change * (np.arange(12) == item)) < best
