import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.projects.answer_types.parts import Order
from marketplace.projects.answer_types.registry import answer_type
from marketplace.projects.interface import InterfaceInvalid, check_interface
from tests.projects.fields import aggregate, clean, declared, parts, refusal, score, wrong

SIDES = {"left": "a", "right": "b"}
PLAIN = declared("preference", **SIDES)
STRONG = declared("preference", **SIDES, strengths=3, equal=True)
LEFT, RIGHT, EQUAL = {"preferred": "left"}, {"preferred": "right"}, {"preferred": "equal"}


def strong(side, strength):
    return {"preferred": side, "strength": strength}


values = st.sampled_from([EQUAL, *(strong(side, strength) for side in ("left", "right") for strength in (1, 2, 3))])


def test_two_different_fields_of_the_data_are_compared():
    assert PLAIN.items() >= {"strengths": 1, "equal": False, "partial": True, **SIDES}.items()
    assert wrong("preference") == {
        "left": "must be the name of a data field",
        "right": "must be the name of a data field",
    }
    assert wrong("preference", left="a", right="a") == {"right": "must be another data field than left"}
    assert wrong("preference", **SIDES, strengths=6) == {"strengths": "must be a whole number from 1 to 5"}
    data = [{"name": "a", "type": "text"}, {"name": "b", "type": "image"}]
    asked = {"name": "it", "type": "preference", "left": "a"}
    assert check_interface({"data": data, "answer": [{**asked, "right": "b"}]})["answer"][0]["right"] == "b"
    with pytest.raises(InterfaceInvalid) as caught:
        check_interface({"data": data, "answer": [{**asked, "right": "c"}]})
    assert caught.value.errors == [{"field": "answer[0].right", "message": "must be the name of a data field"}]


def test_a_strength_belongs_to_a_side_where_there_are_several():
    assert clean(PLAIN, LEFT) == clean(PLAIN, strong("left", 1)) == LEFT
    assert clean(STRONG, strong("right", 2.0)) == strong("right", 2)
    assert clean(STRONG, EQUAL) == EQUAL
    assert refusal(PLAIN, EQUAL) == "preferred must be left or right"
    assert refusal(STRONG, {"preferred": ["left"]}) == "preferred must be left or right or equal"
    for strength in (None, 0, 4, 1.5, "1", True, float("nan")):
        assert refusal(STRONG, strong("left", strength)) == "strength must be a whole number from 1 to 3"
    for field, value in ((STRONG, strong("equal", 1)), (PLAIN, strong("left", 2)), (PLAIN, strong("left", True))):
        assert refusal(field, value) == "strength must be absent where nothing is preferred, or there is only one"
    for value in ("left", None, [LEFT], {**LEFT, "why": "x"}):
        assert refusal(PLAIN, value).startswith("must have preferred")


@given(values, values)
def test_scores_are_symmetric_1_for_the_same_only_and_correct_on_the_right_side_only(key, value):
    found = score(STRONG, key, value)

    assert found == score(STRONG, value, key)
    assert 0 <= found <= 1
    assert (found == 1) == (key == value)
    assert (found >= answer_type("preference").correct_at) == (key["preferred"] == value["preferred"])
    assert score({**STRONG, "partial": False}, key, value) == float(key["preferred"] == value["preferred"])


def test_the_other_side_scores_nothing_and_equal_less_the_stronger_the_right_side():
    assert score(STRONG, strong("left", 1), strong("right", 1)) == 0
    assert [score(STRONG, strong("left", strength), EQUAL) for strength in (1, 2, 3)] == pytest.approx(
        [1 / 2, 1 / 3, 1 / 6]
    )
    assert score(declared("preference", **SIDES, strengths=5), strong("left", 1), strong("left", 5)) > 0.55


def test_a_preference_is_an_order_of_two():
    assert parts(PLAIN, RIGHT) == [Order((("right",), ("left",)))]
    assert parts(STRONG, strong("left", 2)) == [Order((("left",), ("right",)), 2)]
    assert parts(STRONG, EQUAL) == [Order((("left", "right"),))]


def test_the_side_is_voted_on_and_its_strength_is_the_lower_median_of_those_on_it():
    answers = {0: [strong("left", 3), strong("left", 1), strong("left", 2), strong("right", 3)],
               1: [strong("right", 1), strong("right", 3)], 2: [EQUAL, EQUAL, strong("left", 3)],
               3: [strong("right", 3), strong("left", 2)]}  # fmt: skip

    results, outcome = aggregate(STRONG, answers)

    assert results == {0: (strong("left", 2), 0.75, 4), 1: (strong("right", 1), 1.0, 2),
                       2: (EQUAL, pytest.approx(2 / 3), 3), 3: (strong("left", 2), 0.5, 2)}  # fmt: skip
    assert outcome.method == "majority"
    assert aggregate(PLAIN, {0: [RIGHT, RIGHT, LEFT]})[0][0][0] == RIGHT


@given(st.lists(st.sampled_from(["left", "right"]), min_size=1, max_size=7))
def test_what_is_more_than_half_wins_whichever_side_is_left(sides):
    swap = {"left": "right", "right": "left"}
    found = aggregate(PLAIN, {0: [{"preferred": side} for side in sides]})[0][0]
    mirrored = aggregate(PLAIN, {0: [{"preferred": swap[side]} for side in sides]})[0][0]

    assert found[1] == mirrored[1] == max(sides.count("left"), sides.count("right")) / len(sides)
    if found[1] > 0.5:
        assert found[0]["preferred"] == swap[mirrored[0]["preferred"]]
