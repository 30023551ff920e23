"""Tasks, annotations and predictions of Label Studio, and masks of its brush."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.projects.label_studio.brush import packed, unpacked
from marketplace.projects.label_studio.configs import read_config
from marketplace.projects.label_studio.tasks import read_tasks

CONFIG = read_config("""<View><Image name="img" value="$image"/><Text name="txt" value="$text"/>
  <RectangleLabels name="tag" toName="img"><Label value="Moonwalker"/></RectangleLabels>
  <Choices name="kind" toName="img"><Choice value="a"/><Choice value="b"/></Choices>
  <VectorLabels name="lines" toName="img"><Label value="l"/></VectorLabels>
  <BrushLabels name="pixels" toName="img"><Label value="sky"/></BrushLabels>
  <Labels name="names" toName="txt"><Label value="PER"/></Labels></View>""")
# The form of the example on labelstud.io/guide/task_format.
BOX = {
    "from_name": "tag", "id": "Dx_aB91ISN", "source": "$image", "to_name": "img", "type": "rectanglelabels",
    "original_width": 800, "original_height": 600, "image_rotation": 0,
    "value": {"height": 10.5, "rectanglelabels": ["Moonwalker"], "rotation": 0, "width": 12.4, "x": 50.8, "y": 5.25},
}  # fmt: skip


def one(**task):
    (found,) = read_tasks(CONFIG, [{"id": 7, "data": {"image": "https://example.org/1.jpg", "text": "😀 Ann"}, **task}])
    return found


def result(**more):
    """What is wrong with an annotation of one result."""
    found = one(annotations=[{"result": [more]}])
    assert found.annotations == ()
    return [error["message"] for error in found.errors]


def test_a_task_as_label_studio_documents_it():
    found = one(
        annotations=[{"id": "1001", "result": [BOX], "was_cancelled": False, "ground_truth": True, "completed_by": 10}],
        predictions=[{"created_ago": "3 hours", "model_version": "model 1", "result": [BOX], "score": 0.4}],
    )

    assert (found.external_id, found.data["image"], found.errors) == ("7", "https://example.org/1.jpg", ())
    box = {"label": "Moonwalker", "x": 406.4, "y": 31.5, "width": 99.2, "height": 63}
    assert found.annotations[0].values == {"tag": [box]}
    assert (found.annotations[0].by, found.annotations[0].truth) == ("10", True)
    assert (found.predictions[0].by, found.predictions[0].score) == ("model 1", 0.4)


def test_cancelled_annotations_say_nothing():
    assert one(annotations=[{"result": [BOX], "was_cancelled": True}]).annotations == ()


def test_data_alone_is_a_task_too_and_what_no_tag_shows_is_said():
    found = list(read_tasks(CONFIG, [{"text": "a"}, {"text": "b", "secret": 1}, "no task"]))

    assert [task.external_id for task in found] == ["1", "2", "3"]
    assert (found[0].data, found[0].errors) == ({"text": "a"}, ())
    assert found[1].errors[0]["field"] == "data.secret"
    assert found[2].errors[0]["message"] == "must be an object"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"from_name": "nobody"}, "no control"),
        ({"original_width": None}, "original_width"),
        ({"image_rotation": 90}, "turned picture"),
        ({"value": {**BOX["value"], "rotation": 5}}, "upright"),
        ({"value": {**BOX["value"], "rectanglelabels": []}}, "one label"),
        ({"value": {**BOX["value"], "rectanglelabels": ["a", "b"]}}, "one label"),
        ({"value": {"x": 1}}, "form of its type"),
        ({"value": None}, "form of its type"),
        ({"value": {**BOX["value"], "x": "far"}}, "form of its type"),
        ({"value": {**BOX["value"], "x": float("nan")}}, "NaN"),
        ({"value": {**BOX["value"], "x": float("inf")}}, "infinity"),
        ({"type": "relation", "from_id": "a", "to_id": "b", "labels": ["x"]}, "no spans before"),
    ],
)
def test_a_result_that_cannot_be_kept_is_refused_with_words(changed, words):
    assert any(words in message for message in result(**{**BOX, **changed}))


def test_a_line_with_curves_and_a_second_answer_are_refused():
    line = {**BOX, "from_name": "lines", "value": {"vertices": [{"x": 1, "y": 1, "isBezier": True}],
                                                  "closed": False, "vectorlabels": ["l"]}}  # fmt: skip
    choice = {"from_name": "kind", "to_name": "img", "type": "choices", "value": {"choices": ["a"]}}

    found = one(annotations=[{"result": [line]}, {"result": [choice, choice]}])

    assert [(error["field"], error["message"]) for error in found.errors] == [
        ("annotations[0].result[0]", "is closed or has curves, and ours are open and straight"),
        ("annotations[1].result[1]", "is a second answer to kind"),
    ]


@pytest.mark.parametrize(("start", "end"), [(2, 5), (3, 6)])
def test_spans_are_found_whether_characters_or_utf_16_units_were_counted(start, end):
    span = {"from_name": "names", "to_name": "txt", "id": "s", "type": "labels",
            "value": {"start": start, "end": end, "text": "Ann", "labels": ["PER"]}}  # fmt: skip

    found = one(annotations=[{"result": [span]}])

    assert found.annotations[0].values["names"]["spans"] == [{"id": "s", "label": "PER", "start": 2, "end": 5}]


def test_a_span_of_another_text_is_refused():
    span = {
        "from_name": "names",
        "id": "s",
        "type": "labels",
        "value": {"start": 0, "end": 1, "text": "Z", "labels": ["PER"]},
    }

    assert result(**span) == ["says another text than the item has at that place"]


@settings(max_examples=60)
@given(st.integers(1, 7), st.integers(1, 9), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]))
def test_a_mask_that_is_packed_and_unpacked_is_the_same(height, width, seed, share):
    pixels = np.random.default_rng(seed).random((height, width)) < share

    data = packed(pixels)

    assert np.array_equal(unpacked(data, height, width), pixels)
    judge = pytest.importorskip("label_studio_sdk.converter.brush")
    assert np.array_equal(judge.decode_rle(data).reshape(height, width, 4)[:, :, 3] > 0, pixels)


def test_masks_that_the_sdk_packs_are_unpacked():
    judge = pytest.importorskip("label_studio_sdk.converter.brush")
    pixels = np.random.default_rng(5).random((13, 17)) < 0.4

    data, _, _ = judge.image2rle_from_array(pixels) if hasattr(judge, "image2rle_from_array") else (
        judge.encode_rle(np.repeat(pixels.ravel().astype(np.uint8) * 255, 4)), 0, 0
    )  # fmt: skip

    assert np.array_equal(unpacked(list(data), 13, 17), pixels)


def test_a_large_mask_of_one_run_is_packed_small():
    data = packed(np.ones((1000, 1000), dtype=bool))

    assert len(data) < 1000
    assert unpacked(data, 1000, 1000).all()


@pytest.mark.parametrize(
    "data", [None, "abc", [], [256], [1.5], [0] * 3, [0] * 40, [255] * 40, packed(np.ones((2, 2), dtype=bool))[:-1]]
)
def test_bytes_that_are_no_mask_are_refused(data):
    with pytest.raises(ValueError, match=r"must|is of|ends|has"):
        unpacked(data, 2, 2)
    value = {"format": "rle", "rle": data, "brushlabels": ["sky"]}
    sized = {**BOX, "from_name": "pixels", "type": "brushlabels", "original_width": 2, "original_height": 2}
    assert result(**{**sized, "value": value})


def test_a_picture_that_is_too_large_is_refused():
    with pytest.raises(ValueError, match="at most"):
        unpacked([0] * 10, 10**6, 10**6)
