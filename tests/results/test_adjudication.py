"""A label that somebody settled by hand: on record for ever, in results, and never a way to keep work unpaid."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from marketplace.batches.models import Batch
from marketplace.common.database import rows, run
from marketplace.common.errors import NotFound
from marketplace.results.commands.adjudication import Grounds, adjudicate
from marketplace.results.commands.aggregate import aggregate
from marketplace.results.commands.names import gold_tasks
from marketplace.results.errors import NotChoosable, NotInSample, RulingInvalid
from marketplace.results.queries.lineage import lineage_of
from marketplace.results.queries.review import (
    Ruling,
    Sampled,
    item_of,
    queue_counts,
    queue_page,
    ruled,
    sampled_in,
    task_of,
)
from marketplace.results.states import Queue, RulingReason
from tests import factories as make
from tests.acts import broken, in_one
from tests.console.reviewed import NO_GOLD, answer_all, answers_to, disputed
from tests.gold.test_audit import ALWAYS, audit, wrong_key_batch
from tests.results.test_consensus import make_consensus
from workers.assignments.commands.decide import accept_answers
from workers.assignments.commands.reopen import ask_review
from workers.assignments.origin import Origin

pytestmark = pytest.mark.django_db


def settle(batch: Batch, task: str = "t0", reason: str = "plain", words: str = "", **how: Any) -> Ruling:
    grounds = Grounds(RulingReason(reason), words, make.owner_of(batch.requester).pk)
    return in_one(adjudicate, batch_id=batch.pk, task=task, grounds=grounds, **how)  # type: ignore[no-any-return]


def queued(batch: Batch, queue: Queue) -> list[str]:
    """The external ids of what waits in a queue, in its order."""
    with transaction.atomic():
        found = queue_page(batch, queue, gold=gold_tasks(batch=batch), limit=100)
        return [item_of(batch, waiting.task_id).task for waiting in found]


def results(batch: Batch) -> dict[str, tuple[Any, float, str]]:
    """Value, confidence and method of the label by task, aggregated now."""
    made = in_one(aggregate, batch_id=batch.pk, method="majority")
    return {
        task: (value, confidence, method)
        for task, value, confidence, method in rows(
            "SELECT t.external_id, r.value, r.confidence, r.method FROM results_result r"
            " JOIN batches_task t ON t.id = r.task_id WHERE r.run_id = %s",
            [made.pk],
        )
    }


def accept(batch: Batch, *answers: Any) -> None:
    in_one(accept_answers, batch_id=batch.pk, assignments=[one.public_id for one in answers] or None)


def test_tasks_over_which_answers_differ_wait_until_somebody_settles_them() -> None:
    batch = disputed(4, disputes=2)
    assert set(queued(batch, Queue.DISAGREEMENTS)) == {"t0", "t1"}

    made = settle(batch, "t0", answer=answers_to(batch, "t0", "dog")[0].public_id)

    assert (made.values, made.agrees, made.by) == ({"label": "dog"}, False, make.owner_of(batch.requester).email)
    assert queued(batch, Queue.DISAGREEMENTS) == ["t1"]


def test_what_somebody_found_unclear_waits_too_and_an_open_task_does_not() -> None:
    batch = make.make_batch(2, overlap=2, gold_policy=NO_GOLD)
    answer_all(batch, lambda text: "cat", 2)
    answer_all(batch, lambda text: None if text == "animal 0" else "cat", 2)
    half = make.make_batch(1, overlap=3, gold_policy=NO_GOLD)
    answer_all(half, lambda text: "cat", 1)
    answer_all(half, lambda text: "dog", 1)
    make_consensus(batch)
    make_consensus(half)
    assert queued(batch, Queue.DISAGREEMENTS) == ["t0"]
    assert queued(half, Queue.DISAGREEMENTS) == [], "a third answer is awaited"


def test_the_least_sure_come_first() -> None:
    batch = make.make_batch(2, overlap=3, gold_policy=NO_GOLD)
    for label in ("cat", "dog", None):
        answer_all(batch, lambda text, label=label: label if text == "animal 1" else (label or "cat"), 2)
    make_consensus(batch)
    assert queued(batch, Queue.DISAGREEMENTS) == ["t1", "t0"]


def test_the_label_that_was_settled_is_the_result_and_others_stay() -> None:
    batch = disputed(2)
    accept(batch)
    settle(batch, values={"label": "dog"})
    found = results(batch)
    assert found["t0"] == ("dog", 1.0, "adjudicated")
    assert found["t1"] == ("cat", 1.0, "majority")
    assert broken() == []


def test_a_task_that_nobody_could_answer_has_the_label_of_the_requester() -> None:
    batch = make.make_batch(2, overlap=1, gold_policy=NO_GOLD)
    answer_all(batch, lambda text: None if text == "animal 0" else "cat", 2)
    accept(batch)
    settle(batch, values={"label": "dog"})
    assert results(batch)["t0"] == ("dog", 1.0, "adjudicated")


def test_nobody_keeps_the_label_of_an_answer_that_he_does_not_pay_for() -> None:
    batch = disputed(1)
    [dog] = answers_to(batch, "t0", "dog")
    settle(batch, answer=dog.public_id)
    accept(batch, *answers_to(batch, "t0", "cat"))
    assert ruled(batch.pk) == {}, "it is not paid yet"
    assert results(batch)["t0"][0] == "cat"

    with transaction.atomic():
        make.reject(batch, [dog])

    assert results(batch)["t0"][0] == "cat"
    [told] = item_of(batch, dog.task_id).rulings
    assert told.holds is False
    assert queued(batch, Queue.DISAGREEMENTS) == ["t0"], "it waits again"
    with pytest.raises(NotChoosable):
        settle(batch, answer=dog.public_id)
    with pytest.raises(IntegrityError, match="not to be paid"), transaction.atomic():
        run(
            "INSERT INTO results_adjudication (public_id, batch_id, task_id, number, values, answer_id, reason, words,"
            " sampled, made_by_id) SELECT gen_random_uuid(), %s, %s, 2, '{}', %s, 'plain', '', false, %s",
            [batch.pk, dog.task_id, dog.pk, make.owner_of(batch.requester).pk],
        )


def test_once_it_is_paid_the_chosen_answer_counts() -> None:
    batch = disputed(1)
    settle(batch, answer=answers_to(batch, "t0", "dog")[0].public_id)
    accept(batch)
    assert results(batch)["t0"] == ("dog", 1.0, "adjudicated")


def test_of_several_the_last_counts_and_all_stay_on_record() -> None:
    batch = disputed(1)
    settle(batch, values={"label": "dog"}, reason="best")
    settle(batch, values={"label": "cat"}, reason="other", words="I looked again.")
    assert ruled(batch.pk) == {task_of(batch.pk, "t0"): {"label": "cat"}}
    told = [(one.values["label"], one.reason, one.words) for one in item_of(batch, task_of(batch.pk, "t0")).rulings]
    assert told == [("cat", "other", "I looked again."), ("dog", "best", "")]
    for statement in ("UPDATE results_adjudication SET words = 'no'", "DELETE FROM results_adjudication"):
        with pytest.raises(Exception, match=r"append-only|permission denied"), transaction.atomic():
            run(statement)


@pytest.mark.parametrize(
    ("how", "field"),
    [
        ({"values": {"label": "horse"}}, "values.label"),
        ({"values": {}}, "values.label"),
        ({}, "answer"),
        ({"values": {"label": "cat"}, "reason": "other", "words": " "}, "words"),
    ],
)
def test_what_is_no_label_or_no_reason_is_refused_at_its_field(how: dict[str, Any], field: str) -> None:
    batch = disputed(1)
    with pytest.raises(RulingInvalid) as refused:
        settle(batch, **how)
    assert [error["field"] for error in refused.value.facts["errors"]] == [field]
    assert ruled(batch.pk) == {}


def test_answers_and_tasks_of_others_are_not_there() -> None:
    batch, other = disputed(1), disputed(1)
    with pytest.raises(NotChoosable):
        settle(batch, answer=answers_to(other)[0].public_id)
    with pytest.raises(NotFound):
        settle(batch, "nothing", values={"label": "cat"})


def test_an_unclear_answer_cannot_be_the_label() -> None:
    batch = make.make_batch(1, overlap=1, gold_policy=NO_GOLD)
    answer_all(batch, lambda text: None, 1)
    with pytest.raises(NotChoosable):
        settle(batch, answer=answers_to(batch)[0].public_id)


def test_values_of_rejected_answers_are_withheld_from_whoever_looks() -> None:
    batch = disputed(1)
    [dog] = answers_to(batch, "t0", "dog")
    with transaction.atomic():
        make.reject(batch, [dog])
    looks = {look.id: look for look in item_of(batch, dog.task_id).looks}
    assert (looks[dog.public_id].values, looks[dog.public_id].comment) == (None, "Not what was asked.")
    assert {look.values["label"] for look in looks.values() if look.values} == {"cat"}


def test_an_answer_that_differs_from_all_together_says_in_what() -> None:
    batch = disputed(1)
    looks = item_of(batch, task_of(batch.pk, "t0")).looks
    assert [(look.values, look.differs) for look in looks] == [
        ({"label": "cat"}, []),
        ({"label": "cat"}, []),
        ({"label": "dog"}, ["label"]),
    ]


def test_what_somebody_is_asked_to_look_at_waits_until_it_is_decided() -> None:
    batch = disputed(2, disputes=0)
    [first, *_others] = answers_to(batch, "t0")
    of = {"batch_id": batch.pk, "worker_id": first.worker_id, "reason": "very fast", "origin": Origin(1)}
    in_one(ask_review, **of)
    assert sorted(queued(batch, Queue.ESCALATIONS)) == ["t0", "t1"]
    assert item_of(batch, first.task_id).looks[0].wishes == ["very fast"]
    with transaction.atomic():
        counts = queue_counts(batch, gold=())
    assert (counts[Queue.ESCALATIONS], counts[Queue.DISAGREEMENTS]) == (2, 0)

    accept(batch, first)

    assert queued(batch, Queue.ESCALATIONS) == ["t1"]


def test_chance_draws_every_label_once_and_errors_are_counted() -> None:
    batch = disputed(5)
    drawn = queued(batch, Queue.SAMPLE)
    assert sorted(drawn) == ["t0", "t1", "t2", "t3", "t4"]
    assert drawn == queued(batch, Queue.SAMPLE), "the same for everybody"

    settle(batch, drawn[0], values={"label": "cat"}, sampled=True)
    settle(batch, drawn[1], values={"label": "dog"}, sampled=True)
    settle(batch, drawn[2], values={"label": "dog"})

    assert queued(batch, Queue.SAMPLE) == drawn[3:]
    assert sampled_in(batch, gold=()) == Sampled(population=4, looked_at=2, errors=1)
    with pytest.raises(NotInSample):
        settle(batch, drawn[0], values={"label": "cat"}, sampled=True)


def test_gold_is_looked_at_by_its_key_alone() -> None:
    batch = make.make_batch(2, 2, overlap=1, gold_policy=ALWAYS)
    answer_all(batch, lambda text: None, 4)
    make_consensus(batch)
    assert answers_to(batch, "g0") and answers_to(batch, "t0"), "both were answered"
    assert queued(batch, Queue.DISAGREEMENTS) == ["t0", "t1"]
    assert not {"g0", "g1"} & {*queued(batch, Queue.DISAGREEMENTS), *queued(batch, Queue.SAMPLE)}


def test_a_key_that_good_workers_fail_waits_until_somebody_judges_it() -> None:
    batch, _crew = wrong_key_batch()
    assert queued(batch, Queue.GOLD) == []
    audit()
    assert queued(batch, Queue.GOLD) == ["wrong"]


def test_the_lineage_of_a_label_names_answers_instructions_and_what_was_settled() -> None:
    batch = disputed(2)
    cats = answers_to(batch, "t0", "cat")
    accept(batch, *cats)
    settle(batch, values={"label": "dog"})
    made = in_one(aggregate, batch_id=batch.pk, method="majority")

    found = lineage_of(batch, made, "t0")

    assert [(one["value"], one["method"], one["answers"]) for one in found.results] == [("dog", "adjudicated", 2)]
    assert [(used.look.id, used.look.version, used.revision) for used in found.used] == [
        (one.public_id, 1, 1) for one in cats
    ]
    assert [look.values for look in found.unused] == [{"label": "dog"}]
    assert [ruling.values for ruling in found.rulings] == [{"label": "dog"}]
    with pytest.raises(NotFound):
        lineage_of(batch, made, "nothing")
