"""A worker's statement: exact, equal to his balances at any moment, and what an hour brought."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace.batches.models import Batch
from marketplace.common.transactions import one_transaction
from marketplace.ledger.addresses import earned_by, outside
from marketplace.ledger.commands import reverse
from marketplace.ledger.periods import Period
from marketplace.ledger.queries import balance
from tests import factories as make
from tests.billing.books import Places, pay, set_time, transfers
from workers.assignments.commands.decide import accept_answers, apply_due, reject_answers
from workers.assignments.commands.leases import return_lease
from workers.assignments.commands.pay import settle_due
from workers.assignments.states import RejectReason, ReturnReason
from workers.earnings.queries import WorkerStatement, earned_lines, worker_statement
from workers.profiles.models import Worker

BEFORE, FIRST = date(2031, 2, 28), date(2031, 3, 1)
MARCH = Period.month(FIRST)
Clock = Callable[[timedelta], None]


def make_places() -> Places:
    set_time(BEFORE)
    requester = make.make_requester(funds_micros=0)
    return Places(requester, [make.make_draft(make.make_project(requester))], [make.make_worker(), make.make_worker()])


@pytest.fixture
def places(db: None) -> Places:
    return make_places()


def leaving(places: Places) -> str:
    return places.earned(0).replace(":earned", ":withdrawing")


def told(places: Places, period: Period = MARCH, currency: str = "EUR") -> WorkerStatement:
    return worker_statement(places.workers[0].pk, currency, period)


def test_a_statement_of_every_kind_of_money_is_exact(places: Places) -> None:
    pay("deposit", outside("bank"), places.funds, 1_000)
    pay("hold", places.funds, places.held(0), 500)
    pay("reserve", places.funds, places.held(0, "disputes"), 100)
    pay("reserve", places.funds, places.held(0, "topup"), 100)
    pay("reward", places.held(0), places.earned(0), 50)
    set_time(FIRST)
    wrong = pay("reward", places.held(0), places.earned(0), 30)
    pay("reward", places.held(0), places.earned(0), 20)
    pay("reward", places.held(0), places.earned(1), 99)
    pay("upheld", places.held(0, "disputes"), places.earned(0), 7)
    pay("topup", places.held(0, "topup"), places.earned(0), 11)
    pay("bonus", places.funds, places.earned(0), 13)
    pay("payout-hold", places.earned(0), leaving(places), 60)
    pay("payout-settled", leaving(places), outside("sepa"), 40)
    pay("payout-back", leaving(places), places.earned(0), 15)
    pay("payout-returned", outside("sepa"), places.earned(0), 4)
    pay("odd", places.earned(0), "platform:float", 1)
    with one_transaction(principal="test"):
        reverse(key="back", of=wrong, memo="a mistake")

    march = told(places)

    assert march.opening_micros == 50
    assert (march.rewards_micros, march.upheld_micros, march.topups_micros, march.bonuses_micros) == (20, 7, 11, 13)
    assert (march.earned_micros, march.returned_micros, march.withdrawn_from_micros) == (51, 4, 45)
    assert (march.other_micros, march.closing_micros) == (-1, 59)
    assert (march.withdrawing_opening_micros, march.withdrawn_micros, march.withdrawing_closing_micros) == (0, 40, 5)
    assert march.closing_micros == balance(places.earned(0), "EUR")
    require_whole(march)


def require_whole(one: WorkerStatement) -> None:
    assert one.closing_micros == (
        one.opening_micros + one.earned_micros + one.returned_micros - one.withdrawn_from_micros + one.other_micros
    )
    assert one.withdrawing_closing_micros == (
        one.withdrawing_opening_micros + one.withdrawn_from_micros - one.withdrawn_micros
        + one.other_withdrawing_micros
    )  # fmt: skip


def test_an_account_that_was_never_used_has_an_empty_statement(places: Places) -> None:
    march = told(places)

    assert (march.opening_micros, march.earned_micros, march.closing_micros, march.due_micros) == (0, 0, 0, 0)
    assert march.hours.per_hour_micros is None
    assert earned_lines(places.workers[0].pk, "EUR", MARCH, after=0, limit=10) == []


def test_currencies_and_months_stand_apart(places: Places) -> None:
    pay("reward", outside("bank"), places.earned(0), 5)
    set_time(FIRST)
    pay("reward", outside("bank"), places.earned(0), 7, currency="USD")

    assert [
        (told(places, currency=c).opening_micros, told(places, currency=c).closing_micros) for c in ("EUR", "USD")
    ] == [
        (5, 5),
        (0, 7),
    ]


@pytest.mark.django_db
def test_whatever_moves_a_statement_is_what_all_transfers_add_up_to() -> None:
    places = make_places()
    addresses = places.all()
    own, out = places.earned(0), leaving(places)
    steps = st.lists(
        st.tuples(st.integers(0, 19), st.booleans(), st.integers(1, 300), st.integers(0, 2)), min_size=10, max_size=30
    )

    @settings(max_examples=30, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(steps=steps, first=st.integers(0, 10), length=st.integers(0, 20))
    def one(steps: list[tuple[int, bool, int, int]], first: int, length: int) -> None:
        with transaction.atomic():
            day = BEFORE
            set_time(day)
            pay("deposit", outside("bank"), own, 1_000)
            for other, comes, amount, days in steps:
                address = addresses[other % len(addresses)]
                day += timedelta(days=days)
                set_time(day)
                a, b = (address, own) if comes else (own, address)
                there = amount if a.startswith("outside:") else min(amount, balance(a, "EUR"))
                if a != b and there:
                    pay("any", a, b, there)
            period = Period(BEFORE + timedelta(days=first), BEFORE + timedelta(days=first + length))
            found = told(places, period)
            moved = [t for t in transfers() if t["day"] <= period.last]

            def net(mine: str, *, before: bool = False) -> int:
                return sum(
                    t["amount"] * ((t["destination"] == mine) - (t["source"] == mine))
                    for t in moved
                    if not before or t["day"] < period.first
                )

            assert (found.opening_micros, found.closing_micros) == (net(own, before=True), net(own))
            assert (found.withdrawing_opening_micros, found.withdrawing_closing_micros) == (
                *(net(out, before=True),),
                net(out),
            )
            require_whole(found)
            lines = earned_lines(places.workers[0].pk, "EUR", period, after=0, limit=1_000)
            assert found.opening_micros + sum(line["delta_micros"] for line in lines) == found.closing_micros
            transaction.set_rollback(True)

    one()


# What an hour brought.


@pytest.fixture
def batch(db: None) -> Batch:
    set_time(FIRST, hour=8)
    return make.make_batch(6, overlap=1, time_limit_s=600, auto_accept_s=86_400)


def work(worker: Worker, batch: Batch, clock: Clock, minutes: int) -> Any:
    """One answer that took so long; its id."""
    (lease,) = make.take(worker, batch)
    clock(timedelta(minutes=minutes))
    make.answer(worker, [lease])
    return lease.id


def act(function: Callable[..., Any], **terms: Any) -> Any:
    with one_transaction(principal="test"):
        return function(**terms)


def test_an_hour_brings_what_was_paid_for_the_time_of_decided_answers(batch: Batch, clock: Clock) -> None:
    ann = make.make_worker()
    first, second, third = (work(ann, batch, clock, minutes) for minutes in (6, 9, 3))
    act(accept_answers, batch_id=batch.pk, assignments=[first])
    act(
        reject_answers,
        batch_id=batch.pk,
        assignments=[second],
        reason=RejectReason.WRONG,
        comment="No cat.",
        made_by=make.owner_of(batch.requester).pk,
    )

    due = worker_statement(ann.pk, "EUR", MARCH)
    act(settle_due, worker_id=ann.pk)
    settled = worker_statement(ann.pk, "EUR", MARCH)

    # 15 minutes for 0.02: 0.08 an hour; the third is undecided and counts for neither.
    assert (due.due_micros, due.earned_micros, due.pending_micros) == (make.PRICE, 0, make.PRICE)
    assert (settled.due_micros, settled.earned_micros, settled.pending_micros) == (0, make.PRICE, make.PRICE)
    for found in (due, settled):
        assert (found.hours.worked_s // 10, found.hours.rejected_s // 10, found.hours.rejected) == (90, 54, 1)
        assert found.hours.paid_micros == make.PRICE
        rate = found.hours.per_hour_micros
        assert rate is not None
        assert 79_500 < rate <= 80_000
    assert settled.closing_micros == balance(earned_by(ann.public_id), "EUR") == make.PRICE
    assert third


def test_time_on_several_answers_is_counted_once(batch: Batch, clock: Clock) -> None:
    ann = make.make_worker()
    page = make.take(ann, batch, 3)
    clock(timedelta(minutes=6))
    make.answer(ann, page)
    ahead = make.take(ann, batch, 2)
    for lease in ahead:
        clock(timedelta(minutes=3))
        make.answer(ann, [lease])
    act(accept_answers, batch_id=batch.pk, assignments=[lease.id for lease in (*page[1:], *ahead)])
    act(
        reject_answers,
        batch_id=batch.pk,
        assignments=[page[0].id],
        reason=RejectReason.WRONG,
        comment="No cat.",
        made_by=make.owner_of(batch.requester).pk,
    )

    hours = worker_statement(ann.pk, "EUR", MARCH).hours

    # A page of three in 6 minutes, then two leased together and given one by one after 3 minutes each: 12 minutes.
    assert (hours.worked_s // 10, hours.rejected_s // 10) == (72, 12)
    assert hours.paid_micros == 4 * make.PRICE


def test_bonuses_and_top_ups_raise_the_rate_and_unpaid_time_is_shown(batch: Batch, clock: Clock) -> None:
    ann = make.make_worker()
    paid = work(ann, batch, clock, 5)
    act(accept_answers, batch_id=batch.pk, assignments=[paid])
    (returned,) = make.take(ann, batch)
    act(
        return_lease,
        worker_id=ann.pk,
        assignment=returned.id,
        token=returned.token,
        reason=ReturnReason.SKIP,
        comment="",
    )
    make.take(ann, batch)
    clock(timedelta(minutes=11))
    act(apply_due)
    pay("bonus", outside("bank"), f"requester:{batch.requester.public_id}:funds", 1)
    pay("bonus", f"requester:{batch.requester.public_id}:funds", earned_by(ann.public_id), 1_000)

    hours = worker_statement(ann.pk, "EUR", MARCH).hours

    assert hours.paid_micros == make.PRICE + 1_000
    assert (hours.worked_s // 10, hours.expired, hours.returned) == (30, 1, 1)
    assert (hours.expired_s_max, hours.returned_s_max) == (600, 600)
    assert worker_statement(ann.pk, "EUR", Period(BEFORE, BEFORE)).hours.per_hour_micros is None
    assert worker_statement(ann.pk, "USD", MARCH).hours.worked_s == 0


def test_lines_name_the_batch_and_its_requester_and_nothing_else_of_them(batch: Batch, clock: Clock) -> None:
    ann, bea = make.make_worker(), make.make_worker()
    for worker in (ann, bea):
        act(accept_answers, batch_id=batch.pk, assignments=[work(worker, batch, clock, 1)])
        act(settle_due, worker_id=worker.pk)
    pay("bonus", outside("bank"), earned_by(ann.public_id), 3)

    lines = earned_lines(ann.pk, "EUR", MARCH, after=0, limit=10)

    assert [(line["kind"], line["delta_micros"], line["balance_after_micros"]) for line in lines] == [
        ("reward", make.PRICE, make.PRICE),
        ("bonus", 3, make.PRICE + 3),
    ]
    assert [line["batch"] for line in lines] == [
        {
            "id": batch.public_id,
            "name": batch.name,
            "requester": {"id": batch.requester.public_id, "name": batch.requester.name},
        },
        None,
    ]
    assert earned_lines(ann.pk, "EUR", MARCH, after=lines[0]["cursor"], limit=10) == lines[1:]
