from itertools import pairwise, permutations
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.projects.answer_types.base import AnswerTable
from marketplace.projects.answer_types.parts import Relation, Span
from marketplace.projects.answer_types.registry import answer_type
from marketplace.projects.interface import ValuesInvalid, check_interface, clean_key, clean_values, depends_on_data
from tests.projects.fields import aggregate, clean, declared, parts, refusal, score, wrong

LABELS = [{"value": "person"}, {"value": "place"}]
KINDS = [{"value": "born in", "from": ["person"], "to": ["place"]}, {"value": "knows"}]
FIELD = declared("spans", of="text", labels=LABELS)
LINKED = declared("spans", of="text", labels=LABELS, relations=KINDS)
LAYERS = declared("spans", of="text", labels=LABELS, overlap=True)


def said(*spans, relations=()):
    """Spans as a client sends them, (label, start, end) with an optional id, and relations (label, from, to)."""
    keys = ("label", "start", "end", "id")
    return {
        "spans": [dict(zip(keys, span, strict=False)) for span in spans],
        "relations": [dict(zip(("label", "from", "to"), one, strict=True)) for one in relations],
    }


def marks(*spans, field=FIELD, relations=()):
    return clean(field, said(*spans, relations=relations))


def spans_of(value):
    return [(span["label"], span["start"], span["end"]) for span in value["spans"]]


@st.composite
def markings(draw, labels=("person", "place")):
    bounds = sorted(draw(st.sets(st.integers(0, 15), max_size=8)))
    spans = [(label, start, end) for start, end in pairwise(bounds)
             if (label := draw(st.sampled_from([*labels, None])))]  # fmt: skip
    return marks(*draw(st.permutations(spans)))


def test_a_declaration_says_what_is_marked_and_what_is_wrong_with_it():
    assert FIELD.items() >= {"overlap": False, "min": 0, "max": 500, "iou": 1, "partial": True}.items()
    assert "relations" not in FIELD
    assert LINKED["relations"][0] == {"value": "born in", "title": "born in", "from": ["person"], "to": ["place"]}
    assert wrong("spans", labels=LABELS) == {"of": "must be the name of a data field of type text or markdown"}
    assert wrong("spans", of="text", labels=LABELS, min=3, max=2, iou=0) == {
        "min": "must not exceed max", "iou": "must be from 0.1 to 1"
    }  # fmt: skip
    assert wrong("spans", of="text", labels=LABELS, relations=[]) == {
        "relations": "must be a list of 1 to 500 relations"
    }
    assert wrong("spans", of="text", labels=LABELS, relations=[{"value": "in", "from": ["thing"], "to": "place"}]) == {
        "relations[0].from": "names a label that does not exist",
        "relations[0].to": "must be a list of labels of spans",
    }


def test_the_same_spans_are_the_same_value_whatever_their_order_and_ids():
    one = marks(("place", 8, 12, "x"), ("person", 0, 5, "y"), field=LINKED, relations=[("born in", "y", "x")])
    other = marks(("person", 0.0, 5, "a"), ("place", 8, 12, "b"), field=LINKED, relations=[("born in", "a", "b")])

    assert one == other == {
        "spans": [
            {"id": "1", "label": "person", "start": 0, "end": 5},
            {"id": "2", "label": "place", "start": 8, "end": 12},
        ],
        "relations": [{"label": "born in", "from": "1", "to": "2"}],
    }  # fmt: skip
    assert clean(LINKED, one) == one
    assert clean(FIELD, {"spans": []}) == clean(FIELD, {"spans": [], "relations": None}) == said()


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ([("thing", 0, 1)], "span 1: names a label that does not exist"),
        ([(["person"], 0, 1)], "span 1: names a label that does not exist"),
        ([("person", 0, 1), ("person", 3, 3)], "span 2: must end after it starts"),
        ([("person", -1, 3)], "span 1: start must be a whole number from 0 to 65536"),
        ([("person", 0, 65_537)], "span 1: end must be a whole number from 0 to 65536"),
        ([("person", 0.5, 3)], "span 1: start must be a whole number from 0 to 65536"),
        ([("person", True, 3)], "span 1: start must be a whole number from 0 to 65536"),
        ([("person", 0, float("nan"))], "span 1: end must be a whole number from 0 to 65536"),
        ([("person", 0, float("inf"))], "span 1: end must be a whole number from 0 to 65536"),
        ([("person", 0, "3")], "span 1: end must be a whole number from 0 to 65536"),
        ([("person", 0)], "span 1: must have label, start and end, perhaps an id, and nothing else"),
        ([("person", 0, 3, 7)], "span 1: id must be a text of 1 to 100 characters"),
        ([("person", 0, 3, "a"), ("person", 5, 6, "a")], "has two spans with the same id"),
        ([("person", 0, 3), ("place", 2, 5)], "has two spans that overlap"),
        ([("person", 0, 3), ("person", 0, 3)], "has two spans that overlap"),
    ],
)
def test_a_span_that_cannot_be_is_refused_by_its_number(spans, message):
    assert refusal(FIELD, said(*spans)) == message


def test_spans_of_different_labels_may_overlap_where_that_is_asked_for():
    assert spans_of(marks(("person", 0, 9), ("place", 2, 5), field=LAYERS)) == [("person", 0, 9), ("place", 2, 5)]
    assert spans_of(marks(("person", 0, 3), ("place", 3, 5))) == [("person", 0, 3), ("place", 3, 5)]
    assert refusal(LAYERS, said(("person", 0, 3), ("person", 2, 5))) == "has two spans of person that overlap"


@pytest.mark.parametrize(
    ("relation", "message"),
    [
        (("eats", "a", "b"), "relation 1: names a label that does not exist"),
        (("knows", "a", "c"), "relation 1: to must be the id of a span"),
        (("knows", ["a"], "b"), "relation 1: from must be the id of a span"),
        (("knows", "a", "a"), "relation 1: must be between two spans"),
        (("born in", "b", "a"), "relation 1: cannot be from a span with the label place"),
    ],
)
def test_a_relation_that_cannot_be_is_refused(relation, message):
    assert refusal(LINKED, said(("person", 0, 1, "a"), ("place", 2, 3, "b"), relations=[relation])) == message


def test_relations_are_refused_where_there_are_none_or_twice_the_same():
    both = (("person", 0, 1, "a"), ("place", 2, 3, "b"))

    assert refusal(FIELD, said(*both, relations=[("knows", "a", "b")])).startswith("must have no relations")
    assert refusal(LINKED, said(*both, relations=[("knows", "a", "b")] * 2)) == "has the same relation twice"
    assert refusal(LINKED, {"spans": [], "relations": {}}) == "relations must be a list"
    for value in ([], None, "x", {"relations": []}, {**said(), "more": 1}):
        assert refusal(LINKED, value) == "must have spans and relations, and nothing else"


def test_a_hundred_thousand_spans_or_relations_are_refused_at_once():
    begun = perf_counter()

    assert refusal(FIELD, said(*[("person", 0, 1)] * 100_000)) == "must have 0 to 500 spans"
    ends = said(("person", 0, 1, "a"), ("place", 2, 3, "b"))
    ends["relations"] = [{"label": "knows", "from": "a", "to": "b"}] * 100_000
    assert refusal(LINKED, ends) == "must have at most 2000 relations"
    assert perf_counter() - begun < 10


def test_spans_beyond_the_end_of_the_text_are_refused_where_the_text_is_known():
    interface = check_interface({
        "data": [{"name": "text", "type": "text"}],
        "answer": [{"name": "names", "type": "spans", "of": "text", "labels": LABELS}],
    })  # fmt: skip
    answer = {"names": said(("person", 0, 6))}

    assert depends_on_data(interface)
    assert clean_values(interface, answer, {"text": "Zoë ☃!"})["names"]["spans"][0]["end"] == 6
    for check in (clean_values, clean_key):
        with pytest.raises(ValuesInvalid) as caught:
            check(interface, answer, {"text": "Zoë ☃"})
        assert caught.value.errors == [
            {"field": "names", "message": "has a span beyond the end of the text, which has 5 characters"}
        ]
    assert clean_values(interface, answer) == clean_values(interface, answer, {"text": "Zoë ☃!"})


def test_the_score_is_the_f1_of_exact_spans_or_of_those_that_overlap_enough():
    key, value = marks(("person", 0, 10), ("place", 20, 30)), marks(("person", 0, 9), ("place", 20, 30))

    assert score(FIELD, key, value) == 0.5
    assert score(declared("spans", of="text", labels=LABELS, iou=0.9), key, value) == 1.0
    assert score({**FIELD, "partial": False}, key, value) == 0.0
    assert score(FIELD, key, marks(("place", 0, 10))) == 0.0
    assert score(FIELD, marks(), marks()) == 1.0
    assert score(FIELD, marks(), value) == 0.0


def test_relations_count_as_spans_do():
    spans = (("person", 0, 5, "a"), ("place", 8, 12, "b"))
    key = marks(*spans, field=LINKED, relations=[("born in", "a", "b")])

    assert score(LINKED, key, key) == 1.0
    assert score(LINKED, key, marks(*spans, field=LINKED)) == pytest.approx(2 * 2 / 5)
    assert score(LINKED, key, marks(*spans, field=LINKED, relations=[("knows", "a", "b")])) == pytest.approx(2 / 3)


@given(markings(), markings())
def test_scores_are_symmetric_and_1_for_the_same_alone(one, other):
    assert score(FIELD, one, other) == score(FIELD, other, one)
    assert (score(FIELD, one, other) == 1) == (one == other)


def test_spans_and_relations_are_said_as_parts():
    value = marks(("person", 0, 5, "a"), ("place", 8, 12, "b"), field=LINKED, relations=[("born in", "a", "b")])

    assert parts(LINKED, value) == [
        Span("person", 0, 5, "text", "1"), Span("place", 8, 12, "text", "2"), Relation("born in", "1", "2"),
    ]  # fmt: skip


# Aggregation


def test_each_boundary_is_voted_on_by_itself():
    answers = [marks(("person", 0, 10), ("place", 20, 25)), marks(("person", 0, 12), ("place", 20, 25)),
               marks(("person", 2, 10), ("person", 40, 45))]  # fmt: skip

    results, outcome = aggregate(FIELD, {0: answers})

    assert results == {0: (marks(("person", 0, 10), ("place", 20, 25)), pytest.approx(2 / 3), 3)}
    assert outcome.method == "majority"


def test_two_names_side_by_side_stay_two_where_most_see_two():
    apart, whole = marks(("person", 0, 4), ("person", 4, 9)), marks(("person", 0, 9))

    assert aggregate(FIELD, {0: [apart, apart, whole]})[0][0][0] == apart
    assert aggregate(FIELD, {0: [apart, whole, whole]})[0][0][0] == whole


def test_labels_that_may_overlap_are_voted_on_apart():
    both = marks(("person", 0, 9), ("place", 4, 9), field=LAYERS)
    answers = {0: [both, both, marks(("person", 0, 9), field=LAYERS)], 1: [marks(), marks()]}

    assert aggregate(LAYERS, answers)[0] == {0: (both, pytest.approx(2 / 3), 3), 1: (marks(), 1.0, 2)}


def test_relations_are_those_of_at_least_half_of_the_answers_between_the_spans_of_the_result():
    def answer(end, *relations):
        return marks(("person", 0, end, "a"), ("place", 20, 30, "b"), field=LINKED, relations=relations)

    answers = [answer(10, ("born in", "a", "b")), answer(9, ("born in", "a", "b")), answer(10, ("knows", "a", "b"))]

    results, _ = aggregate(LINKED, {0: answers})

    assert results == {0: (answer(10, ("born in", "a", "b")), pytest.approx(2 / 3), 3)}


@given(markings(), st.integers(1, 5), st.sampled_from(["majority", "weighted_majority"]))
def test_unanimous_spans_are_the_result_with_full_confidence(value, count, method):
    results, _ = aggregate(FIELD, {0: [value] * count}, method)

    assert results[0][0] == value
    if method == "majority":
        assert results[0][1] == 1.0


@given(st.lists(markings(), min_size=1, max_size=5))
def test_by_majority_a_character_has_a_label_where_at_least_half_give_one_that_no_other_beats(values):
    (value, confidence, _), = aggregate(FIELD, {0: values})[0].values()  # fmt: skip

    def at(spans, place):
        return next((label for label, start, end in spans if start <= place < end), None)

    surest = 1.0
    for place in range(15):
        given = [at(spans_of(one), place) for one in values]
        found = at(spans_of(value), place)
        surest = min(surest, given.count(found) / len(values))
        assert given.count(found) == max(map(given.count, given))
        if found is None:
            assert all(given.count(label) < given.count(None) for label in ("person", "place"))
    assert confidence == pytest.approx(surest)
    assert clean(FIELD, value) == value


def test_token_em_finds_who_marks_well():
    right = [[("person", 3 * number % 17, 3 * number % 17 + 4), ("place", 30 + number % 5, 40)] for number in range(30)]
    careless = [[("place", number % 7, number % 7 + 9), ("person", 25, 29)] for number in range(30)]
    late = [[(label, start + (number % 3 > 0), end) for label, start, end in spans]
            for number, spans in enumerate(right)]  # fmt: skip
    answers = {
        number: [marks(*right[number]), marks(*careless[number]), marks(*careless[number]), marks(*late[number]),
                 marks(*right[number])]
        for number in range(30)
    }  # fmt: skip

    by_em, outcome = aggregate(FIELD, answers, "dawid_skene")
    by_votes, _ = aggregate(FIELD, answers, "majority")

    def agreement(results):
        return sum(score(FIELD, marks(*right[number]), results[number][0]) for number in range(30)) / 30

    assert agreement(by_em) > 0.95 > agreement(by_votes)
    assert (outcome.method, outcome.converged) == ("dawid_skene", True)
    assert outcome.iterations > 1


@given(st.lists(st.tuples(st.integers(0, 2), markings()), min_size=1, max_size=4))
@settings(max_examples=40)
def test_the_same_answers_give_the_same_result_to_the_bit_in_whatever_order(answers):
    for method in ("majority", "dawid_skene", "weighted_majority"):
        found = []
        for order in permutations([(task, worker, value) for worker, (task, value) in enumerate(answers)]):
            task, worker, value = zip(*order, strict=True)
            outcome = answer_type("spans").aggregate(FIELD, AnswerTable(task, worker, value, 3), method)
            found.append(outcome)
        assert all(outcome == found[0] for outcome in found)
