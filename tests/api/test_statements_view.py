"""Statements, invoices and what staff do with money, over HTTP: to members and nobody else, in words that fit."""

import csv
import hashlib
import io
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from time import sleep
from typing import Any
from uuid import UUID, uuid4

import pytest

from marketplace.billing.models import Deposit, DepositReport, Invoice
from marketplace.common.database import value
from marketplace.common.transactions import one_transaction
from marketplace.ledger.audit import hidden
from marketplace.ledger.commands import seal
from marketplace.ledger.queries import head
from tests import factories as make
from tests.api.callers import Reply, caller_for
from tests.api.described import findings
from tests.api.market import Market, make_market
from tests.billing.books import pay
from workers.assignments.tasks import settle_due

SELLER = {"name": "Touchstone Ltd", "address": "1 Quay", "tax_id": "IE1", "note": ""}


@pytest.fixture(autouse=True)
def seller(settings: Any) -> None:
    settings.INVOICE_SELLER = SELLER


@pytest.fixture
def worked(market: Market) -> Market:
    """One answer accepted and paid, and a bonus."""
    at = f"worker/batches/{market.batch.public_id}/claim"
    (lease,) = market["worker"].post(at).expect(201)["assignments"]
    page = {"answers": [{"assignment": lease["id"], "token": lease["token"], "values": {"label": "cat"}}]}
    market["worker"].post("worker/submissions", page).expect(200)
    market["owner"].post(f"batches/{market.batch.public_id}/answers/accept", {"all_submitted": True}).expect(200)
    settle_due()
    funds, earned = f"requester:{market.requester.public_id}:funds", f"worker:{market.worker.public_id}:earned"
    pay("bonus", funds, earned, 5_000, batch_id=market.batch.pk)
    return market


def rows_of(reply: Reply) -> list[dict[str, str]]:
    assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert reply.headers["Content-Disposition"].startswith("attachment; ")
    assert reply.headers["Cache-Control"] == "private, no-store"
    return list(csv.DictReader(io.StringIO(reply.body.decode())))


def today() -> date:
    return value("SELECT (market_now() AT TIME ZONE 'UTC')::date")  # type: ignore[no-any-return]


def own(market: Market, rest: str = "statement") -> str:
    return f"requesters/{market.requester.public_id}/{rest}"


def test_a_requester_reads_what_his_batch_cost(worked: Market) -> None:
    statement = worked["viewer"].get(own(worked)).expect(200)

    spent = {
        "rewards_micros": make.PRICE, "upheld_micros": 0, "topups_micros": 0, "bonuses_micros": 5_000,
        "fees_micros": make.FEE, "total_micros": make.PRICE + make.FEE + 5_000,
    }  # fmt: skip
    assert statement["spent"] == spent
    assert statement["batches"] == [
        {"batch": str(worked.batch.public_id), "batch_name": "First", "project": str(worked.project.public_id), **spent}
    ]
    assert statement["projects"] == [{"project": str(worked.project.public_id), "project_name": "Pets", **spent}]
    assert (statement["first"], statement["last"]) == (today().replace(day=1).isoformat(), today().isoformat())
    assert statement["deposits_micros"] == 10**12
    assert statement["closing_micros"] == 10**12 - spent["total_micros"]
    assert statement["held_now_micros"] == statement["held_closing_micros"]
    assert [finding for reply in worked.said for finding in findings(reply)] == []


def test_workers_in_lines_and_files_are_the_requesters_own_names_for_them(worked: Market) -> None:
    at = own(worked, f"statement/lines?place=escrow&batch={worked.batch.public_id}")
    lines = worked["viewer"].all(at, limit=2)
    funds = worked["viewer"].all(own(worked, "statement/lines"))
    file = worked["viewer"].get(own(worked, "statement.csv"))

    (reward,) = [line for line in lines if line["kind"] == "reward"]
    assert reward["destination"] == f"worker:{worked.known}:earned"
    assert reward["destination_hash"] == hidden(reward["key"], f"worker:{worked.worker.public_id}:earned")
    assert len(lines) == len({line["key"] for line in lines}) >= 3
    (bonus,) = [line for line in funds if line["kind"] == "bonus"]
    assert (bonus["destination"], bonus["delta_micros"]) == (f"worker:{worked.known}:earned", -5_000)
    cells = rows_of(file)
    (paid,) = [row for row in cells if row["kind"] == "reward"]
    assert (paid["amount"], paid["currency"], paid["account"]) == ("-0.02", "EUR", "escrow")
    assert (paid["destination"], paid["batch_name"]) == (f"worker:{worked.known}:earned", "First")
    assert len(cells) >= len(lines) + len(funds)
    told = b"".join(reply.body for reply in worked.said if reply.who == "viewer")
    assert str(worked.worker.public_id).encode() not in told


def test_a_requester_recomputes_the_leaf_of_a_payment_without_knowing_the_worker(committed: str) -> None:
    market = make_market()
    escrow, earned = f"batch:{market.batch.public_id}:escrow", f"worker:{market.worker.public_id}:earned"
    pay("reward", escrow, earned, 7, batch_id=market.batch.pk, memo="a memo")
    _seal_all()

    lines = market["viewer"].all(own(market, f"statement/lines?place=escrow&batch={market.batch.public_id}"))

    (reward,) = [line for line in lines if line["kind"] == "reward"]
    made_at = datetime.fromisoformat(reward["made_at"]) - datetime(1970, 1, 1, tzinfo=UTC)
    facts = [
        *(1, reward["key"], "reward", reward["source_hash"], reward["destination_hash"], "EUR", 7),
        *(made_at // timedelta(microseconds=1), reward["memo_hash"], None),
    ]
    told = json.dumps(facts, ensure_ascii=False, separators=(", ", ": ")).encode()
    assert hashlib.sha256(told).hexdigest() == reward["seal"]["leaf"]
    assert earned.encode() not in market.said[-1].body


def _seal_all() -> None:
    """Another transaction of the server may hold the sealer up for a moment."""
    for _try in range(300):
        with one_transaction(principal="test"):
            seal()
        if head().seq == value("SELECT count(*) FROM ledger_transfer"):
            return
        sleep(0.1)
    raise AssertionError("not everything was sealed within 30 s")


def test_another_requester_knows_the_same_worker_by_another_name(worked: Market) -> None:
    other = make.make_requester()
    member = other.members.get()
    pay("bonus", f"requester:{other.public_id}:funds", f"worker:{worked.worker.public_id}:earned", 1)
    lines = caller_for(member.user, "requester").all(f"requesters/{other.public_id}/statement/lines")

    name = next(line["destination"] for line in lines if line["kind"] == "bonus")
    assert name.startswith("worker:w_")
    assert worked.known not in name


def test_a_worker_reads_his_own_money_and_no_other(worked: Market) -> None:
    mine = worked["worker"].get("worker/statement").expect(200)
    theirs = worked["other worker"].get("worker/statement").expect(200)

    assert (mine["rewards_micros"], mine["bonuses_micros"], mine["closing_micros"]) == (make.PRICE, 5_000, 25_000)
    assert mine["hours"]["paid_micros"] == 25_000
    assert (theirs["earned_micros"], theirs["closing_micros"], theirs["hours"]["per_hour_micros"]) == (0, 0, None)
    # What else he has was earned elsewhere, and is on its way out.
    lines = [line for line in worked["worker"].all("worker/statement/lines", limit=1) if line["batch"]]
    assert [(line["kind"], line["batch"]["requester"]["name"]) for line in lines] == [
        ("reward", "Acme Labels"),
        ("bonus", "Acme Labels"),
    ]
    others = worked["other worker"].all("worker/statement/lines")
    assert [line for line in others if line["batch"]] == []
    (first, second) = (row for row in rows_of(worked["worker"].get("worker/statement.csv")) if row["batch"])
    assert (first["amount"], second["amount"], second["balance_after"]) == ("0.02", "0.005", "0.025")
    assert [row for row in rows_of(worked["other worker"].get("worker/statement.csv")) if row["batch"]] == []
    assert [finding for reply in worked.said for finding in findings(reply)] == []


def test_what_is_accepted_but_not_paid_yet_is_paid_before_a_worker_reads_his_statement(market: Market) -> None:
    at = f"worker/batches/{market.batch.public_id}/claim"
    (lease,) = market["worker"].post(at).expect(201)["assignments"]
    page = {"answers": [{"assignment": lease["id"], "token": lease["token"], "values": {"label": "cat"}}]}
    market["worker"].post("worker/submissions", page).expect(200)
    assert market["worker"].get("worker/statement").expect(200)["pending_micros"] == make.PRICE
    market["owner"].post(f"batches/{market.batch.public_id}/answers/accept", {"all_submitted": True}).expect(200)

    statement = market["worker"].get("worker/statement").expect(200)

    assert (statement["rewards_micros"], statement["due_micros"], statement["pending_micros"]) == (make.PRICE, 0, 0)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=2031-13-01", "from"),
        ("from=yesterday", "from"),
        ("to=2031-02-30", "to"),
        ("from=2031-03-02&to=2031-03-01", "from"),
        ("from=2030-01-01&to=2031-03-01", "from"),
        ("from=1999-01-01", "from"),
        ("currency=eur", "currency"),
        ("currency=", "currency"),
    ],
)
def test_a_period_that_makes_no_sense_is_refused_by_name(market: Market, query: str, field: str) -> None:
    for who, path in (("worker", "worker/statement"), ("owner", own(market)), ("owner", own(market, "statement.csv"))):
        reply = market[who].get(f"{path}?{query}")
        assert (reply.status, [error["field"] for error in reply.json["errors"]]) == (422, [field])


def test_a_year_and_a_day_of_the_future_are_periods_too(market: Market) -> None:
    assert market["owner"].get(f"{own(market)}?from=2031-01-01&to=2031-12-31").status == 200
    assert market["owner"].get(f"{own(market)}?from=2032-01-01&to=2032-12-31").status == 200
    assert market["owner"].get(f"{own(market)}?unknown=1").code == "unknown-field"


@pytest.mark.parametrize(
    ("query", "field"), [("place=pocket", "place"), ("place=escrow", "batch"), (f"batch={UUID(int=5)}", "batch")]
)
def test_lines_are_of_one_account(market: Market, query: str, field: str) -> None:
    reply = market["owner"].get(own(market, f"statement/lines?{query}"))

    assert (reply.status, [error["field"] for error in reply.json["errors"]]) == (422, [field])


def test_a_foreign_batch_has_no_lines(market: Market) -> None:
    theirs = make_market()

    for batch in (theirs.batch.public_id, uuid4()):
        assert market["owner"].all(own(market, f"statement/lines?place=escrow&batch={batch}")) == []
    assert theirs["owner"].all(own(theirs, f"statement/lines?place=escrow&batch={theirs.batch.public_id}")) != []


def test_names_that_a_spreadsheet_would_run_are_made_harmless(market: Market) -> None:
    draft = make.make_draft(market.project, name="=1+1")
    make.add_rows(draft, make.rows(1))
    make.published(draft)

    cells = rows_of(market["owner"].get(own(market, "statement.csv")))

    assert {row["batch_name"] for row in cells} == {"", "First", "'=1+1"}
    assert {row["amount"][0] for row in cells} <= set("-0123456789")


def test_an_invoice_is_issued_read_and_taken_back(worked: Market, clock: Callable[[timedelta], None]) -> None:
    month = today().replace(day=1)
    terms = {"month": f"{month:%Y-%m}"}
    details = {"name": "Acme GmbH", "address": "Weg 1\nHamburg", "tax_id": "DE1", "email": "pay@acme.example"}
    assert worked["manager"].call("PUT", own(worked, "billing-details"), details).expect(200)["name"] == "Acme GmbH"
    assert worked["manager"].post(own(worked, "invoices"), terms).code == "period-not-closed"
    clock(timedelta(days=32))

    invoice = worked["manager"].post(own(worked, "invoices"), terms).expect(201)
    pdf = worked["viewer"].get(f"invoices/{invoice['id']}/pdf")
    note = worked["staff"].post(f"invoices/{invoice['id']}/credit-note", {"reason": "wrong name"}).expect(201)

    assert (invoice["work_micros"], invoice["fees_micros"], invoice["total_micros"]) == (25_000, 2_000, 27_000)
    assert invoice["buyer"] == details
    assert [line["what"] for line in invoice["lines"]] == ["work", "bonuses", "fees"]
    assert (pdf.status, pdf.headers["Content-Type"], pdf.body[:5]) == (200, "application/pdf", b"%PDF-")
    assert pdf.headers["Content-Disposition"] == f'attachment; filename="invoice-{invoice["number"]}.pdf"'
    assert (note["kind"], note["corrects"], note["total_micros"]) == ("credit_note", invoice["id"], -27_000)
    assert worked["staff"].post(f"invoices/{invoice['id']}/credit-note", {"reason": "x"}).code == "not-creditable"
    listed = worked["viewer"].all(own(worked, "invoices"))
    assert [(one["number"][-2:], one["credited_by"]) for one in listed] == [("01", note["id"]), ("02", None)]
    again = worked["manager"].post(own(worked, "invoices"), terms).expect(201)
    assert (again["edition"], again["total_micros"]) == (2, 27_000)
    assert [finding for reply in worked.said for finding in findings(reply)] == []


@pytest.mark.parametrize("month", ["2026-13", "2026-1", "26-01", "2026-01-01", "", "1999-01"])
def test_a_month_is_written_in_one_way(market: Market, month: str) -> None:
    reply = market["owner"].post(own(market, "invoices"), {"month": month})

    assert (reply.status, [error["field"] for error in reply.json["errors"]]) == (422, ["month"])
    assert not Invoice.objects.exists()


def test_staff_record_list_and_take_back_deposits(market: Market) -> None:
    body = {
        "requester": str(market.requester.public_id), "amount_micros": 7, "currency": "EUR", "reference": "line 4",
        "evidence": "Statement of 3 March",
    }  # fmt: skip
    made = market["staff"].post("deposits", body).expect(201)

    assert (made["evidence"], made["channel"], made["taken_back"]) == ("Statement of 3 March", "bank", None)
    assert market["staff"].all("deposits") == [{name: made[name] for name in made if name != "funds_micros"}]
    back = market["staff"].post(f"deposits/{made['id']}/reverse", {"reason": "typed twice"}).expect(200)
    assert back["funds_micros"] == made["funds_micros"] - 7
    assert back["taken_back"]["reason"] == "typed twice"
    again = market["staff"].post(f"deposits/{made['id']}/reverse", {"reason": "typed twice"})
    assert (again.status, again.code) == (409, "deposit-taken-back")
    assert [finding for reply in market.said for finding in findings(reply)] == []


def test_a_deposit_that_is_spent_is_not_taken_back_and_the_answer_says_what_is_missing(market: Market) -> None:
    poor = make.make_requester(funds_micros=0)
    deposit = make.make_deposit(poor, 100)
    pay("bonus", f"requester:{poor.public_id}:funds", f"worker:{market.worker.public_id}:earned", 60)

    reply = market["staff"].post(f"deposits/{deposit.public_id}/reverse", {"reason": "r"})

    assert (reply.status, reply.code, reply.json["missing_micros"]) == (409, "not-enough-funds", 60)
    assert not Deposit.objects.filter(reversal__isnull=False).exists()


def test_a_report_is_compared_and_a_wrong_one_named_row_by_row(market: Market) -> None:
    make.make_deposit(market.requester, 12_500_000, reference="A")
    good = f"reference,amount,currency,date\nA,12.50,EUR,{today()}\nB,1,EUR,{today()}\n".encode()
    wrong = b"reference,amount,currency,date\nA,x,EUR,2031-01-01\n"

    def send(body: bytes, query: str = "", kind: str = "text/csv") -> Reply:
        return market["staff"].post(f"deposit-reports{query}", raw=body, content_type=kind)

    made = send(good).expect(201)
    refused = send(wrong)

    assert (made["rows"], made["matched"]) == (2, 1)
    assert [row["reference"] for row in made["findings"]["missing_here"]] == ["B"]
    assert (refused.status, refused.code) == (422, "invalid-report")
    assert [(error["row"], error["field"]) for error in refused.json["errors"]] == [(1, "amount")]
    assert send(good, kind="application/json").status == 415
    assert send(good, "?channel=No!").status == 422
    assert market["staff"].all("deposit-reports") == [made]
    assert DepositReport.objects.count() == 1
    assert [finding for reply in market.said for finding in findings(reply)] == []


def test_staff_see_what_is_owed_and_that_it_adds_up(worked: Market) -> None:
    (euros,) = worked["staff"].get("liabilities").expect(200)["currencies"]
    cells = rows_of(worked["staff"].get("liabilities.csv"))

    assert (euros["currency"], euros["sum_micros"]) == ("EUR", 0)
    assert (euros["places_micros"]["earned"], euros["places_micros"]["fees"]) == (25_000, 2_000)
    assert euros["ages_micros"]["earned"]["up_to_1_day"] == 25_000
    by_name = {(row["what"], row["age"]): row["amount"] for row in cells}
    assert (by_name["earned", ""], by_name["earned", "up_to_1_day"], by_name["sum", ""]) == ("0.025", "0.025", "0.00")
    assert [finding for reply in worked.said for finding in findings(reply)] == []
