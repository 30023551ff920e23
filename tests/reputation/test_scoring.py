import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.reputation import scoring
from workers.reputation.scoring import PRIOR, Posterior, updated

scipy_special = pytest.importorskip("scipy.special")

shapes = st.floats(-2, 4.5).map(lambda exponent: 10**exponent)
shares = st.floats(0, 1, allow_subnormal=False)


def test_a_stranger_is_expected_to_be_right_two_times_out_of_three():
    assert Posterior(2.0, 1.0) == PRIOR
    assert PRIOR.mean == 2 / 3
    assert PRIOR.probability_below(0.5) == pytest.approx(0.25, abs=1e-15)


def test_right_answers_raise_the_mean_and_wrong_ones_lower_it():
    assert updated(PRIOR, 1.0) == Posterior(3.0, 1.0)
    assert updated(PRIOR, 0.0) == Posterior(2.0, 2.0)
    assert updated(PRIOR, 0.5) == Posterior(2.5, 1.5)
    assert updated(PRIOR, 1.0, weight=0.5) == Posterior(2.5, 1.0)
    assert updated(PRIOR, 0.0, weight=0.0) == PRIOR


@given(st.permutations([0.0, 1.0, 0.5, 1.0, 0.25]))
def test_the_order_of_the_answers_does_not_matter(scores):
    posterior = PRIOR
    for score in scores:
        posterior = updated(posterior, score)

    assert posterior == Posterior(4.75, 3.25)


@pytest.mark.parametrize(
    ("score", "weight"), [(-0.1, 1), (1.1, 1), (math.nan, 1), (1, -1), (1, math.nan), (1, math.inf)]
)
def test_impossible_scores_and_weights_are_refused(score, weight):
    with pytest.raises(ValueError, match="must"):
        updated(PRIOR, score, weight)


@pytest.mark.parametrize(("alpha", "beta"), [(0, 1), (1, 0), (-1, 1), (math.nan, 1), (1, math.inf)])
def test_impossible_posteriors_are_refused(alpha, beta):
    with pytest.raises(ValueError, match="must be positive and finite"):
        Posterior(alpha, beta)


@pytest.mark.parametrize("level", [0, 1, -0.5, math.nan])
def test_impossible_levels_are_refused(level):
    with pytest.raises(ValueError, match="level must lie between"):
        PRIOR.interval(level)


@settings(max_examples=300)
@given(shapes, shapes, shares)
def test_probability_below_is_scipys_to_nine_digits(alpha, beta, threshold):
    expected = scipy_special.betainc(alpha, beta, threshold)

    assert Posterior(alpha, beta).probability_below(threshold) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=300)
@given(shapes, shapes, st.floats(0.01, 0.999))
def test_interval_is_scipys_to_nine_digits(alpha, beta, level):
    low, high = Posterior(alpha, beta).interval(level)

    assert low == pytest.approx(scipy_special.betaincinv(alpha, beta, (1 - level) / 2), abs=1e-9)
    assert high == pytest.approx(scipy_special.betaincinv(alpha, beta, (1 + level) / 2), abs=1e-9)


@given(st.integers(0, 300), st.integers(0, 300))
def test_after_any_number_of_answers_the_interval_holds_its_level(right, wrong):
    posterior = Posterior(PRIOR.alpha + right, PRIOR.beta + wrong)
    low, high = posterior.interval()

    assert 0 <= low < high <= 1
    assert posterior.probability_below(low) == pytest.approx(0.025, abs=1e-9)
    assert posterior.probability_below(high) == pytest.approx(0.975, abs=1e-9)
    assert low < posterior.mean < high


@given(st.integers(0, 100), st.integers(0, 100))
def test_more_of_the_same_evidence_narrows_the_interval(right, wrong):
    once = Posterior(2 + right, 1 + wrong).interval()
    twice = Posterior(2 * (2 + right), 2 * (1 + wrong)).interval()

    assert twice[1] - twice[0] < once[1] - once[0]


@given(st.integers(0, 200), st.integers(0, 200))
def test_right_and_wrong_mirror_each_other(right, wrong):
    low, high = Posterior(1 + right, 1 + wrong).interval()
    mirrored = Posterior(1 + wrong, 1 + right).interval()

    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-12)


def test_nobody_is_below_0_and_everybody_below_1():
    assert PRIOR.probability_below(0.0) == 0.0
    assert PRIOR.probability_below(-1.0) == 0.0
    assert PRIOR.probability_below(1.0) == 1.0
    assert PRIOR.probability_below(2.0) == 1.0


def test_known_figures():
    low, high = PRIOR.interval()  # the CDF of Beta(2, 1) is x²

    assert low == pytest.approx(math.sqrt(0.025), abs=1e-12)
    assert high == pytest.approx(math.sqrt(0.975), abs=1e-12)


@pytest.mark.parametrize("right", [0, 5, 20, 200, 5_000])
def test_an_interval_is_found_in_a_few_steps_even_when_it_is_new(right, monkeypatch):
    asked, cdf = [], scoring._beta_cdf
    monkeypatch.setattr(scoring, "_beta_cdf", lambda *of: asked.append(of) or cdf(*of))

    scoring._interval.__wrapped__(2.0 + right, 1.0 + right // 10, 0.95)

    assert len(asked) < 12
