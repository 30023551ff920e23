"""Shortcuts for tests of answer types."""

import pytest

from marketplace.projects.answer_types.base import AnswerTable, FieldInvalid, ValueRefused
from marketplace.projects.answer_types.registry import answer_type


def declared(kind, **options):
    """The checked declaration of a field called `it`."""
    return answer_type(kind).check_field({"name": "it", "type": kind, **options})


def wrong(kind, **options):
    """What the type refuses in a declaration, as {path: message}."""
    with pytest.raises(FieldInvalid) as caught:
        declared(kind, **options)
    return {error.path: error.message for error in caught.value.errors}


def clean(field, value):
    return answer_type(field["type"]).clean(field, value)


def refusal(field, value):
    with pytest.raises(ValueRefused) as caught:
        clean(field, value)
    return caught.value.message


def score(field, key, value):
    return answer_type(field["type"]).score(field, key, value)


def parts(field, value):
    return list(answer_type(field["type"]).parts(field, value))


def aggregate(field, answers, method="majority"):
    """Results of {task: [values of workers 0, 1, …]}, as {task: (value, confidence, answers)}, and the outcome."""
    rows = [(task, worker, value) for task, values in answers.items() for worker, value in enumerate(values)]
    task, worker, value = zip(*rows, strict=True) if rows else ((), (), ())
    table = AnswerTable(task, worker, value, max(answers, default=-1) + 1)
    outcome = answer_type(field["type"]).aggregate(field, table, method)
    return {result.task: (result.value, result.confidence, result.answers) for result in outcome.results}, outcome
