"""Parts of two answers beside each other, of types whose folders need not be there."""

import pytest

from marketplace.projects.answer_types.parts import Class, Mask, Polygon, Segment, Span, Text
from marketplace.results.reports.marks import MARKS_MAX, beside
from marketplace.results.reports.scales import class_of

SQUARE = ((0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0))
HALF = ((0.0, 0.0), (5.0, 0.0), (5.0, 10.0), (0.0, 10.0))


def test_polygons_and_masks_are_compared_by_what_they_cover():
    found = beside([Polygon("cat", SQUARE)], [Polygon("cat", HALF)])
    assert found.measures == {"iou": 0.5, "dice": pytest.approx(2 / 3), "f1_50": 1.0}
    found = beside([Mask("cat", 4, 4, (0, 8, 8))], [Mask("cat", 4, 4, (4, 8, 4))])
    assert found.measures == {"iou": pytest.approx(4 / 12), "dice": pytest.approx(0.5), "f1_50": 0.0}


def test_spans_are_the_same_only_if_all_of_them_is():
    one = [Span("PER", 0, 8, "text"), Span("LOC", 12, 18, "text")]
    other = [Span("PER", 0, 8, "text"), Span("ORG", 12, 18, "text")]
    found = beside(one, other)
    assert found.measures["span_f1"] == 0.5
    assert dict(found.confused) == {("LOC", "ORG"): 1}
    assert beside(one, [Span("PER", 0, 8, "title")]).measures["iou"] == 0.0


def test_speech_has_error_rates_and_marked_stretches_overlap():
    found = beside([Segment(0, 2, text="good morning")], [Segment(0, 1, text="good"), Segment(1, 2, text="evening")])
    assert found.measures == {"word_error_rate": 0.5, "character_error_rate": pytest.approx(3 / 12)}
    found = beside([Segment(0, 4, "music")], [Segment(2, 4, "music")])
    assert found.measures == {"iou": 0.5, "dice": pytest.approx(2 / 3), "f1_50": 1.0}


def test_answers_without_marks_are_alike_only_to_each_other():
    assert beside([], []).measures == {}
    assert beside([], [Polygon("cat", SQUARE)]).measures["iou"] == 0.0
    assert beside([Text("")], [Text("")]).measures == {}


def test_an_answer_of_a_hundred_thousand_marks_is_not_compared_mark_by_mark():
    crowded = [Span("PER", at, at + 1, "text") for at in range(100_000)]
    assert len(crowded) > MARKS_MAX
    assert beside(crowded, crowded).measures == {}


def test_a_path_is_one_class_and_several_labels_are_none():
    assert class_of([Class(("animal", "dog"), path=True)]) == "animal / dog"
    assert class_of([Class(("cat",))]) == "cat"
    assert class_of([Class(("cat", "dog"))]) is None
    assert class_of([Text("cat")]) is None
