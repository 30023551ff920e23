"""What answers say together and each of them beside the others: rules without a database."""

from typing import Any

import pytest

from marketplace.projects.answer_types.registry import answer_type
from marketplace.results.judging import FieldConsensus, Found, Given, Trust, judge, sure_labels


def field(name: str, kind: str, **options: Any) -> dict[str, Any]:
    declared = {"name": name, "type": kind, **options}
    return {**declared, **answer_type(kind).check_field(declared)}


LABEL = field("label", "choice", labels=[{"value": "cat"}, {"value": "dog"}])
KIND = field("kind", "choice", labels=[{"value": value} for value in "abcd"])
TEXT = field("note", "text")
WEIGHT = field("kg", "number", tolerance=1)
GOOD = Trust(0.9)


def answers(*values: dict[str, Any], task: int = 1) -> list[Given]:
    """One answer of each worker 1, 2, … to a task."""
    return [Given(task * 100 + at, task, at, given) for at, given in enumerate(values, start=1)]


def everybody(trust: Trust, count: int = 9) -> dict[int, Trust]:
    return dict.fromkeys(range(1, count + 1), trust)


def by_answer(found: Found) -> dict[int, tuple[float, float]]:
    return {agreement.answer.assignment_id: (agreement.score, agreement.weight) for agreement in found.agreements}


def test_each_answer_is_judged_by_the_others_and_weighs_half_of_how_sure_they_are() -> None:
    found = judge([LABEL], answers({"label": "cat"}, {"label": "cat"}, {"label": "dog"}), everybody(GOOD))

    assert found.tasks[1]["label"].value == "cat"
    assert found.tasks[1]["label"].posterior == pytest.approx(0.9)
    assert found.tasks[1]["label"].labels == pytest.approx({"cat": 0.9, "dog": 0.1})
    # Who said dog is wrong by two who said cat; of the other two each has one on his side and one against him, a tie
    # that says nothing.
    two = 0.81 / (0.81 + 0.01)
    assert by_answer(found) == {103: (0.0, pytest.approx(0.5 * (2 * two - 1)))}
    (only,) = found.agreements
    assert (only.fields["label"].truth, only.fields["label"].given, only.easiness) == ("cat", "dog", 1.0)


def test_easiness_is_the_share_of_the_others_that_are_right_by_their_consensus() -> None:
    found = judge([LABEL], answers(*({"label": label} for label in ["cat", "cat", "cat", "dog"])), everybody(GOOD))
    easiness = {agreement.answer.assignment_id: agreement.easiness for agreement in found.agreements}

    assert easiness == pytest.approx({101: 2 / 3, 102: 2 / 3, 103: 2 / 3, 104: 1.0})


def test_who_is_known_to_be_good_outweighs_who_is_not() -> None:
    trust = {1: Trust(0.95), 2: Trust(0.6), 3: Trust(0.6)}
    found = judge([LABEL], answers({"label": "cat"}, {"label": "dog"}, {"label": "dog"}), trust)
    assert found.tasks[1]["label"].value == "cat"


def test_what_is_known_of_a_label_counts_for_that_label() -> None:
    always_cat = Trust(0.5, {("label", "cat"): 0.99, ("label", "dog"): 0.01})
    found = judge([LABEL], answers({"label": "cat"}, {"label": "dog"}), {1: always_cat, 2: Trust(0.7)})
    assert found.tasks[1]["label"].value == "dog"


def test_one_answer_alone_is_a_consensus_and_judges_nobody() -> None:
    found = judge([LABEL], answers({"label": "dog"}), everybody(GOOD))
    assert (found.tasks[1]["label"].value, found.agreements) == ("dog", [])


def test_tasks_do_not_mix() -> None:
    both = answers({"label": "cat"}, {"label": "cat"}) + answers({"label": "dog"}, {"label": "dog"}, task=2)
    found = judge([LABEL], both, everybody(GOOD))
    assert [found.tasks[task]["label"].value for task in (1, 2)] == ["cat", "dog"]
    assert [score for score, _ in by_answer(found).values()] == [1.0] * 4


def test_values_that_are_no_labels_are_judged_where_most_of_several_others_agree() -> None:
    three = judge([TEXT], answers({"note": "A b"}, {"note": "a  B"}, {"note": "c"}), everybody(GOOD))
    assert three.tasks[1]["note"] == FieldConsensus("A b", pytest.approx(2 / 3), 3)
    assert by_answer(three) == {103: (0.0, 0.5)}, "the two others of each of the first do not agree"

    scattered = judge([TEXT], answers(*({"note": text} for text in "vwxyz")), everybody(GOOD))
    assert scattered.agreements == [], "everybody says something else, so nobody is wrong"
    pair = judge([TEXT], answers({"note": "a"}, {"note": "b"}), everybody(GOOD))
    assert pair.agreements == [], "one against one says nothing"


def test_numbers_agree_within_their_tolerance() -> None:
    found = judge([WEIGHT], answers(*({"kg": kg} for kg in (10, 10.5, 11, 40))), everybody(GOOD))
    assert {pk: score for pk, (score, _) in by_answer(found).items()} == {101: 1.0, 102: 1.0, 103: 1.0, 104: 0.0}


def test_several_fields_count_by_their_weights() -> None:
    given = answers(
        {"label": "cat", "note": "x"}, {"label": "cat", "note": "x"}, {"label": "cat", "note": "x"},
        {"label": "dog", "note": "x"},
    )  # fmt: skip
    found = judge([LABEL, TEXT], given, everybody(GOOD))
    last = found.agreements[3]
    label, note = last.fields["label"], last.fields["note"]
    assert (label.score, note.score, note.weight) == (0.0, 1.0, 0.5)
    assert last.score == pytest.approx(0.5 / (0.5 + label.weight))
    assert last.weight == pytest.approx((0.5 + label.weight) / 2)


def test_a_field_left_empty_is_wrong_where_most_filled_it_in_and_unjudged_where_few_did() -> None:
    optional = field("note", "text", required=False)
    filled, empty = {"label": "cat", "note": "x"}, {"label": "cat"}
    most = judge([LABEL, optional], answers(filled, filled, filled, empty), everybody(GOOD))
    few = judge([LABEL, optional], answers(empty, empty, empty, filled), everybody(GOOD))

    assert most.agreements[3].fields["note"].score == 0.0
    assert [set(agreement.fields) for agreement in few.agreements] == [{"label"}] * 4


def test_only_labels_that_all_are_sure_make_a_key() -> None:
    def key(*fields: dict[str, Any], values: list[dict[str, Any]], trust: Trust = GOOD) -> dict[str, str] | None:
        found = judge(fields, answers(*values), everybody(trust))
        return sure_labels(fields, found.tasks[1], at_least=0.99, answers=3)

    assert key(LABEL, values=[{"label": "cat"}] * 3) == {"label": "cat"}
    assert key(LABEL, values=[{"label": "cat"}] * 2, trust=Trust(0.99)) is None, "two are too few"
    assert key(LABEL, values=[{"label": "cat"}] * 3, trust=Trust(2 / 3)) is None, "strangers leave a doubt"
    assert key(LABEL, values=[{"label": "cat"}] * 3 + [{"label": "dog"}]) is None
    assert key(LABEL, TEXT, values=[{"label": "cat", "note": "x"}] * 3) == {"label": "cat"}
    assert key(LABEL, KIND, values=[{"label": "cat", "kind": kind} for kind in "aab"]) is None
    assert key(TEXT, values=[{"note": "x"}] * 3) is None, "a share is no probability"


def test_a_consensus_is_read_back_as_it_was_written() -> None:
    labels = FieldConsensus("cat", 0.9, 3, {"cat": 0.9, "dog": 0.1})
    number = FieldConsensus(10, 0.75, 4)
    assert FieldConsensus.from_json(labels.as_json()) == labels
    assert FieldConsensus.from_json(number.as_json()) == number
