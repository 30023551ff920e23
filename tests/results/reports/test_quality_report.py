"""The expected error of a batch, beside gold."""

import pytest

from marketplace.projects.answer_types.registry import answer_type
from marketplace.results.reports.quality import Claims, Known, field_quality, known_of


def test_without_gold_the_error_is_what_results_claim_and_a_note_says_so():
    found = field_quality("label", [Claims(3, 0.9), Claims(1, 0.5)], [])
    assert found.claimed == found.expected == pytest.approx((0.3 + 0.5) / 4)
    assert (found.low, found.high, found.gold, found.table, found.brier) == (None, None, 0, (), None)
    assert "nobody has checked" in found.note


def test_gold_that_results_get_wrong_raises_the_expected_error():
    gold = [Known(0.95, at % 4 != 0) for at in range(100)]
    found = field_quality("label", [Claims(1_000, 0.95)], gold)
    assert found.claimed == pytest.approx(0.05)
    assert found.low < 0.25 < found.high and found.expected == pytest.approx(0.25, abs=0.01)
    assert (found.gold, found.gold_right, found.note) == (100, 0.75, "")
    assert found.calibration_error == pytest.approx(0.2)
    assert sum(line.results for line in found.table) == 100


def test_little_gold_is_said_to_be_little():
    found = field_quality("label", [Claims(10, 0.9)], [Known(0.9, True)] * 5)
    assert found.note.startswith("Only 5 answers are known")
    assert found.high - found.low > 0.05


def test_no_results_have_no_error():
    found = field_quality("label", [], [Known(0.9, True)])
    assert (found.results, found.claimed, found.expected) == (0, None, None)


def test_a_result_is_right_by_its_types_own_rule_and_nothing_is_wrong():
    number = answer_type("number").check_field({"name": "n", "type": "number", "tolerance": 2})
    assert known_of(number, 0.7, 10, 11) == Known(0.7, True)
    assert known_of(number, 0.7, 10, 13) == Known(0.7, False)
    assert known_of(number, 0.7, 10, None) == Known(0.7, False)
