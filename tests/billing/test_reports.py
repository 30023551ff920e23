"""A bank's report: rows that cannot be read are named by number, and what differs is found and stored."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.accounts.models import Requester
from marketplace.billing.commands.deposits import reverse_deposit
from marketplace.billing.commands.reconcile import reconcile_deposits
from marketplace.billing.errors import ReportInvalid
from marketplace.billing.models import DepositReport
from marketplace.billing.reports import Entry, micros_of, read_report
from marketplace.common.money import AMOUNT_MAX, exact
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.billing.books import set_time

HEADER = b"reference,amount,currency,date\n"
DAY = date(2031, 3, 2)


def report(body: bytes, channel: str = "bank") -> DepositReport:
    with one_transaction(principal="test"):
        return reconcile_deposits(channel=channel, body=body, by=make.make_user())


@pytest.fixture
def acme(db: None) -> Requester:
    set_time(DAY)
    return make.make_requester(funds_micros=0)


def test_a_report_names_what_is_missing_here_missing_there_and_different(acme: Requester) -> None:
    make.make_deposit(acme, 12_500_000, reference="A")
    make.make_deposit(acme, 5_000_000, reference="B")
    make.make_deposit(acme, 7_000_000, reference="C")
    make.make_deposit(acme, 7_000_000, reference="D", currency="USD")
    make.make_deposit(acme, 1, reference="of-another-channel", channel="stripe")
    taken = make.make_deposit(acme, 3_000_000, reference="T")
    with one_transaction(principal="test"):
        reverse_deposit(deposit=taken.public_id, reason="typed twice", by=make.make_user())
    set_time(date(2031, 3, 9))
    make.make_deposit(acme, 1_000_000, reference="of-another-week")

    found = report(
        HEADER
        + b"A,12.5,EUR,2031-03-01\nB,5.01,EUR,2031-03-02\nD,7,EUR,2031-03-02\nX,1,EUR,2031-03-03\nT,3,EUR,2031-03-03\n"
    )

    assert (found.rows, found.matched, found.day_from, found.day_to) == (5, 1, date(2031, 3, 1), date(2031, 3, 3))
    told = {"currency": "EUR", "date": "2031-03-02"}
    assert found.findings == {
        "missing_here": [
            {"reference": "X", "amount": "1.00", "currency": "EUR", "date": "2031-03-03"},
            {"reference": "T", "amount": "3.00", "currency": "EUR", "date": "2031-03-03"},
        ],
        "missing_there": [{"reference": "C", "amount": "7.00", **told}],
        "different": [
            {"reference": "B", "amount": "5.01", **told, "recorded_amount": "5.00", "recorded_currency": "EUR"},
            {"reference": "D", "amount": "7.00", **told, "recorded_amount": "7.00", "recorded_currency": "USD"},
        ],
    }
    assert DepositReport.objects.get() == found


def test_a_report_of_another_channel_is_held_against_that_channel(acme: Requester) -> None:
    make.make_deposit(acme, 1_000_000, reference="A", channel="stripe")
    body = HEADER + b"A,1,EUR,2031-03-02\n"

    assert (report(body).matched, report(body, "stripe").matched) == (0, 1)


def test_columns_may_stand_in_any_order_beside_others() -> None:
    body = '\ufeffNote,Date,CURRENCY,amount,reference\r\n"a,b",2031-03-02,EUR,1.000001, R 1 \r\n\r\n'.encode()

    assert read_report(body) == [Entry("R 1", 1_000_001, "EUR", DAY)]


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (b"A,1.5,EUR", "date"),
        (b"A,0,EUR,2031-03-02", "amount"),
        (b"A,-1,EUR,2031-03-02", "amount"),
        (b"A,+1,EUR,2031-03-02", "amount"),
        (b"A,1e3,EUR,2031-03-02", "amount"),
        (b"A,NaN,EUR,2031-03-02", "amount"),
        (b'A,"1,5",EUR,2031-03-02', "amount"),
        (b"A,1.0000001,EUR,2031-03-02", "amount"),
        (b"A,1000000001,EUR,2031-03-02", "amount"),
        ("A,١,EUR,2031-03-02".encode(), "amount"),
        (b"A,1,eur,2031-03-02", "currency"),
        (b"A,1,EURO,2031-03-02", "currency"),
        (b"A,1,EUR,2031-02-30", "date"),
        (b"A,1,EUR,02.03.2031", "date"),
        (b"A,1,EUR,20310302", "date"),
        (b",1,EUR,2031-03-02", "reference"),
        (b"A" * 201 + b",1,EUR,2031-03-02", "reference"),
        (b"GOOD,1,EUR,2031-03-02", "reference"),
    ],
)
def test_a_wrong_row_is_named_by_its_number_and_nothing_is_stored(acme: Requester, row: bytes, field: str) -> None:
    with pytest.raises(ReportInvalid) as refused:
        report(HEADER + b"GOOD,1,EUR,2031-03-02\n\n" + row + b"\n")

    assert [(error["row"], error["field"]) for error in refused.value.facts["errors"]] == [(2, field)]
    assert not DepositReport.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        HEADER,
        b"reference,amount\nA,1\n",
        b"\xff\xfe",
        HEADER + b'"A,1',
        b"reference,reference,amount,currency,date\n",
    ],
)
def test_a_file_that_is_no_report_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(ReportInvalid) as refused:
        read_report(body)

    assert [error["row"] for error in refused.value.facts["errors"]] == [0]


def test_only_the_first_hundred_wrong_rows_are_told_and_all_are_counted() -> None:
    with pytest.raises(ReportInvalid) as refused:
        read_report(HEADER + b"A,x,EUR,2031-03-02\n" * 150)

    assert (len(refused.value.facts["errors"]), refused.value.facts["error_count"]) == (100, 150)


@given(micros=st.integers(1, AMOUNT_MAX))
def test_an_amount_that_is_written_exactly_is_read_exactly(micros: int) -> None:
    assert micros_of(exact(micros)) == micros


@given(text=st.text(max_size=20))
def test_no_text_is_read_as_anything_but_an_amount_in_bounds(text: str) -> None:
    micros: Any = micros_of(text)

    assert micros is None or (type(micros) is int and 0 < micros <= AMOUNT_MAX and text.isascii())
