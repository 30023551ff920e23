"""CVAT's XML against a schema of the documented form, and opened by datumaro."""

import numpy as np
import pytest

from marketplace.projects.answer_types.parts import Class, KeyFrame, Mask, Track
from marketplace.results.writers.base import Item
from marketplace.results.writers.cvat import NO_PIXEL, ONE_LABEL, SIZE_UNKNOWN, CvatXml
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

CVAT_SCHEMA = """
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
  <xs:simpleType name="flag"><xs:restriction base="xs:integer">
    <xs:enumeration value="0"/><xs:enumeration value="1"/></xs:restriction></xs:simpleType>
  <xs:simpleType name="points"><xs:restriction base="xs:string">
    <xs:pattern value="-?[0-9.]+,-?[0-9.]+(;-?[0-9.]+,-?[0-9.]+)*"/></xs:restriction></xs:simpleType>
  <xs:simpleType name="runs"><xs:restriction base="xs:string">
    <xs:pattern value="[0-9]+(, [0-9]+)*"/></xs:restriction></xs:simpleType>
  <xs:complexType name="label"><xs:sequence>
    <xs:element name="name" type="xs:string"/>
    <xs:element name="type"><xs:simpleType><xs:restriction base="xs:string">
      <xs:enumeration value="any"/><xs:enumeration value="skeleton"/><xs:enumeration value="points"/>
    </xs:restriction></xs:simpleType></xs:element>
    <xs:element name="attributes"><xs:complexType/></xs:element>
    <xs:element name="sublabels" minOccurs="0"><xs:complexType><xs:sequence>
      <xs:element name="label" type="label" maxOccurs="unbounded"/></xs:sequence></xs:complexType></xs:element>
  </xs:sequence></xs:complexType>
  <xs:attributeGroup name="shape"><xs:attribute name="label" use="required"/><xs:attribute name="source"/>
    <xs:attribute name="occluded" type="flag" use="required"/><xs:attribute name="z_order" type="xs:integer"/>
  </xs:attributeGroup>
  <xs:attributeGroup name="corners"><xs:attribute name="xtl" type="xs:decimal" use="required"/>
    <xs:attribute name="ytl" type="xs:decimal" use="required"/>
    <xs:attribute name="xbr" type="xs:decimal" use="required"/>
    <xs:attribute name="ybr" type="xs:decimal" use="required"/></xs:attributeGroup>
  <xs:complexType name="line"><xs:attributeGroup ref="shape"/>
    <xs:attribute name="points" type="points" use="required"/></xs:complexType>
  <xs:complexType name="box"><xs:attributeGroup ref="shape"/><xs:attributeGroup ref="corners"/></xs:complexType>
  <xs:element name="annotations"><xs:complexType><xs:sequence>
    <xs:element name="version"><xs:simpleType><xs:restriction base="xs:string">
      <xs:enumeration value="1.1"/></xs:restriction></xs:simpleType></xs:element>
    <xs:element name="meta"><xs:complexType><xs:sequence><xs:element name="task"><xs:complexType><xs:sequence>
      <xs:element name="name" type="xs:string"/><xs:element name="size" type="xs:nonNegativeInteger"/>
      <xs:element name="mode"><xs:simpleType><xs:restriction base="xs:string">
        <xs:enumeration value="annotation"/><xs:enumeration value="interpolation"/></xs:restriction></xs:simpleType>
      </xs:element>
      <xs:element name="labels"><xs:complexType><xs:sequence>
        <xs:element name="label" type="label" minOccurs="0" maxOccurs="unbounded"/></xs:sequence></xs:complexType>
      </xs:element></xs:sequence></xs:complexType></xs:element>
      <xs:element name="original_size" minOccurs="0"><xs:complexType><xs:sequence>
        <xs:element name="width" type="xs:nonNegativeInteger"/><xs:element name="height" type="xs:nonNegativeInteger"/>
      </xs:sequence></xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element>
    <xs:choice minOccurs="0" maxOccurs="unbounded">
      <xs:element name="image"><xs:complexType><xs:choice minOccurs="0" maxOccurs="unbounded">
        <xs:element name="box" type="box"/><xs:element name="polygon" type="line"/>
        <xs:element name="polyline" type="line"/>
        <xs:element name="mask"><xs:complexType><xs:attributeGroup ref="shape"/>
          <xs:attribute name="rle" type="runs" use="required"/>
          <xs:attribute name="left" type="xs:nonNegativeInteger" use="required"/>
          <xs:attribute name="top" type="xs:nonNegativeInteger" use="required"/>
          <xs:attribute name="width" type="xs:positiveInteger" use="required"/>
          <xs:attribute name="height" type="xs:positiveInteger" use="required"/></xs:complexType></xs:element>
        <xs:element name="tag"><xs:complexType><xs:attribute name="label" use="required"/>
          <xs:attribute name="source"/></xs:complexType></xs:element>
        <xs:element name="skeleton"><xs:complexType><xs:sequence>
          <xs:element name="points" maxOccurs="unbounded"><xs:complexType>
            <xs:attribute name="label" use="required"/><xs:attribute name="source"/>
            <xs:attribute name="outside" type="flag" use="required"/>
            <xs:attribute name="occluded" type="flag" use="required"/>
            <xs:attribute name="points" type="points" use="required"/></xs:complexType></xs:element></xs:sequence>
          <xs:attribute name="label" use="required"/><xs:attribute name="source"/>
          <xs:attribute name="z_order" type="xs:integer"/></xs:complexType></xs:element>
        </xs:choice>
        <xs:attribute name="id" type="xs:nonNegativeInteger" use="required"/>
        <xs:attribute name="name" use="required"/><xs:attribute name="subset"/>
        <xs:attribute name="width" type="xs:nonNegativeInteger" use="required"/>
        <xs:attribute name="height" type="xs:nonNegativeInteger" use="required"/></xs:complexType></xs:element>
      <xs:element name="track"><xs:complexType><xs:sequence>
        <xs:element name="box" maxOccurs="unbounded"><xs:complexType>
          <xs:attribute name="frame" type="xs:nonNegativeInteger" use="required"/>
          <xs:attribute name="keyframe" type="flag" use="required"/>
          <xs:attribute name="outside" type="flag" use="required"/>
          <xs:attribute name="occluded" type="flag" use="required"/><xs:attribute name="z_order" type="xs:integer"/>
          <xs:attributeGroup ref="corners"/></xs:complexType></xs:element></xs:sequence>
        <xs:attribute name="id" type="xs:nonNegativeInteger" use="required"/>
        <xs:attribute name="label" use="required"/><xs:attribute name="source"/></xs:complexType></xs:element>
    </xs:choice></xs:sequence></xs:complexType></xs:element>
</xs:schema>
"""
KEYS = KeyFrame(0, 1, 2, 3, 4), KeyFrame(5, 2.5, 2, 3, 4, occluded=True), KeyFrame(9, 2, 2, 3, 4, outside=True)
CAR = Track("car", KEYS)
VIDEO = {"name": "film", "type": "video", "title": "Film", "required": True}


def valid(path):
    """The file, which fits the schema."""
    etree = pytest.importorskip("lxml.etree")
    found = etree.parse(path)
    etree.XMLSchema(etree.fromstring(CVAT_SCHEMA)).assertValid(found)
    return found


def test_all_files_fit_the_schema(shapes, tmp_path):
    written(CvatXml(), shapes, tmp_path)

    train, val = valid(tmp_path / "train.xml"), valid(tmp_path / "val.xml")

    assert train.xpath("//task/labels/label/name/text()") == [
        "car", "tree", "house", "lane", "person", "sky", "road", "sun", "rain",
    ]  # fmt: skip
    assert train.xpath("//label[type='skeleton']/sublabels/label/name/text()") == ["nose", "hand", "foot"]
    assert train.xpath("//image/@name") == ["a street.png", "b%2Fempty.png"]
    assert val.xpath("//image/box/@xbr") == ["4"]


def test_cvat_loses_nothing_of_pictures(shapes, tmp_path):
    assert written(CvatXml(), shapes, tmp_path).total == 0


def test_datumaro_reads_the_same_shapes(shapes, tmp_path):
    dm = pytest.importorskip("datumaro")
    written(CvatXml(), shapes, tmp_path)

    found = dm.Dataset.import_from(str(tmp_path / "train.xml"), "cvat")
    names = [label.name for label in found.categories()[dm.AnnotationType.label].items]
    item = next(item for item in found if item.id == "a street")
    by = {}
    for one in item.annotations:
        by.setdefault((names[one.label], one.type.name), one)

    assert by["tree", "bbox"].get_bbox() == [0, 0.5, 10.25, 20]
    assert by["house", "polygon"].points == [number for point in OUTLINE for number in point]
    assert by["lane", "polyline"].points == [0, 39, 20, 20, 59.5, 1.5]
    assert by["nose", "points"].points == [12.5, 7.25]
    assert by["hand", "points"].attributes["occluded"] is True
    assert np.array_equal(by["road", "mask"].image.astype(bool), BIG)
    assert np.array_equal(by["sky", "mask"].image.astype(bool), SMALL)
    assert by["rain", "label"].type.name == "label"
    assert item.media.size == (HEIGHT, WIDTH)


def test_key_frames_of_a_film_are_in_a_file_of_their_own(tmp_path):
    dm = pytest.importorskip("datumaro")
    items = items_of([VIDEO], [field("cars", "tracks", labels=labels("car"), of="film", width=9, height=8)],
                     [Item(0, "one.mp4", {"film": "https://example.org/one.mp4"}, {}, {"cars": (CAR,)})])  # fmt: skip

    losses = written(CvatXml(), items, tmp_path)

    found = valid(tmp_path / "tracks/one.mp4.xml")
    read = dm.Dataset.import_from(str(tmp_path / "tracks/one.mp4.xml"), "cvat")
    assert losses.total == 0
    assert found.findtext("meta/task/mode") == "interpolation"
    assert found.findtext("meta/original_size/height") == "8"
    assert [dict(box.attrib) for box in found.iter("box")][1] == {
        "frame": "5", "keyframe": "1", "outside": "0", "occluded": "1", "xtl": "2.5", "ytl": "2", "xbr": "5.5",
        "ybr": "6", "z_order": "0",
    }  # fmt: skip
    assert [one.get_bbox() for item in read for one in item.annotations] == [[1, 2, 3, 4], [2.5, 2, 3, 4], [2, 2, 3, 4]]
    assert [one.attributes["outside"] for item in read for one in item.annotations] == [False, False, True]


def test_a_label_met_only_in_the_last_picture_is_in_the_head(tmp_path):
    items = items_of([IMAGE], SHAPES, [Item(0, "a", {}, {}, {"weather": (Class(("hail",)),)})])

    losses = written(CvatXml(), items, tmp_path)

    found = valid(tmp_path / "annotations.xml")
    assert found.xpath("//task/labels/label/name/text()")[-1] == "hail"
    assert told(losses) == {}


def test_a_size_that_nothing_tells_a_path_and_an_empty_mask_are_counted(tmp_path):
    answer = [field("kind", "taxonomy", tree=[]), field("pixels", "mask", labels=labels("sky"))]
    items = items_of([IMAGE], answer, [
        Item(0, "a", {}, {}, {"kind": (Class(("animal", "dog"), path=True),)}),
        Item(1, "b", {}, {}, {"pixels": (Mask("sky", 2, 2, (4,)),)}),
    ])  # fmt: skip

    losses = written(CvatXml(), items, tmp_path)

    assert told(losses) == {("kind", ONE_LABEL): 1, ("", SIZE_UNKNOWN): 1, ("pixels", NO_PIXEL): 1}
    assert valid(tmp_path / "annotations.xml").xpath("//tag/@label") == ["dog"]


def test_markup_in_names_and_labels_is_text(tmp_path):
    label = '<a b="c">&\'\n'
    items = items_of([IMAGE], [field("kind", "choice", labels=labels(label))], [
        Item(0, "a", {"photo": picture_url(2, 2)}, {}, {"kind": (Class((label,)),)}),
    ])  # fmt: skip

    written(CvatXml(), items, tmp_path)

    found = valid(tmp_path / "annotations.xml")
    assert found.xpath("//tag/@label") == [label]
    assert found.xpath("//label/name/text()") == [label]
