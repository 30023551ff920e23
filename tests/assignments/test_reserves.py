"""What a batch set aside goes where its terms say, and the rest comes back, to the unit (R6, R18)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from marketplace.batches.commands.lifecycle import close_batch
from marketplace.batches.models import Batch
from marketplace.batches.queries import progress
from marketplace.common.database import rows, run, value
from marketplace.ledger.addresses import FEES, disputes_of, earned_by, escrow_of, topup_of
from marketplace.ledger.errors import NotEnough
from marketplace.ledger.queries import balance
from tests import factories as make
from tests.acts import broken, in_one
from workers.assignments.commands.decide import accept_answers, cancel, finish_batch, reject_answers
from workers.assignments.commands.extras import pay_bonus
from workers.assignments.commands.pay import settle_due
from workers.assignments.commands.reserves import release_disputes, release_unneeded
from workers.assignments.commands.uphold import uphold_answers
from workers.assignments.errors import BonusReused, NotDecidable, NoWorkToReward
from workers.assignments.models import Assignment, Extra
from workers.assignments.queries import disputes_over
from workers.assignments.states import RejectReason
from workers.profiles.models import Worker

pytestmark = pytest.mark.django_db
Forward = Callable[[timedelta], None]
UNIT = make.PRICE + make.FEE


def at(address: str) -> int:
    return balance(address, "EUR")


def answered(batch: Batch, worker: Worker | None = None, count: int = 1) -> tuple[Worker, list[Assignment]]:
    """Somebody answers some tasks."""
    worker = worker or make.make_worker()
    make.answer(worker, make.take(worker, batch, count))
    return worker, list(Assignment.objects.filter(worker=worker, state="submitted").order_by("pk"))


def accept(batch: Batch, *answers: Assignment) -> None:
    in_one(accept_answers, batch_id=batch.pk, assignments=[answer.public_id for answer in answers])


def reject(batch: Batch, *answers: Assignment) -> None:
    in_one(
        reject_answers,
        batch_id=batch.pk,
        assignments=[answer.public_id for answer in answers],
        reason=RejectReason.WRONG,
        comment="No cat.",
        made_by=make.owner_of(batch.requester).pk,
    )


def uphold(batch: Batch, *answers: Assignment) -> int:
    staff = make.make_user()
    return int(
        in_one(
            uphold_answers,
            batch_id=batch.pk,
            assignments=[answer.public_id for answer in answers],
            made_by=staff.pk,
            reason="The answer was right.",
        )
    )


def to_the_end(batch: Batch) -> None:
    for _again in range(6):
        in_one(settle_due)
        in_one(finish_batch, batch_id=batch.pk)
    batch.refresh_from_db()


# --- places that nobody can take any more ---------------------------------------------------------------------------


def test_a_batch_that_closes_gives_back_at_once_what_nobody_can_earn_any_more() -> None:
    batch = make.make_batch(tasks=4, overlap=1)
    before = make.funds(batch)
    worker, (done, open_one) = answered(batch, count=2)
    holder = make.make_worker()
    make.take(holder, batch)
    accept(batch, done)
    in_one(close_batch, batch_id=batch.pk)

    # One is accepted and unpaid, one undecided, one leased, and one was never taken.
    assert in_one(release_unneeded, batch_id=batch.pk) == 1
    assert make.funds(batch) - before == UNIT
    assert at(escrow_of(batch.public_id)) == 3 * UNIT
    assert in_one(release_unneeded, batch_id=batch.pk) == 0

    in_one(settle_due)
    reject(batch, open_one)
    assert in_one(release_unneeded, batch_id=batch.pk) == 1
    assert (at(escrow_of(batch.public_id)), make.funds(batch) - before) == (UNIT, UNIT)
    assert at(disputes_of(batch.public_id)) == UNIT, "the rejection can be contested, and nothing lay aside for it"
    assert broken() == []
    assert at(earned_by(worker.public_id)) == make.PRICE


def test_nothing_is_given_back_while_a_batch_takes_work() -> None:
    batch = make.make_batch(tasks=2, overlap=1)
    assert in_one(release_unneeded, batch_id=batch.pk) == 0
    assert at(escrow_of(batch.public_id)) == 2 * UNIT


def test_a_cancelled_batch_pays_what_was_submitted_and_gives_back_the_rest() -> None:
    batch = make.make_batch(tasks=5, overlap=1, dispute_basis_points=2_000)
    before = make.funds(batch)
    worker, (one, two) = answered(batch, count=2)
    make.take(make.make_worker(), batch, 2)
    in_one(cancel, batch_id=batch.pk)
    in_one(finish_batch, batch_id=batch.pk)
    assert make.funds(batch) - before == 3 * UNIT
    accept(batch, one, two)
    to_the_end(batch)
    assert (batch.state, batch.settled_at is not None) == ("cancelled", True)
    assert at(earned_by(worker.public_id)) == 2 * make.PRICE
    assert at(disputes_of(batch.public_id)) == UNIT
    assert in_one(release_disputes, batch_id=batch.pk)
    assert make.funds(batch) - before == 3 * UNIT + UNIT
    assert broken() == []


# --- disputes -------------------------------------------------------------------------------------------------------


def test_an_upheld_answer_is_paid_from_what_lies_aside_and_its_place_stays_somebody_elses() -> None:
    batch = make.make_batch(tasks=1, overlap=1, dispute_basis_points=500)
    assert at(disputes_of(batch.public_id)) == UNIT
    wronged, (answer,) = answered(batch)
    reject(batch, answer)
    other, (second,) = answered(batch)
    accept(batch, second)
    in_one(settle_due)
    free = make.funds(batch)

    assert uphold(batch, answer) == 1
    assert uphold(batch, answer) == 0
    in_one(settle_due)
    assert (at(earned_by(wronged.public_id)), at(earned_by(other.public_id))) == (make.PRICE, make.PRICE)
    assert (at(disputes_of(batch.public_id)), at(escrow_of(batch.public_id)), make.funds(batch)) == (0, 0, free)
    answer.refresh_from_db()
    assert (answer.state, answer.uphold.reason) == ("upheld", "The answer was right.")
    assert progress(batch).paid_micros == 2 * make.PRICE
    assert broken() == []


def test_where_the_reserve_is_short_the_requester_pays_and_where_he_cannot_nothing_happens() -> None:
    batch = make.make_batch(tasks=3, overlap=1, dispute_basis_points=500)
    worker, answers = answered(batch, count=3)
    reject(batch, *answers)
    make.spend_all(batch, but=UNIT)
    with pytest.raises(NotEnough) as short:
        uphold(batch, *answers)
    assert short.value.facts["missing_micros"] == UNIT
    assert "0.044 EUR for answers wrongly rejected" in short.value.detail
    assert set(Assignment.objects.values_list("state", flat=True)) == {"rejected"}

    assert uphold(batch, *answers[:2]) == 2
    assert (make.funds(batch), at(disputes_of(batch.public_id))) == (0, 2 * UNIT)
    in_one(settle_due)
    assert at(earned_by(worker.public_id)) == 2 * make.PRICE
    assert broken() == []


def test_only_rejections_are_undone_and_never_without_a_reason() -> None:
    batch = make.make_batch(tasks=2, overlap=1)
    _worker, (answer, other) = answered(batch, count=2)
    reject(batch, other)
    with pytest.raises(NotDecidable):
        uphold(batch, answer, other)
    with pytest.raises(IntegrityError, match="undone with a reason"), transaction.atomic():
        run("UPDATE assignments_assignment SET state = 'upheld' WHERE id = %s", [other.pk])
    assert set(Assignment.objects.values_list("state", flat=True)) == {"submitted", "rejected"}


def test_money_for_disputes_comes_back_when_no_rejection_can_be_contested_any_more(clock: Forward) -> None:
    batch = make.make_batch(tasks=2, overlap=1, dispute_basis_points=5_000)
    worker, (good, bad) = answered(batch, count=2)
    reject(batch, bad)
    accept(batch, good)
    in_one(close_batch, batch_id=batch.pk)
    to_the_end(batch)
    assert batch.settled_at is not None
    free = make.funds(batch)
    assert disputes_over(10) == []
    with pytest.raises(IntegrityError, match="can still be contested"):
        in_one(release_disputes, batch_id=batch.pk)

    clock(timedelta(days=7, seconds=1))
    assert disputes_over(10) == [batch.pk]
    assert in_one(release_disputes, batch_id=batch.pk)
    assert not in_one(release_disputes, batch_id=batch.pk)
    assert (at(disputes_of(batch.public_id)), make.funds(batch)) == (0, free + UNIT)
    assert disputes_over(10) == []
    # Even now a wrong can be put right, by the requester's free money.
    assert uphold(batch, bad) == 1
    in_one(settle_due)
    assert (at(earned_by(worker.public_id)), make.funds(batch)) == (2 * make.PRICE, free)
    assert broken() == []


# --- bonuses --------------------------------------------------------------------------------------------------------


def bonus(batch: Batch, worker: Worker, amount: int, reference: str = "may", reason: str = "Careful work") -> Any:
    return in_one(
        pay_bonus,
        batch_id=batch.pk,
        worker_id=worker.pk,
        amount_micros=amount,
        reason=reason,
        reference=reference,
        made_by=batch.requester.members.get().user_id,
    )


def test_a_bonus_is_paid_once_with_its_fee_and_its_reason() -> None:
    batch = make.make_batch(tasks=1, overlap=1)
    worker, _ = answered(batch)
    before, fees = make.funds(batch), at(FEES)
    first = bonus(batch, worker, 1_000_001)
    assert (first.amount_micros, first.fee_micros, first.is_new) == (1_000_001, 100_001, True)
    again = bonus(batch, worker, 1_000_001)
    assert (again.public_id, again.is_new) == (first.public_id, False)
    assert (before - make.funds(batch), at(earned_by(worker.public_id)), at(FEES) - fees) == (
        1_100_002,
        1_000_001,
        100_001,
    )
    with pytest.raises(BonusReused):
        bonus(batch, worker, 5)
    with pytest.raises(BonusReused):
        bonus(batch, worker, 1_000_001, reason="Something else")
    assert bonus(batch, worker, 5, reference="june").is_new
    assert broken() == []


def test_a_bonus_is_for_work_and_for_what_is_there() -> None:
    batch = make.make_batch(tasks=1, overlap=1)
    stranger = make.make_worker()
    with pytest.raises(NoWorkToReward):
        bonus(batch, stranger, 5)
    make.take(stranger, batch)
    with pytest.raises(NoWorkToReward):
        bonus(batch, stranger, 5)
    worker, _ = answered(make.make_batch(tasks=1, overlap=1, project=batch.project))
    with pytest.raises(NoWorkToReward):
        bonus(batch, worker, 5)
    other = make.make_batch(tasks=1, overlap=1)
    worker, _ = answered(other)
    have = make.funds(other)
    with pytest.raises(NotEnough):
        bonus(other, worker, have)
    assert (make.funds(other), Extra.objects.count()) == (have, 0)
    assert broken() == []


# --- top-up ---------------------------------------------------------------------------------------------------------


def test_a_batch_is_raised_to_its_hourly_target_by_the_median_time(clock: Forward) -> None:
    # 0.02 for an answer that takes 12 s is 6.00 an hour; 9.00 were promised.
    batch = make.make_batch(tasks=5, overlap=1, target_hourly_micros=9_000_000, topup_basis_points=10_000)
    aside = 5 * (make.PRICE + make.FEE)
    assert at(topup_of(batch.public_id)) == aside
    before, paid = make.funds(batch), {}
    for seconds in (8, 12, 12, 12, 60):
        worker = make.make_worker()
        lease = make.take(worker, batch)
        clock(timedelta(seconds=seconds))
        make.answer(worker, lease)
        paid[worker.public_id] = seconds
    accept(batch, *Assignment.objects.all())
    in_one(close_batch, batch_id=batch.pk)
    to_the_end(batch)
    median, each = rows("SELECT median_ms, topup_micros FROM assignments_reserve")[0]
    assert 12_000 <= median < 13_000
    assert each == -(-9_000_000 * median // 3_600_000) - make.PRICE
    assert 10_000 <= each < 12_500
    assert {at(earned_by(worker)) for worker in paid} == {make.PRICE + each}
    assert batch.settled_at is not None
    fee = -(-each // 10)
    assert (at(topup_of(batch.public_id)), make.funds(batch) - before) == (0, aside - 5 * (each + fee))
    assert progress(batch).topup_micros == 5 * each
    assert broken() == []


def test_answers_of_one_page_share_its_time_and_nobody_works_twice_at_once(clock: Forward) -> None:
    terms = {"price_micros": 100_000, "target_hourly_micros": 36_000_000, "topup_basis_points": 100_000}
    together = make.make_batch(tasks=10, overlap=1, **terms)
    one_by_one = make.make_batch(tasks=10, overlap=1, project=together.project, **terms)
    for batch, pages in ((together, 1), (one_by_one, 10)):
        # Ten seconds for each: at 0.10 that is 36.00 an hour already, however they are taken and handed in.
        worker = make.make_worker()
        leases = make.take(worker, batch, 10)
        for page in range(pages):
            clock(timedelta(seconds=100 // pages))
            make.answer(worker, leases[page::pages] if pages > 1 else leases)
        accept(batch, *Assignment.objects.filter(batch=batch))
        in_one(close_batch, batch_id=batch.pk)
        to_the_end(batch)
        assert batch.settled_at is not None
        ((median, each),) = rows(
            "SELECT median_ms, topup_micros FROM assignments_reserve WHERE batch_id = %s", [batch.pk]
        )
        assert 10_000 <= median < 10_200
        assert each < 2_000
    assert broken() == []


def test_a_top_up_stops_at_its_limit_and_a_batch_that_pays_enough_gives_all_back(clock: Forward) -> None:
    for seconds, limit, each in ((3_000, 500, make.PRICE // 20), (0, 500, 0)):
        batch = make.make_batch(tasks=1, overlap=1, target_hourly_micros=9_000_000, topup_basis_points=limit)
        worker = make.make_worker()
        lease = make.take(worker, batch)
        clock(timedelta(seconds=min(seconds, 800)))
        make.answer(worker, lease)
        accept(batch, *Assignment.objects.filter(batch=batch))
        in_one(close_batch, batch_id=batch.pk)
        to_the_end(batch)
        assert batch.settled_at is not None
        assert at(earned_by(worker.public_id)) == make.PRICE + each
        assert at(topup_of(batch.public_id)) == 0
    assert broken() == []


def test_a_batch_without_answers_settles_although_it_promised_a_target() -> None:
    batch = make.make_batch(tasks=2, overlap=1, target_hourly_micros=9_000_000, topup_basis_points=500)
    before = make.funds(batch)
    in_one(close_batch, batch_id=batch.pk)
    to_the_end(batch)
    assert batch.settled_at is not None
    assert make.funds(batch) - before == 2 * UNIT + 2 * (make.PRICE // 20 + make.PRICE // 200)
    assert broken() == []


# --- walls ----------------------------------------------------------------------------------------------------------


def test_the_runtime_role_cannot_help_itself() -> None:
    batch = make.make_batch(tasks=2, overlap=1, target_hourly_micros=9_000_000, topup_basis_points=500)
    worker, (answer, _other) = answered(batch, count=2)
    attacks = {
        "INSERT INTO assignments_extra (batch_id, worker_id, kind, reference, amount_micros, fee_micros, reason,"
        f" made_at) VALUES ({batch.pk}, {worker.pk}, 'topup', 'x', 5, 0, 'x', market_now())": "permission denied",
        "UPDATE assignments_reserve SET topup_micros = 5": "permission denied",
        "UPDATE assignments_reserve SET released_places = 5": "permission denied",
        "UPDATE assignments_reserve SET topup_released_at = market_now()": "is not paid yet",
        "UPDATE assignments_reserve SET disputes_released_at = market_now()": "can still be contested",
        "DELETE FROM assignments_reserve": "permission denied",
        f"SELECT assignments_raise_pay({batch.pk})": "follows from the terms",
        f"UPDATE batches_batch SET settled_at = market_now() WHERE id = {batch.pk}": "open or unpaid work",
        f"UPDATE assignments_assignment SET state = 'upheld' WHERE id = {answer.pk}": "does not go from",
        "INSERT INTO assignments_uphold (assignment_id, made_by_id, reason, made_at)"
        f" VALUES ({answer.pk}, {make.owner_of(batch.requester).pk}, '', market_now())": "uphold_has_reason",
    }
    for attack, refusal in attacks.items():
        with pytest.raises(DatabaseError, match=refusal), transaction.atomic():
            run(attack)
    close = in_one(close_batch, batch_id=batch.pk)
    assert close.state == "closing"
    accept(batch, *Assignment.objects.all())
    assert value("SELECT assignments_raise_pay(%s)", [batch.pk]) == 0, "two answers in no time are paid well enough"
    with pytest.raises(DatabaseError, match="open or unpaid work"), transaction.atomic():
        run("UPDATE batches_batch SET settled_at = market_now() WHERE id = %s", [batch.pk])
