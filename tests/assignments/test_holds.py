"""Answers whose acceptance waits for a while, and never longer than seven days (R18); wishes for a review."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from marketplace.batches.models import Batch
from marketplace.common.database import rows, run, value
from tests import factories as make
from tests.acts import broken, in_one
from workers.assignments.commands.decide import accept_answers, apply_due
from workers.assignments.commands.holds import hold_answers, release_answers
from workers.assignments.commands.reopen import ask_review
from workers.assignments.models import Assignment, Hold, ReviewWish
from workers.assignments.origin import Origin
from workers.assignments.queries import review_wishes_page
from workers.profiles.models import Worker

pytestmark = pytest.mark.django_db
Forward = Callable[[timedelta], None]
DAY = timedelta(days=1)
DEADLINE_S = 3 * 86_400


def answered(batch: Batch, count: int = 1) -> tuple[Worker, list[Assignment]]:
    worker = make.make_worker()
    make.answer(worker, make.take(worker, batch, count=count))
    return worker, list(Assignment.objects.filter(worker=worker).order_by("pk"))


def hold(batch: Batch, worker: Worker, days: float, firing: int = 1) -> Any:
    return in_one(
        hold_answers, batch_id=batch.pk, worker_id=worker.pk, life=days * DAY, reason="in doubt", origin=Origin(firing)
    )


def states(*answers: Assignment) -> list[str]:
    return [Assignment.objects.get(pk=answer.pk).state for answer in answers]


def test_held_answers_wait_beyond_their_deadline_and_others_do_not(clock: Forward) -> None:
    batch = make.make_batch(tasks=2, overlap=2, auto_accept_s=DEADLINE_S)
    held, mine = answered(batch, 2)
    _, others = answered(batch, 2)
    hold(batch, held, 5)

    clock(4 * DAY)
    in_one(apply_due, batch_id=batch.pk)
    assert states(*mine, *others) == ["submitted", "submitted", "accepted", "accepted"]

    clock(1 * DAY)
    in_one(apply_due)
    assert states(*mine) == ["accepted", "accepted"]
    assert broken() == []


def test_a_hold_concerns_one_batch_and_answers_that_come_later_too(clock: Forward) -> None:
    batch, other = (make.make_batch(tasks=2, overlap=1, auto_accept_s=DEADLINE_S) for _ in range(2))
    worker = make.make_worker()
    hold(batch, worker, 10)
    for of in (batch, other):
        make.answer(worker, make.take(worker, of))

    clock(4 * DAY)
    in_one(apply_due)

    assert rows("SELECT batch_id, state FROM assignments_assignment ORDER BY batch_id") == [
        (batch.pk, "submitted"),
        (other.pk, "accepted"),
    ]


@pytest.mark.parametrize("days", [20, 37, 400])
def test_no_hold_nor_row_of_holds_keeps_an_answer_for_more_than_seven_days(clock: Forward, days: int) -> None:
    batch = make.make_batch(tasks=1, overlap=1, auto_accept_s=DEADLINE_S)
    worker, mine = answered(batch)
    hold(batch, worker, days)
    clock(timedelta(days=9))
    hold(batch, worker, days, firing=2)
    in_one(apply_due)
    assert states(*mine) == ["submitted"]

    clock(1 * DAY)
    in_one(apply_due)

    assert states(*mine) == ["accepted"]
    assert broken() == []


def test_all_submitted_passes_over_held_answers_and_a_name_does_not() -> None:
    batch = make.make_batch(tasks=2, overlap=2)
    held, mine = answered(batch, 2)
    _, others = answered(batch, 1)
    hold(batch, held, 5)

    assert in_one(accept_answers, batch_id=batch.pk, assignments=None) == 1
    assert states(*mine, *others) == ["submitted", "submitted", "accepted"]
    assert in_one(accept_answers, batch_id=batch.pk, assignments=[mine[0].public_id]) == 1
    in_one(make.reject, batch=batch, assignments=mine[1:])
    assert states(*mine) == ["accepted", "rejected"]
    assert broken() == []


def test_a_release_ends_holds_and_accepts_at_once_what_is_over_its_deadline(clock: Forward) -> None:
    batch = make.make_batch(tasks=2, overlap=1, auto_accept_s=DEADLINE_S)
    worker, early = answered(batch, 1)
    hold(batch, worker, 6)
    hold(batch, worker, 9, firing=2)
    clock(3 * DAY)
    make.answer(worker, make.take(worker, batch))
    late = Assignment.objects.filter(worker=worker).latest("submitted_at")

    assert in_one(release_answers, batch_id=batch.pk, worker_id=worker.pk, reason="he proved himself") == (2, 1)

    assert states(*early, late) == ["accepted", "submitted"]
    assert in_one(release_answers, batch_id=batch.pk, worker_id=worker.pk, reason="again") == (0, 0)
    clock(3 * DAY)
    in_one(apply_due)
    assert states(late) == ["accepted"]
    assert broken() == []


def test_the_same_firing_holds_once_and_a_longer_hold_is_kept() -> None:
    batch, worker = make.make_batch(tasks=1), make.make_worker()
    until = hold(batch, worker, 5)

    assert hold(batch, worker, 5) == until
    assert hold(batch, worker, 2, firing=2) == until
    assert hold(batch, worker, 6, firing=1) == until
    assert Hold.objects.count() == 1
    assert hold(batch, worker, 6, firing=3) > until


def test_a_firing_or_a_person_is_behind_each_doubt_and_never_both() -> None:
    for wrong in ({}, {"firing_id": 1, "made_by": 2}):
        with pytest.raises(ValueError, match="not both"):
            Origin(**wrong)


INSERT = (
    "INSERT INTO assignments_hold (worker_id, batch_id, until, reason, firing_id, made_by_id, made_at, ended_at)"
    " SELECT {}, {}, market_now() + interval '{}', {}, {}, {}, market_now() + interval '{}', {}"
)


@pytest.mark.parametrize(
    ("life", "reason", "firing", "by", "made", "ended"),
    [
        ("38 days", "'x'", "1", "NULL", "0 s", "NULL"),
        ("-1 s", "'x'", "1", "NULL", "0 s", "NULL"),
        ("60 days", "'x'", "1", "NULL", "40 days", "NULL"),
        ("1 day", "''", "1", "NULL", "0 s", "NULL"),
        ("1 day", "'x'", "NULL", "NULL", "0 s", "NULL"),
        ("1 day", "'x'", "1", "{user}", "0 s", "NULL"),
        ("1 day", "'x'", "1", "NULL", "0 s", "market_now()"),
    ],
)
def test_the_database_takes_no_hold_that_is_long_or_has_nobody_behind_it(
    life: str, reason: str, firing: str, by: str, made: str, ended: str
) -> None:
    batch, other, worker = make.make_batch(tasks=1), make.make_batch(tasks=1), make.make_worker()
    right = (worker.pk, batch.pk, "37 days", "'x'", "1", "NULL", "0 s", "NULL")
    with transaction.atomic():
        run(INSERT.format(*right))
    with pytest.raises(IntegrityError), transaction.atomic():
        by = by.format(user=worker.user_id)
        run(INSERT.format(worker.pk, other.pk, life, reason, firing, by, made, ended))


def test_the_runtime_role_changes_nothing_of_a_hold_but_its_end() -> None:
    batch, worker = make.make_batch(tasks=1), make.make_worker()
    hold(batch, worker, 5)
    for attack in ("UPDATE assignments_hold SET until = until + interval '1 day'", "DELETE FROM assignments_hold",
                   "UPDATE assignments_reviewwish SET reason = 'x'", "DELETE FROM assignments_discount"):  # fmt: skip
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            run(attack)
    in_one(release_answers, batch_id=batch.pk, worker_id=worker.pk, reason="over")
    for attack in ("ended_at = NULL, end_reason = ''", "ended_at = market_now()", "end_reason = 'other'"):
        with pytest.raises(IntegrityError, match="ends once"), transaction.atomic():
            run(f"UPDATE assignments_hold SET {attack}")


# --- reviews ------------------------------------------------------------------------------------------------------


def wishes(batch: Batch, state: str | None = None) -> list[tuple[Any, ...]]:
    found = review_wishes_page(batch.pk, state=state, after_id=0, limit=100)
    return [(row["answer"], row["reason"], row["done"]) for row in found]


def test_a_wish_for_a_review_names_the_undecided_answers_until_they_are_decided() -> None:
    batch = make.make_batch(tasks=3, overlap=2)
    worker, mine = answered(batch, 3)
    answered(batch, 3)
    in_one(accept_answers, batch_id=batch.pk, assignments=[mine[0].public_id])

    def ask(firing: int) -> int:
        return in_one(ask_review, batch_id=batch.pk, worker_id=worker.pk, reason="fast", origin=Origin(firing))

    assert (ask(1), ask(1)) == (2, 0)
    assert wishes(batch, "open") == [(answer.public_id, "fast", False) for answer in mine[1:]]
    in_one(accept_answers, batch_id=batch.pk, assignments=[mine[1].public_id])
    assert wishes(batch, "open") == [(mine[2].public_id, "fast", False)]
    assert wishes(batch, "done") == [(mine[1].public_id, "fast", True)]
    assert len(wishes(batch)) == ReviewWish.objects.count() == 2
    assert ask(2) == 1


def test_a_wish_says_until_when_the_answer_waits(clock: Forward) -> None:
    batch = make.make_batch(tasks=1, overlap=1, auto_accept_s=DEADLINE_S)
    worker, _ = answered(batch)
    in_one(ask_review, batch_id=batch.pk, worker_id=worker.pk, reason="fast", origin=Origin(1))

    def decide_by() -> timedelta:
        [row] = review_wishes_page(batch.pk, state=None, after_id=0, limit=9)
        return row["decide_by"] - value("SELECT date_trunc('minute', auto_accept_at) FROM assignments_assignment")

    assert decide_by() == timedelta(0)
    hold(batch, worker, 2)
    assert decide_by() == timedelta(0)
    hold(batch, worker, 5, firing=2)
    assert timedelta(days=2) - timedelta(minutes=1) <= decide_by() <= timedelta(days=2)
    hold(batch, worker, 30, firing=3)
    assert decide_by() == timedelta(days=7)
