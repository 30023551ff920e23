"""Whatever arrives as an answer: it is refused with words or comes out in a form that the type's schema allows."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from marketplace.projects.answer_types.base import ValueRefused
from marketplace.projects.answer_types.registry import answer_type

LABELS = [{"value": "cat"}, {"value": "dog"}]
SKELETON = {"points": ["nose", "tail"], "edges": [["nose", "tail"]]}
OPTIONS = {
    "keypoints": {"skeletons": {"cat": SKELETON, "dog": SKELETON}},
    "mask": {"mode": "instance"},
}
KINDS = ["boxes", "polygons", "polylines", "keypoints", "tracks", "cuboids", "mask"]
NAMES = ("label", "points", "frames", "frame", "x", "y", "z", "width", "height", "length", "yaw", "nose", "tail",
         "visibility", "outside", "occluded", "objects", "counts", "instance")  # fmt: skip

leaves = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 40), st.floats(), st.sampled_from(["cat", "visible", "absent", "1P0", ""])
)
anything = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=12,
)
number = st.integers(0, 40) | st.floats(0, 40)
label = st.sampled_from(["cat", "dog"])
point = st.tuples(number, number).map(list)
box = {"x": number, "y": number, "width": number, "height": number}
flags = {"outside": st.booleans(), "occluded": st.booleans()}
seen = st.fixed_dictionaries({"x": number, "y": number, "visibility": st.sampled_from(["visible", "occluded"])})
NEARLY = {
    "boxes": {"label": label, **box},
    "polygons": {"label": label, "points": st.lists(point, min_size=2, max_size=6)},
    "polylines": {"label": label, "points": st.lists(point, min_size=1, max_size=6)},
    "keypoints": {
        "label": label,
        "points": st.dictionaries(st.sampled_from(["nose", "tail"]), seen | st.just({"visibility": "absent"})),
    },
    "tracks": {
        "label": label,
        "frames": st.lists(
            st.fixed_dictionaries({"frame": st.integers(0, 50), **box}, optional=flags),
            min_size=1,
            max_size=3,
            unique_by=lambda one: one["frame"],
        ).map(lambda frames: sorted(frames, key=lambda one: one["frame"])),
    },
    "cuboids": {"label": label, **dict.fromkeys(("x", "y", "z", "length", "width", "height", "yaw"), number)},
    "mask": {"label": label, "counts": st.lists(st.integers(0, 20), min_size=1, max_size=4)},
}


def field(kind):
    return answer_type(kind).check_field(
        {"name": "it", "type": kind, "of": "picture", "labels": LABELS} | OPTIONS.get(kind, {})
    )


def comes_through_or_is_refused(kind, value):
    """Whether the value was accepted; what came of it must be canonical, plain JSON, within the schema and in parts."""
    declared = field(kind)
    try:
        cleaned = answer_type(kind).clean(declared, value)
    except ValueRefused as refused:
        assert refused.message and refused.message[0] != " "
        return False
    assert json.loads(json.dumps(cleaned, allow_nan=False)) == cleaned
    assert answer_type(kind).clean(declared, cleaned) == cleaned
    Draft202012Validator(answer_type(kind).json_schema(declared)).validate(cleaned)
    assert answer_type(kind).score(declared, cleaned, cleaned) == 1.0
    list(answer_type(kind).parts(declared, cleaned))
    return True


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=150)
@given(value=anything)
def test_anything_at_all_is_refused_with_words_or_comes_out_canonical(kind, value):
    comes_through_or_is_refused(kind, value)
    comes_through_or_is_refused(kind, [value])
    comes_through_or_is_refused(kind, {"height": 4, "width": 5, "objects": [value]})


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=200)
@given(data=st.data())
def test_what_is_nearly_right_is_refused_with_words_or_comes_out_canonical(kind, data):
    things = data.draw(st.lists(st.fixed_dictionaries(NEARLY[kind]), max_size=3))
    comes_through_or_is_refused(kind, things if kind != "mask" else {"height": 4, "width": 5, "objects": things})


@pytest.mark.parametrize("kind", KINDS)
def test_schemas_are_schemas_and_say_their_type(kind):
    schema = answer_type(kind).json_schema(field(kind))

    Draft202012Validator.check_schema(schema)
    assert schema["type"] in ("array", "object")
