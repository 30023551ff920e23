"""Invoices: exact, numbered without a gap by many at once, never changed, taken back by credit notes."""

from collections.abc import Callable
from datetime import date
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, ProgrammingError, transaction

from marketplace.accounts.models import Requester
from marketplace.billing.commands.invoices import (
    close_month,
    credit_invoice,
    issue_invoice,
    set_billing_details,
)
from marketplace.billing.documents import document_of
from marketplace.billing.errors import InvoicingNotSetUp, NotCreditable, NothingToInvoice, PeriodNotClosed
from marketplace.billing.models import ClosedMonth, Invoice, InvoiceCounter
from marketplace.billing.pdf import pdf_of
from marketplace.billing.queries import open_months
from marketplace.billing.tasks import issue_invoices
from marketplace.common.database import run
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from marketplace.ledger.addresses import FEES, outside
from tests import factories as make
from tests.billing.books import Places, pay, set_time

MARCH, APRIL = date(2031, 3, 1), date(2031, 4, 1)
SELLER = {"name": "Touchstone Ltd", "address": "1 Quay\nCork", "tax_id": "IE1", "note": "Reverse charge."}
PROMISED = {"inv_r05_deposit", "inv_r06_invoice", "inv_r06_sum"}
Together = Callable[..., list[Any]]


@pytest.fixture(autouse=True)
def seller(settings: Any) -> None:
    settings.INVOICE_SELLER = SELLER


def spend(requester: Requester, day: date = MARCH, amount: int = 20_000) -> Places:
    """One paid answer with its fee, for one batch."""
    set_time(day)
    batch = make.make_draft(make.make_project(requester), name="Zäh & Söhne")
    places = Places(requester, [batch], [make.make_worker()])
    pay("deposit", outside("bank"), places.funds, 1_000_000)
    pay("hold", places.funds, places.held(0), 500_000, batch_id=batch.pk)
    pay("reward", places.held(0), places.earned(0), amount, batch_id=batch.pk)
    pay("fee", places.held(0), FEES, 2_000, batch_id=batch.pk)
    return places


def issue(requester: Requester, month: date = MARCH, currency: str = "EUR") -> Invoice:
    with one_transaction(principal="test"):
        return issue_invoice(requester_id=requester.pk, currency=currency, month=month)


def credit(invoice: Invoice) -> Invoice:
    with one_transaction(principal="test"):
        return credit_invoice(invoice=invoice, reason="wrong name", by=make.make_user())


def say(requester: Requester, name: str, address: str = "") -> None:
    with one_transaction(principal="test"):
        set_billing_details(
            requester_id=requester.pk, name=name, address=address, tax_id="DE9", email="pay@acme.example",
            by=requester.members.get().user,
        )  # fmt: skip


def broken() -> list[str]:
    """The promises of billing: payments made by hand keep no promise about work."""
    return [found.name for found in check_promises() if found.violations and found.name in PROMISED]


@pytest.fixture
def acme(db: None) -> Requester:
    return make.make_requester(funds_micros=0)


def test_an_invoice_bills_a_month_batch_by_batch(acme: Requester) -> None:
    places = spend(acme)
    pay("bonus", places.funds, places.earned(0), 3_000, batch_id=places.batches[0].pk)
    pay("bonus", places.funds, places.earned(0), 1)
    set_time(date(2031, 3, 31))
    pay("reward", places.held(0), places.earned(0), 20_000, batch_id=places.batches[0].pk)
    set_time(APRIL)
    pay("reward", places.held(0), places.earned(0), 99_000, batch_id=places.batches[0].pk)
    say(acme, "Acme GmbH", "Weg 1\n20095 Hamburg")

    invoice = issue(acme)

    named = {"batch": str(places.batches[0].public_id), "batch_name": "Zäh & Söhne", "project_name": "Pets"}
    assert invoice.lines == [
        {**named, "what": "work", "amount_micros": 40_000},
        {**named, "what": "bonuses", "amount_micros": 3_000},
        {**named, "what": "fees", "amount_micros": 2_000},
        {"batch": None, "batch_name": "", "project_name": "", "what": "bonuses", "amount_micros": 1},
    ]
    assert (invoice.work_micros, invoice.fees_micros, invoice.total_micros) == (43_001, 2_000, 45_001)
    assert (invoice.label, invoice.kind, invoice.edition) == ("2031-000001", "invoice", 1)
    assert (invoice.period_from, invoice.period_to) == (MARCH, date(2031, 3, 31))
    assert invoice.money == {
        "opening_micros": 0, "deposits_micros": 1_000_000, "taken_back_micros": 0,
        "funds_closing_micros": 496_999, "held_closing_micros": 458_000, "closing_micros": 954_999,
    }  # fmt: skip
    assert invoice.seller == SELLER
    assert invoice.buyer == {
        "name": "Acme GmbH", "address": "Weg 1\n20095 Hamburg", "tax_id": "DE9", "email": "pay@acme.example",
    }  # fmt: skip
    assert broken() == []


def test_what_was_issued_stays_when_details_change_and_is_returned_when_asked_again(acme: Requester) -> None:
    spend(acme)
    set_time(APRIL)
    first = issue(acme)
    say(acme, "Other name")

    again = issue(acme)

    assert again == first
    assert again.buyer["name"] == "Acme Labels"
    assert Invoice.objects.count() == 1


def test_a_month_that_is_not_over_is_not_invoiced(acme: Requester) -> None:
    spend(acme)
    with pytest.raises(PeriodNotClosed):
        issue(acme)
    set_time(APRIL, hour=0)
    with pytest.raises(PeriodNotClosed):
        issue(acme)
    assert not Invoice.objects.exists()

    set_time(APRIL, hour=1)
    assert issue(acme).total_micros == 22_000


def test_a_month_without_payments_and_another_currency_have_no_invoice(acme: Requester) -> None:
    spend(acme)
    set_time(date(2031, 5, 2))

    for month, currency in [(APRIL, "EUR"), (date(2031, 2, 1), "EUR"), (MARCH, "USD")]:
        with pytest.raises(NothingToInvoice):
            issue(acme, month, currency)

    assert InvoiceCounter.objects.count() == 0


def test_a_site_that_does_not_say_who_it_is_issues_none(acme: Requester, settings: Any) -> None:
    settings.INVOICE_SELLER = {**SELLER, "name": ""}
    spend(acme)
    set_time(APRIL)

    with pytest.raises(InvoicingNotSetUp):
        issue(acme)
    issue_invoices()

    assert not Invoice.objects.exists()
    assert not ClosedMonth.objects.exists()


def test_a_credit_note_takes_the_whole_back_and_the_month_may_be_invoiced_anew(acme: Requester) -> None:
    spend(acme)
    set_time(APRIL)
    first = issue(acme)

    note = credit(first)
    say(acme, "Right name")
    second = issue(acme)

    assert (note.kind, note.corrects, note.label, note.total_micros) == ("credit_note", first, "2031-000002", -22_000)
    assert [line["amount_micros"] for line in note.lines] == [-20_000, -2_000]
    assert (second.label, second.edition, second.buyer["name"]) == ("2031-000003", 2, "Right name")
    assert second.total_micros == first.total_micros
    for wrong in (first, note):
        with pytest.raises(NotCreditable):
            credit(wrong)
    assert issue(acme) == second
    assert Invoice.objects.count() == 3
    assert broken() == []


def test_every_month_that_is_over_is_invoiced_by_the_sweep_and_looked_at_once(acme: Requester) -> None:
    places = spend(acme, date(2031, 1, 5))
    idle = make.make_requester(funds_micros=0)
    set_time(MARCH)
    pay("deposit", outside("bank"), Places(idle, [], []).funds, 5)
    pay("reward", places.held(0), places.earned(0), 7, batch_id=places.batches[0].pk)
    assert open_months(9) == [(acme.pk, "EUR", date(2031, 1, 1))]

    set_time(APRIL)
    issue_invoices()
    issue_invoices()

    assert list(Invoice.objects.order_by("number").values_list("requester", "period_from", "total_micros")) == [
        (acme.pk, date(2031, 1, 1), 22_000),
        (acme.pk, MARCH, 7),
    ]
    assert ClosedMonth.objects.filter(requester=acme).count() == 3
    assert list(ClosedMonth.objects.filter(requester=idle).values_list("month", "invoice")) == [(MARCH, None)]
    assert open_months(9) == []
    assert broken() == []


def test_numbers_begin_anew_with_each_year(acme: Requester) -> None:
    spend(acme, date(2031, 11, 3))
    set_time(date(2031, 12, 31), hour=23)
    first = issue(acme, date(2031, 11, 1))
    set_time(date(2032, 1, 1), hour=0)

    assert (first.label, credit(first).label) == ("2031-000001", "2032-000001")


def test_sixteen_at_once_leave_no_gap_and_no_month_is_billed_twice(committed: str, together: Together) -> None:
    requesters = [make.make_requester(funds_micros=0) for _ in range(6)]
    for requester in requesters:
        spend(requester)
    set_time(APRIL)

    def one(place: int) -> Callable[[], Any]:
        if place % 4 == 3:
            return lambda: _fail(requesters[place % 6])
        return lambda: issue(requesters[place % 6]).label

    told = together([one(place) for place in range(16)])

    failed = [answer for answer in told if isinstance(answer, Exception)]
    assert [str(error) for error in failed] == ["thrown away"] * 4
    numbers = sorted(Invoice.objects.values_list("number", flat=True))
    assert numbers == list(range(1, len(numbers) + 1))
    assert set(told) - set(failed) == {f"2031-{number:06d}" for number in numbers}
    assert len(numbers) == len({place % 6 for place in range(16) if place % 4 != 3})
    assert broken() == []


def _fail(requester: Requester) -> None:
    """Take a number and throw it away."""
    with one_transaction(principal="test"):
        make_another = Invoice.objects.filter(requester=requester).first()
        if make_another is None:
            issue_invoice(requester_id=requester.pk, currency="EUR", month=MARCH)
        raise RuntimeError("thrown away")


def test_a_month_may_be_closed_by_two_at_once(committed: str, together: Together) -> None:
    acme = make.make_requester(funds_micros=0)
    spend(acme)
    set_time(APRIL)

    def close() -> Any:
        with one_transaction(principal="test"):
            return close_month(requester_id=acme.pk, currency="EUR", month=MARCH)

    first, second = together([close, close])

    assert first == second
    assert Invoice.objects.count() == ClosedMonth.objects.count() == 1


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE billing_invoice SET total_micros = 1, fees_micros = 1 - work_micros",
        "UPDATE billing_invoice SET buyer = '{}'",
        "DELETE FROM billing_invoice",
        "TRUNCATE billing_invoice CASCADE",
        "UPDATE billing_invoicecounter SET last_number = 9",
        "INSERT INTO billing_invoicecounter VALUES (2030, 1)",
        "DELETE FROM billing_invoicecounter",
        "ALTER TABLE billing_invoice DISABLE TRIGGER ALL",
        "UPDATE billing_closedmonth SET month = '2030-01-01'",
        "UPDATE billing_depositreport SET matched = 1",
    ],
)
def test_the_runtime_role_cannot(acme: Requester, attack: str) -> None:
    make.make_invoice(acme)

    with pytest.raises((ProgrammingError, IntegrityError)), transaction.atomic():
        run(attack)

    assert Invoice.objects.get().total_micros == 7
    assert broken() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"lines": []},
        {"total_micros": 8},
        {"edition": 2},
        {"kind": "credit_note"},
        {"kind": "other"},
        {"period_to": date(2025, 1, 1)},
    ],
)
def test_an_invoice_that_does_not_add_up_is_refused_by_the_database(acme: Requester, wrong: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        make.make_invoice(acme, **wrong)

    assert not Invoice.objects.exists()
    # The honest one beside it takes the first number all the same.
    assert make.make_invoice(acme, year=1999, number=77).number == 1


def test_a_credit_note_over_anything_else_is_refused_by_the_database(acme: Requester) -> None:
    first = make.make_invoice(acme)
    line = {"batch": None, "batch_name": "", "project_name": "", "what": "fees", "amount_micros": -6}
    terms = {"kind": "credit_note", "corrects": first, "reason": "r"}

    with pytest.raises(IntegrityError), transaction.atomic():
        make.make_invoice(acme, **terms, lines=[line], fees_micros=-6, total_micros=-6)

    line["amount_micros"] = -7
    assert make.make_invoice(acme, **terms, lines=[line], fees_micros=-7, total_micros=-7).number == 2


def test_even_the_owner_cannot_change_an_invoice_by_a_slip_and_a_gap_is_found(
    committed: str, as_owner: psycopg.Connection[Any]
) -> None:
    acme = make.make_requester(funds_micros=0)
    for _ in range(2):
        make.make_invoice(acme, period_from=date(2026, 1, 1 + Invoice.objects.count()))
    for attack in ("UPDATE billing_invoice SET number = 9", "DELETE FROM billing_invoice"):
        with pytest.raises(psycopg.errors.CheckViolation):
            as_owner.execute(attack)
    assert broken() == []

    as_owner.execute("ALTER TABLE billing_invoice DISABLE TRIGGER closed")
    as_owner.execute("DELETE FROM billing_invoice WHERE number = 1")
    assert "inv_r06_invoice" in broken()


def test_the_pdf_is_the_same_bytes_each_time_and_shows_names_of_many_scripts(acme: Requester) -> None:
    spend(acme)
    say(acme, "Łódź Ürün Ελλάς Москва", "улица 1\nשלום\nไทย")
    set_time(APRIL)
    invoice = issue(acme)

    first, second = pdf_of(invoice), pdf_of(Invoice.objects.select_related("corrects").get(pk=invoice.pk))

    assert first == second
    assert first.startswith(b"%PDF-")
    assert len(first) < 200_000


def test_the_document_says_every_amount_of_the_invoice(acme: Requester) -> None:
    spend(acme)
    set_time(APRIL)
    document = document_of(issue(acme))

    assert [(line.heading, line.text, line.amount) for line in document.lines] == [
        ("Pets · Zäh & Söhne", "Paid to workers for accepted answers", "0.020"),
        ("", "Platform fee", "0.002"),
    ]
    assert document.total == ("Total", "0.022")
    assert document.seller == ["Touchstone Ltd", "1 Quay", "Cork", "Tax ID IE1"]
    assert document.notes == ["Reverse charge.", "Paid from your deposits. Nothing is left to pay."]


def test_a_long_invoice_goes_over_many_pages(acme: Requester) -> None:
    lines = [
        {"batch": str(acme.public_id), "batch_name": f"Batch {n}", "project_name": "P", "what": "fees",
         "amount_micros": 1} for n in range(120)
    ]  # fmt: skip
    invoice = make.make_invoice(acme, lines=lines, fees_micros=120, total_micros=120)

    assert pdf_of(invoice).count(b"/Type /Page\n") == 7
