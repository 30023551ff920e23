"""Reliability tables, and errors that are expected of results nobody checked."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.aggregation.agreement.calibration import brier_score, expected_error, reliability

shares = st.floats(0, 1, allow_nan=False)


@given(st.lists(st.tuples(shares, st.booleans()), max_size=60), st.integers(1, 12))
@settings(max_examples=200)
def test_every_known_result_is_in_the_one_bin_that_its_confidence_belongs_to(known, bins):
    confidence, right = [pair[0] for pair in known], [float(pair[1]) for pair in known]
    table = reliability(confidence, right, bins=bins)
    assert table.known.sum() == len(known)
    assert (table.low[0], table.high[-1]) == (0.0, 1.0)
    assert np.array_equal(table.low[1:], table.high[:-1])
    for at in range(len(table.known)):
        inside = [pair for pair in known if table.low[at] < pair[0] <= table.high[at] or (at == 0 and pair[0] == 0.0)]
        assert table.known[at] == len(inside)
        if inside:
            assert table.claimed[at] == pytest.approx(np.mean([pair[0] for pair in inside]))
            assert table.right[at] == pytest.approx(np.mean([pair[1] for pair in inside]))


def test_calibration_error_and_brier_score_of_a_known_case():
    table = reliability([0.9, 0.9, 0.9, 0.9, 0.5, 0.5], [1, 1, 1, 0, 1, 0], bins=2)
    assert table.calibration_error() == pytest.approx((4 * 0.15 + 2 * 0.0) / 6)
    assert brier_score([0.9, 0.5], [1, 0]) == pytest.approx((0.01 + 0.25) / 2)
    assert math.isnan(brier_score([], [])) and math.isnan(reliability([], []).calibration_error())


def test_claims_that_are_too_high_are_brought_down_by_what_is_known():
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0.8, 1.0, 20_000)
    right = (rng.random(20_000) < confidence - 0.2).astype(float)
    true_error = 1 - right[2_000:].mean()
    found = expected_error(confidence[2_000:], reliability(confidence[:2_000], right[:2_000]))
    assert found.claimed == pytest.approx(0.1, abs=0.01)
    assert found.low < true_error < found.high
    assert found.calibrated == pytest.approx(true_error, abs=0.03)
    assert found.known == 2_000


def test_the_interval_holds_the_true_error_about_as_often_as_it_says():
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(100):
        confidence = rng.uniform(0.5, 1.0, 4_000)
        right = (rng.random(4_000) < confidence**2).astype(float)
        found = expected_error(confidence, reliability(confidence[:400], right[:400]))
        held += found.low <= 1 - (confidence**2).mean() <= found.high
    assert held >= 88


def test_one_known_answer_moves_the_claim_a_little_and_none_not_at_all():
    plain = expected_error([0.9] * 50)
    assert (plain.claimed, plain.calibrated, plain.known) == (pytest.approx(0.1), pytest.approx(0.1), 0)
    assert math.isnan(plain.low) and math.isnan(plain.high)
    wrong = expected_error([0.9] * 50, reliability([0.9], [0]))
    assert wrong.calibrated == pytest.approx((4 * 0.1 + 1) / 5)
    assert wrong.low < wrong.calibrated < wrong.high
    assert math.isnan(expected_error([]).claimed)


def test_certainty_may_turn_out_wrong():
    found = expected_error([1.0] * 10, reliability([1.0] * 5, [1, 1, 1, 0, 1]))
    assert found.calibrated == pytest.approx(1 / 9)


@pytest.mark.parametrize(
    ("confidence", "right", "words"),
    [([0.5, 2.0], [1, 1], "confidence must be numbers from 0 to 1"), ([0.5], [1, 1], "differ in length"),
     ([math.nan], [1], "confidence must be"), ([0.5], [-1], "right must be")],
)  # fmt: skip
def test_what_is_no_share_is_refused(confidence, right, words):
    with pytest.raises(ValueError, match=words):
        reliability(confidence, right)
