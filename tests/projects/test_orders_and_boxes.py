"""Orders and boxes: what is accepted as a value, and what the answers to one task come to."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.projects.answer_types.base import AnswerTable, FieldInvalid, ValueRefused
from marketplace.projects.answer_types.registry import answer_type

ITEMS = [{"value": letter} for letter in "abc"]
BOXES = answer_type("boxes")
RANKING = answer_type("ranking")


def drawn(**options):
    labels = [{"value": "cat"}, {"value": "dog"}]
    return BOXES.check_field({"name": "it", "type": "boxes", "of": "picture", "labels": labels, **options})


def ordered(**options):
    return RANKING.check_field({"name": "it", "type": "ranking", "items": ITEMS, **options})


def box(x, y, width=10, height=10, label="cat"):
    return {"label": label, "x": x, "y": y, "width": width, "height": height}


def refusal(kind, declared, value):
    with pytest.raises(ValueRefused) as caught:
        kind.clean(declared, value)
    return caught.value.message


def result(kind, declared, values):
    outcome = kind.aggregate(declared, AnswerTable([0] * len(values), range(len(values)), values, 1), "majority")
    [found] = outcome.results
    assert outcome.method == kind.methods[0]
    assert found.answers == len(values)
    return found.value, found.confidence


# Orders


def test_an_order_names_each_item_once():
    declared = ordered()

    assert RANKING.clean(declared, ["c", "a", "b"]) == ["c", "a", "b"]
    for value in (["a", "b"], ["a", "b", "b"], ["a", "b", "c", "a"]):
        assert refusal(RANKING, declared, value) == "must name each item once"
    assert refusal(RANKING, declared, ["a", "b", "x"]) == "names an item that does not exist"
    assert refusal(RANKING, declared, "abc") == "must be a list of items"
    assert refusal(RANKING, declared, [["a"], "b", "c"]).startswith("must name items by their values")
    assert refusal(RANKING, declared, []).startswith("must name items by their values")


def test_levels_come_in_their_order_with_their_items_as_declared():
    declared = ordered(ties=True)

    assert RANKING.clean(declared, [["c", "b"], ["a"]]) == [["b", "c"], ["a"]]
    assert refusal(RANKING, declared, ["a", "b", "c"]) == "must be a list of lists of items"
    assert refusal(RANKING, declared, [["a", "b", "c"], []]).startswith("must name items by their values")


def test_an_order_needs_items():
    with pytest.raises(FieldInvalid) as caught:
        ordered(items=[{"value": "a"}, {"value": "a"}, 3])
    assert {error.path for error in caught.value.errors} == {"items[1].value", "items[2]"}
    with pytest.raises(FieldInvalid):
        ordered(items=[{"value": str(number)} for number in range(51)])


def test_the_schema_of_an_order_says_that_every_item_is_in_it():
    assert RANKING.json_schema(ordered()) == {
        "type": "array",
        "items": {"type": "string", "enum": ["a", "b", "c"]},
        "uniqueItems": True,
        "minItems": 3,
        "maxItems": 3,
    }


def test_orders_come_to_the_one_of_most_points():
    value, confidence = result(RANKING, ordered(), [["a", "b", "c"], ["a", "c", "b"], ["b", "a", "c"]])

    assert value == ["a", "b", "c"]
    assert confidence == pytest.approx((2 / 3 + 1 + 2 / 3) / 3)


def test_equal_items_keep_the_order_of_their_declaration_or_share_a_level():
    assert result(RANKING, ordered(), [["c", "b", "a"], ["a", "b", "c"]]) == (["a", "b", "c"], 0.5)
    value, confidence = result(RANKING, ordered(ties=True), [[["c"], ["b"], ["a"]], [["a"], ["b"], ["c"]]])
    assert (value, confidence) == ([["a", "b", "c"]], 1.0)


def test_items_that_only_earlier_answers_know_have_their_place_among_the_others():
    value, _ = result(RANKING, ordered(), [["z", "a", "b", "c"], ["a", "b", "c"]])

    assert value == ["z", "a", "b", "c"]


@given(st.lists(st.permutations("abc").map(list), min_size=1, max_size=6), st.randoms())
def test_orders_come_to_the_same_whatever_the_order_of_answers(values, chance):
    first = result(RANKING, ordered(), values)
    chance.shuffle(values)
    again = result(RANKING, ordered(), values)

    assert first[0] == again[0]
    assert first[1] == pytest.approx(again[1])
    assert sorted(first[0]) == ["a", "b", "c"]
    assert 0.0 <= first[1] <= 1.0


def test_an_order_on_which_all_agree_is_the_result_and_sure():
    assert result(RANKING, ordered(), [["b", "c", "a"]] * 4) == (["b", "c", "a"], 1.0)


# Boxes


def test_boxes_are_the_same_value_in_any_order():
    declared = drawn()
    given = [box(5, 1, label="dog"), box(9, 9), box(0.126, 3.0)]

    assert BOXES.clean(declared, given) == BOXES.clean(declared, given[::-1])
    assert BOXES.clean(declared, given) == [box(0.13, 3), box(9, 9), box(5, 1, label="dog")]
    assert BOXES.clean(declared, []) == []


def test_boxes_lie_in_the_picture_where_its_size_is_known():
    declared = drawn(width=100, height=50)

    assert BOXES.clean(declared, [box(90, 40)]) == [box(90, 40)]
    assert refusal(BOXES, declared, [box(91, 40)]) == "box 1: reaches out of the picture of width 100"
    assert refusal(BOXES, declared, [box(0, 0), box(90, 41)]) == "box 2: reaches out of the picture of height 50"
    assert refusal(BOXES, declared, [box(-1, 0)]) == "box 1: x must be a number from 0 to 100000"


@pytest.mark.parametrize("number", [math.nan, math.inf, True, "3", None, 10**400, 100_001])
def test_what_is_no_plain_place_in_a_picture_is_refused(number):
    assert refusal(BOXES, drawn(), [box(number, 0)]).startswith("box 1: x must be a number")


def test_boxes_keep_to_their_least_size_and_number_and_to_the_labels():
    declared = drawn(min_size=4, min=1, max=2)

    assert refusal(BOXES, declared, [box(0, 0, width=3.9)]) == "box 1: must be at least 4 pixels wide and high"
    assert refusal(BOXES, declared, []) == "must have 1 to 2 boxes"
    assert refusal(BOXES, declared, [box(0, 0), box(1, 1), box(2, 2)]) == "must have 1 to 2 boxes"
    assert refusal(BOXES, declared, [box(0, 0, label="cow")]) == "box 1: names a label that does not exist"
    assert refusal(BOXES, declared, [box(0, 0), box(0, 0)]) == "has the same box twice"
    assert refusal(BOXES, declared, [{"label": "cat"}]).startswith("box 1: must have label, x, y")
    assert refusal(BOXES, declared, [box(0, 0) | {"angle": 3}]).endswith("and nothing else")
    assert refusal(BOXES, declared, {"x": 1}) == "must be a list of boxes"


def test_what_boxes_declare_must_make_sense():
    def wrong(**options):
        with pytest.raises(FieldInvalid) as caught:
            drawn(**options)
        return {error.path for error in caught.value.errors}

    assert wrong(of="a b") == {"of"}
    assert wrong(labels=[]) == {"labels"}
    assert wrong(width=0) == {"width"}
    assert wrong(width=10, min_size=11) == {"min_size"}
    assert wrong(min=5, max=4) == {"min"}
    assert wrong(max=1_001) == {"max"}
    assert wrong(iou=0) == {"iou"}
    assert wrong(iou="0.5") == {"iou"}


def test_boxes_of_half_of_the_answers_become_one_with_the_median_of_their_edges():
    values = [[box(0, 0), box(50, 50)], [box(1, 0), box(90, 90)], [box(2, 0, width=12)]]

    value, confidence = result(BOXES, drawn(), values)

    assert value == [box(1, 0, width=10)]
    assert confidence == pytest.approx(2 / 3)


def test_boxes_of_other_labels_are_other_boxes():
    value, confidence = result(BOXES, drawn(), [[box(0, 0)], [box(0, 0, label="dog")], [box(0, 0)]])

    assert value == [box(0, 0)]
    assert confidence == pytest.approx(2 / 3)


def test_each_answer_has_one_box_in_a_cluster_and_neighbours_stay_apart():
    pair = [box(0, 0), box(4, 0)]

    assert result(BOXES, drawn(iou=0.3), [pair, pair, pair]) == (pair, 1.0)


def test_answers_without_boxes_agree_that_there_is_nothing():
    assert result(BOXES, drawn(), [[], [], []]) == ([], 1.0)
    assert result(BOXES, drawn(), [[], [], [box(0, 0)]]) == ([], pytest.approx(2 / 3))


def test_the_result_keeps_to_the_number_of_boxes_asked_for():
    values = [[box(0, 0), box(30, 0), box(60, 0)], [box(0, 0), box(30, 0)], [box(0, 0)]]

    assert result(BOXES, drawn(max=1), values)[0] == [box(0, 0)]
    assert result(BOXES, drawn(min=3), values)[0] == values[0]
    assert result(BOXES, drawn(), values)[0] == [box(0, 0), box(30, 0)]


boxes = st.lists(
    st.builds(box, *[st.integers(0, 9)] * 2, *[st.integers(1, 9)] * 2, st.sampled_from(["cat", "dog"])),
    max_size=4,
    unique_by=lambda one: tuple(one.values()),
)


@given(st.lists(boxes, min_size=1, max_size=5), st.randoms())
def test_boxes_come_to_the_same_whatever_the_order_of_answers_and_fit_their_field(values, chance):
    declared = drawn(iou=0.3)
    values = [BOXES.clean(declared, value) for value in values]
    first = result(BOXES, declared, values)
    chance.shuffle(values)

    assert result(BOXES, declared, values) == first
    assert 0.0 <= first[1] <= 1.0
    assert all(one["width"] >= 1 and one["height"] >= 1 for one in first[0])


@given(boxes)
def test_boxes_on_which_all_agree_are_the_result(found):
    declared = drawn(iou=0.95)
    value = BOXES.clean(declared, found)

    assert result(BOXES, declared, [value] * 3) == (value, 1.0)


def test_many_boxes_of_many_answers_are_not_slow():
    declared = drawn(max=100)
    value = [box(20 * (number % 10), 20 * (number // 10)) for number in range(100)]

    assert result(BOXES, declared, [value] * 20)[1] == 1.0
