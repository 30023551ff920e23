"""An answer goes back to its worker for repair: once, with a reason, and nothing counts against him."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, transaction

from marketplace.batches.models import Batch, Task
from marketplace.common.database import rows, run
from marketplace.common.promises import check_promises
from tests import factories as make
from tests.acts import broken, in_one
from workers.assignments.commands.decide import accept_answers, apply_due
from workers.assignments.commands.repair import return_answers
from workers.assignments.errors import NotReturnable, RejectionInvalid
from workers.assignments.models import Answer, Assignment
from workers.assignments.queries import live_leases, repairs_in_hand
from workers.assignments.states import RejectReason
from workers.profiles.models import Worker

Forward = Callable[[timedelta], None]


def given(batch: Batch, worker: Worker | None = None) -> Assignment:
    worker = worker or make.make_worker()
    lease = make.take(worker, batch)[0]
    make.answer(worker, [lease])
    return Assignment.objects.get(public_id=lease.id)


def send_back(*answers: Assignment, comment: str = "Which cat?") -> int:
    return int(
        in_one(
            return_answers,
            batch_id=answers[0].batch_id,
            assignments=[answer.public_id for answer in answers],
            reason=RejectReason.INCOMPLETE,
            comment=comment,
            made_by=make.owner_of(answers[0].batch.requester).pk,
        )
    )


@pytest.mark.django_db
def test_an_answer_comes_back_on_its_place_with_a_new_token_a_full_time_limit_and_itself_as_the_draft() -> None:
    batch, worker = make.make_batch(tasks=1, overlap=1, time_limit_s=600), make.make_worker()
    answer = given(batch, worker)

    assert send_back(answer) == 1

    [lease] = live_leases(worker.pk)
    assert (lease.id, lease.draft) == (answer.public_id, {"label": "cat"})
    assert lease.token != answer.token
    after = Assignment.objects.get(pk=answer.pk)
    assert (after.place, after.state, after.version_id) == (answer.place, "leased", answer.version_id)
    assert (after.lease_until - after.leased_at).total_seconds() == 600
    told = repairs_in_hand(worker.pk)[answer.public_id]
    assert (told.reason, told.comment) == ("incomplete", "Which cat?")
    assert rows("SELECT 1 FROM common_outbox WHERE kind = 'AnswerReturned'")
    assert broken() == []


@pytest.mark.django_db
def test_what_is_submitted_again_is_a_second_revision_and_does_not_go_back_twice() -> None:
    batch, worker = make.make_batch(tasks=1, overlap=1), make.make_worker()
    answer = given(batch, worker)
    send_back(answer)
    assert send_back(answer) == 0, "a repeat changes nothing"
    make.answer(worker, live_leases(worker.pk), "dog")
    assert list(Answer.objects.order_by("revision").values_list("values", flat=True)) == [
        {"label": "cat"}, {"label": "dog"},
    ]  # fmt: skip
    with pytest.raises(NotReturnable):
        send_back(answer)
    assert repairs_in_hand(worker.pk) == {}
    in_one(accept_answers, batch_id=batch.pk, assignments=None)
    assert broken() == []


@pytest.mark.django_db
def test_a_return_without_words_is_refused_and_so_is_one_of_a_decided_answer() -> None:
    batch = make.make_batch(tasks=1, overlap=1)
    answer = given(batch)
    with pytest.raises(RejectionInvalid):
        send_back(answer, comment=" ")
    in_one(accept_answers, batch_id=batch.pk, assignments=None)
    with pytest.raises(NotReturnable):
        send_back(answer)


@pytest.mark.django_db
def test_a_repair_that_nobody_makes_opens_the_place_and_counts_against_nobody(clock: Forward) -> None:
    batch, worker = make.make_batch(tasks=1, overlap=1, time_limit_s=60, max_attempts=1), make.make_worker()
    answer = given(batch, worker)
    send_back(answer)
    clock(timedelta(seconds=61))
    in_one(apply_due, batch_id=batch.pk)
    task = Task.objects.get()
    assert (task.attempts, task.quarantined_at, task.taken) == (0, None, 0)
    assert len(make.take(make.make_worker(), batch)) == 1
    assert broken() == []


@pytest.mark.django_db
def test_a_repair_needs_a_free_lease_of_its_worker_and_goes_beside_those_he_holds() -> None:
    batch, worker = make.make_batch(tasks=6, overlap=1, lease_cap=2), make.make_worker()
    first, second = given(batch, worker), given(batch, worker)
    make.take(worker, batch, 1)
    with pytest.raises(NotReturnable, match="in hand"):
        send_back(first, second)
    assert send_back(first) == 1
    assert sorted(Assignment.objects.filter(state="leased").values_list("lease_no", flat=True)) == [1, 2]
    assert broken() == []


@pytest.mark.django_db
def test_a_repair_on_another_day_uses_that_day(clock: Forward) -> None:
    batch, worker = make.make_batch(tasks=6, overlap=1, daily_limit=2), make.make_worker()
    first, second = given(batch, worker), given(batch, worker)
    clock(timedelta(days=1))
    given(batch, worker)
    with pytest.raises(NotReturnable):
        send_back(first, second)
    assert send_back(first) == 1
    assert broken() == []


@pytest.mark.django_db
def test_a_closing_batch_lets_answers_be_repaired() -> None:
    from marketplace.batches.commands.lifecycle import close_batch

    batch, worker = make.make_batch(tasks=2, overlap=1), make.make_worker()
    answer = given(batch, worker)
    in_one(close_batch, batch_id=batch.pk)
    assert send_back(answer) == 1
    make.answer(worker, live_leases(worker.pk), "dog")
    assert Assignment.objects.get(pk=answer.pk).state == "submitted"
    assert broken() == []


GO_BACK = (
    "UPDATE assignments_assignment SET state = 'leased', token = gen_random_uuid(), attempts = attempts + 1,"
    " leased_at = market_now(), lease_until = market_now() + interval '1 minute'"
)
ROW = (
    "INSERT INTO assignments_repair (assignment_id, batch_id, submitted_at, reason, comment, made_by_id, made_at)"
    " SELECT id, batch_id, submitted_at, 'wrong', %s, (SELECT min(id) FROM accounts_user), market_now()"
    " FROM assignments_assignment"
)


@pytest.mark.django_db
def test_raw_sql_returns_nothing_without_a_reason_and_nothing_twice() -> None:
    batch, worker = make.make_batch(tasks=1, overlap=1), make.make_worker()
    answer = given(batch, worker)
    with pytest.raises(IntegrityError, match="once, with a reason"), transaction.atomic():
        run(GO_BACK)
    with pytest.raises(IntegrityError, match="repair_has_comment"), transaction.atomic():
        run(ROW, [" "])
    send_back(answer)
    make.answer(worker, live_leases(worker.pk))
    with pytest.raises(IntegrityError, match="once, with a reason"), transaction.atomic():
        run(GO_BACK)
    with pytest.raises(IntegrityError, match="assignments_repair_pkey"), transaction.atomic():
        run(ROW, ["again"])
    for sql in ("UPDATE assignments_repair SET comment = 'x'", "DELETE FROM assignments_repair"):
        with pytest.raises(Exception, match="permission denied"), transaction.atomic():
            run(sql)


@pytest.mark.usefixtures("untold")
def test_without_its_wall_an_answer_goes_back_for_ever(committed: str, as_owner: psycopg.Connection[Any]) -> None:
    given(make.make_batch(tasks=1, overlap=1))
    with pytest.raises(IntegrityError), transaction.atomic():
        run(GO_BACK)
    as_owner.execute("DROP TRIGGER repair_with_reason ON assignments_assignment")
    with transaction.atomic():
        assert run(GO_BACK) == 1
    assert "inv_r42_guards" in {f.name for f in check_promises() if f.violations}


def test_a_repair_row_does_not_stay_alone(committed: str) -> None:
    given(make.make_batch(tasks=1, overlap=1))
    with pytest.raises(IntegrityError, match="did not go back"), transaction.atomic():
        run(ROW, ["no"])
