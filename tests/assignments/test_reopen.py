"""Doubt about a worker's answers: others are asked too, and what he gave has no vote any more; he keeps his pay."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from marketplace.batches.models import Batch, Task
from marketplace.common.database import rows, run
from marketplace.ledger.errors import NotEnough
from tests import factories as make
from tests.acts import broken, in_one
from workers.assignments.commands.decide import accept_answers
from workers.assignments.commands.pay import settle_due
from workers.assignments.commands.reopen import discount_answers, raise_overlap, reopen_answers
from workers.assignments.models import Assignment, Discount
from workers.assignments.origin import Origin
from workers.assignments.queries import earnings
from workers.profiles.models import Worker

pytestmark = pytest.mark.django_db
FIRING = Origin(firing_id=7)
UNIT = make.PRICE + make.FEE


def answered(batch: Batch, count: int) -> tuple[Worker, list[Assignment]]:
    """One at a time, so that it is known which are the last."""
    worker = make.make_worker()
    for _answer in range(count):
        make.answer(worker, make.take(worker, batch))
    return worker, list(Assignment.objects.filter(worker=worker).order_by("submitted_at"))


def reopen(batch: Batch, worker: Worker, answers: int) -> Any:
    return in_one(
        reopen_answers, batch_id=batch.pk, worker_id=worker.pk, answers=answers, reason="in doubt", origin=FIRING
    )


def test_his_last_answers_are_asked_again_and_have_no_vote_and_he_is_paid() -> None:
    batch = make.make_batch(tasks=4, overlap=1)
    worker, mine = answered(batch, 4)

    assert reopen(batch, worker, 2).places == 2

    assert set(Discount.objects.values_list("assignment_id", flat=True)) == {mine[2].pk, mine[3].pk}
    assert {task.pk: task.overlap for task in Task.objects.all()} == {
        answer.task_id: 2 if answer in mine[2:] else 1 for answer in mine
    }
    assert broken() == []
    assert reopen(batch, worker, 2).places == 0
    assert reopen(batch, worker, 3).places == 1
    in_one(accept_answers, batch_id=batch.pk, assignments=None)
    in_one(settle_due)
    assert earnings(worker.pk)[0].settled_micros == 4 * make.PRICE
    assert broken() == []


def test_an_answer_that_was_rejected_is_asked_again_already() -> None:
    batch = make.make_batch(tasks=2, overlap=1)
    worker, mine = answered(batch, 2)
    in_one(make.reject, batch=batch, assignments=mine[1:])

    assert reopen(batch, worker, 2).places == 1
    assert [discount.assignment_id for discount in Discount.objects.all()] == [mine[0].pk]


def test_gold_is_not_asked_again_and_keeps_its_vote() -> None:
    batch = make.make_batch(tasks=3, gold=2, overlap=1, gold_policy={"probation": 5, "probation_share": 0.4})
    worker = make.make_worker()
    make.answer(worker, make.take(worker, batch, count=10))
    mine = list(Assignment.objects.filter(worker=worker))
    gold = set(Task.objects.filter(external_id__startswith="g").values_list("pk", flat=True))
    assert any(answer.task_id in gold for answer in mine)

    reopen(batch, worker, 10)

    assert set(Task.objects.filter(pk__in=gold).values_list("overlap", flat=True)) == {1}
    assert not Discount.objects.filter(assignment__task__in=gold).exists()
    assert broken() == []


def test_where_funds_are_short_no_vote_is_lost() -> None:
    batch = make.make_batch(tasks=2, overlap=1)
    worker, _ = answered(batch, 2)
    make.spend_all(batch, but=UNIT)

    with pytest.raises(NotEnough):
        reopen(batch, worker, 2)

    assert not Discount.objects.exists()
    assert reopen(batch, worker, 1).places == 1
    assert broken() == []


def test_more_may_be_asked_about_his_answers_without_taking_their_votes() -> None:
    batch = make.make_batch(tasks=3, overlap=2)
    worker, _ = answered(batch, 3)

    added = in_one(raise_overlap, batch_id=batch.pk, worker_id=worker.pk, answers=2, by=3)

    assert (added.places, added.held_micros) == (6, 6 * UNIT)
    assert not Discount.objects.exists()
    assert broken() == []


def test_a_discount_has_a_reason_and_somebody_behind_it_and_stays() -> None:
    batch = make.make_batch(tasks=1, overlap=1)
    _, [mine] = answered(batch, 1)
    for values in ("'', 1, NULL", "'x', NULL, NULL", f"'x', 1, {mine.worker.user_id}"):
        with pytest.raises(IntegrityError), transaction.atomic():
            run("INSERT INTO assignments_discount (assignment_id, reason, firing_id, made_by_id, made_at)"
                f" VALUES ({mine.pk}, {values}, market_now())")  # fmt: skip
    assert (
        in_one(discount_answers, assignment_ids=[mine.pk], reason="x", origin=Origin(made_by=mine.worker.user_id)) == 1
    )
    assert in_one(discount_answers, assignment_ids=[mine.pk], reason="y", origin=FIRING) == 0
    assert rows("SELECT reason, firing_id FROM assignments_discount") == [("x", None)]
