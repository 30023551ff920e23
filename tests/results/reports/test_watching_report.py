"""What answers of each type say, and which labels stand beside each other: values in, values out."""

from datetime import UTC, datetime
from typing import Any

import pytest

from marketplace.projects.interface import check_interface
from marketplace.results.reports.figures import Said
from marketplace.results.reports.watching import MATRIX_MAX, FieldLook, Given, given, look_at, matrix
from tests.browser.batches import KINDS, interface_of

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def field(kind: str) -> dict[str, Any]:
    declared: dict[str, Any] = check_interface(interface_of(kind))["answer"][0]
    return declared


def said(*answers: tuple[int, int, Any]) -> list[Said]:
    return [Said(task, worker, 1, NOW, {"answer": value}) for task, worker, value in answers]


def test_labels_are_told_in_the_order_of_their_declaration() -> None:
    assert given(field("choice"), ["dog", "cat", "dog"]) == [Given("cat", 1), Given("dog", 2)]


def test_each_of_several_labels_counts_and_each_mark_of_a_picture() -> None:
    box = {"x": 1, "y": 1, "width": 9, "height": 9}
    assert given(field("multiple"), [["cat", "dog"], ["dog"]]) == [Given("cat", 1), Given("dog", 2)]
    marks = [{"label": "light", **box}, {"label": "light", **box}, {"label": "dark", **box}]
    assert given(field("boxes"), [marks, []]) == [Given("dark", 1), Given("light", 2)]


def test_a_path_of_a_tree_is_one_label_and_points_are_in_their_order() -> None:
    assert given(field("taxonomy"), [["animal", "fish"]]) == [Given("animal / fish", 1)]
    assert given(field("rating"), [5, 1, 5]) == [Given("1", 1), Given("5", 2)]


def test_numbers_fall_into_equal_steps_and_none_is_lost() -> None:
    steps = given(field("number"), [0, 1, 10, 99, 99])
    assert sum(step.answers for step in steps) == 5
    assert (steps[0].low, steps[-1].high) == (0.0, 99.0)
    assert given(field("number"), [7, 7]) == [Given("", 2, 7.0, 7.0)]


def test_texts_have_no_labels() -> None:
    assert given(field("text"), ["a cat"]) == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_type_can_be_looked_at_before_there_are_answers_and_kept(kind: str) -> None:
    look = look_at(field(kind), [], [], work=10**6)

    assert look.given == ()
    assert FieldLook.from_json(look.as_json()) == look


def test_labels_stand_beside_each_other_both_ways_round() -> None:
    found = matrix(
        field("choice"), said((1, 1, "cat"), (1, 2, "dog"), (1, 3, "dog"), (2, 1, "cat"), (3, 1, "cat"), (3, 2, "cat"))
    )

    assert (found.labels, found.pairs, found.left_out) == (("cat", "dog"), ((1, 2), (2, 1)), 0)


def test_rare_labels_are_left_out_of_the_table_and_counted() -> None:
    declared = {**field("choice"), "labels": [{"value": f"l{number}"} for number in range(30)]}
    answers = [(number, worker, f"l{number}") for number in range(30) for worker in (1, 2)]

    found = matrix(declared, said(*answers))

    assert len(found.labels) == MATRIX_MAX
    assert found.left_out == 10
