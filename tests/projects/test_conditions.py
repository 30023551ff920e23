import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from marketplace.projects.conditions import without_hidden
from marketplace.projects.interface import (
    InterfaceInvalid,
    ValuesInvalid,
    check_interface,
    clean_key,
    clean_values,
    values_schema,
)

KIND = {"name": "kind", "type": "choice", "labels": [{"value": "car"}, {"value": "bike"}, {"value": "none"}]}
TREE = [{"value": "animal", "children": [{"value": "dog"}, {"value": "cat"}]}, {"value": "plant"}]
SIGNS = {"name": "signs", "type": "choice", "multiple": True, "min": 0, "labels": [{"value": "a"}, {"value": "b"}]}


def interface(*answer, data=()):
    return check_interface({"data": list(data), "answer": list(answer)})


def wheels(**condition):
    return {"name": "wheels", "type": "number", "show_if": {"field": "kind", **condition}}


def refused(call, *arguments):
    with pytest.raises((InterfaceInvalid, ValuesInvalid)) as caught:
        call(*arguments)
    return {error["field"]: error["message"] for error in caught.value.errors}


def test_a_field_is_asked_only_where_its_condition_holds():
    asked = interface(KIND, wheels(any_of=["car", "bike"]))

    assert clean_values(asked, {"kind": "car", "wheels": 4}) == {"kind": "car", "wheels": 4}
    assert clean_values(asked, {"kind": "none"}) == {"kind": "none"}
    assert clean_values(asked, {"kind": "none", "wheels": None}) == {"kind": "none"}
    assert refused(clean_values, asked, {"kind": "car"}) == {"wheels": "is required"}
    assert refused(clean_values, asked, {"kind": "none", "wheels": 4}) == {
        "wheels": "must be empty: it is asked only where kind is car or bike"
    }


def test_an_optional_field_may_be_left_empty_where_it_is_shown():
    asked = interface(KIND, {**wheels(**{"is": "car"}), "required": False})

    assert clean_values(asked, {"kind": "car"}) == {"kind": "car"}
    assert refused(clean_values, asked, {"kind": "bike", "wheels": 2}).keys() == {"wheels"}


def test_a_field_may_ask_only_that_another_is_answered():
    asked = interface({**KIND, "required": False}, wheels(answered=True))

    assert clean_values(asked, {}) == {}
    assert clean_values(asked, {"kind": "none", "wheels": 0}) == {"kind": "none", "wheels": 0}
    assert refused(clean_values, asked, {"wheels": 1}) == {
        "wheels": "must be empty: it is asked only where kind is answered"
    }


def test_what_depends_on_a_field_that_is_not_shown_is_not_shown_either():
    flat = {"name": "flat", "type": "text", "show_if": {"field": "wheels", "answered": True}}
    asked = interface(KIND, wheels(**{"is": "car"}), flat)

    assert clean_values(asked, {"kind": "bike"}) == {"kind": "bike"}
    assert refused(clean_values, asked, {"kind": "bike", "wheels": 4, "flat": "yes"}).keys() == {"wheels", "flat"}
    assert refused(clean_values, asked, {"kind": "car", "wheels": 4}) == {"flat": "is required"}


def test_only_the_field_that_is_wrong_is_named():
    flat = {"name": "flat", "type": "text", "show_if": {"field": "wheels", "answered": True}}
    asked = interface(KIND, wheels(**{"is": "car"}), flat)

    assert refused(clean_values, asked, {"kind": "cra", "wheels": 4, "flat": "yes"}) == {
        "kind": "must be the value of one of the labels: car, bike, none"
    }


def test_a_label_out_of_several_a_node_and_a_side_are_met_by_all_that_hold_them():
    data = [{"name": "one", "type": "text"}, {"name": "two", "type": "text"}]
    asked = interface(
        SIGNS,
        {"name": "what", "type": "taxonomy", "tree": TREE},
        {"name": "better", "type": "preference", "left": "one", "right": "two", "strengths": 3},
        {"name": "a_size", "type": "number", "show_if": {"field": "signs", "is": "a"}},
        {"name": "both", "type": "number", "show_if": {"field": "signs", "is": ["b", "a"]}},
        {"name": "legs", "type": "number", "show_if": {"field": "what", "is": ["animal"]}},
        {"name": "why", "type": "number", "show_if": {"field": "better", "is": "right"}},
        data=data,
    )
    left, right = {"preferred": "left", "strength": 1}, {"preferred": "right", "strength": 3}

    def shown(**values):
        found = refused(clean_values, asked, {**values, "nothing": 1})
        return {name for name, message in found.items() if message == "is required"}

    assert asked["answer"][4]["show_if"]["is"] == ["a", "b"]
    assert shown(signs=["a"], what=["plant"], better=left) == {"a_size"}
    assert shown(signs=["a", "b"], what=["animal", "dog"], better=left) == {"a_size", "both", "legs"}
    assert shown(signs=[], what=["plant"], better=right) == {"why"}


@pytest.mark.parametrize(
    ("condition", "path", "message"),
    [
        ("kind", "", "must have field, the name of an earlier answer field, and one of is, any_of, and answered: true"),
        ({"field": "kind"}, "", "must have field"),
        ({"field": 3, "is": "car"}, "", "must have field"),
        ({"field": "kind", "answered": False}, "", "must have field"),
        ({"field": "kind", "not": "car"}, "", "must have field"),
        ({"field": "kind", "is": "car", "any_of": ["car"]}, "", "must have field"),
        ({"field": "kind", "any_of": []}, ".any_of", "must be a list of 1 to 500 values"),
        ({"field": "kind", "any_of": "car"}, ".any_of", "must be a list of 1 to 500 values"),
        ({"field": "kind", "is": "boat"}, ".is", "must be the value of one of the labels"),
        ({"field": "kind", "is": None}, ".is", "must be the value of one of the labels"),
        ({"field": "kind", "any_of": ["car", "boat"]}, ".any_of[1]", "must be the value of one of the labels"),
        ({"field": "kind", "any_of": ["car", "car"]}, ".any_of", "names a value twice"),
        ({"field": "wheels", "answered": True}, ".field", "must be the name of an answer field before this one"),
        ({"field": "later", "answered": True}, ".field", "must be the name of an answer field before this one"),
        ({"field": "picture", "answered": True}, ".field", "must be the name of an answer field before this one"),
    ],
)
def test_a_condition_that_can_never_hold_is_refused(condition, path, message):
    raw = {
        "data": [{"name": "picture", "type": "image"}],
        "answer": [KIND, {"name": "wheels", "type": "number", "show_if": condition}, {**KIND, "name": "later"}],
    }

    found = refused(check_interface, raw)

    assert found.keys() == {f"answer[1].show_if{path}"}
    assert found[f"answer[1].show_if{path}"].startswith(message)


@pytest.mark.parametrize(
    ("named", "wanted", "message"),
    [
        ({"name": "it", "type": "rating"}, 6, "must be a whole number from 1 to 5"),
        ({"name": "it", "type": "number", "maximum": 3}, 4, "must be at most 3"),
        ({"name": "it", "type": "taxonomy", "tree": TREE}, ["animal", "plant"], "must be a path of the tree"),
        ({**SIGNS, "name": "it"}, "c", "names a label that does not exist"),
        ({**SIGNS, "name": "it"}, ["a", "a"], "names a label twice"),
        ({"name": "it", "type": "text"}, " ", "must be a value"),
    ],
)  # fmt: skip
def test_a_condition_on_a_value_that_the_field_cannot_have_is_refused(named, wanted, message):
    raw = {"answer": [named, {"name": "more", "type": "text", "show_if": {"field": "it", "is": wanted}}]}

    assert refused(check_interface, raw)["answer[1].show_if.is"].startswith(message)


def test_a_condition_on_a_field_that_is_wrong_itself_says_nothing_more():
    raw = {"answer": [{**KIND, "labels": []}, wheels(**{"is": "car"})]}

    assert refused(check_interface, raw).keys() == {"answer[0].labels"}


def test_data_fields_have_no_conditions():
    raw = {"data": [{"name": "a", "type": "text", "show_if": {"field": "kind", "is": "car"}}], "answer": [KIND]}

    assert refused(check_interface, raw) == {"data[0].show_if": "is not known"}


def test_checking_a_checked_interface_again_changes_nothing():
    asked = interface(
        KIND, SIGNS, wheels(any_of=["car"]), {**KIND, "name": "x", "show_if": {"field": "signs", "is": "a"}}
    )

    assert check_interface(asked) == asked


def test_a_key_need_not_say_why_a_field_is_shown_but_must_not_contradict_itself():
    flat = {"name": "flat", "type": "text", "show_if": {"field": "wheels", "answered": True}}
    asked = interface(KIND, wheels(**{"is": "car"}), flat)

    assert clean_key(asked, {"wheels": 4}) == {"wheels": 4}
    assert clean_key(asked, {"flat": "yes"}) == {"flat": "yes"}
    assert refused(clean_key, asked, {"kind": "bike", "wheels": 2}).keys() == {"wheels"}
    assert refused(clean_key, asked, {"kind": "bike", "flat": "yes"}).keys() == {"flat"}


def test_results_of_single_fields_come_together_without_what_is_not_shown():
    flat = {"name": "flat", "type": "text", "show_if": {"field": "wheels", "answered": True}}
    asked = interface(KIND, wheels(**{"is": "car"}), flat)["answer"]

    assert without_hidden(asked, {"kind": "bike", "wheels": 4, "flat": "yes"}) == {"kind": "bike"}
    assert without_hidden(asked, {"kind": "car", "wheels": 4, "flat": "yes"}) == {
        "kind": "car", "wheels": 4, "flat": "yes",
    }  # fmt: skip
    assert without_hidden(asked, {"wheels": 4}) == {}


ASKED = interface(
    KIND,
    SIGNS,
    {"name": "what", "type": "taxonomy", "tree": TREE, "required": False},
    {"name": "better", "type": "preference", "left": "one", "right": "two", "strengths": 2, "equal": True},
    wheels(any_of=["car", "bike"]),
    {"name": "sign", "type": "rating", "show_if": {"field": "signs", "is": "a"}},
    {"name": "legs", "type": "rating", "required": False, "show_if": {"field": "what", "is": ["animal"]}},
    {"name": "very", "type": "rating", "show_if": {"field": "wheels", "answered": True}},
    {"name": "side", "type": "rating", "show_if": {"field": "better", "any_of": ["left", "right"]}},
    data=[{"name": "one", "type": "text"}, {"name": "two", "type": "text"}],
)  # fmt: skip
SOME = {
    "kind": st.sampled_from(["car", "bike", "none", "boat"]),
    "signs": st.sampled_from([[], ["a"], ["b"], ["a", "b"]]),
    "what": st.sampled_from([["animal", "dog"], ["plant"], ["animal"]]),
    "better": st.sampled_from([{"preferred": "left", "strength": 2}, {"preferred": "equal"}, {"preferred": "right"}]),
    "wheels": st.sampled_from([0, 4]),
    **dict.fromkeys(["sign", "legs", "very", "side"], st.sampled_from([1, 5])),
}


@given(st.fixed_dictionaries({}, optional=SOME))
def test_the_schema_accepts_just_what_is_accepted(values):
    schema = json.loads(json.dumps(values_schema(ASKED)))
    Draft202012Validator.check_schema(schema)
    try:
        cleaned = clean_values(ASKED, values)
    except ValuesInvalid:
        assert not Draft202012Validator(schema).is_valid(values)
    else:
        assert Draft202012Validator(schema).is_valid(values)
        assert clean_values(ASKED, cleaned) == cleaned


def test_an_interface_without_conditions_has_the_schema_that_it_had():
    assert "allOf" not in values_schema(interface(KIND))
