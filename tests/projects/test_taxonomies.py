from itertools import pairwise
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.projects.answer_types import taxonomy
from marketplace.projects.answer_types.parts import Class
from marketplace.projects.answer_types.taxonomy.tree import paths
from tests.projects.fields import aggregate, clean, declared, parts, refusal, score, wrong

TREE = [
    {"value": "animal", "children": [
        {"value": "dog", "title": "Dog", "definition": "It barks.",
         "children": [{"value": "pug"}, {"value": "collie"}]},
        {"value": "cat"},
        {"value": "other"},
    ]},
    {"value": "plant", "children": [{"value": "tree"}, {"value": "other"}]},
]  # fmt: skip
FIELD = declared("taxonomy", tree=TREE)
OPEN = declared("taxonomy", tree=TREE, leaf_only=False)
LEAVES = [list(path) for path in paths(FIELD["tree"], leaf_only=True)]
NODES = [list(path) for path in paths(FIELD["tree"], leaf_only=False)]


def test_a_tree_keeps_titles_and_guidance_and_is_its_own_normal_form():
    assert FIELD["tree"][0]["children"][0].items() >= {"title": "Dog", "definition": "It barks."}.items()
    assert FIELD["tree"][1]["children"][0] == {"value": "tree", "title": "tree"}
    assert FIELD.items() >= {"leaf_only": True, "partial": True}.items()
    assert declared(**{key: FIELD[key] for key in FIELD if key not in ("name", "type")}, kind="taxonomy") == FIELD
    assert declared("taxonomy", tree=TREE[0])["tree"] == FIELD["tree"][:1]


def chain(depth):
    tree = [{"value": "a"}, {"value": "b"}]
    for _ in range(depth - 1):
        tree = [{"value": "a", "children": tree}]
    return tree


@pytest.mark.parametrize(
    ("tree", "path", "message"),
    [
        (None, "tree", "must be a list of 1 to 500 nodes"),
        ([], "tree", "must be a list of 1 to 500 nodes"),
        ([{"value": "a"}], "tree", "must have at least two nodes without others below them"),
        ([{"value": "a"}, {"value": "a"}], "tree[1].value", "is the value of another label too"),
        ([{"value": "a", "children": [{"value": ""}]}], "tree[0].children[0].value", "is required"),
        ([{"value": "a", "children": [3]}], "tree[0].children[0]", "must be an object"),
        ([{"value": "a", "children": "b"}], "tree[0].children", "must be a list of 1 to 500 nodes"),
        ([{"value": "a", "color": "b"}, {"value": "b"}], "tree[0].color", "is not known"),
        (chain(21), "tree" + "[0].children" * 20, "must not be more than 20 levels deep"),
        ([{"value": str(a), "children": [{"value": str(b)} for b in range(500)]} for a in range(11)], "tree",
         "must have at most 5000 nodes"),
    ],
)  # fmt: skip
def test_a_tree_that_cannot_be_used_is_refused_where_it_is_wrong(tree, path, message):
    assert wrong("taxonomy", tree=tree) == {path: message}


def test_twenty_levels_are_not_too_deep():
    assert clean(declared("taxonomy", tree=chain(20)), ["a"] * 20) == ["a"] * 20


def test_a_value_is_a_path_from_the_top_to_a_leaf():
    assert clean(FIELD, ["animal", "dog", "pug"]) == ["animal", "dog", "pug"]
    assert refusal(FIELD, ["animal", "dog"]) == "must go on to a node that has none below it"
    assert clean(OPEN, ["animal", "dog"]) == ["animal", "dog"]
    for value in ("animal", None, 3, ["animal", 3], {"animal": "dog"}):
        assert refusal(FIELD, value) == "must be a list of label values, from the top of the tree down"
    for value in ([], ["dog"], ["animal", "tree"], ["animal", "cat", "pug"], ["x"] * 100_000):
        assert refusal(FIELD, value) == "must be a path of the tree, from its top down"


@given(st.sampled_from(NODES), st.sampled_from(NODES))
def test_the_score_is_the_f1_of_the_nodes_on_the_two_paths(key, value):
    one, other = (
        {tuple(path[:end]) for end in range(1, len(path) + 1)} for path in (key, value)
    )  # fmt: skip

    assert score(OPEN, key, value) == pytest.approx(2 * len(one & other) / (len(one) + len(other)))
    assert (score(OPEN, key, value) == 1.0) == (key == value)
    assert score({**OPEN, "partial": False}, key, value) == float(key == value)


def test_a_path_is_a_class_that_says_so():
    assert parts(FIELD, ["animal", "cat"]) == [Class(("animal", "cat"), path=True)]


def test_votes_go_down_the_tree_so_that_near_answers_help_each_other():
    answers = {0: [["animal", "dog", "pug"], ["animal", "dog", "collie"], ["animal", "cat"],
                   ["plant", "tree"], ["plant", "tree"]]}  # fmt: skip

    results, outcome = aggregate(FIELD, answers)

    assert results == {0: (["animal", "dog", "pug"], pytest.approx(0.2), 5)}
    assert outcome.method == "majority"


def test_where_inner_nodes_may_be_chosen_the_way_ends_where_no_child_is_more_likely_than_not():
    answers = {0: [["animal", "dog", "pug"], ["animal", "dog", "collie"]], 1: [["animal", "cat"], ["animal"]],
               2: [["animal", "cat"], ["plant"]], 3: [["animal"], ["animal", "cat"], ["animal", "cat"]]}  # fmt: skip

    results, _ = aggregate(OPEN, answers)

    assert results == {
        0: (["animal", "dog"], 1.0, 2),
        1: (["animal"], 1.0, 2),
        2: (["animal"], 0.5, 2),
        3: (["animal", "cat"], pytest.approx(2 / 3), 3),
    }


def test_two_nodes_of_one_name_are_told_apart():
    results, _ = aggregate(FIELD, {0: [["animal", "other"], ["plant", "other"], ["plant", "other"]]})

    assert results[0][0] == ["plant", "other"]


def test_paths_of_an_earlier_tree_still_count():
    assert aggregate(FIELD, {0: [["fungus"], ["fungus"], ["animal", "cat"]]})[0][0][:1] == (["fungus"],)


@pytest.mark.parametrize("method", ["majority", "dawid_skene"])
def test_a_question_that_nobody_answered_has_no_results(method):
    results, outcome = aggregate(FIELD, {0: [], 1: []}, method)

    assert (results, outcome.method, outcome.converged) == ({}, method, True)


@given(st.lists(st.sampled_from(LEAVES), min_size=1, max_size=7), st.sampled_from(["majority", "dawid_skene"]))
def test_the_result_is_a_leaf_that_somebody_chose_and_each_step_has_the_most_votes_there(values, method):
    (value, confidence, count), = aggregate(FIELD, {0: values}, method)[0].values()  # fmt: skip

    assert value in values
    assert 0 < confidence <= 1
    assert count == len(values)
    if method == "majority":
        for above, below in pairwise(range(len(value) + 1)):
            here = [given[:below] for given in values if given[:above] == value[:above]]
            assert here.count(value[:below]) == max(map(here.count, here))


def test_five_thousand_nodes_are_voted_on_fast():
    tree = [{"value": str(a), "children": [{"value": str(b)} for b in range(100)]} for a in range(49)]
    field = declared("taxonomy", tree=tree)
    answers = {task: [[str(task % 49), str(task % 100)]] * 2 + [[str(task % 48), "7"]] for task in range(300)}

    begun = perf_counter()
    results, outcome = aggregate(field, answers, "majority")

    assert all(results[task][0] == [str(task % 49), str(task % 100)] for task in range(300))
    assert outcome.method == "majority"
    assert perf_counter() - begun < 30


def test_a_model_of_errors_that_would_not_fit_into_memory_gives_way_to_votes(monkeypatch):
    answers = {0: [["animal", "cat"], ["animal", "cat"], ["plant", "tree"]]}
    assert aggregate(FIELD, answers, "dawid_skene")[1].method == "dawid_skene"
    monkeypatch.setattr(taxonomy, "CONFUSIONS_MAX", 3 * 2**2 - 1)

    results, outcome = aggregate(FIELD, answers, "dawid_skene")

    assert (outcome.method, results[0][0]) == ("majority", ["animal", "cat"])
