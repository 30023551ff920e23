"""How an answer compares with a key: tolerance and partial credit, for every type, beside a brute force."""

import math
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from marketplace.aggregation.geometry.rectangles import overlaps
from marketplace.aggregation.text.edits import edit_distance
from marketplace.projects.answer_types.base import AnswerTable, FieldInvalid
from marketplace.projects.answer_types.boxes.likeness import edges_of
from marketplace.projects.answer_types.registry import answer_type
from marketplace.projects.interface import InterfaceInvalid, check_interface, clean_key

LETTERS = [{"value": letter} for letter in "abcd"]
NEEDED = {"choice": {"labels": LETTERS}, "ranking": {"items": LETTERS}, "boxes": {"labels": LETTERS[:2], "of": "it"}}


def field(kind, **options):
    return answer_type(kind).check_field({"name": "it", "type": kind, **NEEDED.get(kind, {}), **options})


def wrong(kind, **options):
    with pytest.raises(FieldInvalid) as caught:
        field(kind, **options)
    return {error.path: error.message for error in caught.value.errors}


def score(declared, key, value):
    kind = answer_type(declared["type"])
    return kind.score(declared, kind.clean(declared, key), kind.clean(declared, value))


def box(x, y, width=10, height=10, label="a"):
    return {"label": label, "x": x, "y": y, "width": width, "height": height}


boxes = st.lists(
    st.builds(
        box,
        st.integers(0, 6),
        st.integers(0, 6),
        st.integers(1, 6),
        st.integers(1, 6),
        st.sampled_from("ab"),
    ),
    max_size=4,
    unique_by=lambda one: tuple(one.values()),
)
orders = st.permutations("abcd").map(list)
levelled = st.lists(st.integers(0, 3), min_size=4, max_size=4).map(
    lambda levels: [
        [letter for letter, at in zip("abcd", levels, strict=True) if at == level] for level in sorted(set(levels))
    ]
)
numbers = st.integers(-1000, 1000) | st.floats(-1000, 1000)
words = st.text("ab c", min_size=1, max_size=8).filter(str.strip)
sets = st.sets(st.sampled_from("abcd"), min_size=1).map(sorted)

# Declarations in which key and value may change places, with what can be answered.
SYMMETRIC = {
    "a number": (field("number", tolerance=3), numbers),
    "a number with credit": (field("number", tolerance=3, partial=True, zero_at=100), numbers),
    "a choice": (field("choice"), st.sampled_from("abcd")),
    "labels": (field("choice", multiple=True), sets),
    "labels with credit": (field("choice", multiple=True, partial=True), sets),
    "a rating": (field("rating", points=7), st.integers(1, 7)),
    "a rating with tolerance": (field("rating", points=7, tolerance=2), st.integers(1, 7)),
    "a rating with credit": (field("rating", points=7, partial=True, zero_at=4), st.integers(1, 7)),
    "text": (field("text"), words),
    "text with edits": (field("text", max_distance=2), words),
    "text with credit": (field("text", max_distance=1, partial=True), words),
    "an order": (field("ranking"), orders),
    "an order, right or wrong": (field("ranking", partial=False), orders),
    "levels": (field("ranking", ties=True), levelled),
    "boxes": (field("boxes"), boxes),
    "boxes, right or wrong": (field("boxes", partial=False, iou=0.3), boxes),
}


@pytest.mark.parametrize("name", SYMMETRIC)
@given(data=st.data())
def test_a_score_is_between_0_and_1_the_same_both_ways_and_1_for_the_key_itself(name, data):
    declared, values = SYMMETRIC[name]
    key, value = data.draw(values), data.draw(values)

    assert score(declared, key, key) == 1.0
    assert 0.0 <= score(declared, key, value) <= 1.0
    assert score(declared, key, value) == pytest.approx(score(declared, value, key), abs=1e-6)


@pytest.mark.parametrize("name", SYMMETRIC)
def test_checking_a_declaration_again_changes_nothing_of_it(name):
    declared, _ = SYMMETRIC[name]

    assert answer_type(declared["type"]).check_field(declared) == declared


@pytest.mark.parametrize(
    ("kind", "values", "option", "amounts"),
    [
        ("number", numbers, "tolerance", [0, 1, 10, 100]),
        ("number", numbers, "tolerance_share", [0.01, 0.1, 0.5, 1]),
        ("rating", st.integers(1, 9), "tolerance", [0, 1, 3, 6]),
        ("text", words, "max_distance", [0, 1, 2, 5]),
        ("text", words, "tolerance", [0, 0.1, 0.4, 0.9]),
    ],
)
@given(data=st.data())
def test_more_tolerance_never_lowers_a_score(kind, values, option, amounts, data):
    key, value = data.draw(values), data.draw(values)
    base = {"points": 9} if kind == "rating" else {}

    for partial in (False, True):
        more = {"partial": True} if partial else {}
        if partial and kind == "number":
            more |= {"zero_at": 1500, "zero_at_share": 2}
        found = [score(field(kind, **base, **more, **{option: amount}), key, value) for amount in amounts]
        assert found == sorted(found)


# Numbers


def test_a_number_may_be_off_by_a_share_of_the_right_one():
    declared = field("number", tolerance_share=0.05, tolerance=1)

    assert [score(declared, 100, value) for value in (95, 105, 105.1)] == [1, 1, 0]
    assert [score(declared, -100, value) for value in (-95, -105, -105.1)] == [1, 1, 0]
    assert [score(declared, 2, value) for value in (1, 3, 3.1)] == [1, 1, 0]


def test_credit_for_a_number_falls_in_a_straight_line_to_nothing():
    declared = field("number", tolerance=2, partial=True, zero_at=10)
    by_share = field("number", tolerance_share=0.1, partial=True, zero_at_share=0.5)

    assert [score(declared, 50, value) for value in (52, 54, 56, 60, 99)] == pytest.approx([1, 0.75, 0.5, 0, 0])
    assert [score(by_share, 100, value) for value in (110, 130, 150)] == pytest.approx([1, 0.5, 0])


def test_what_a_number_declares_for_its_verdict_must_make_sense():
    assert wrong("number", partial=True) == {"zero_at": "is required with partial: true; or zero_at_share"}
    assert wrong("number", zero_at=3) == {"zero_at": "is only for partial: true"}
    assert wrong("number", partial=True, tolerance=5, zero_at=5) == {"zero_at": "must be more than tolerance"}
    assert wrong("number", tolerance_share=0) == {"tolerance_share": "must be above 0 and at most 1"}
    assert wrong("number", tolerance_share=math.nan).keys() == {"tolerance_share"}
    assert wrong("number", partial=True, tolerance_share=0.5, zero_at_share=0.4).keys() == {"zero_at_share"}


def test_the_median_of_numbers_is_judged_by_the_share_too():
    outcome = answer_type("number").aggregate(
        field("number", tolerance_share=0.1), AnswerTable([0, 0, 0], [1, 2, 3], [100, 109, 95], 1), "median"
    )

    assert (outcome.results[0].value, outcome.results[0].confidence) == (100, 1.0)


# Text


def slow_distance(one, other):
    before = list(range(len(other) + 1))
    for row, left in enumerate(one, 1):
        line = [row]
        for column, right in enumerate(other, 1):
            line.append(min(before[column] + 1, line[-1] + 1, before[column - 1] + (left != right)))
        before = line
    return before[-1]


@given(st.text("abcä", max_size=12), st.text("abcä", max_size=12))
@example("ab", "ba")
@example("a" * 70, "b" + "a" * 69)
def test_the_edit_distance_is_the_one_of_the_table(one, other):
    assert edit_distance(one, other) == edit_distance(other, one) == slow_distance(one, other)


@given(st.text("ab", max_size=8), st.text("ab", max_size=8), st.text("ab", max_size=8))
def test_the_edit_distance_is_a_distance(one, two, three):
    assert (edit_distance(one, two) == 0) == (one == two)
    assert edit_distance(one, three) <= edit_distance(one, two) + edit_distance(two, three)


def test_long_texts_are_compared_by_their_edits_too():
    assert edit_distance("x" + "ab" * 2500, "ab" * 2500 + "x") == 2


def test_text_may_differ_by_some_edits_or_by_a_share_of_its_length():
    edits = field("text", max_distance=1)
    share = field("text", tolerance=0.3)

    assert [score(edits, "Oslo", value) for value in ("oslo", "Osla", "Osl", "Ossloo")] == [1, 1, 1, 0]
    assert [score(share, "0123456789", value) for value in ("012345678", "0123456", "012345")] == [1, 1, 0]


def test_text_with_credit_counts_by_what_is_alike():
    declared = field("text", partial=True)

    assert score(declared, "kitten", "sitting") == pytest.approx(1 - 3 / 7)
    assert score(declared, "abc", "xyz") == 0.0


def test_a_text_that_grows_beyond_what_is_compared_is_wrong_and_not_slow():
    declared = field("text", partial=True)

    assert score(declared, "ﷺ" * 10_000, "a") == 0.0
    assert score(declared, "ﷺ" * 10_000, "ﷺ" * 10_000) == 1.0


def test_what_text_declares_for_its_verdict_must_make_sense():
    assert wrong("text", max_distance=2, tolerance=0.1) == {
        "tolerance": "says the same as max_distance; give one of them"
    }
    assert wrong("text", tolerance=1).keys() == {"tolerance"}
    assert wrong("text", max_distance=1, max_length=20_000) == {
        "max_length": "must be at most 10000 where texts are compared by their edits"
    }
    assert wrong("text", partial=1) == {"partial": "must be true or false"}


# Choices and ratings


def test_several_labels_with_credit_count_by_f1_and_otherwise_exactly():
    declared = field("choice", multiple=True, partial=True, min=0)

    assert score(declared, ["a", "b"], ["a", "b"]) == 1.0
    assert score(declared, ["a", "b"], ["a", "c"]) == 0.5
    assert score(declared, ["a", "b"], ["a"]) == pytest.approx(2 / 3)
    assert score(declared, [], []) == 1.0
    assert score(declared, ["a"], []) == 0.0
    assert score(field("choice", multiple=True, partial=False), ["a", "b"], ["a"]) == 0.0
    assert wrong("choice", partial=True) == {"partial": "is only for choices with multiple: true"}


def test_a_rating_may_be_off_by_some_points_and_fall_to_nothing():
    declared = field("rating", points=7, tolerance=1, partial=True, zero_at=4)

    assert [score(declared, 7, value) for value in (7, 6, 5, 4, 3, 1)] == pytest.approx([1, 1, 2 / 3, 1 / 3, 0, 0])
    assert [score(field("rating", tolerance=1), 3, value) for value in (1, 2, 3)] == [0, 1, 1]
    assert [score(field("rating", partial=False), 3, value) for value in (2, 3)] == [0, 1]
    assert wrong("rating", points=3, tolerance=2) == {"tolerance": "must be a whole number from 0 to 1"}
    assert wrong("rating", zero_at=2) == {"zero_at": "is only for partial: true"}
    assert wrong("rating", tolerance=2, partial=True, zero_at=2) == {"zero_at": "must be a whole number from 3 to 4"}


# Orders


def pairs_right(key, value):
    return sum(
        (key.index(one) - key.index(two)) * (value.index(one) - value.index(two)) > 0
        for one, two in combinations("abcd", 2)
    )


def test_an_order_counts_by_the_share_of_its_pairs_that_are_right():
    declared = field("ranking")

    for value in permutations("abcd"):
        assert score(declared, list("abcd"), list(value)) == pytest.approx(pairs_right("abcd", value) / 6)
    assert score(field("ranking", partial=False), list("abcd"), list("abdc")) == 0.0


def test_levels_are_compared_by_tau_b():
    declared = field("ranking", ties=True)

    # 4 pairs of 6 agree, none is reversed; the value has two pairs on a level: tau-b = 4 / sqrt(6 * 4).
    assert score(declared, [["a"], ["b"], ["c"], ["d"]], [["a", "b"], ["c", "d"]]) == pytest.approx(
        (1 + 4 / math.sqrt(24)) / 2
    )
    assert score(declared, [["a"], ["b"], ["c"], ["d"]], [["a", "b", "c", "d"]]) == 0.5
    assert score(declared, [["a", "b"], ["c", "d"]], [["b", "a"], ["d", "c"]]) == 1.0


# Boxes


def overlap_of(one, other):
    wide = min(one["x"] + one["width"], other["x"] + other["width"]) - max(one["x"], other["x"])
    high = min(one["y"] + one["height"], other["y"] + other["height"]) - max(one["y"], other["y"])
    shared = max(wide, 0) * max(high, 0)
    return shared / (one["width"] * one["height"] + other["width"] * other["height"] - shared)


def best_by_trying(key, value, least):
    """The greatest number of pairs, by trying every way to give the boxes of the shorter list partners."""
    short, long = sorted((key, value), key=len)
    return max(
        sum(
            one["label"] == two["label"] and overlap_of(one, two) >= least
            for one, two in zip(short, chosen, strict=True)
        )
        for chosen in permutations(long, len(short))
    )


@given(boxes, boxes)
def test_boxes_match_as_often_as_any_pairing_allows(key, value):
    declared = field("boxes", iou=0.2)
    assume(key or value)

    wanted = 2 * best_by_trying(key, value, 0.2) / (len(key) + len(value))
    assert score(declared, key, value) == pytest.approx(wanted)


def test_boxes_count_by_f1_of_those_that_match_in_place_and_label():
    declared = field("boxes")
    key = [box(0, 0), box(100, 100)]

    assert score(declared, key, [box(1, 1), box(101, 99)]) == 1.0
    assert score(declared, key, [box(1, 1)]) == pytest.approx(2 / 3)
    assert score(declared, key, [box(0, 0, label="b"), box(100, 100)]) == 0.5
    assert score(declared, key, [box(0, 6), box(100, 100)]) == 0.5
    assert score(declared, [], []) == 1.0
    assert score(declared, [], [box(0, 0)]) == 0.0
    assert score(field("boxes", partial=False), key, [box(1, 1)]) == 0.0
    # One box is no answer to two that lie on each other.
    assert score(declared, [box(0, 0), box(0, 1)], [box(0, 0)]) == pytest.approx(2 / 3)


@given(boxes)
def test_a_box_overlaps_itself_wholly_and_none_by_more(found):
    for one in found:
        with_each = overlaps(np.array(edges_of(one)), np.array([edges_of(two) for two in found]))

        assert overlaps(np.array(edges_of(one)), np.array(edges_of(one))) == 1.0
        assert with_each == pytest.approx([overlap_of(one, two) for two in found], abs=1e-9)


# Keys and interfaces


def test_keys_of_the_new_types_are_cleaned_like_answers():
    interface = check_interface(
        {
            "data": [{"name": "picture", "type": "image"}],
            "answer": [
                {"name": "best", "type": "ranking", "items": LETTERS[:2]},
                {"name": "things", "type": "boxes", "of": "picture", "labels": LETTERS[:2], "width": 50, "height": 50},
            ],
        }
    )

    key = clean_key(interface, {"things": [box(5.0, 5.0, label="b"), box(1.004, 2)], "best": ["b", "a"]})

    assert key == {"best": ["b", "a"], "things": [box(1, 2), box(5, 5, label="b")]}


@pytest.mark.parametrize("of", ["nothing", "note", None, 3, ["picture"]])
def test_boxes_are_drawn_on_a_picture_that_the_task_has(of):
    with pytest.raises(InterfaceInvalid) as caught:
        check_interface(
            {
                "data": [{"name": "picture", "type": "image"}, {"name": "note", "type": "text"}],
                "answer": [{"name": "things", "type": "boxes", "of": of, "labels": LETTERS}],
            }
        )

    assert caught.value.errors == [
        {"field": "answer[0].of", "message": "must be the name of a data field of type image"}
    ]
