"""What the pages about money say: which row of a file is wrong, what became of a form, and what adds up to what."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from marketplace.billing.models import DepositReport
from marketplace.payouts.models import Report
from tests.staff.desk import desk, send
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
    assert "Jan. 1, 2026 – Jan. 31, 2026" in page and "12.50 EUR" in page and "12500000" not in page
    assert "Jan. 1, 2026 – Jan. 31, 2026" in text_of(client.get(PAID))
