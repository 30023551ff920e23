"""What the platform owes: by place and by age, and together nothing."""

from datetime import date, timedelta

import pytest

from marketplace.billing.queries import liabilities
from marketplace.common.database import rows, run
from marketplace.ledger.addresses import FEES, outside
from tests import factories as make
from tests.billing.books import Places, pay, set_time

DAY = date(2031, 3, 1)


@pytest.fixture
def places(untold: None) -> Places:
    set_time(DAY)
    requester = make.make_requester(funds_micros=0)
    batch = make.make_draft(make.make_project(requester))
    run("UPDATE batches_batch SET state = 'published', published_at = market_now() WHERE id = %s", [batch.pk])
    return Places(requester, [batch], [make.make_worker(), make.make_worker()])


def test_an_empty_ledger_owes_nothing(db: None) -> None:
    assert liabilities() == []


def test_money_is_sorted_by_place_and_age_and_sums_to_zero(places: Places) -> None:
    leaving = places.earned(0).replace(":earned", ":withdrawing")
    pay("deposit", outside("bank"), places.funds, 1_000)
    pay("hold", places.funds, places.held(0), 600)
    pay("reserve", places.funds, places.held(0, "disputes"), 50)
    pay("reserve", places.funds, places.held(0, "topup"), 30)
    pay("reward", places.held(0), places.earned(0), 100)
    pay("reward", places.held(0), places.earned(1), 5)
    set_time(DAY + timedelta(days=10))
    pay("reward", places.held(0), places.earned(0), 40)
    pay("payout-hold", places.earned(0), leaving, 110)
    pay("payout-settled", leaving, outside("sepa"), 30)
    pay("fee", places.held(0), FEES, 7)
    pay("odd", places.funds, "platform:float", 2)
    set_time(DAY + timedelta(days=45))

    (euros,) = liabilities()

    assert euros.places == {
        "funds": 318, "escrow": 448, "disputes": 50, "topup": 30, "earned": 35, "withdrawing": 80,
        "fees": 7, "other": 2, "outside": -970,
    }  # fmt: skip
    assert (euros.sum_micros, euros.owed_micros) == (0, 963)
    none = dict.fromkeys(("up_to_1_day", "up_to_7_days", "up_to_30_days", "up_to_90_days", "older"), 0)
    assert euros.ages == {
        "withdrawing": {**none, "up_to_90_days": 80},
        "held": {**none, "up_to_90_days": 528},
        # What went out was earned first: 30 of the second reward are left, and the other worker's 5.
        "earned": {**none, "up_to_90_days": 35},
    }


def test_what_is_left_of_an_account_is_what_came_in_last(places: Places) -> None:
    leaving = places.earned(0).replace(":earned", ":withdrawing")
    pay("deposit", outside("bank"), places.held(0), 1_000)
    for day, amount in [(0, 100), (80, 40), (95, 20), (99, 3)]:
        set_time(DAY + timedelta(days=day))
        pay("reward", places.held(0), places.earned(0), amount)
    pay("payout-hold", places.earned(0), leaving, 95)
    set_time(DAY + timedelta(days=100), hour=10)

    (euros,) = liabilities()

    assert euros.ages["earned"] == {
        "up_to_1_day": 3, "up_to_7_days": 20, "up_to_30_days": 40, "up_to_90_days": 0, "older": 5,
    }  # fmt: skip
    assert euros.ages["withdrawing"]["up_to_1_day"] == 95


def test_currencies_stand_apart(places: Places) -> None:
    pay("deposit", outside("bank"), places.funds, 5)
    pay("deposit", outside("bank"), places.funds, 9, currency="USD")

    assert [(one.currency, one.places["funds"], one.sum_micros) for one in liabilities()] == [
        ("EUR", 5, 0),
        ("USD", 9, 0),
    ]
    assert rows("SELECT sum(balance_micros) FROM ledger_account") == [(0,)]
