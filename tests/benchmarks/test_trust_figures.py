"""The statistics of the crowd's benchmark, against SciPy and against planted differences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tests.benchmarks.trust.figures import (
    auc,
    auc_error,
    binomial_tail,
    chi_square_tail,
    cross_validated,
    stratified_auc,
)


def test_the_auc_is_the_chance_that_a_positive_scores_higher_with_ties_as_halves() -> None:
    assert auc([1, 2, 3, 4], [False, False, True, True]) == 1.0
    assert auc([4, 3, 2, 1], [False, False, True, True]) == 0.0
    assert auc([1, 1, 1, 1], [False, True, False, True]) == 0.5
    draws = np.random.default_rng(1)
    scores, positive = draws.integers(0, 5, 400), draws.random(400) < 0.3
    u = stats.mannwhitneyu(scores[positive], scores[~positive]).statistic
    assert auc(scores, positive) == pytest.approx(u / (positive.sum() * (~positive).sum()))
    assert auc([1, 2], [True, True]) is None


def test_where_nothing_is_to_be_told_the_auc_strays_as_far_as_its_error_says() -> None:
    draws = np.random.default_rng(2)
    positive = np.arange(500) < 60
    found = [auc(draws.random(500), positive) for _ in range(400)]
    assert np.std(np.array(found, float)) == pytest.approx(auc_error(60, 440), rel=0.15)


def test_a_difference_between_phases_is_no_difference_within_them() -> None:
    draws = np.random.default_rng(3)
    strata = ["probation"] * 1000 + ["later"] * 1000
    positive = np.concatenate([draws.random(1000) < 0.5, draws.random(1000) < 0.1])
    by_phase = np.concatenate([np.ones(1000), np.zeros(1000)])
    assert auc(by_phase, positive) > 0.6
    value, error = stratified_auc(by_phase, positive, strata)
    assert value == pytest.approx(0.5)
    assert 0 < error < 0.03


def test_the_regression_finds_a_planted_difference_and_none_in_noise() -> None:
    draws = np.random.default_rng(4)
    positive, groups = draws.random(2000) < 0.1, np.arange(2000) % 40
    noise = draws.normal(size=(2000, 60))
    assert auc(cross_validated(noise, positive, groups, penalty=50.0), positive) < 0.56
    noise[:, 7] += 0.8 * positive
    assert auc(cross_validated(noise, positive, groups, penalty=50.0), positive) > 0.65


def test_the_regression_is_not_judged_on_the_people_it_was_fitted_to() -> None:
    """Every person has a mark of his own, and his share of gold with it: nothing that helps with another person."""
    draws = np.random.default_rng(5)
    groups = np.repeat(np.arange(40), 50)
    positive = draws.random(2000) < draws.random(40)[groups]
    marks = (groups[:, None] == np.arange(40)[None, :]).astype(float)
    assert auc(cross_validated(marks, positive, groups), positive) < 0.55


@pytest.mark.parametrize(("statistic", "freedom"), [(0.1, 1), (3.84, 1), (19.6, 19), (60.0, 19), (200.0, 39), (5, 39)])
def test_the_tail_of_chi_square_is_that_of_scipy(statistic: float, freedom: int) -> None:
    assert chi_square_tail(statistic, freedom) == pytest.approx(stats.chi2.sf(statistic, freedom), rel=1e-9)


@pytest.mark.parametrize(("hits", "tries", "chance"), [(0, 5, 0.1), (3, 20, 0.1), (15, 15, 0.2), (60, 300, 0.15)])
def test_the_tail_of_the_binomial_is_that_of_scipy(hits: int, tries: int, chance: float) -> None:
    assert binomial_tail(hits, tries, chance) == pytest.approx(stats.binom.sf(hits - 1, tries, chance), rel=1e-9)
