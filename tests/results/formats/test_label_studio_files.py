"""Label Studio's config and tasks, judged by its own SDK, and read back by our reader."""

import json
from dataclasses import replace

import numpy as np
import pytest

from marketplace.projects.answer_types.base import FieldInvalid
from marketplace.projects.answer_types.parts import (
    Box,
    Class,
    Cuboid,
    KeyFrame,
    Keypoints,
    Mask,
    Number,
    Order,
    Polygon,
    Polyline,
    Relation,
    Segment,
    Span,
    Text,
    Track,
    Visibility,
)  # fmt: skip
from marketplace.projects.answer_types.registry import answer_type
from marketplace.projects.interface import check_interface
from marketplace.projects.label_studio.configs import read_config
from marketplace.projects.label_studio.tasks import read_tasks
from marketplace.results.writers.base import Item
from marketplace.results.writers.label_studio import LabelStudio
from marketplace.results.writers.label_studio_config import NO_TAG
from marketplace.results.writers.label_studio_results import (
    EQUAL,
    HIDDEN,
    NO_ENDS,
    NO_SIZE,
    RATE_ASSUMED,
    SKELETON,
    STRENGTH,
)  # fmt: skip
from tests.results.formats.sample import (
    BIG,
    HEIGHT,
    OUTLINE,
    PERSON,
    SMALL,
    WIDTH,
    field,
    items_of,
    labels,
    mask_of,
    picture_url,
    told,
    written,
)  # fmt: skip

DATA = [
    {"name": "photo", "type": "image", "title": "Photo"}, {"name": "text", "type": "text", "title": "Text"},
    {"name": "other", "type": "text", "title": "Other"}, {"name": "sound", "type": "audio", "title": "Sound"},
    {"name": "film", "type": "video", "title": "Film"},
]  # fmt: skip
TREE = [{"value": "animal", "title": "Animal", "children": [
    {"value": "dog", "title": "Dog"}, {"value": "cat", "title": "Cat"},
]}]  # fmt: skip
POINT = {"flag": {"points": ["point"], "edges": []}}
ANSWER = [
    field(
        "kind", "choice", labels=[{"value": "a", "title": "An A & more", "hotkey": "1"}, *labels("b")], multiple=False
    ),
    field("many", "choice", labels=labels("x", "y", "z"), multiple=True),
    field("tree", "taxonomy", tree=TREE, leaf_only=True),
    field("stars", "rating", points=7),
    field("count", "number", integer=True, minimum=0, maximum=10),
    field("note", "text"),
    field("better", "preference", left="text", right="other"),
    field("boxes", "boxes", labels=labels("car"), of="photo"),
    field("outlines", "polygons", labels=labels("house"), of="photo"),
    field("lines", "polylines", labels=labels("lane"), of="photo"),
    field("points", "keypoints", labels=labels("flag"), skeletons=POINT, of="photo"),
    field("pixels", "mask", labels=labels("road", "sky"), of="photo", mode="instance", exclusive=False),
    field("names", "spans", labels=labels("PER", "LOC"), relations=labels("lives in"), of="text"),
    field("noises", "segments", labels=labels("dog", "door"), of="sound"),
    field("speech", "transcription", timestamps=True, of="sound"),
    field("cars", "tracks", labels=labels("car"), of="film", width=WIDTH, height=HEIGHT),
]
TEXT = "Ann 😀 lives in Rome"
SHOWN = {
    "photo": picture_url(HEIGHT, WIDTH), "text": TEXT, "other": "no", "sound": "https://example.org/a.mp3",
    "film": "https://example.org/a.mp4",
}  # fmt: skip
PARTS = {
    "kind": (Class(("a",)),),
    "many": (Class(("x", "z")),),
    "tree": (Class(("animal", "dog"), path=True),),
    "stars": (Number(6, scale=7),),
    "count": (Number(3),),
    "note": (Text("two\nlines"),),
    "better": (Order((("right",), ("left",))),),
    "boxes": (Box("car", 1.25, 2, 30.5, 7),),
    "outlines": (Polygon("house", OUTLINE),),
    "lines": (Polyline("lane", ((59.5, 1.5), (20, 20), (0, 39))),),
    "points": (Keypoints("flag", (("point", 3.5, 4, Visibility.VISIBLE),)),),
    "pixels": (mask_of("road", BIG, 1), mask_of("sky", SMALL, 2)),
    "names": (Span("PER", 0, 3, "text", "1"), Span("LOC", 15, 19, "text", "2"), Relation("lives in", "1", "2")),
    "noises": (Segment(0.5, 1.25, "dog"),),
    "speech": (Segment(0, 2.5, text="Hello there."), Segment(3, 4, text="Bye")),
    "cars": (Track("car", (KeyFrame(0, 1, 2, 3, 4), KeyFrame(10, 6, 2, 3, 4, outside=True))),),
}
VALUES = {
    "kind": "a", "many": ["x", "z"], "tree": ["animal", "dog"], "stars": 6, "count": 3, "note": "two\nlines",
    "better": {"preferred": "right"},
    "boxes": [{"label": "car", "x": 1.25, "y": 2, "width": 30.5, "height": 7}],
    "outlines": [{"label": "house", "points": [list(point) for point in OUTLINE]}],
    "lines": [{"label": "lane", "points": [[59.5, 1.5], [20, 20], [0, 39]]}],
    "points": [{"label": "flag", "points": {"point": {"x": 3.5, "y": 4, "visibility": "visible"}}}],
    "pixels": {"height": HEIGHT, "width": WIDTH, "objects": [
        {"label": "road", "counts": list(mask_of("road", BIG).counts), "instance": 1},
        {"label": "sky", "counts": list(mask_of("sky", SMALL).counts), "instance": 2},
    ]},
    "names": {"spans": [{"id": "names-0", "label": "PER", "start": 0, "end": 3},
                        {"id": "names-1", "label": "LOC", "start": 15, "end": 19}],
              "relations": [{"label": "lives in", "from": "names-0", "to": "names-1"}]},
    "noises": [{"label": "dog", "start": 0.5, "end": 1.25}],
    "speech": [{"start": 0, "end": 2.5, "text": "Hello there."}, {"start": 3, "end": 4, "text": "Bye"}],
}  # fmt: skip


def one_item(parts=None, **more):
    return Item(0, "first", SHOWN, {}, PARTS if parts is None else parts, {"kind": 0.75, "boxes": 0.5}, **more)


def opened(path):
    """The config and the tasks, each annotation of which the SDK finds right."""
    judge = pytest.importorskip("label_studio_sdk.label_interface")
    interface = judge.LabelInterface((path / "label_config.xml").read_text())
    interface.validate()
    tasks = json.loads((path / "tasks.json").read_text())
    for task in tasks:
        for said in (*task["annotations"], *task["predictions"]):
            assert interface.validate_prediction(said, return_errors=True) == []
    return interface, tasks


def test_the_sdk_finds_config_and_results_right(tmp_path):
    losses = written(LabelStudio(), items_of(DATA, ANSWER, [one_item(gold=True)]), tmp_path)

    interface, (task,) = opened(tmp_path)

    assert {control.name for control in interface.controls} >= {field["name"] for field in ANSWER}
    assert (task["id"], task["data"], task["meta"]) == (1, SHOWN, {"external_id": "first"})
    assert task["annotations"][0]["ground_truth"] is True
    assert {result["from_name"] for result in task["annotations"][0]["result"] if "from_name" in result} >= set(PARTS)
    assert told(losses) == {("cars", RATE_ASSUMED): 1}


def test_what_is_written_is_read_back_as_the_same_interface_and_values(tmp_path):
    written(LabelStudio(), items_of(DATA, ANSWER, [one_item()]), tmp_path)

    config = read_config((tmp_path / "label_config.xml").read_text())
    (task,) = read_tasks(config, json.loads((tmp_path / "tasks.json").read_text()))

    fields = {field["name"]: field for field in config.interface["answer"]}
    assert [(field["name"], field["type"]) for field in config.interface["data"]] == [
        (field["name"], field["type"]) for field in DATA
    ]
    assert {name: field["type"] for name, field in fields.items()} == {field["name"]: field["type"] for field in ANSWER}
    assert fields["kind"]["labels"][0] == {"value": "a", "title": "An A & more", "hotkey": "1"}
    assert fields["tree"]["tree"] == TREE
    assert fields["names"]["relations"] == labels("lives in")
    assert (fields["count"]["minimum"], fields["count"]["maximum"], fields["count"]["integer"]) == (0, 10, True)
    # Films have no size in a config, so their tracks wait for one.
    assert [error["message"] for error in task.errors] == [
        "is in percentages of a film whose size nothing says; give width and height to the field"
    ]
    fields["cars"] |= {"width": WIDTH, "height": HEIGHT}
    (task,) = read_tasks(config, json.loads((tmp_path / "tasks.json").read_text()))
    cars = [{"label": "car", "frames": [
        {"frame": 0, "x": 1, "y": 2, "width": 3, "height": 4},
        {"frame": 10, "x": 6, "y": 2, "width": 3, "height": 4, "outside": True},
    ]}]  # fmt: skip
    assert task.errors == ()
    assert task.annotations[0].values == VALUES | {"cars": cars}


def test_values_that_are_read_are_answers_of_our_types_and_say_the_same_parts():
    checked = check_interface({"data": DATA, "answer": ANSWER})
    for declared in checked["answer"]:
        kind = answer_type(declared["type"])
        value = VALUES.get(declared["name"])
        if value is not None:
            parts = list(kind.parts(declared, kind.clean(declared, value)))
            assert parts == list(as_cleaned(PARTS[declared["name"]]))


def as_cleaned(parts):
    """The parts with ids and orders as our types give them: spans by their place, objects by their labels."""
    for part in parts:
        if isinstance(part, Span):
            yield replace(part, id=str(int(part.id)))
        else:
            yield part


def test_predictions_have_the_confidence_of_the_least_sure_field(tmp_path):
    item = one_item(method={"kind": "dawid_skene", "boxes": "clusters"})
    written(LabelStudio(), items_of(DATA, ANSWER, [item]), tmp_path, **{"as": "predictions"})

    _, (task,) = opened(tmp_path)

    assert task["annotations"] == []
    assert task["predictions"][0]["score"] == 0.5
    assert task["predictions"][0]["model_version"] == "clusters, dawid_skene"


def test_the_sdk_unpacks_our_brush_strokes(tmp_path):
    brush = pytest.importorskip("label_studio_sdk.converter.brush")
    written(LabelStudio(), items_of(DATA, ANSWER, [one_item()]), tmp_path, fields=["pixels"])

    _, (task,) = opened(tmp_path)

    for result, pixels in zip(task["annotations"][0]["result"], (BIG, SMALL), strict=True):
        unpacked = brush.decode_rle(result["value"]["rle"]).reshape(HEIGHT, WIDTH, 4)
        assert np.array_equal(unpacked[:, :, 3] > 0, pixels)


def test_what_label_studio_cannot_say_is_counted(tmp_path):
    answer = [
        field("order", "ranking", items=labels("a", "b")), field("space", "cuboids", labels=labels("car")),
        field("better", "preference", left="text", right="other"),
        field("worse", "preference", left="text", right="other"),
        field("people", "keypoints", labels=labels("person"), of="photo", skeletons={
            "person": {"points": ["nose", "hand", "foot"], "edges": []}}),
        field("far", "boxes", labels=labels("car"), of="film"),
        field("names", "spans", labels=labels("PER"), relations=labels("knows"), of="text"),
    ]  # fmt: skip
    parts = {
        "order": (Order((("a",), ("b",))),), "space": (Cuboid("car", 0, 0, 0, 1, 1, 1, 0),),
        "better": (Order((("left", "right"),)),), "worse": (Order((("left",), ("right",)), strength=2),),
        "people": (PERSON,), "far": (Box("car", 1, 1, 1, 1),),
        "names": (Relation("knows", "1", "2"),),
    }  # fmt: skip

    losses = written(LabelStudio(), items_of(DATA, answer, [one_item(parts)]), tmp_path)

    _, (task,) = opened(tmp_path)
    assert told(losses) == {
        ("order", NO_TAG): 1, ("space", "the format cannot say a cuboid"): 1, ("better", EQUAL): 1,
        ("worse", STRENGTH): 1, ("people", SKELETON): 1, ("people", HIDDEN): 1, ("far", NO_SIZE): 1,
        ("names", NO_ENDS): 1,
    }  # fmt: skip
    assert [result["value"].get("keypointlabels") for result in task["annotations"][0]["result"][1:]] == [
        ["person: nose"], ["person: hand"],
    ]  # fmt: skip


def test_an_item_without_a_result_is_a_task_without_an_annotation(tmp_path):
    written(LabelStudio(), items_of(DATA, ANSWER, [one_item({})]), tmp_path)

    _, (task,) = opened(tmp_path)

    assert (task["annotations"], task["predictions"]) == ([], [])


def test_a_data_set_without_items_is_an_empty_list(tmp_path):
    written(LabelStudio(), items_of(DATA, ANSWER, []), tmp_path)

    assert opened(tmp_path)[1] == []


def test_another_way_to_say_results_is_refused_by_name():
    with pytest.raises(FieldInvalid) as refused:
        LabelStudio().check_options({"as": "drafts"}, data=DATA, answer=ANSWER)

    assert refused.value.errors[0].path == "as"


def test_a_mask_of_no_pixels_is_read_back(tmp_path):
    parts = {"pixels": (Mask("sky", HEIGHT, WIDTH, (HEIGHT * WIDTH,), 1),)}
    written(LabelStudio(), items_of(DATA, ANSWER, [one_item(parts)]), tmp_path)

    config = read_config((tmp_path / "label_config.xml").read_text())
    (task,) = read_tasks(config, json.loads((tmp_path / "tasks.json").read_text()))

    assert task.annotations[0].values["pixels"]["objects"][0]["counts"] == [HEIGHT * WIDTH]
