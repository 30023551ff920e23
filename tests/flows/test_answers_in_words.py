"""A batch that asks for every kind of answer about language, from import to result."""

from random import Random
from typing import Any

import pytest

from marketplace.batches.errors import RowsInvalid
from marketplace.batches.models import Batch
from marketplace.common.database import rows
from marketplace.common.transactions import one_transaction
from marketplace.projects.answer_types.registry import answer_types
from marketplace.results.commands.aggregate import aggregate
from marketplace.results.models import Result
from tests import factories as make
from workers.assignments.commands.decide import accept_answers
from workers.assignments.commands.submit import Submission, submit
from workers.assignments.errors import AnswerInvalid
from workers.profiles.models import Worker

pytestmark = pytest.mark.django_db

TEXT = "Ada lives in Oslo."
INTERFACE = {
    "data": [
        {"name": "text", "type": "text"},
        {"name": "other", "type": "text"},
        {"name": "sound", "type": "audio"},
    ],
    "answer": [
        {"name": "topic", "type": "taxonomy",
         "tree": [{"value": "people", "children": [{"value": "home"}, {"value": "work"}]}, {"value": "things"}]},
        {"name": "better", "type": "preference", "left": "text", "right": "other", "equal": True},
        {"name": "names", "type": "spans", "of": "text", "labels": [{"value": "person"}, {"value": "place"}],
         "relations": [{"value": "lives in"}]},
        {"name": "said", "type": "transcription", "of": "sound"},
        {"name": "who", "type": "segments", "of": "sound", "labels": [{"value": "A"}, {"value": "B"}]},
        {"name": "why", "type": "text", "show_if": {"field": "better", "any_of": ["left", "right"]}},
    ],
}  # fmt: skip
ADA = {"id": "a", "label": "person", "start": 0, "end": 3}
OSLO = {"id": "b", "label": "place", "start": 13, "end": 17}
ANSWER = {
    "topic": ["people", "home"],
    "better": {"preferred": "left"},
    "names": {"spans": [OSLO, ADA], "relations": [{"label": "lives in", "from": "a", "to": "b"}]},
    "said": [{"start": 0, "end": 2, "text": "Ada lives in Oslo"}],
    "who": [{"label": "A", "start": 0, "end": 2}],
    "why": "It is shorter.",
}


def language_batch(gold: dict[str, Any] | None = None) -> Batch:
    batch = make.make_draft(make.make_project(interface=INTERFACE), overlap=3)
    data = {"text": TEXT, "other": "Ada is at home in Oslo.", "sound": "https://example.org/ada.wav"}
    make.add_rows(batch, [{"external_id": "1", "data": data}])
    if gold:
        make.add_rows(batch, [{"external_id": "2", "data": data, "gold": gold}])
    return make.published(batch)


def give(worker: Worker, batch: Batch, values: dict[str, Any], unclear: bool = False) -> None:
    (lease,) = make.take(worker, batch)
    page = [Submission(lease.id, lease.token, values, unclear=unclear)]
    with one_transaction(principal="test"):
        submit(worker_id=worker.pk, page=page, then_claim=None, chance=Random(1))


def test_answers_of_all_kinds_come_to_one_result() -> None:
    batch = language_batch()
    third = {
        **ANSWER,
        "topic": ["people", "work"],
        "better": {"preferred": "equal"},
        "names": {"spans": [ADA], "relations": []},
        "said": [{"start": 0, "end": 2, "text": "Ada lives on Oslo"}],
    }
    del third["why"]
    for values in (ANSWER, third, ANSWER):
        give(make.make_worker(), batch, values)
    with one_transaction(principal="test"):
        accept_answers(batch_id=batch.pk, assignments=None)
        aggregate(batch_id=batch.pk)

    results = {result.field: (result.value, result.answers) for result in Result.objects.all()}
    assert results == {
        "topic": (["people", "home"], 3),
        "better": ({"preferred": "left"}, 3),
        "names": (
            {
                "spans": [{**ADA, "id": "1"}, {**OSLO, "id": "2"}],
                "relations": [{"label": "lives in", "from": "1", "to": "2"}],
            },
            3,
        ),
        "said": (ANSWER["said"], 3),
        "who": (ANSWER["who"], 3),
        "why": ("It is shorter.", 2),
    }


def test_a_field_has_no_result_where_the_others_come_to_what_does_not_ask_it() -> None:
    batch = language_batch()
    neither = {name: value for name, value in ANSWER.items() if name != "why"} | {"better": {"preferred": "equal"}}
    for values in (ANSWER, neither, neither):
        give(make.make_worker(), batch, values)
    with one_transaction(principal="test"):
        accept_answers(batch_id=batch.pk, assignments=None)
        aggregate(batch_id=batch.pk)

    results = {result.field: result.value for result in Result.objects.all()}
    assert results["better"] == {"preferred": "equal"}
    assert results.keys() == ANSWER.keys() - {"why"}


def test_a_key_beyond_the_text_or_of_a_field_that_is_not_shown_is_refused_with_its_row() -> None:
    for gold, name in (
        ({"names": {"spans": [{**OSLO, "end": 19}]}}, "gold.names"),
        ({"better": {"preferred": "equal"}, "why": "no"}, "gold.why"),
        ({"why": "It is shorter."}, "gold"),
    ):
        with pytest.raises(RowsInvalid) as caught:
            language_batch(gold)
        assert [(error["row"], error["field"]) for error in caught.value.facts["errors"]] == [(1, name)]
    assert language_batch({"names": {"spans": [OSLO]}}).pk


def test_spans_beyond_the_text_that_was_shown_are_refused_by_field() -> None:
    batch, worker = language_batch(), make.make_worker()
    beyond = {**ANSWER, "names": {"spans": [{**OSLO, "end": len(TEXT) + 1}]}}

    with pytest.raises(AnswerInvalid) as caught:
        give(worker, batch, beyond)

    assert caught.value.facts["errors"] == [
        {"item": 0, "field": "names", "message": "has a span beyond the end of the text, which has 18 characters"}
    ]
    give(worker, batch, {**ANSWER, "names": {"spans": [{**OSLO, "end": len(TEXT)}]}})


def test_a_field_that_is_not_shown_is_refused_by_field() -> None:
    batch, worker = language_batch(), make.make_worker()

    with pytest.raises(AnswerInvalid) as caught:
        give(worker, batch, {**ANSWER, "better": {"preferred": "equal"}})

    assert caught.value.facts["errors"] == [
        {"item": 0, "field": "why", "message": "must be empty: it is asked only where better is left or right"}
    ]


@pytest.mark.parametrize("kind", sorted(answer_types()))
def test_whatever_is_asked_a_worker_may_say_that_it_is_unclear(kind: str) -> None:
    labels = [{"value": "a"}, {"value": "b"}]
    options: dict[str, dict[str, Any]] = {
        "boxes": {"of": "picture", "labels": labels},
        "choice": {"labels": labels},
        "preference": {"left": "text", "right": "picture"},
        "ranking": {"items": labels},
        "segments": {"of": "sound", "labels": labels},
        "spans": {"of": "text", "labels": labels},
        "taxonomy": {"tree": labels},
        "transcription": {"of": "sound"},
    }
    data = [{"name": "text", "type": "text"}, {"name": "picture", "type": "image"}, {"name": "sound", "type": "audio"}]
    if kind not in options and kind not in ("number", "rating", "text"):
        pytest.skip(f"nobody has said here how {kind} is declared")
    asked = {"data": data, "answer": [{"name": "it", "type": kind, "required": True, **options.get(kind, {})}]}
    batch = make.make_draft(make.make_project(interface=asked))
    shown = {"text": "a", "picture": "https://example.org/a.png", "sound": "https://example.org/a.wav"}
    make.add_rows(batch, [{"external_id": "1", "data": shown}])
    batch = make.published(batch)

    with pytest.raises(AnswerInvalid):
        give(make.make_worker(), batch, {})
    give(make.make_worker(), batch, {}, unclear=True)

    assert rows("SELECT values, unclear FROM assignments_answer") == [({}, True)]
