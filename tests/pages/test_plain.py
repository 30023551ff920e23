"""Answers in words: the labels of the interface that asked for them, never their codes or the form they are kept in."""

from typing import Any

import pytest

from marketplace.pages.plain import SHORT, answer_in_short, fields_in_words

LABELS = [{"value": "p", "title": "Person"}, {"value": "l", "title": "Place"}]
TREE = [{"value": "service", "title": "The service", "children": [{"value": "support", "title": "Support"}]}]
TEXT = "Björn 🎈 went to Lund"
SPANS = {
    "spans": [{"id": "1", "label": "p", "start": 0, "end": 5}, {"id": "2", "label": "l", "start": 16, "end": 20}],
    "relations": [{"label": "in", "from": "1", "to": "2"}],
}
MARKS = [{"label": "p", "x": 1}, {"label": "l", "x": 2}, {"label": "p", "x": 3}]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ({"type": "choice", "labels": LABELS}, "l", "Place"),
        ({"type": "choice", "labels": LABELS, "multiple": True}, ["p", "l"], "Person, Place"),
        ({"type": "rating", "points": 2, "labels": ["Angry", "Delighted"]}, 2, "2 Delighted"),
        ({"type": "rating", "points": 5}, 2, "2"),
        ({"type": "number", "unit": "kg"}, 2.5, "2.5 kg"),
        ({"type": "text"}, "As it is", "As it is"),
        ({"type": "taxonomy", "tree": TREE}, ["service", "support"], "The service › Support"),
        ({"type": "taxonomy", "tree": TREE}, ["service", "gone"], "The service › gone"),
        ({"type": "ranking", "items": LABELS}, ["l", "p"], "1. Place, 2. Person"),
        ({"type": "ranking", "items": LABELS, "ties": True}, [["l", "p"]], "1. Place = Person"),
        ({"type": "preference", "strengths": 3}, {"preferred": "left", "strength": 2}, "Left is better (2 of 3)"),
        ({"type": "preference", "strengths": 1}, {"preferred": "equal"}, "Equally good"),
        ({"type": "boxes", "labels": LABELS}, MARKS, "2 × Person, Place"),
        ({"type": "mask", "labels": LABELS}, {"height": 1, "width": 1, "objects": MARKS[:1]}, "Person"),
        ({"type": "polygons", "labels": LABELS}, [], "Nothing marked"),
        ({"type": "segments", "labels": LABELS}, [{"label": "p", "start": 0.5, "end": 2}], "Person 0.5–2 s"),
        ({"type": "transcription"}, [{"start": 0, "end": 1, "text": "Hello"}, {"text": "there"}], "Hello there"),
        (
            {"type": "spans", "of": "text", "labels": LABELS, "relations": [{"value": "in", "title": "Was in"}]},
            SPANS,
            "Person, Place; Was in",
        ),
        # What no answer looks like is shown as it is.
        ({"type": "choice", "labels": LABELS}, {"p": 0.5}, '{"p": 0.5}'),
        ({"type": "preference", "strengths": 3}, 0.25, "0.25"),
    ],
)
def test_a_value_is_said_with_the_labels_of_its_field(field: dict[str, Any], value: Any, said: str) -> None:
    declared = [{"name": "one", "title": "One", **field}, {"name": "other", "title": "Other", "type": "text"}]

    assert fields_in_words(declared, {"one": value}) == [("One", said)]
    assert answer_in_short(declared, {"one": value, "other": "too"}) == f"{said}; too"


def test_what_is_marked_in_a_text_is_quoted_where_the_text_is_at_hand() -> None:
    field = {"name": "names", "type": "spans", "of": "text", "labels": LABELS}

    [(_title, said)] = fields_in_words([field], {"names": {**SPANS, "relations": []}}, {"text": TEXT})

    assert said == "Person “Björn”, Place “Lund”"


def test_a_line_is_cut_where_it_is_long() -> None:
    field = {"name": "why", "type": "text"}

    line = answer_in_short([field], {"why": 3 * SHORT * "a"})

    assert len(line) == SHORT and line.endswith("…")
