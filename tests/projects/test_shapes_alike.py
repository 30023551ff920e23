"""What holds for every type of labelled objects: the same rules for lists, orders, results and agreement."""

import json
import math
import time
from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.projects.answer_types.base import AnswerTable, FieldInvalid, ValueRefused
from marketplace.projects.answer_types.registry import answer_type

LABELS = [{"value": "cat"}, {"value": "dog"}]
SKELETON = {"points": ["nose", "tail"], "edges": [["nose", "tail"]]}
OWN = {
    "keypoints": {"skeletons": {"cat": SKELETON, "dog": SKELETON}},
    "cuboids": {"of": "scene"},
    "tracks": {"of": "film"},
}
THRESHOLD = {"keypoints": "oks", "polylines": "overlap"}
KINDS = ["boxes", "polygons", "polylines", "keypoints", "tracks", "cuboids"]


def field(kind, **options):
    return answer_type(kind).check_field(
        {"name": "it", "type": kind, "of": "picture", "labels": LABELS} | OWN.get(kind, {}) | options
    )


def thing(kind, x, y, size=20, label="cat"):
    """One object of the kind, in canonical form, at a place."""
    box = {"x": x, "y": y, "width": size, "height": size}
    corners = [[x, y], [x + size, y], [x + size, y + size], [x, y + size]]
    return {"label": label} | {
        "boxes": box,
        "polygons": {"points": corners},
        "polylines": {"points": [[x, y], [x + size, y + 3 * size]]},
        "keypoints": {
            "points": {
                "nose": {"x": x, "y": y, "visibility": "visible"},
                "tail": {"x": x + size, "y": y + size, "visibility": "occluded"},
            }
        },
        "tracks": {"frames": [{"frame": 3} | box, {"frame": 9} | box | {"x": x + 5}]},
        "cuboids": {"x": x, "y": y, "z": 0, "length": size, "width": size, "height": 2, "yaw": 0},
    }[kind]


def clean(declared, value):
    return answer_type(declared["type"]).clean(declared, value)


def score(declared, key, value):
    return answer_type(declared["type"]).score(declared, key, value)


def refusal(declared, value):
    with pytest.raises(ValueRefused) as caught:
        clean(declared, value)
    return caught.value.message


def result(declared, values):
    table = AnswerTable([0] * len(values), range(len(values)), values, 1)
    outcome = answer_type(declared["type"]).aggregate(declared, table, "majority")
    assert outcome.method == "clusters"
    return outcome.results[0]


def wrong(kind, **options):
    with pytest.raises(FieldInvalid) as caught:
        field(kind, **options)
    return {error.path for error in caught.value.errors}


@pytest.mark.parametrize("kind", KINDS)
def test_a_declaration_checked_again_is_the_same_and_what_is_wrong_is_named(kind):
    declared = field(kind)
    threshold = THRESHOLD.get(kind, "iou")

    assert answer_type(kind).check_field(declared) == declared
    assert wrong(kind, of="a b") == {"of"}
    assert wrong(kind, min=5, max=4) == {"min"}
    assert wrong(kind, max=10**6) == {"max"}
    assert wrong(kind, **{threshold: 0}) == {threshold}
    assert wrong(kind, partial="no", colour="red") == {"partial", "colour"}
    if kind != "cuboids":
        assert wrong(kind, width=0) == {"width"}


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_that_is_canonical_stays_as_it_is(kind):
    declared = field(kind)
    value = [thing(kind, 10, 10), thing(kind, 50, 50), thing(kind, 10, 10, label="dog")]
    if kind in ("keypoints", "cuboids", "tracks"):
        value = clean(declared, value)

    assert clean(declared, value) == value
    assert clean(declared, value[::-1]) == value
    assert clean(declared, []) == []
    assert json.loads(json.dumps(value)) == value
    assert len(list(answer_type(kind).parts(declared, value))) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_list_of_known_objects_is_refused_with_words(kind):
    declared = field(kind, min=1, max=2)
    one = thing(kind, 10, 10)

    for value in (None, 3, "x", {"a": 1}, True):
        assert refusal(declared, value).startswith("must be a list of ")
    assert refusal(declared, []).startswith("must have 1 to 2 ")
    assert refusal(declared, [thing(kind, at, 0) for at in (0, 50, 100)]).startswith("must have 1 to 2 ")
    assert refusal(declared, [one, one]).startswith("has the same ")
    assert refusal(declared, [thing(kind, 0, 0, label="cow")]).endswith("1: names a label that does not exist")
    for label in (None, [], {}, 1):
        assert refusal(declared, [one | {"label": label}]).endswith("names a label that does not exist")
    for broken in (None, [], 3, {"label": "cat"}, one | {"colour": "red"}):
        assert refusal(declared, [broken]).endswith("and nothing else")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, True, "3", None, 10**400, -1e9, 1e9, [], {}])
def test_no_number_that_is_none_comes_through_wherever_it_stands(kind, bad):
    declared = field(kind)

    def places(node, path=()):
        entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for at, inner in entries:
            if isinstance(inner, int | float) and not isinstance(inner, bool):
                yield (*path, at)
            yield from places(inner, (*path, at))

    found = list(places(thing(kind, 10, 10)))
    assert found
    for path in found:
        value = deepcopy(thing(kind, 10, 10))
        inner = value
        for at in path[:-1]:
            inner = inner[at]
        inner[path[-1]] = bad
        assert refusal(declared, [value])


@pytest.mark.parametrize("kind", KINDS)
def test_a_hundred_thousand_objects_are_refused_at_once(kind):
    many = [thing(kind, 10, 10)] * 100_000
    begun = time.perf_counter()

    assert refusal(field(kind), many).startswith("must have 0 to ")
    assert time.perf_counter() - begun < 2


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "cuboids"])
def test_objects_lie_in_the_picture_where_its_size_is_known(kind):
    declared = field(kind, width=100, height=100)

    assert clean(declared, [thing(kind, 20, 20)])
    assert "picture of" in refusal(declared, [thing(kind, 90, 20)])
    assert "picture of" in refusal(declared, [thing(kind, 20, 99)])
    assert refusal(declared, [thing(kind, -1, 20)])


@pytest.mark.parametrize("kind", KINDS)
def test_agreement_counts_the_objects_that_are_the_same(kind):
    declared = field(kind)
    key = [thing(kind, 0, 0), thing(kind, 500, 500)]

    assert score(declared, key, key) == 1.0
    assert score(declared, key, [thing(kind, 1, 1), thing(kind, 501, 499)]) == 1.0
    assert score(declared, key, key[:1]) == score(declared, key[:1], key) == pytest.approx(2 / 3)
    assert score(declared, key, [thing(kind, 0, 0, label="dog"), key[1]]) == 0.5
    assert score(declared, key, [thing(kind, 250, 250)]) == 0.0
    assert score(declared, [], []) == 1.0
    assert score(declared, [], key) == score(declared, key, []) == 0.0
    assert score(field(kind, partial=False), key, key[:1]) == 0.0
    assert score(field(kind, partial=False), key, key) == 1.0


@pytest.mark.parametrize("kind", KINDS)
def test_unanimous_objects_are_the_result_with_full_support(kind):
    declared = field(kind)
    value = clean(declared, [thing(kind, 10, 10), thing(kind, 14, 10), thing(kind, 300, 10, label="dog")])

    found = result(declared, [value] * 3)
    assert (found.value, found.confidence, found.answers) == (value, 1.0, 3)
    assert [(one.share, one.at_50, one.at_75) for one in found.objects] == [(1.0, 1.0, 1.0)] * 3
    assert clean(declared, found.value) == found.value


@pytest.mark.parametrize("kind", KINDS)
def test_objects_that_fewer_than_half_have_are_left_out_and_lower_the_confidence(kind):
    declared = field(kind)
    one, other = thing(kind, 0, 0), thing(kind, 500, 500)

    found = result(declared, [[one], [one, other], [one]])
    assert found.value == clean(declared, [one])
    assert found.confidence == pytest.approx(2 / 3)
    assert result(declared, [[], []]).value == []
    assert result(declared, [[], []]).confidence == 1.0
    assert len(result(field(kind, min=2), [[one], [one, other], [one]]).value) == 2
    assert len(result(field(kind, max=1), [[one, other]] * 2).value) == 1
    alone = result(declared, [[one]])
    assert (alone.value, alone.confidence) == (clean(declared, [one]), 1.0)


@pytest.mark.parametrize("kind", KINDS)
def test_labels_of_an_earlier_version_still_count(kind):
    found = result(field(kind), [[thing(kind, 0, 0, label="yak")]] * 2)

    assert [one["label"] for one in found.value] == ["yak"]


places = st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(3, 6), st.sampled_from(["cat", "dog"]))
answers = st.lists(st.lists(places, max_size=4, unique=True), min_size=1, max_size=5)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40)
@given(drawn=answers, chance=st.randoms())
def test_the_same_answers_come_to_the_same_to_the_bit_whatever_their_order(kind, drawn, chance):
    declared = field(kind, **{THRESHOLD.get(kind, "iou"): 0.3})
    values = [clean(declared, [thing(kind, 7 * x, 7 * y, size, label) for x, y, size, label in one]) for one in drawn]
    first = result(declared, values)
    chance.shuffle(values)

    assert result(declared, values) == first
    assert 0 <= first.confidence <= 1
    assert clean(declared, first.value) == first.value
    assert len(first.objects) == len(first.value)
    assert all(0 <= one.at_75 <= one.at_50 <= 1 and 0 < one.share <= 1 for one in first.objects)
    assert score(declared, values[0], values[-1]) == score(declared, values[-1], values[0])


@pytest.mark.parametrize("kind", ["boxes", "polygons", "cuboids"])
def test_support_is_stated_at_half_and_at_three_quarters(kind):
    declared = field(kind, iou=0.4)
    found = result(declared, [[thing(kind, 0, 0)], [thing(kind, 0, 0)], [thing(kind, 5, 0)]])

    assert found.value == [thing(kind, 0, 0)]
    # Shifted by a quarter of their side squares overlap by 15 / 25.
    assert [(one.share, one.at_50, one.at_75) for one in found.objects] == [(1.0, 1.0, pytest.approx(2 / 3))]
