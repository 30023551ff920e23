"""COCO files, opened by pycocotools and datumaro."""

import contextlib
import io
import json
from collections import Counter

import numpy as np
import pytest

from marketplace.projects.answer_types.base import FieldInvalid
from marketplace.projects.answer_types.parts import Box, Keypoints, Mask, Polygon, Visibility
from marketplace.results.writers.base import Item
from marketplace.results.writers.coco import CocoInstances, CocoKeypoints
from marketplace.results.writers.coco_panoptic import CocoPanoptic
from marketplace.results.writers.layers import COVERED, NO_SIZE, TO_PIXELS
from tests.results.formats.sample import (
    BIG,
    HEIGHT,
    IMAGE,
    OUTLINE,
    SHAPES,
    SMALL,
    WIDTH,
    field,
    items_of,
    labels,
    picture_url,
    told,
    written,
)  # fmt: skip


def opened(path):
    judge = pytest.importorskip("pycocotools.coco")
    with contextlib.redirect_stdout(io.StringIO()):
        return judge.COCO(str(path))


def test_pycocotools_reads_boxes_outlines_and_masks_as_they_were_said(shapes, tmp_path):
    written(CocoInstances(), shapes, tmp_path)
    coco = opened(tmp_path / "annotations/instances_train.json")

    found = {coco.cats[note["category_id"]]["name"]: note for note in coco.loadAnns(coco.getAnnIds(imgIds=[1]))}

    assert [coco.cats[at]["name"] for at in sorted(coco.cats)] == ["car", "tree", "house", "sky", "road"]
    assert found["car"]["bbox"] == [30, 20, 30, 20]
    assert found["tree"]["bbox"] == [0, 0.5, 10.25, 20]
    assert found["tree"]["area"] == 205
    assert found["tree"]["score"] == 0.875
    assert found["house"]["bbox"] == [1, 30, 10, 8.5]
    assert found["house"]["area"] == 72.5
    assert np.array_equal(coco.annToMask(found["road"]).astype(bool), BIG)
    assert np.array_equal(coco.annToMask(found["sky"]).astype(bool), SMALL)
    assert (found["road"]["area"], found["road"]["bbox"], found["road"]["iscrowd"]) == (300, [10, 5, 20, 15], 0)
    assert found["sky"]["iscrowd"] == 1
    assert [(coco.imgs[at]["file_name"], coco.imgs[at]["height"]) for at in (1, 2)] == [
        ("a street.png", HEIGHT), ("b%2Fempty.png", HEIGHT),
    ]  # fmt: skip
    assert coco.getAnnIds(imgIds=[2]) == []


def test_what_coco_cannot_say_is_counted_by_kind_and_field(shapes, tmp_path):
    assert told(written(CocoInstances(), shapes, tmp_path)) == {
        ("lines", "the format cannot say a polyline"): 1,
        ("people", "the format cannot say a keypoints"): 1,
        ("weather", "the format cannot say a class"): 1,
    }


def test_a_field_that_was_not_asked_for_is_neither_written_nor_lost(shapes, tmp_path):
    losses = written(CocoInstances(), shapes, tmp_path, fields=["outlines"])
    found = json.loads((tmp_path / "annotations/instances_train.json").read_text())

    assert losses.total == 0
    assert [category["name"] for category in found["categories"]] == ["house", "tree"]
    assert len(found["annotations"]) == 1


def test_each_split_has_its_own_file_with_the_same_categories(shapes, tmp_path):
    written(CocoInstances(), shapes, tmp_path)
    train, val = (opened(tmp_path / f"annotations/instances_{split}.json") for split in ("train", "val"))

    assert train.cats == val.cats
    assert (len(train.imgs), len(val.imgs)) == (2, 1)
    assert [note["bbox"] for note in val.anns.values()] == [[1, 2, 3, 4]]


def test_pycocotools_finds_a_result_that_is_the_truth_to_be_perfect(shapes, tmp_path):
    """Its own evaluation walks all that it needs of a file."""
    judge = pytest.importorskip("pycocotools.cocoeval")
    written(CocoInstances(), shapes, tmp_path)
    coco = opened(tmp_path / "annotations/instances_train.json")
    truth = [note for note in coco.anns.values() if not note["iscrowd"]]

    with contextlib.redirect_stdout(io.StringIO()):
        same = coco.loadRes([{"image_id": n["image_id"], "category_id": n["category_id"], "bbox": n["bbox"],
                              "score": 0.9} for n in truth])  # fmt: skip
        evaluation = judge.COCOeval(coco, same, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()

    assert evaluation.stats[0] == pytest.approx(1.0)


def test_datumaro_reads_the_same_objects_with_their_pictures(shapes, tmp_path):
    dm = pytest.importorskip("datumaro")
    written(CocoInstances(), shapes, tmp_path)

    found = dm.Dataset.import_from(str(tmp_path), "coco_instances")
    item = found.get("a street", "train")
    names = [label.name for label in found.categories()[dm.AnnotationType.label].items]

    assert names == ["car", "tree", "house", "sky", "road"]
    assert Counter((names[one.label], one.type.name) for one in item.annotations) == {
        ("tree", "bbox"): 1, ("car", "bbox"): 1, ("house", "bbox"): 1, ("house", "polygon"): 1,
        ("road", "bbox"): 1, ("road", "mask"): 1, ("sky", "bbox"): 1, ("sky", "mask"): 1,
    }  # fmt: skip
    masks = {names[one.label]: one.image for one in item.annotations if one.type.name == "mask"}
    assert np.array_equal(masks["road"].astype(bool), BIG)
    assert item.media.data.shape[:2] == (HEIGHT, WIDTH)
    assert found.get("c", "val") is not None


def test_skeletons_come_with_their_names_edges_and_visibility(shapes, tmp_path):
    written(CocoKeypoints(), shapes, tmp_path, fields=["people"])
    coco = opened(tmp_path / "annotations/person_keypoints_train.json")
    (note,) = coco.anns.values()

    assert coco.cats[1]["keypoints"] == ["nose", "hand", "foot"]
    assert coco.cats[1]["skeleton"] == [[1, 2], [2, 3]]
    assert note["keypoints"] == [12.5, 7.25, 2, 20, 15, 1, 0, 0, 0]
    assert note["num_keypoints"] == 2
    assert note["bbox"] == [12.5, 7.25, 7.5, 7.75]


def test_datumaro_reads_the_skeletons(shapes, tmp_path):
    dm = pytest.importorskip("datumaro")
    written(CocoKeypoints(), shapes, tmp_path)

    found = dm.Dataset.import_from(str(tmp_path), "coco_person_keypoints").get("a street", "train")
    (points,) = (one for one in found.annotations if one.type == dm.AnnotationType.points)

    assert points.points == [12.5, 7.25, 20, 15, 0, 0]
    assert [seen.name for seen in points.visibility] == ["visible", "hidden", "absent"]


def test_a_skeleton_of_an_older_interface_keeps_the_names_it_came_with(tmp_path):
    old = Keypoints("cat", (("tail", 1, 2, Visibility.VISIBLE),))
    items = items_of([IMAGE], SHAPES, [Item(0, "a", {}, {}, {"people": (old,)})])

    written(CocoKeypoints(), items, tmp_path)

    categories = json.loads((tmp_path / "annotations/person_keypoints_default.json").read_text())["categories"]
    assert [(one["name"], one["keypoints"]) for one in categories] == [
        ("person", ["nose", "hand", "foot"]), ("cat", ["tail"]),
    ]  # fmt: skip


def test_panoptic_pictures_number_each_pixel_once(shapes, tmp_path):
    dm = pytest.importorskip("datumaro")
    losses = written(CocoPanoptic(), shapes, tmp_path, fields=["pixels", "outlines"])

    described = json.loads((tmp_path / "annotations/panoptic_train.json").read_text())
    item = dm.Dataset.import_from(str(tmp_path), "coco_panoptic").get("a street", "train")
    names = [one["name"] for one in described["categories"]]
    found = {names[one.label]: one.image.astype(bool) for one in item.annotations}

    assert told(losses) == {("pixels", COVERED): 1, ("outlines", TO_PIXELS): 1}
    assert {one["name"]: one["isthing"] for one in described["categories"]} == {
        "house": 1, "tree": 1, "sky": 0, "road": 1,
    }  # fmt: skip
    assert np.array_equal(found["road"], BIG)
    assert np.array_equal(found["sky"], SMALL & ~BIG)
    first = described["annotations"][0]["segments_info"]
    assert [(one["area"], one["bbox"]) for one in first if names[one["category_id"] - 1] == "sky"] == [
        (int((SMALL & ~BIG).sum()), [25, 15, 10, 10])
    ]
    assert described["annotations"][1]["segments_info"] == []


def test_a_picture_of_unknown_size_is_said_to_be_so(tmp_path):
    item = Item(0, "x", {"photo": "https://example.org/x.jpg"}, {}, {"shapes": (Polygon("a", OUTLINE),)})
    items = items_of([IMAGE], [field("shapes", "polygons", labels=labels("a"))], [item])

    assert (("shapes", NO_SIZE), 1) in told(written(CocoPanoptic(), items, tmp_path)).items()
    losses = written(CocoInstances(), items, tmp_path)
    image = json.loads((tmp_path / "annotations/instances_default.json").read_text())["images"][0]
    assert image == {
        "id": 1, "file_name": "x.jpg", "external_id": "x", "coco_url": "https://example.org/x.jpg",
    }  # fmt: skip
    assert losses.total == 1


@pytest.mark.parametrize(
    ("options", "path"),
    [({"fields": ["nobody"]}, "fields"), ({"fields": "boxes"}, "fields"), ({"fields": []}, "fields"),
     ({"fields": [1]}, "fields"), ({"fields": ["weather"]}, "fields"), ({"colour": 1}, "colour")],
)  # fmt: skip
def test_options_that_cannot_be_met_are_refused_by_name(options, path):
    with pytest.raises(FieldInvalid) as refused:
        CocoInstances().check_options(options, data=[IMAGE], answer=SHAPES)

    assert refused.value.errors[0].path == path


def test_the_picture_is_the_one_that_the_shapes_are_about(tmp_path):
    data = [{**IMAGE, "name": "plan"}, IMAGE]
    answer = [
        field("boxes", "boxes", labels=labels("car"), of="photo"),
        field("rooms", "polygons", labels=labels("room"), of="plan"),
    ]
    item = Item(0, "x", {"plan": "https://example.org/plan.jpg", "photo": picture_url(4, 5)}, {}, {})
    items = items_of(data, answer, [item])

    with pytest.raises(FieldInvalid, match=r"several pictures \(photo, plan\)"):
        written(CocoInstances(), items, tmp_path)
    written(CocoInstances(), items, tmp_path, fields=["boxes"])

    (image,) = json.loads((tmp_path / "annotations/instances_default.json").read_text())["images"]
    assert (image["file_name"], image["height"], image["width"]) == ("x.png", 4, 5)


def test_the_same_items_give_the_same_bytes(shapes, tmp_path):
    for name in ("one", "two"):
        for writer in (CocoInstances(), CocoKeypoints(), CocoPanoptic()):
            written(writer, shapes, tmp_path / name / writer.name)
    one, two = ({path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*")
                 if path.is_file()} for name in ("one", "two"))  # fmt: skip
    assert one == two
    assert len(one) > 8


def test_a_hundred_thousand_objects_in_one_answer_are_written(tmp_path):
    boxes = tuple(Box("car", at % 1000, at // 1000, 1, 1) for at in range(100_000))
    items = items_of([IMAGE], SHAPES, [Item(0, "a", {}, {}, {"boxes": boxes})])

    written(CocoInstances(), items, tmp_path)

    assert len(json.loads((tmp_path / "annotations/instances_default.json").read_text())["annotations"]) == 100_000


def test_a_mask_without_a_pixel_has_an_empty_box(tmp_path):
    items = items_of([IMAGE], SHAPES, [Item(0, "a", {}, {}, {"pixels": (Mask("sky", 2, 3, (6,)),)})])

    written(CocoInstances(), items, tmp_path)

    (note,) = json.loads((tmp_path / "annotations/instances_default.json").read_text())["annotations"]
    assert (note["area"], note["bbox"]) == (0, [0, 0, 0, 0])
