"""An invoice as a page: whole, strict, printable, and for members of its organisation alone."""

from typing import Any

import pytest
from django.test import Client

from marketplace.accounts.models import Member, Requester, User
from marketplace.billing.models import Invoice
from tests import factories as make
from tests.api_client import signed_up
from tests.pages.test_pages import browser, require_strict

LINES = [
    {"batch": "0b8e6f3a-7f52-4a7e-9d1c-000000000001", "batch_name": "Street signs <b>7</b>", "project_name": "Signs",
     "what": "work", "amount_micros": 1_482_360_000},
    {"batch": "0b8e6f3a-7f52-4a7e-9d1c-000000000001", "batch_name": "Street signs <b>7</b>", "project_name": "Signs",
     "what": "fees", "amount_micros": 148_236_000},
]  # fmt: skip


def invoice_of(requester: Requester, **fields: Any) -> Invoice:
    return make.make_invoice(
        requester, lines=LINES, work_micros=1_482_360_000, fees_micros=148_236_000, total_micros=1_630_596_000, **fields
    )


def signed_in() -> tuple[Client, User]:
    """Without the form, whose tries are counted."""
    client, user = browser(), signed_up()
    client.force_login(user)
    return client, user


@pytest.fixture
def member(db: None) -> tuple[Client, Invoice]:
    client, user = signed_in()
    requester = make.make_requester(funds_micros=0)
    Member.objects.create(requester=requester, user=user, role="viewer")
    return client, invoice_of(requester)


def test_a_member_reads_his_invoice_on_a_strict_page(member: tuple[Client, Invoice]) -> None:
    client, invoice = member

    response = client.get(f"/invoices/{invoice.public_id}")

    require_strict(response)
    page = " ".join(response.content.decode().split())
    assert page.count("<h1>") == 1
    assert f"<title>Invoice {invoice.label} · Touchstone</title>" in page
    assert "Signs · Street signs &lt;b&gt;7&lt;/b&gt;" in page
    assert '<th scope="row">Total</th><td class="amount">1630.596</td>' in page
    assert f'href="/invoices/{invoice.public_id}.pdf"' in page
    assert "no-store" in response["Cache-Control"]


def test_a_member_takes_the_pdf_along(member: tuple[Client, Invoice]) -> None:
    client, invoice = member

    response = client.get(f"/invoices/{invoice.public_id}.pdf")

    assert (response.status_code, response["Content-Type"]) == (200, "application/pdf")
    assert response.content.startswith(b"%PDF-")
    assert "no-store" in response["Cache-Control"]


def test_an_invoice_and_its_credit_note_name_each_other(member: tuple[Client, Invoice]) -> None:
    client, invoice = member
    lines = [{**line, "amount_micros": -line["amount_micros"]} for line in LINES]
    note = make.make_invoice(
        invoice.requester, kind="credit_note", corrects=invoice, reason="Wrong name", lines=lines,
        work_micros=-1_482_360_000, fees_micros=-148_236_000, total_micros=-1_630_596_000,
    )  # fmt: skip

    there, back = (client.get(f"/invoices/{one.public_id}").content.decode() for one in (invoice, note))

    assert f'href="/invoices/{note.public_id}"' in there
    assert f'href="/invoices/{invoice.public_id}"' in back
    assert "Wrong name" in back


def test_nobody_else_finds_it(member: tuple[Client, Invoice]) -> None:
    client, invoice = member
    stranger, _ = signed_in()

    for end in ("", ".pdf"):
        path = f"/invoices/{invoice.public_id}{end}"
        assert client.get(path).status_code == 200
        assert stranger.get(path).status_code == 404
        nobody = browser().get(path)
        assert (nobody.status_code, nobody["Location"].partition("?")[0]) == (302, "/accounts/login/")
