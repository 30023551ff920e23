"""On a recorded crowd, whose truth is known: the error that is expected is the error that is."""

import csv

import numpy as np
import pytest

from marketplace.aggregation.agreement.calibration import expected_error, reliability
from marketplace.aggregation.dawid_skene import dawid_skene
from marketplace.aggregation.majority import majority
from marketplace.aggregation.votes import Votes

pytestmark = pytest.mark.crowd


@pytest.fixture(scope="module")
def recorded(crowds):
    with open(crowds / "product-matching" / "answers.csv", newline="") as file:
        rows = [(row["external_id"], row["worker"], row["label"]) for row in csv.DictReader(file)]
    with open(crowds / "product-matching" / "truth.csv", newline="") as file:
        truth = {row["external_id"]: row["label"] for row in csv.DictReader(file)}
    votes, words = Votes.of(*zip(*rows, strict=True))
    return votes, np.array([words.labels.index(truth[task]) for task in words.tasks])


@pytest.mark.parametrize("method", [majority, dawid_skene])
def test_gold_brings_the_expected_error_close_to_the_true_one(recorded, method):
    votes, truth = recorded
    found = method(votes)
    right = (found.labels == truth).astype(float)
    held, off = 0, []
    for split in range(40):
        known = np.random.default_rng(split).permutation(len(right)) < 800
        table = reliability(found.confidence[known], right[known])
        expected = expected_error(found.confidence[~known], table)
        true = 1 - right[~known].mean()
        held += expected.low <= true <= expected.high
        off.append(abs(expected.calibrated - true))
        assert expected.high - expected.low < 0.06
    assert held >= 36
    assert np.mean(off) < 0.012


def test_dawid_skene_claims_less_error_than_there_is_and_gold_tells(recorded):
    votes, truth = recorded
    found = dawid_skene(votes)
    true = 1 - (found.labels == truth).mean()
    assert expected_error(found.confidence).claimed < 0.6 * true
    assert true == pytest.approx(1 - 0.9397, abs=2e-4)
