import math
import pkgutil
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.projects import answer_types as package
from marketplace.projects.answer_types.base import AnswerTable, FieldInvalid, FieldResult, ValueRefused
from marketplace.projects.answer_types.registry import answer_type, answer_types
from marketplace.projects.answer_types.text.patterns import pattern_problem

ANIMALS = [{"value": "cat"}, {"value": "dog"}, {"value": "emu"}]


def field(kind, **options):
    if kind in ("choice", "boxes"):
        options.setdefault("labels", ANIMALS)
    if kind == "boxes":
        options.setdefault("of", "picture")
    if kind == "ranking":
        options.setdefault("items", ANIMALS)
    return answer_type(kind).check_field({"name": "it", "type": kind, **options})


def box(x, y, label="cat", width=10, height=10):
    return {"label": label, "x": x, "y": y, "width": width, "height": height}


def wrong(kind, **options):
    """What the type refuses in a declaration, as {path: message}."""
    with pytest.raises(FieldInvalid) as caught:
        field(kind, **options)
    return {error.path: error.message for error in caught.value.errors}


def clean(declared, value):
    return answer_type(declared["type"]).clean(declared, value)


def refusal(declared, value):
    with pytest.raises(ValueRefused) as caught:
        clean(declared, value)
    return caught.value.message


def score(declared, key, value):
    return answer_type(declared["type"]).score(declared, key, value)


def aggregate(declared, answers, method="majority", n_tasks=None):
    """Results of {task: [values of workers 0, 1, …]}, as {task: (value, confidence, answers)}, and the outcome."""
    rows = [(task, worker, value) for task, values in answers.items() for worker, value in enumerate(values)]
    task, worker, value = zip(*rows, strict=True) if rows else ((), (), ())
    size = max(answers, default=-1) + 1 if n_tasks is None else n_tasks
    outcome = answer_type(declared["type"]).aggregate(declared, AnswerTable(task, worker, value, size), method)
    return {result.task: (result.value, result.confidence, result.answers) for result in outcome.results}, outcome


# The registry


def test_every_module_with_an_answer_type_is_found_by_its_name():
    files = {module.name for module in pkgutil.iter_modules(package.__path__)}

    assert set(answer_types()) < files
    assert {"choice", "spans", "taxonomy", "text"} < set(answer_types())
    assert all(found.name == name and found.methods for name, found in answer_types().items())


def test_an_unknown_type_is_a_key_error():
    with pytest.raises(KeyError):
        answer_type("essay")


@pytest.mark.parametrize("kind", ["boxes", "choice", "number", "ranking", "rating", "text"])
def test_every_type_fills_in_what_all_fields_have_and_refuses_what_it_does_not_know(kind):
    assert field(kind, help=" Look twice. ").items() >= {
        "name": "it", "type": kind, "title": "it", "help": "Look twice.", "required": True
    }.items()  # fmt: skip
    assert wrong(kind, colour="red", title=3, required="yes") == {
        "colour": "is not known",
        "title": "must be text",
        "required": "must be true or false",
    }


@pytest.mark.parametrize("kind", ["boxes", "choice", "number", "ranking", "rating", "text"])
def test_no_answers_give_no_results(kind):
    for n_tasks in (0, 3):
        results, outcome = aggregate(field(kind), {}, n_tasks=n_tasks)
        assert (results, outcome.converged) == ({}, True)


# Choice


def test_a_choice_has_from_2_to_500_labels_with_distinct_values_and_hotkeys():
    assert wrong("choice", labels=ANIMALS[:1]) == {"labels": "must be a list of 2 to 500 labels"}
    assert wrong("choice", labels=[{"value": str(number)} for number in range(501)]).keys() == {"labels"}
    assert wrong("choice", labels=[{"value": "a", "hotkey": "x"}, {"value": "b", "hotkey": "X"}, 3, {}]) == {
        "labels[1].hotkey": "is the hotkey of another label too",
        "labels[2]": "must be an object",
        "labels[3].value": "is required",
    }
    assert wrong("choice", labels=[{"value": "a", "hotkey": "ab"}, {"value": "b", "includes": "x"}]) == {
        "labels[0].hotkey": "must be one visible character",
        "labels[1].includes": "must be a list of at most 50 texts",
    }


def test_a_label_keeps_its_guidance():
    guided = {
        "value": "cat",
        "title": "Cat",
        "definition": "A cat.",
        "includes": ["tigers"],
        "excludes": ["dogs"],
        "examples": ["Tom"],
        "counter_examples": ["Rex"],
        "hotkey": "c",
    }

    assert field("choice", labels=[guided, {"value": "dog"}])["labels"] == [guided, {"value": "dog", "title": "dog"}]


def test_several_labels_may_be_bounded():
    assert field("choice", multiple=True).items() >= {"min": 1, "max": 3}.items()
    assert wrong("choice", multiple=True, min=3, max=2) == {"min": "must not exceed max"}
    assert wrong("choice", multiple=True, max=4) == {"max": "must be a whole number from 1 to 3"}


@pytest.mark.parametrize("value", ["cow", "Cat", 1, None, ["cat"], {"value": "cat"}, True])
def test_a_single_choice_accepts_label_values_only(value):
    declared = field("choice")

    assert clean(declared, "cat") == "cat"
    assert refusal(declared, value) == "must be the value of one of the labels: cat, dog, emu"


def test_a_refusal_names_no_more_labels_than_one_reads():
    many = field("choice", labels=[{"value": f"v{number}"} for number in range(12)])
    assert refusal(many, "x").endswith(": v0, v1, v2, v3, v4, v5, v6, v7, v8, v9 and 2 more")
    long = field("choice", labels=[{"value": letter * 200} for letter in "abc"], multiple=True)
    assert refusal(long, ["x"]) == f"names a label that does not exist; there are {'a' * 200} and 2 more"


def test_several_labels_come_back_in_the_order_of_the_declaration():
    declared = field("choice", multiple=True, min=1, max=2)

    assert clean(declared, ["dog", "cat"]) == ["cat", "dog"]
    assert refusal(declared, "dog") == "must be a list of label values"
    assert refusal(declared, [["dog"]]) == "must be a list of label values"
    assert refusal(declared, ["cow"]) == "names a label that does not exist; there are cat, dog, emu"
    assert refusal(declared, ["dog", "dog"]) == "names a label twice"
    assert refusal(declared, ["cat", "dog", "emu"]) == "must name 1 to 2 labels"
    assert refusal(declared, []) == "must name 1 to 2 labels"
    assert refusal(declared, ["cat"] * 4) == "names more labels than there are"
    assert clean(field("choice", multiple=True, min=0), []) == []


def test_a_choice_scores_by_equality_and_several_by_equal_sets():
    assert score(field("choice"), "cat", "cat") == 1.0
    assert score(field("choice"), "cat", "dog") == 0.0
    assert score(field("choice", multiple=True), ["cat", "dog"], ["dog", "cat"]) == 1.0
    assert score(field("choice", multiple=True), ["cat", "dog"], ["cat"]) == 0.0


def test_a_single_choice_takes_the_majority_and_breaks_ties_by_declaration():
    results, outcome = aggregate(field("choice"), {0: ["dog", "dog", "cat"], 2: ["emu", "dog"]}, n_tasks=4)

    assert results == {0: ("dog", 2 / 3, 3), 2: ("dog", 0.5, 2)}
    assert (outcome.method, outcome.iterations, outcome.converged) == ("majority", 0, True)


def test_a_single_choice_by_dawid_skene_weighs_workers():
    truth = ["cat", "dog"] * 20
    swap = {"cat": "dog", "dog": "cat"}
    noise = [swap[right] if number % 5 == 0 else right for number, right in enumerate(truth)]
    answers = {number: [right, right, noise[number], swap[right]] for number, right in enumerate(truth)}

    results, outcome = aggregate(field("choice"), answers, "dawid_skene")

    assert [results[number][0] for number in range(40)] == truth
    assert all(confidence > 0.99 for _, confidence, _ in results.values())
    assert outcome.method == "dawid_skene"
    assert outcome.iterations > 0
    assert outcome.converged


def test_labels_that_are_no_longer_declared_still_count():
    results, _ = aggregate(field("choice"), {0: ["yak", "yak", "cat"]})

    assert results == {0: ("yak", 2 / 3, 3)}


def test_several_labels_are_decided_one_by_one():
    declared = field("choice", multiple=True, min=0)

    results, outcome = aggregate(declared, {0: [["cat"], ["cat", "emu"], ["cat", "dog", "emu"]], 1: [["cat"], []]})

    assert results == {0: (["cat", "emu"], 2 / 3, 3), 1: ([], 0.5, 2)}
    assert outcome.method == "majority"


def test_several_labels_keep_within_their_bounds():
    answers = {0: [["cat"], ["dog"], ["emu"]], 1: [["cat", "dog"], ["cat", "dog"], ["dog"]]}

    assert aggregate(field("choice", multiple=True, min=1), answers)[0][0][0] == ["cat"]
    assert aggregate(field("choice", multiple=True, min=1, max=1), answers)[0][1][0] == ["dog"]


def test_several_labels_by_dawid_skene_report_their_iterations():
    answers = {number: [["cat"] if number % 2 else ["dog"]] * 3 for number in range(10)}

    results, outcome = aggregate(field("choice", multiple=True), answers, "dawid_skene")

    assert [results[number][0] for number in range(10)] == [["dog"], ["cat"]] * 5
    assert outcome.method == "dawid_skene"
    assert outcome.iterations >= 2
    assert outcome.converged


# Text


def test_text_is_trimmed_and_empty_text_says_nothing():
    declared = field("text")

    assert clean(declared, "  a\r\nb\rc ") == "a\nb\nc"
    assert clean(declared, " \n ") is None
    assert refusal(declared, 3) == "must be text"
    assert refusal(declared, "a\0b") == "must not contain the character NUL"
    assert refusal(declared, "x" * 10_001) == "must have at most 10000 characters"
    assert refusal(field("text", max_length=65_536), "ä" * 32_769) == "must have at most 65536 bytes"


def test_a_pattern_is_matched_by_the_whole_text():
    declared = field("text", pattern=r"\d{3}-\d{4}")

    assert clean(declared, " 555-1234 ") == "555-1234"
    assert refusal(declared, "555-12345") == "does not have the form that is asked for"
    assert declared["max_length"] == 200


@pytest.mark.parametrize(
    "pattern",
    [r"(a+)+", r"(a|aa)+b", r"(?:a?){30}a{30}", "a?" * 30 + "a" * 30, r"\w*\w*\w*\w*x", r"(?:(?:){999}){999}"],
)
def test_a_pattern_that_could_take_for_ever_is_refused(pattern):
    assert pattern_problem(pattern, 200)
    assert wrong("text", pattern=pattern).keys() == {"pattern"}


@pytest.mark.parametrize("pattern", ["(", "(" * 500, r"(a)\1", r"(?=a)a", "a{99999999999}", "x" * 501])
def test_a_pattern_that_is_broken_or_unsupported_is_refused(pattern):
    assert wrong("text", pattern=pattern).keys() == {"pattern"}


@pytest.mark.parametrize(
    "pattern", [r"[^@\s]+@[^@\s]+\.[^@\s]+", r"https?://\S+", r"(?i)[a-z]{2,5}", r"cats?|dogs?", "ä+"]
)
def test_usual_patterns_are_accepted(pattern):
    assert field("text", pattern=pattern)["pattern"] == pattern


def test_text_scores_whatever_its_case_and_white_space():
    declared = field("text")

    assert score(declared, "New  York", "new york\n") == 1.0
    assert score(declared, "STRASSE", "straße") == 1.0
    assert score(declared, "ﬁne", "fine") == 1.0
    assert score(declared, "New York", "York") == 0.0


def test_the_most_frequent_text_wins_in_its_most_frequent_spelling():
    answers = {0: ["Oslo", "oslo", "Oslo", "Rome"], 1: ["b", "a"], 2: ["Oslo", "oslo"]}

    results, outcome = aggregate(field("text"), answers, "dawid_skene")

    assert results == {0: ("Oslo", 0.75, 4), 1: ("a", 0.5, 2), 2: ("Oslo", 1.0, 2)}
    assert (outcome.method, outcome.iterations, outcome.converged) == ("most_frequent", 0, True)


# Number


def test_numbers_are_canonical():
    declared = field("number")

    assert [clean(declared, value) for value in (3.0, -0.0, 2.5, 7)] == [3, 0, 2.5, 7]
    assert [type(clean(declared, value)) for value in (3.0, -0.0, 2.5, 7)] == [int, int, float, int]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, True, "3", None, [3], 2**53, 10**400])
def test_what_is_no_plain_finite_number_is_refused(value):
    assert refusal(field("number"), value).startswith("must be a number between")


def test_numbers_keep_to_their_bounds():
    declared = field("number", minimum=0, maximum=10.5, integer=True, unit="cm")

    assert clean(declared, 10) == 10
    assert refusal(declared, 0.5) == "must be a whole number"
    assert refusal(declared, -1) == "must be at least 0"
    assert refusal(declared, 11) == "must be at most 10.5"
    assert wrong("number", minimum=math.nan, tolerance=-1, unit="x" * 33).keys() == {"minimum", "tolerance", "unit"}


def test_a_number_scores_within_its_tolerance_the_end_included():
    declared = field("number", tolerance=0.1)

    assert score(declared, 0.2, 0.3) == 1.0
    assert score(declared, 0.2, 0.31) == 0.0
    assert score(field("number"), 0.3, 0.1 + 0.2) == 1.0
    assert score(field("number"), 3, 4) == 0.0


def test_the_median_withstands_a_wild_answer():
    results, outcome = aggregate(field("number", tolerance=1), {0: [10, 11, 1_000_000], 2: [1, 2]}, n_tasks=3)

    assert results == {0: (11, 2 / 3, 3), 2: (1.5, 1.0, 2)}
    assert outcome.method == "median"


def test_the_median_of_whole_numbers_is_one_of_the_answers():
    assert aggregate(field("number", integer=True), {0: [1, 2]})[0] == {0: (1, 0.5, 2)}


def test_without_a_tolerance_agreement_is_judged_by_the_range_or_the_median():
    answers = {0: [50, 54, 60]}

    assert aggregate(field("number", minimum=0, maximum=100), answers)[0] == {0: (54, 1 / 3 + 1 / 3, 3)}
    assert aggregate(field("number"), answers)[0] == {0: (54, 1 / 3, 3)}


# Rating


def test_a_rating_is_a_point_of_its_scale():
    declared = field("rating")

    assert declared["points"] == 5
    assert (clean(declared, 5), clean(declared, 1.0)) == (5, 1)
    for value in (0, 6, 2.5, "3", True, math.nan, None, [1]):
        assert refusal(declared, value) == "must be a whole number from 1 to 5"
    assert wrong("rating", points=12) == {"points": "must be a whole number from 2 to 11"}
    assert wrong("rating", points=3, labels=["bad", "good"]) == {"labels": "must be 3 texts, one for each point"}
    assert field("rating", points=2, labels=["bad", "good"])["labels"] == ["bad", "good"]


def test_a_neighbouring_point_scores_half_on_long_scales_only():
    assert [score(field("rating"), 3, value) for value in (1, 2, 3, 4, 5)] == [0.0, 0.5, 1.0, 0.5, 0.0]
    assert [score(field("rating", points=4), 3, value) for value in (2, 3)] == [0.0, 1.0]


def test_equal_points_go_to_the_one_nearest_to_the_median_then_to_the_lower():
    answers = {0: [1, 1, 4, 4, 5], 1: [2, 4], 2: [5, 5, 1]}

    results, outcome = aggregate(field("rating"), answers)

    assert results == {0: (4, 0.4, 5), 1: (2, 0.5, 2), 2: (5, 2 / 3, 3)}
    assert outcome.method == "majority"


def test_ratings_know_dawid_skene():
    answers = {number: [1 + number % 5] * 3 for number in range(20)}

    results, outcome = aggregate(field("rating"), answers, "dawid_skene")

    assert [results[number][0] for number in range(20)] == [1, 2, 3, 4, 5] * 4
    assert outcome.method == "dawid_skene"


# All types


@pytest.mark.parametrize(
    ("kind", "options", "values"),
    [
        ("choice", {}, ["cat", "dog", "dog"]),
        ("choice", {"multiple": True}, [["cat"], ["cat", "dog"], ["emu"]]),
        ("text", {}, ["a", "A", "b"]),
        ("number", {}, [1, 2.5, 9]),
        ("rating", {}, [1, 3, 5]),
        ("ranking", {}, [["cat", "dog", "emu"], ["emu", "cat", "dog"], ["dog", "cat", "emu"]]),
        ("boxes", {}, [[box(0, 0)], [box(1, 0), box(9, 9)], [box(0, 1, "dog")]]),
    ],
)
@pytest.mark.parametrize("method", ["majority", "dawid_skene"])
def test_the_order_of_the_answers_changes_no_result(kind, options, values, method):
    declared = field(kind, **options)
    found = []
    for order in permutations(enumerate(values)):
        table = AnswerTable([0] * 3, [worker for worker, _ in order], [value for _, value in order], 1)
        found.append(answer_type(kind).aggregate(declared, table, method).results[0])

    assert all(result.value == found[0].value for result in found)
    assert all(result.confidence == pytest.approx(found[0].confidence, abs=1e-9) for result in found)
    assert all(result.objects == found[0].objects for result in found)
    assert found[0] == FieldResult(0, found[0].value, found[0].confidence, 3, found[0].objects)


@given(st.lists(st.sampled_from(["cat", "dog", "emu"]), min_size=1, max_size=9))
def test_confidence_lies_between_0_and_1_and_answers_are_counted(values):
    for method in ("majority", "dawid_skene"):
        results, _ = aggregate(field("choice"), {0: values}, method)
        value, confidence, answers = results[0]
        assert value in values
        assert 1 / 3 <= confidence <= 1
        assert answers == len(values)
