"""The methods of aggregation that answer types offer, through the types."""

import random

import pytest

from marketplace.aggregation.ordinal import ordinal
from marketplace.aggregation.votes import Votes
from marketplace.projects.answer_types.base import AnswerTable
from marketplace.projects.answer_types.parts import Number
from marketplace.projects.answer_types.registry import aggregation_methods, answer_type

LABELS = [{"value": value} for value in ("cat", "dog", "cow")]
FIELDS = {
    "choice": {"labels": LABELS},
    "sets": {"labels": LABELS, "multiple": True, "min": 0},
    "rating": {"points": 5},
    "number": {"tolerance": 10},
    "ranking": {"items": LABELS},
}
VALUES = {
    "choice": ["cat", "dog", "cow"],
    "sets": [["cat"], ["dog", "cow"], []],
    "rating": [2, 4, 5],
    "number": [2.5, 40, -3],
    "ranking": [["cat", "dog", "cow"], ["cow", "dog", "cat"], ["dog", "cow", "cat"]],
}
EVERY = [(name, method) for name in FIELDS for method in answer_type(name if name != "sets" else "choice").methods]


def checked(name):
    kind = answer_type("choice" if name == "sets" else name)
    return kind, kind.check_field({"name": "it", "type": kind.name, "title": "It", **FIELDS[name]})


def crowd(name, *, seed=5, n_tasks=30):
    """Five careful workers and two who always say the first value: (answers, truth by task)."""
    draw, values = random.Random(seed), VALUES[name]
    truth = [draw.choice(values) for _ in range(n_tasks)]
    rows = [
        (task, worker, truth[task] if draw.random() < 0.9 else draw.choice(values))
        for task in range(n_tasks)
        for worker in range(5)
    ]
    rows += [(task, worker, values[0]) for task in range(n_tasks) for worker in (5, 6)]
    return rows, truth


def table(rows, n_tasks=30, **more):
    task, worker, value = zip(*rows, strict=True)
    return AnswerTable(task, worker, value, n_tasks, **more)


@pytest.mark.parametrize(("name", "method"), EVERY)
def test_every_method_of_every_type_finds_what_the_careful_say(name, method):
    kind, field = checked(name)
    rows, truth = crowd(name)

    outcome = kind.aggregate(field, table(rows), method)

    assert outcome.method == method
    assert [result.task for result in outcome.results] == list(range(30))
    assert {result.answers for result in outcome.results} == {7}
    right = [kind.score(field, key, result.value) > 0.9 for key, result in zip(truth, outcome.results, strict=True)]
    assert sum(right) >= 26
    for result in outcome.results:
        assert kind.clean(field, result.value) == result.value
        assert 0 <= result.confidence <= 1


@pytest.mark.parametrize(("name", "method"), EVERY)
def test_the_order_of_the_answers_changes_nothing(name, method):
    kind, field = checked(name)
    rows, _ = crowd(name)
    shuffled = random.Random(1).sample(rows, len(rows))

    assert kind.aggregate(field, table(rows), method) == kind.aggregate(field, table(shuffled), method)


@pytest.mark.parametrize("method", ["dawid_skene", "one_coin", "glad", "mace"])
@pytest.mark.parametrize("name", ["choice", "sets", "rating"])
def test_known_values_are_kept_and_teach_who_errs(name, method):
    kind, field = checked(name)
    one, other = VALUES[name][:2]
    rows = [(task, worker, one if worker < 2 else other) for task in range(21) for worker in range(3)]

    outcome = kind.aggregate(field, table(rows, 21, known=dict.fromkeys(range(20), other)), method)

    assert [result.value for result in outcome.results] == [other] * 21
    assert kind.aggregate(field, table(rows, 21), method).results[20].value == one


def test_a_rating_by_the_ordinal_method_is_the_median_of_what_is_probable():
    kind, field = checked("rating")
    draw = random.Random(3)
    rows = [(task, worker, draw.randint(1, 5)) for task in range(200) for worker in range(3)]
    given = sorted(rows)
    votes = Votes([row[0] for row in given], [row[1] for row in given], [row[2] - 1 for row in given], 200, 3, 5)
    expected = ordinal(votes)

    results = kind.aggregate(field, table(rows, 200), "ordinal").results

    assert [result.value for result in results] == (expected.medians + 1).tolist()
    assert expected.medians.tolist() != expected.labels.tolist()
    assert [result.confidence for result in results] == pytest.approx(
        expected.posteriors[range(200), expected.medians].tolist()
    )


def test_numbers_stay_within_their_bounds_and_whole_where_that_is_asked():
    kind = answer_type("number")
    field = kind.check_field(
        {"name": "it", "type": "number", "title": "It", "integer": True, "minimum": 0, "maximum": 10}
    )
    rows = [(task, worker, min(10, task + (3 if worker == 0 else 0))) for task in range(11) for worker in range(4)]

    for method in ("trimmed_mean", "worker_bias"):
        for result in kind.aggregate(field, table(rows, 11), method).results:
            assert isinstance(result.value, int)
            assert abs(result.value - result.task) <= 1
            assert 0 <= result.value <= 10


def test_rankings_by_bradley_and_terry_may_put_items_on_a_level():
    kind = answer_type("ranking")
    field = kind.check_field({"name": "it", "type": "ranking", "title": "It", "items": LABELS, "ties": True})
    rows = [(0, 0, [["cat"], ["dog"], ["cow"]]), (0, 1, [["dog"], ["cat"], ["cow"]])]

    result = kind.aggregate(field, table(rows, 1), "bradley_terry").results[0]

    assert result.value == [["cat", "dog"], ["cow"]]


def test_all_methods_of_all_types_may_be_asked_for():
    methods = aggregation_methods()

    assert {"majority", "glad", "mace", "one_coin", "ordinal", "worker_bias", "noisy_bradley_terry"} <= set(methods)
    assert list(methods) == sorted(set(methods))


def test_a_number_says_itself_as_its_part():
    kind, field = checked("number")

    assert list(kind.parts(field, 2.5)) == [Number(2.5)]
