"""What the pages about money say: which row of a file is wrong, what became of a form, and what adds up to what."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from marketplace.billing.models import Deposit, DepositReport
from marketplace.billing.queries import holds_of, liabilities
from marketplace.pages.templatetags.pages import money
from marketplace.payouts.models import Report
from tests import factories as make
from tests.payouts import people
from tests.staff.desk import at_desk, desk, make_staff, send
from tests.web.visitors import text_of

pytestmark = pytest.mark.django_db
# Loads every view: on a busy machine that takes longer than a test's transaction may sit idle.
reverse("staff_health")

IN, PAID = "/staff/money/in/", "/staff/money/reconciliation/"
DAYS = {"first": "2026-01-01", "last": "2026-01-31"}
HEADER = b"key,reference,amount,currency,state\n"


def compared(at: str, text: bytes, **said: Any) -> Any:
    """A file that is sent to be compared, of a bank or of a provider."""
    of = {"what": "report", "channel": "bank"} if at == IN else {"provider": "manual", **DAYS}
    return send(desk("finance"), at, **(of | said), file=SimpleUploadedFile("r.csv", text))


@pytest.mark.parametrize(
    ("at", "text", "words"),
    [
        (IN, b"reference,amount,currency,date\nA,1,EUR,2026-10-01\nB,-1,EUR,2026-10-01\n", "Row 2, amount: must be a"),
        (IN, b"reference;amount;currency;date\nA;1;EUR;2026-10-01\n", "The file has semicolons between its columns"),
        (IN, b"\x89PNG\r\n", "The file is no text in UTF-8; save the table as CSV in UTF-8"),
        (IN, b'reference,amount,currency,date\n"A,1', "The file is no CSV: its quotes do not fit together"),
        (IN, b"name\n", "The file must begin with a line of the columns reference, amount, currency, date"),
        (PAID, HEADER + b"ts-x,1,12.5,EUR,settled\n", "Row 1, amount: must be a number with two digits after a point"),
        (PAID, HEADER + b"ts-x,1,12.50,EUR,paid\n", "Row 1, state: must be one of settled, failed, accepted"),
        (PAID, HEADER + b"ts-x,1\n", "Row 1: must have 5 cells and has 2"),
        (PAID, HEADER + b"\x00,1,12.50,EUR,settled\n", "Row 1, key: must have 1 to 200 characters"),
        (PAID, HEADER.replace(b",", b";"), "The file has semicolons between its columns"),
        (PAID, b"\x89PNG\r\n", "The file is no text in UTF-8; save the table as CSV in UTF-8"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_said_with_its_row_and_column(at: str, text: bytes, words: str) -> None:
    page = compared(at, text)
    assert (page.status_code, words in text_of(page)) == (422, True)
    assert "codec" not in text_of(page)
    assert not DepositReport.objects.exists() and not Report.objects.exists()


def test_a_provider_is_chosen_from_those_there_are() -> None:
    page = desk("finance").get(PAID).content.decode()
    assert '<option value="manual">By hand</option>' in page
    unknown = compared(PAID, HEADER, provider="By hand")
    assert unknown.status_code == 422 and "Select a valid choice." in text_of(unknown)


def test_days_that_end_before_they_begin_are_refused_at_the_last() -> None:
    page = compared(PAID, HEADER, first="2026-01-31", last="2026-01-01")
    assert page.status_code == 422 and "This day is before the first one." in text_of(page)


def test_a_providers_report_says_its_last_day_and_amounts_as_people_write_them() -> None:
    assert compared(PAID, HEADER + b"ts-x,1,12.50,EUR,settled\n").status_code == 303
    client, report = desk("finance"), Report.objects.get()
    page = text_of(client.get(f"{PAID}{report.public_id}/"))
    assert "1 January 2026 – 31 January 2026" in page and "12.50 EUR" in page and "12500000" not in page
    assert "1 January 2026 – 31 January 2026" in text_of(client.get(PAID))


def test_a_deposit_that_is_recorded_again_is_said_to_have_been_there() -> None:
    client, requester = desk("finance"), make.make_requester(0)
    said = {
        "what": "deposit", "requester": str(requester.public_id), "amount": "12.50", "currency": "EUR",
        "channel": "bank", "reference": "R-1", "evidence": "",
    }  # fmt: skip
    for words in ("Recorded.", "This deposit had been recorded before. Nothing new was recorded."):
        assert send(client, IN, **said).url == IN
        assert words in text_of(client.get(IN))
    assert Deposit.objects.count() == 1
    send(client, f"{IN}{Deposit.objects.get().public_id}/reverse/", reason="typed twice")
    send(client, IN, **said)
    assert "was taken back since. Nothing new was recorded." in text_of(client.get(IN))


def test_who_recorded_a_deposit_without_evidence_is_named_by_his_address() -> None:
    by, requester = make_staff("finance"), make.make_requester(0)
    said = {"amount": "1", "currency": "EUR", "channel": "bank", "reference": "R-1", "evidence": ""}
    assert send(at_desk(by), IN, what="deposit", requester=str(requester.public_id), **said).url == IN
    for at in (IN, f"{IN}{Deposit.objects.get().public_id}/reverse/"):
        page = text_of(desk("finance").get(at))
        assert f"Recorded by {by.email}; no document" in page and str(by.public_id) not in page


def test_a_deposit_that_is_spent_is_not_taken_back_and_one_that_was_has_no_form() -> None:
    requester = make.make_requester(0)
    deposit = make.make_deposit(requester, 300_000)
    make.make_batch(1, project=make.make_project(requester), overlap=1)
    client, at = desk("finance"), f"{IN}{deposit.public_id}/reverse/"
    refused = send(client, at, reason="typed twice")
    assert refused.status_code == 422 and "is spent or held for batches; only the whole amount" in text_of(refused)
    assert "requester:" not in text_of(refused)
    free = make.make_deposit(make.make_requester(0), 300_000)
    at = f"{IN}{free.public_id}/reverse/"
    assert send(client, at, reason="typed twice").url == IN
    page = client.get(at)
    assert "was taken back from" in text_of(page) and "typed twice" in text_of(page)
    assert 'name="reason"' not in page.content.decode()


def test_what_a_banks_report_differs_in_is_said_in_words_below_the_form() -> None:
    make.make_deposit(make.make_requester(0), 12_500_000, reference="R1")
    text = b"reference,amount,currency,date\nR1,12.50,EUR,2026-10-01\nR2,9.00,EUR,2026-10-01\n"
    assert compared(IN, text).status_code == 303
    page = text_of(desk("finance").get(IN))
    before, _heading, after = page.partition("Organisation Amount Reference and evidence")
    for part in (before, after):
        assert "1 reported and not recorded here" in part, part
    assert "1 of 2 rows agree." in before


def test_what_is_owed_adds_up_and_what_is_told_by_age_says_what_it_leaves_out() -> None:
    requester = make.make_requester(0)
    make.make_deposit(requester, 5_000_000)
    batch = make.make_batch(1, project=make.make_project(requester), overlap=1)
    people.make_payee(7 * people.EURO)
    page = text_of(desk("finance").get("/staff/money/"))
    [held] = {one.total_micros for one in holds_of(batch.requester_id)}
    amount = money(7_000_000 + held, "EUR").replace("\u00a0", " ")
    assert f"By how long it has lain: {amount} All of it but the requesters' free funds" in page
    whole = next(one.owed_micros for one in liabilities() if one.currency == "EUR")
    whole_words = money(whole, "EUR").replace("\u00a0", " ")
    assert f"Owed to others: {whole_words}" in page and f"Together {whole_words} Not owed to anybody" in page
