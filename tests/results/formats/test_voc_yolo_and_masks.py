"""Pascal VOC, YOLO and mask pictures, opened by datumaro, supervision and an XML schema."""

import io
import re

import numpy as np
import pytest

from marketplace.projects.answer_types.parts import Box, Keypoints, Polygon, Visibility
from marketplace.results.writers.base import Item
from marketplace.results.writers.layers import COVERED, TO_PIXELS
from marketplace.results.writers.mask_png import NO_PICTURE, MaskPng
from marketplace.results.writers.voc import PascalVoc
from marketplace.results.writers.yolo import NO_POINT, NO_SIZE, YoloBoxes, YoloOutlines, YoloSkeletons
from tests.results.formats.sample import (
    BIG,
    HEIGHT,
    IMAGE,
    OUTLINE,
    PERSON,
    SHAPES,
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

VOC_SCHEMA = """
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
  <xs:simpleType name="flag"><xs:restriction base="xs:integer">
    <xs:enumeration value="0"/><xs:enumeration value="1"/></xs:restriction></xs:simpleType>
  <xs:simpleType name="place"><xs:restriction base="xs:decimal">
    <xs:minInclusive value="1"/></xs:restriction></xs:simpleType>
  <xs:complexType name="box"><xs:all>
    <xs:element name="xmin" type="place"/><xs:element name="ymin" type="place"/>
    <xs:element name="xmax" type="place"/><xs:element name="ymax" type="place"/></xs:all></xs:complexType>
  <xs:element name="annotation"><xs:complexType><xs:sequence>
    <xs:element name="folder" type="xs:string"/>
    <xs:element name="filename" type="xs:string"/>
    <xs:element name="source"><xs:complexType><xs:sequence>
      <xs:element name="database" type="xs:string"/><xs:element name="image" type="xs:string"/>
    </xs:sequence></xs:complexType></xs:element>
    <xs:element name="size"><xs:complexType><xs:sequence>
      <xs:element name="width" type="xs:nonNegativeInteger"/><xs:element name="height" type="xs:nonNegativeInteger"/>
      <xs:element name="depth" type="xs:positiveInteger"/></xs:sequence></xs:complexType></xs:element>
    <xs:element name="segmented" type="flag"/>
    <xs:element name="object" minOccurs="0" maxOccurs="unbounded"><xs:complexType><xs:sequence>
      <xs:element name="name" type="xs:string"/><xs:element name="pose" type="xs:string"/>
      <xs:element name="truncated" type="flag"/><xs:element name="difficult" type="flag"/>
      <xs:element name="bndbox" type="box"/></xs:sequence></xs:complexType></xs:element>
  </xs:sequence></xs:complexType></xs:element>
</xs:schema>
"""


def test_voc_files_fit_their_schema(shapes, tmp_path):
    etree = pytest.importorskip("lxml.etree")
    schema = etree.XMLSchema(etree.fromstring(VOC_SCHEMA))
    written(PascalVoc(), shapes, tmp_path)

    files = sorted((tmp_path / "Annotations").glob("*.xml"))

    assert [file.name for file in files] == ["a street.xml", "b%2Fempty.xml", "c.xml"]
    for file in files:
        schema.assertValid(etree.parse(file))


def test_datumaro_reads_the_boxes_of_voc_at_their_places(shapes, tmp_path):
    dm = pytest.importorskip("datumaro")
    written(PascalVoc(), shapes, tmp_path)

    found = dm.Dataset.import_from(str(tmp_path), "voc_detection", coordinate_mode="voc-one-based")
    names = [label.name for label in found.categories()[dm.AnnotationType.label].items]
    item = found.get("a street", "train")

    assert names == ["background", "car", "tree", "house", "sky", "road"]
    assert [(names[one.label], one.get_bbox()) for one in item.annotations] == [
        ("tree", [0, 0.5, 10.25, 20]), ("car", [30, 20, 30, 20]),
    ]  # fmt: skip
    assert item.media.data.shape[:2] == (HEIGHT, WIDTH)
    assert len(found.get("b%2Fempty", "train").annotations) == 0
    assert len(found.get("c", "val").annotations) == 1


def test_datumaro_reads_the_pixels_of_voc(shapes, tmp_path):
    dm = pytest.importorskip("datumaro")
    losses = written(PascalVoc(), shapes, tmp_path)

    found = dm.Dataset.import_from(str(tmp_path), "voc_segmentation")
    names = [label.name for label in found.categories()[dm.AnnotationType.label].items]
    masks = {names[one.label]: one.image.astype(bool) for one in found.get("a street", "train").annotations}

    assert np.array_equal(masks["road"], BIG)
    assert masks["house"].sum() > 70
    assert told(losses) == {
        ("outlines", TO_PIXELS): 1, ("pixels", COVERED): 1,
        ("lines", "the format cannot say a polyline"): 1, ("people", "the format cannot say a keypoints"): 1,
        ("weather", "the format cannot say a class"): 1,
    }  # fmt: skip


def test_only_objects_that_are_told_apart_are_in_the_picture_of_objects(shapes, tmp_path):
    image = pytest.importorskip("PIL.Image")
    written(PascalVoc(), shapes, tmp_path, fields=["pixels"])

    classes = np.asarray(image.open(tmp_path / "SegmentationClass/a street.png"))
    objects = np.asarray(image.open(tmp_path / "SegmentationObject/a street.png"))

    assert np.array_equal(objects, BIG.astype(int))
    assert sorted(np.unique(classes).tolist()) == [0, 1, 2]


def test_a_label_that_markup_would_swallow_comes_back_whole(tmp_path):
    etree = pytest.importorskip("lxml.etree")
    label = "<b>&\"'\x01"
    items = items_of([IMAGE], [field("boxes", "boxes", labels=labels(label))],
                     [Item(0, "<&>", {}, {}, {"boxes": (Box(label, 1, 1, 2, 2),)})])  # fmt: skip

    written(PascalVoc(), items, tmp_path)

    (file,) = (tmp_path / "Annotations").iterdir()
    assert etree.parse(file).findtext("object/name") == "<b>&\"'\ufffd"
    assert etree.parse(file).findtext("source/image") == "<&>"


def test_datumaro_reads_yolo_boxes_at_their_places(shapes, tmp_path):
    dm = pytest.importorskip("datumaro")
    written(YoloBoxes(), shapes, tmp_path)

    found = dm.Dataset.import_from(str(tmp_path), "yolo")
    names = [label.name for label in found.categories()[dm.AnnotationType.label].items]
    boxes = {names[one.label]: one.get_bbox() for one in found.get("a street", "train").annotations}

    assert names == ["car", "tree"]
    assert boxes["tree"] == pytest.approx([0, 0.5, 10.25, 20], abs=0.01)
    assert boxes["car"] == pytest.approx([30, 20, 30, 20], abs=0.01)
    assert found.get("c", "val").annotations[0].get_bbox() == pytest.approx([1, 2, 3, 4], abs=0.01)


def test_supervision_reads_yolo_outlines(shapes, tmp_path):
    supervision = pytest.importorskip("supervision")
    written(YoloOutlines(), shapes, tmp_path)

    found = supervision.DetectionDataset.from_yolo(
        images_directory_path=str(tmp_path / "images/train"), annotations_directory_path=str(tmp_path / "labels/train"),
        data_yaml_path=str(tmp_path / "data.yaml"), force_masks=True,
    )  # fmt: skip
    (detections,) = (one for path, _, one in found if "street" in path)

    assert found.classes == ["house", "tree"]
    assert detections.class_id.tolist() == [0]
    assert detections.mask[0].sum() == pytest.approx(72.5, abs=25)
    line = (tmp_path / "labels/train/a street.txt").read_text().split()
    assert [float(one) * side for one, side in zip(line[1:], [WIDTH, HEIGHT] * 5, strict=True)] == pytest.approx(
        [number for point in OUTLINE for number in point], abs=1e-5
    )


def test_yolo_skeletons_have_a_box_and_as_many_points_as_the_largest(tmp_path):
    yaml = pytest.importorskip("yaml")
    people = field("people", "keypoints", labels=labels("person", "sign"), skeletons={
        "person": {"points": ["nose", "hand", "foot"], "edges": []}, "sign": {"points": ["top"], "edges": []},
    })  # fmt: skip
    parts = (PERSON, Keypoints("sign", (("top", 30, 10, Visibility.VISIBLE),)),
             Keypoints("sign", (("top", 0, 0, Visibility.ABSENT),)))  # fmt: skip
    photo = {"photo": picture_url(HEIGHT, WIDTH)}
    items = items_of([IMAGE], [people], [Item(0, "a", photo, {}, {"people": parts})])

    losses = written(YoloSkeletons(), items, tmp_path)

    described = yaml.safe_load((tmp_path / "data.yaml").read_text())
    lines = [line.split() for line in (tmp_path / "labels/train/a.txt").read_text().splitlines()]
    assert described["kpt_shape"] == [3, 3]
    assert described["names"] == {0: "person", 1: "sign"}
    assert described["kpt_names"] == {0: ["nose", "hand", "foot"], 1: ["top"]}
    assert [len(line) for line in lines] == [5 + 3 * 3, 5 + 3 * 3]
    assert [float(one) for one in lines[0]] == pytest.approx([
        0, 16.25 / 60, 11.125 / 40, 7.5 / 60, 7.75 / 40, 12.5 / 60, 7.25 / 40, 2, 20 / 60, 15 / 40, 1, 0, 0, 0,
    ])  # fmt: skip
    assert lines[1][5:] == ["0.5", "0.25", "2", "0", "0", "0", "0", "0", "0"]
    assert told(losses) == {("people", NO_POINT): 1}


def test_yolo_shares_have_no_signs_and_no_exponents(tmp_path):
    photo = {"photo": picture_url(HEIGHT, WIDTH)}
    items = items_of([IMAGE], SHAPES, [Item(0, "a", photo, {}, {"boxes": (Box("car", 0, 0, 0.00005, 0.01),)})])

    written(YoloBoxes(), items, tmp_path)

    assert re.fullmatch(r"0( \d(\.\d+)?){4}\n", (tmp_path / "labels/train/a.txt").read_text())


def test_yolo_counts_boxes_in_pictures_of_unknown_size(tmp_path):
    boxes = field("boxes", "boxes", labels=labels("car"))
    items = items_of([IMAGE], [boxes], [Item(0, "a", {}, {}, {"boxes": (Box("car", 1, 1, 1, 1),) * 3})])

    losses = written(YoloBoxes(), items, tmp_path)

    assert told(losses) == {("boxes", NO_SIZE): 3}
    assert (tmp_path / "labels/train/a.txt").read_text() == ""


def test_labels_that_yaml_would_read_as_something_else_stay_text(tmp_path):
    yaml = pytest.importorskip("yaml")
    names = ["no", "1.5", "a: b # c", 'say "hi"', "ü\u2028ü", "null"]
    items = items_of([IMAGE], [field("boxes", "boxes", labels=labels(*names))], [])

    written(YoloBoxes(), items, tmp_path)

    assert yaml.safe_load((tmp_path / "data.yaml").read_text())["names"] == dict(enumerate(names))


def test_datumaro_reads_mask_pictures(shapes, tmp_path):
    dm = pytest.importorskip("datumaro")
    losses = written(MaskPng(), shapes, tmp_path, fields=["pixels"])

    found = dm.Dataset.import_from(str(tmp_path / "train"), "common_semantic_segmentation")
    names = [label.name for label in found.categories()[dm.AnnotationType.label].items]
    item = next(item for item in found if item.id == "a street")
    masks = {names[one.label]: one.image.astype(bool) for one in item.annotations}

    assert names == ["background", "sky", "road"]
    assert np.array_equal(masks["road"], BIG)
    assert np.array_equal(masks["sky"], SMALL & ~BIG)
    assert told(losses) == {("pixels", COVERED): 1}


def test_objects_of_a_mask_are_numbered_in_a_picture_of_their_own(tmp_path):
    image = pytest.importorskip("PIL.Image")
    parts = (mask_of("road", BIG, 1), mask_of("road", SMALL & ~BIG, 2))
    items = items_of([IMAGE], SHAPES, [Item(0, "a", {}, {}, {"pixels": parts}), Item(1, "b", {}, {}, {})])

    written(MaskPng(), items, tmp_path)

    objects = np.asarray(image.open(io.BytesIO((tmp_path / "objects/a.png").read_bytes())))
    classes = np.asarray(image.open(tmp_path / "masks/a.png"))
    assert np.array_equal(objects, BIG + 2 * (SMALL & ~BIG))
    assert np.array_equal(classes, 4 * (BIG | SMALL))


def test_a_picture_whose_size_nothing_tells_gets_no_mask(tmp_path):
    items = items_of([IMAGE], [field("outlines", "polygons", labels=labels("a"))],
                     [Item(0, "a", {}, {}, {"outlines": (Polygon("a", OUTLINE),)})])  # fmt: skip

    losses = written(MaskPng(), items, tmp_path)

    assert told(losses)["", NO_PICTURE] == 1
    assert not (tmp_path / "masks").exists()
