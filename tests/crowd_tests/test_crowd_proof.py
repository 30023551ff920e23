"""Counting over exported rows, and what the demo says is open."""

from __future__ import annotations

from tests.crowd.demo import unfilled
from tests.crowd.digits import Digit
from tests.crowd.proof import accuracy, duplicate_answers, euros, labels_of, overlap_exceeded, value_of


def test_a_value_is_found_alone_among_values_and_in_a_list() -> None:
    assert value_of({"label": "a"}, "label") == "a"
    assert value_of({"values": {"label": "a"}}, "label") == "a"
    assert value_of({"label": ["a"]}, "label") == "a"
    assert value_of({"label": None}, "label") == value_of({"label": []}, "label") == value_of({}, "label") == ""


def test_a_task_with_more_live_answers_than_places_is_counted_once() -> None:
    rows = [{"external_id": "a", "worker": str(number), "state": "accepted"} for number in range(4)]
    assert overlap_exceeded(rows, {"a": 4}) == 0
    assert overlap_exceeded(rows, {"a": 2}) == 1
    assert overlap_exceeded([*rows, {"external_id": "a", "worker": "9", "state": "rejected"}], {"a": 4}) == 0


def test_an_answer_to_a_task_that_was_never_imported_exceeds_its_overlap() -> None:
    assert overlap_exceeded([{"external_id": "x", "worker": "w", "state": "accepted"}], {}) == 1


def test_each_repeat_of_a_worker_on_a_task_is_a_duplicate() -> None:
    rows = [{"external_id": task, "worker": worker} for task, worker in ("ax", "ax", "ax", "ay", "bx")]
    assert duplicate_answers(rows) == 2


def test_a_task_without_a_result_is_wrong_and_no_truth_is_no_accuracy() -> None:
    assert accuracy({"a": "x"}, {"a": "x", "b": "y"}) == 0.5
    assert accuracy({"a": "x"}, {}) is None


def test_only_the_results_of_the_field_are_taken() -> None:
    rows = [
        {"external_id": "a", "field": "digit", "value": "3"},
        {"external_id": "a", "field": "note", "value": "hm"},
    ]
    assert labels_of(rows, "digit") == {"a": "3"}


def test_money_is_shown_in_hundredths() -> None:
    assert euros(1_234_560_000) == "EUR 1,234.56"
    assert euros(0) == "EUR 0.00"


def digit(name: str, *, gold: bool = False) -> Digit:
    return Digit(external_id=name, data={"image": name}, truth="1", gold=gold)


def test_open_places_are_told_apart_by_who_could_still_take_them() -> None:
    tasks = [digit("full"), digit("open"), digit("dry"), digit("gold", gold=True)]
    answered = {"full": {"u", "v", "w"}, "open": {"u", "v"}, "dry": {"w", "x"}, "gold": {"u"}}

    assert unfilled(answered, tasks, {"w", "x"}) == (1, 1, 2)
    assert unfilled({}, [digit("new")], set()) == (0, 3, 0)
