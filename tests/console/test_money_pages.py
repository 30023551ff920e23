"""An organisation's money on the console: balance, holds, spending, statement, invoices, deposits and bonuses."""

import re
from datetime import date
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from marketplace.accounts.models import Requester
from marketplace.batches.models import Batch
from marketplace.billing.models import BillingDetails, Invoice
from marketplace.billing.queries import pay_in_reference
from marketplace.common.database import rows
from marketplace.ledger.addresses import funds_of
from marketplace.ledger.queries import balance
from marketplace.pages.templatetags.pages import money
from tests import factories as make
from tests.acts import broken, in_one
from tests.console.reviewed import NO_GOLD, answer_all, member
from tests.web.visitors import client_of, key_in, text_of
from workers.assignments.commands.decide import accept_answers
from workers.assignments.commands.pay import settle_due
from workers.profiles.commands import pseudonym_for

pytestmark = pytest.mark.django_db
PAGES = ("console_money", "console_spending", "console_statement", "console_invoices", "console_pay_in")


@pytest.fixture
def batch(db: None) -> Batch:
    """Two answers of ten places were paid: 2 × (0.02 + 0.002)."""
    made = make.make_batch(10, project=make.make_project(make.make_requester(10**9)), overlap=1, gold_policy=NO_GOLD)
    worker = answer_all(made, lambda text: "cat", 2)
    in_one(accept_answers, batch_id=made.pk, assignments=None)
    in_one(settle_due, worker_id=worker.pk)
    return made


def at(requester: Requester, name: str = "console_money") -> str:
    return reverse(name, args=[requester.public_id])


def send(client: Client, path: str, **fields: Any) -> Any:
    return client.post(path, {"form_key": key_in(client.get(path)), **fields})


@pytest.mark.parametrize("name", PAGES)
def test_every_member_sees_the_money_and_nobody_else(batch: Batch, name: str) -> None:
    for role in ("owner", "manager", "reviewer", "viewer"):
        assert member(batch.requester, role).get(at(batch.requester, name)).status_code == 200
    assert client_of(make.make_requester().members.get().user).get(at(batch.requester, name)).status_code == 404
    assert Client().get(at(batch.requester, name)).status_code == 302


def test_balance_holds_and_the_month_are_what_the_ledger_says(batch: Batch) -> None:
    text = text_of(member(batch.requester, "viewer").get(at(batch.requester)))
    free = balance(funds_of(batch.requester.public_id), "EUR")
    assert 10**9 - 10 * 22_000 >= free > 0
    assert f"Free {money(free, 'EUR')} to publish batches with".replace("\u00a0", " ") in text
    assert re.search(r"Spent this month 0\.044 EUR Of it to workers 0\.04 EUR Of it fees 0\.004 EUR", text)
    assert re.search(r"First Pets 0\.176 EUR", text)
    assert broken() == []


def test_spending_by_month_and_batch_comes_as_chart_table_and_csv(batch: Batch) -> None:
    client = member(batch.requester, "viewer")
    page = client.get(at(batch.requester, "console_spending"))
    assert "<svg" in page.content.decode()
    assert re.search(r"0\.04 EUR 0\.00 EUR 0\.004 EUR 0\.044 EUR", text_of(page))
    path = re.search(r'href="(/api/v1/[^"]+spending\.csv[^"]*)"', page.content.decode())
    assert path is not None
    reply = client.get(path[1].replace("&amp;", "&"))
    lines = b"".join(reply.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert lines[0].split(",")[:4] == ["month", "project", "batch", "batch_name"]
    assert lines[1].split(",")[1:] == [
        "Pets", str(batch.public_id), "First", "0.04", "0.00", "0.00", "0.00", "0.004", "0.044", "EUR",
    ]  # fmt: skip


def test_a_statement_has_every_posting_and_workers_only_by_their_other_names(batch: Batch) -> None:
    client = member(batch.requester, "viewer")
    page = client.get(at(batch.requester, "console_statement"))
    assert "Held for a batch" in text_of(page) and "Paid in" in text_of(page)
    escrow = client.get(at(batch.requester, "console_statement"), {"place": f"escrow:{batch.public_id}"})
    text = text_of(escrow)
    assert text.count("Paid for an accepted answer") == 2 and text.count("Platform fee") == 2
    for (worker,) in rows(
        "SELECT DISTINCT w.public_id FROM assignments_assignment a JOIN profiles_worker w ON w.id = a.worker_id"
    ):
        assert str(worker) not in escrow.content.decode()
    theirs = make.make_batch(1)
    foreign = client.get(at(batch.requester, "console_statement"), {"place": f"escrow:{theirs.public_id}"})
    assert foreign.status_code == 422


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"first": "2026-02-01", "last": "2026-01-01"}, "after the last day"),
        ({"first": "2024-01-01", "last": "2026-01-01"}, "a year at most"),
        ({"first": "yesterday"}, "Enter a valid date"),
        ({"place": "vault"}, "Select a valid choice"),
    ],
)
def test_days_that_cannot_be_are_refused_in_words(batch: Batch, query: dict[str, str], says: str) -> None:
    reply = member(batch.requester, "viewer").get(at(batch.requester, "console_statement"), query)
    assert (reply.status_code, says in text_of(reply)) == (422, True)


def test_a_long_statement_goes_on_page_by_page_and_costs_the_same(batch: Batch) -> None:
    client = member(batch.requester, "viewer")

    def cost() -> int:
        client.get(at(batch.requester, "console_statement"))
        with CaptureQueriesContext(connection) as caught:
            client.get(at(batch.requester, "console_statement"))
        return len(caught)

    few = cost()
    for _n in range(60):
        make.make_deposit(batch.requester, 1_000_000)
    assert cost() <= few + 1, "the names of workers are asked for once, if at all"
    page = client.get(at(batch.requester, "console_statement"))
    assert page.content.decode().count("<tr>") <= 52
    following = re.search(r'href="(\?[^"]+)" rel="next"', page.content.decode())
    assert following is not None
    rest = client.get(at(batch.requester, "console_statement") + following[1].replace("&amp;", "&"))
    assert rest.content.decode().count("Paid in") > 5


def test_invoices_are_listed_with_their_documents_and_managers_say_where_they_go(batch: Batch) -> None:
    invoice = make.make_invoice(batch.requester)
    path = at(batch.requester, "console_invoices")
    viewer, manager = member(batch.requester, "viewer"), member(batch.requester, "manager")
    page = viewer.get(path)
    assert invoice.label in text_of(page)
    assert f"/invoices/{invoice.public_id}.pdf" in page.content.decode()
    assert viewer.get(f"/invoices/{invoice.public_id}.pdf")["Content-Type"] == "application/pdf"
    refused = viewer.post(path, {"form_key": "d" * 20, "act": "details", "name": "Mine"})
    assert (refused.status_code, BillingDetails.objects.count()) == (403, 0)
    wrong = send(manager, path, act="details", name="", email="nobody")
    assert (wrong.status_code, BillingDetails.objects.count()) == (422, 0)

    saved = send(
        manager, path, act="details", name="Acme Ltd", address="1 Road", tax_id="DE1", email="pay@acme.example"
    )

    assert saved.status_code == 303
    told = BillingDetails.objects.get()
    assert (told.name, told.address, told.tax_id, told.email) == ("Acme Ltd", "1 Road", "DE1", "pay@acme.example")


def test_a_month_without_work_is_not_billed_and_the_page_says_so(batch: Batch, settings: Any) -> None:
    settings.INVOICE_SELLER = {**settings.INVOICE_SELLER, "name": "Touchstone Ltd"}
    path = at(batch.requester, "console_invoices")
    manager = member(batch.requester, "manager")
    month = re.search(r'<option value="(\d{4}-\d\d-01)"', manager.get(path).content.decode())
    assert month is not None and date.fromisoformat(month[1]).day == 1
    reply = send(manager, path, act="issue", month=month[1], currency="EUR")
    assert (reply.status_code, Invoice.objects.count()) == (422, 0)
    assert "No work was paid for in EUR" in text_of(reply)


def test_how_to_pay_in_names_the_reference_and_what_came_in(batch: Batch, settings: Any) -> None:
    settings.PAY_IN_ACCOUNT = "Touchstone Ltd\nIBAN DE02 1203"
    make.make_deposit(batch.requester, 5_000_000, reference="wire 77")
    text = text_of(member(batch.requester, "viewer").get(at(batch.requester, "console_pay_in")))
    assert pay_in_reference(batch.requester.public_id) in text and "IBAN DE02 1203" in text
    assert re.search(r"wire 77 bank 5\.00 EUR", text)
    other = make.make_requester()
    assert "wire 77" not in text_of(member(other, "viewer").get(at(other, "console_pay_in")))
    assert pay_in_reference(other.public_id) != pay_in_reference(batch.requester.public_id)


def test_the_page_of_bonuses_names_those_it_shows_and_asks_for_nobody_else(batch: Batch) -> None:
    path = reverse("console_bonuses", args=[batch.public_id])
    paid = rows("SELECT DISTINCT worker_id FROM assignments_assignment WHERE batch_id = %s", [batch.pk])[0][0]
    for _ in range(3):
        answer_all(batch, lambda text: "cat", 1)
    name = in_one(pseudonym_for, worker_id=paid, requester_id=batch.requester_id)
    manager = member(batch.requester, "manager")
    bonus = {"worker": name, "amount": "1.50", "reason": "Very careful.", "reference": "may"}
    assert send(manager, path, **bonus).status_code == 303

    with CaptureQueriesContext(connection) as asked:
        page = manager.get(path)

    assert name in text_of(page)
    assert not [one["sql"] for one in asked if "assignments_assignment" in one["sql"]]
    assert rows("SELECT worker_id FROM profiles_pseudonym WHERE requester_id = %s", [batch.requester_id]) == [(paid,)]


def test_a_manager_pays_a_bonus_once_to_somebody_who_worked(batch: Batch) -> None:
    path = reverse("console_bonuses", args=[batch.public_id])
    worker_id = rows("SELECT DISTINCT worker_id FROM assignments_assignment WHERE batch_id = %s", [batch.pk])[0][0]
    name = in_one(pseudonym_for, worker_id=worker_id, requester_id=batch.requester_id)
    bonus = {"worker": name, "amount": "1.50", "reason": "Very careful.", "reference": "may"}
    reviewer, manager = member(batch.requester, "reviewer"), member(batch.requester, "manager")
    refused = reviewer.post(path, {"form_key": "b" * 20, **bonus})
    assert (refused.status_code, rows("SELECT 1 FROM assignments_extra")) == (403, [])
    nobody = send(manager, path, **{**bonus, "worker": "w_nobody"})
    assert (nobody.status_code, "You know nobody by this name" in text_of(nobody)) == (422, True)

    for _time in range(2):
        assert send(manager, path, **bonus).status_code == 303

    assert rows("SELECT amount_micros, reason FROM assignments_extra") == [(1_500_000, "Very careful.")]
    text = text_of(manager.get(path))
    assert name in text and "1.50 EUR" in text
    other = send(manager, path, **{**bonus, "amount": "2"})
    assert (other.status_code, "names a bonus with another amount" in text_of(other)) == (422, True)
    assert broken() == []
