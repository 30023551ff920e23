"""What the database refuses of assignments, answers and payments, whoever asks and however the program forgets to."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, transaction

from marketplace.batches.commands.lifecycle import close_batch, pause_batch, resume_batch
from marketplace.batches.models import Batch, Task
from marketplace.common.database import run
from marketplace.common.promises import check_promises
from tests import factories as make
from tests.acts import in_one
from workers.assignments.commands.decide import accept_answers, apply_due
from workers.assignments.commands.pay import settle_due
from workers.assignments.models import Assignment
from workers.assignments.states import RejectReason
from workers.profiles.models import Worker

Forward = Callable[[timedelta], None]


def refused(sql: str, params: Any, match: str) -> None:
    with pytest.raises(IntegrityError, match=match), transaction.atomic():
        run(sql, params)


LEASE = (
    "INSERT INTO assignments_assignment (batch_id, task_id, worker_id, version_id, place, lease_no, lease_until)"
    " VALUES (%s, %s, %s, %s, 1, 1, market_now() + interval '1 hour')"
)


def lease_of(batch: Batch, task: Task, worker: Worker) -> list[int]:
    return [batch.pk, task.pk, worker.pk, batch.version_id]


@pytest.mark.django_db
def test_no_lease_begins_in_a_batch_that_is_not_published() -> None:
    batch, worker = make.make_batch(tasks=1), make.make_worker()
    lease = lease_of(batch, Task.objects.get(batch=batch), worker)
    in_one(lambda: pause_batch(batch_id=batch.pk))
    refused(LEASE, lease, "takes no work now")
    in_one(lambda: resume_batch(batch_id=batch.pk))
    with transaction.atomic():
        assert run(LEASE, lease) == 1
        transaction.set_rollback(True)
    in_one(lambda: close_batch(batch_id=batch.pk))
    refused(LEASE, lease, "takes no work now")


@pytest.mark.django_db
def test_no_lease_is_revived_in_a_batch_that_is_not_published(clock: Forward) -> None:
    batch, worker = make.make_batch(tasks=1, time_limit_s=60), make.make_worker()
    make.take(worker, batch)
    clock(timedelta(seconds=61))
    in_one(lambda: apply_due(batch_id=batch.pk))
    revive = (
        "UPDATE assignments_assignment SET state = 'leased', token = gen_random_uuid(), attempts = attempts + 1,"
        " leased_at = market_now(), lease_until = market_now() + interval '1 minute'"
    )
    in_one(lambda: pause_batch(batch_id=batch.pk))
    refused(revive, [], "takes no work now")
    in_one(lambda: resume_batch(batch_id=batch.pk))
    assert run(revive) == 1


@pytest.mark.django_db
@pytest.mark.usefixtures("untold")
def test_a_lease_of_one_batch_is_never_on_a_task_of_another() -> None:
    batch, other = make.make_batch(tasks=1), make.make_batch(tasks=1)
    foreign = Task.objects.get(batch=other)
    refused(LEASE, lease_of(batch, foreign, make.make_worker()), "not in this batch")
    assert run(LEASE, lease_of(other, foreign, make.make_worker())) == 1


@pytest.mark.django_db
def test_a_revived_lease_has_a_new_token_and_counts_as_an_attempt(clock: Forward) -> None:
    batch, worker = make.make_batch(tasks=1, time_limit_s=60), make.make_worker()
    make.take(worker, batch)
    clock(timedelta(seconds=61))
    in_one(lambda: apply_due(batch_id=batch.pk))
    revive = (
        "UPDATE assignments_assignment SET state = 'leased', leased_at = market_now(),"
        " lease_until = market_now() + interval '1 minute'"
    )
    refused(f"{revive}, attempts = attempts + 1", [], "needs a new token")
    refused(f"{revive}, token = gen_random_uuid()", [], "counts as an attempt")
    assert run(f"{revive}, token = gen_random_uuid(), attempts = attempts + 1") == 1


@pytest.mark.django_db
@pytest.mark.parametrize("change", ["token = gen_random_uuid()", "place = 2", "attempts = 0"])
def test_a_lease_keeps_its_token_place_and_attempts_while_it_lives(change: str) -> None:
    make.take(make.make_worker(), make.make_batch(tasks=1))
    refused(f"UPDATE assignments_assignment SET {change}", [], "change with a new lease only")


@pytest.mark.django_db
@pytest.mark.usefixtures("untold")
def test_a_lease_names_a_task_and_the_version_of_its_batch_and_counts_from_one() -> None:
    batch, worker = make.make_batch(tasks=1), make.make_worker()
    [batch_id, task_id, worker_id, version_id] = lease_of(batch, Task.objects.get(batch=batch), worker)
    refused(LEASE, [batch_id, task_id, worker_id, version_id + 1], "the version is the one of the batch")
    refused(LEASE, [batch_id + 1, task_id, worker_id, version_id], "not in this batch")
    refused(LEASE, [batch_id, task_id + 1, worker_id, version_id], "not in this batch")
    refused(LEASE, [batch_id, task_id, worker_id + 1, version_id], "not in this batch")
    for numbers in ("0, 1", "1, 0", "-1, 1"):
        refused(LEASE.replace("1, 1", numbers, 1), [batch_id, task_id, worker_id, version_id], "count from 1")
    assert run(LEASE, [batch_id, task_id, worker_id, version_id]) == 1


@pytest.mark.django_db
def test_a_state_is_one_of_the_table_and_a_rejection_has_a_reason() -> None:
    batch, worker = make.make_batch(tasks=1), make.make_worker()
    lease = make.take(worker, batch)
    refused("UPDATE assignments_assignment SET state = 'lost'", [], "does not go from leased to lost")
    make.answer(worker, lease)
    refused("UPDATE assignments_assignment SET state = 'rejected'", [], "has a reason")
    reject = "UPDATE assignments_assignment SET state = 'rejected', comment = 'no', end_reason = %s"
    refused(reject, ["mood"], "has a reason")
    for reason in RejectReason.values:
        refused(reject, [reason], "says why, in words")
        with transaction.atomic():
            run(
                "INSERT INTO assignments_rejection (assignment_id, batch_id, reason, comment, version_id, made_by_id,"
                " made_at) SELECT a.id, a.batch_id, %s, 'no', a.version_id, u.id, market_now()"
                " FROM assignments_assignment a, (SELECT min(id) AS id FROM accounts_user) u",
                [reason],
            )
            assert run(reject, [reason]) == 1
            transaction.set_rollback(True)


ANSWER = (
    "INSERT INTO assignments_answer (assignment_id, revision, batch_id, values, submitted_at)"
    """ VALUES (%s, %s, %s, '{"label": "cat"}', market_now())"""
)


@pytest.mark.django_db
def test_only_a_submitted_assignment_of_the_batch_has_an_answer() -> None:
    batch, other, worker = make.make_batch(tasks=1), make.make_batch(tasks=1), make.make_worker()
    lease = make.take(worker, batch)
    pk = Assignment.objects.get(public_id=lease[0].id).pk
    refused(ANSWER, [pk, 1, batch.pk], "only a submitted assignment")
    make.answer(worker, lease)
    refused(ANSWER, [pk, 2, other.pk], "only a submitted assignment")
    in_one(lambda: accept_answers(batch_id=batch.pk, assignments=None))
    refused(ANSWER, [pk, 2, batch.pk], "only a submitted assignment")


@pytest.mark.django_db
def test_the_revisions_of_an_answer_leave_no_gap() -> None:
    batch, worker = make.make_batch(tasks=1), make.make_worker()
    make.answer(worker, make.take(worker, batch))
    pk = Assignment.objects.get().pk
    for revision in (0, 3):
        refused(ANSWER, [pk, revision, batch.pk], "numbered one by one")
    assert run(ANSWER, [pk, 2, batch.pk]) == 1


SETTLE = "UPDATE batches_batch SET state = 'settled', settled_at = market_now() WHERE id = %s"


@pytest.mark.django_db
@pytest.mark.usefixtures("untold")
def test_a_batch_settles_neither_over_a_lease_nor_an_answer_nor_a_payment_that_is_due() -> None:
    batch, worker = make.make_batch(tasks=1, overlap=1), make.make_worker()
    lease = make.take(worker, batch)
    in_one(lambda: close_batch(batch_id=batch.pk))
    refused(SETTLE, [batch.pk], "open or unpaid")
    make.answer(worker, lease)
    refused(SETTLE, [batch.pk], "open or unpaid")
    in_one(lambda: accept_answers(batch_id=batch.pk, assignments=None))
    refused(SETTLE, [batch.pk], "open or unpaid")
    in_one(settle_due)
    assert run(SETTLE, [batch.pk]) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("again", ["NULL", "market_now()"])
def test_a_payment_that_was_made_is_neither_due_again_nor_dated_anew(again: str) -> None:
    batch, worker = make.make_batch(tasks=1), make.make_worker()
    make.answer(worker, make.take(worker, batch))
    in_one(lambda: accept_answers(batch_id=batch.pk, assignments=None))
    assert in_one(settle_due) == 1
    refused(f"UPDATE assignments_settlement SET settled_at = {again}", [], "paid once")
    assert in_one(settle_due) == 0
    assert [f.name for f in check_promises() if f.violations] == []


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE assignments_settlement SET price_micros = price_micros * 2",
        "UPDATE assignments_settlement SET fee_micros = 0",
        "UPDATE assignments_settlement SET worker_id = (SELECT max(id) FROM profiles_worker)",
        "DELETE FROM assignments_settlement",
        "INSERT INTO assignments_settlement (assignment_id, batch_id, worker_id, price_micros, fee_micros, due_at)"
        " SELECT 0, batch_id, worker_id, price_micros, fee_micros, due_at FROM assignments_settlement",
    ],
)
def test_even_the_owner_cannot_change_what_is_due(
    committed: str, as_owner: psycopg.Connection[Any], attack: str
) -> None:
    batch, worker = make.make_batch(tasks=1), make.make_worker()
    make.answer(worker, make.take(worker, batch))
    in_one(lambda: accept_answers(batch_id=batch.pk, assignments=None))
    make.make_worker()
    with pytest.raises(psycopg.errors.CheckViolation):
        as_owner.execute(attack)
    assert in_one(settle_due) == 1
    assert [f.name for f in check_promises() if f.violations] == []
