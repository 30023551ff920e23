"""Billing details, invoices and credit notes."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from django.conf import settings

from marketplace.accounts.commands.acts import record
from marketplace.accounts.models import User
from marketplace.billing.errors import InvoicingNotSetUp, NotCreditable, NothingToInvoice, PeriodNotClosed
from marketplace.billing.locks import requester_for_update
from marketplace.billing.models import BillingDetails, ClosedMonth, DocumentKind, Invoice
from marketplace.billing.parts import require_no_part
from marketplace.billing.queries import Statement, details_of, is_closed, newest_invoice, statement_of
from marketplace.billing.statements import Spent
from marketplace.common.database import MarketNow, run
from marketplace.common.transactions import require_transaction
from marketplace.ledger.periods import Period

# What a batch is billed for, each a line of its own: the word for it, and what makes it up.
BILLED = {
    "work": ("rewards_micros", "upheld_micros"),
    "topups": ("topups_micros",),
    "bonuses": ("bonuses_micros",),
    "fees": ("fees_micros",),
}


def set_billing_details(
    *, requester_id: int, name: str, address: str, tax_id: str, email: str, by: User
) -> BillingDetails:
    """Say to whom invoices go from now on. Those that were issued stay as they are. Repeating it changes nothing."""
    require_transaction()
    terms = {"name": name, "address": address, "tax_id": tax_id, "email": email}
    details, _ = BillingDetails.objects.update_or_create(
        requester_id=requester_id, defaults={**terms, "changed_by": by, "changed_at": MarketNow()}
    )
    details.refresh_from_db()
    # What is said there is a name and an address: the log tells only that it changed.
    record("configuration.billing_details", subject="requester", subject_id=details.requester.public_id, by=by.pk)
    return details


def issue_invoice(*, requester_id: int, currency: str, month: date, by: User | None = None) -> Invoice:
    """Bill a month that is over: what was paid to workers and the fees, flat lines by batch.

    One that was issued before is returned, unless it was credited: then the next edition is made. Locks: requester, the
    year's counter. Raises `InvoicingNotSetUp`, `PeriodNotClosed`, `NothingToInvoice`.
    """
    require_transaction()
    period = Period.month(month)
    seller = _seller()
    if not is_closed(period):
        raise PeriodNotClosed("A month is invoiced once it is over, by UTC, and a few minutes have passed.")
    requester = requester_for_update(requester_id)
    before = newest_invoice(requester_id, currency, month)
    if before is not None and not hasattr(before, "credit_note"):
        return before
    statement = statement_of(requester, currency, period)
    lines = list(_lines(statement))
    if not lines:
        raise NothingToInvoice(f"No work was paid for in {currency} in this month.")
    total = statement.books.total
    details = details_of(requester)
    return _write(
        requester=requester,
        currency=currency,
        period_from=period.first,
        period_to=period.last,
        edition=before.edition + 1 if before else 1,
        issued_by=by,
        seller=seller,
        buyer={name: getattr(details, name) for name in ("name", "address", "tax_id", "email")},
        lines=lines,
        money=_money(statement),
        work_micros=total.work_micros,
        fees_micros=total.fees_micros,
        total_micros=total.total_micros,
    )


def credit_invoice(*, invoice: Invoice, reason: str, by: User) -> Invoice:
    """A credit note over the whole of an invoice, which stays as it is; then the month may be invoiced anew.

    It moves no money: what was paid wrongly is corrected in the ledger. Locks: requester, the year's counter.
    Raises `OwnOrganisation`, `NotCreditable`.
    """
    require_transaction()
    require_no_part(invoice.requester_id, by.pk)
    requester_for_update(invoice.requester_id)
    if invoice.kind != DocumentKind.INVOICE:
        raise NotCreditable("A credit note is not credited; issue the invoice anew.", invoice=invoice.label)
    if Invoice.objects.filter(corrects=invoice).exists():
        raise NotCreditable("This invoice was credited before.", invoice=invoice.label)
    same = ("requester", "currency", "period_from", "period_to", "edition", "seller", "buyer", "money")
    return _write(
        **{name: getattr(invoice, name) for name in same},
        kind=DocumentKind.CREDIT_NOTE,
        corrects=invoice,
        reason=reason,
        issued_by=by,
        lines=[{**line, "amount_micros": -line["amount_micros"]} for line in invoice.lines],
        work_micros=-invoice.work_micros,
        fees_micros=-invoice.fees_micros,
        total_micros=-invoice.total_micros,
    )


def close_month(*, requester_id: int, currency: str, month: date) -> Invoice | None:
    """Invoice a month that is over if anything was billed in it, and note that it was looked at. Repeatable."""
    require_transaction()
    try:
        invoice = issue_invoice(requester_id=requester_id, currency=currency, month=month)
    except NothingToInvoice:
        invoice = None
    run(
        f"INSERT INTO {ClosedMonth._meta.db_table} (requester_id, currency, month, invoice_id) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        [requester_id, currency, month, invoice.pk if invoice else None],
    )
    return invoice


def _write(**fields: Any) -> Invoice:
    invoice = Invoice.objects.create(**fields)
    # Number and time are the trigger's.
    made = Invoice.objects.select_related("requester", "corrects", "credit_note").get(pk=invoice.pk)
    record(
        "money.invoice_issued" if made.corrects is None else "money.invoice_credited",
        subject="invoice",
        subject_id=made.public_id,
        by=made.issued_by_id,
        before=None if made.corrects is None else {"corrects": made.corrects.public_id},
        after={
            "requester": made.requester.public_id,
            "total_micros": made.total_micros,
            "currency": made.currency,
            "month": made.period_from,
        },
    )
    return made


def _seller() -> dict[str, str]:
    seller: dict[str, str] = settings.INVOICE_SELLER
    if not seller["name"]:
        raise InvoicingNotSetUp("Set TOUCHSTONE_INVOICE_SELLER to the name of who sends the invoices.")
    return dict(seller)


def _lines(statement: Statement) -> Iterator[dict[str, Any]]:
    """What was billed, batch by batch; what belongs to no batch comes last."""
    spent = statement.books.spent
    for batch_id in sorted(spent, key=lambda batch_id: (batch_id is None, batch_id or 0)):
        batch = statement.batches.get(batch_id) if batch_id is not None else None
        for what, names in BILLED.items():
            amount = _sum(spent[batch_id], names)
            if amount:
                yield {
                    "batch": str(batch.id) if batch else None,
                    "batch_name": batch.name if batch else "",
                    "project_name": batch.project_name if batch else "",
                    "what": what,
                    "amount_micros": amount,
                }


def _sum(spent: Spent, names: tuple[str, ...]) -> int:
    return sum(getattr(spent, name) for name in names)


def _money(statement: Statement) -> dict[str, int]:
    """For information: what came in, and what the requester had before and after."""
    books = statement.books
    return {
        "opening_micros": books.opening_micros,
        "deposits_micros": books.deposits_micros,
        "taken_back_micros": books.taken_back_micros,
        "funds_closing_micros": books.funds_closing_micros,
        "held_closing_micros": books.held_closing_micros,
        "closing_micros": books.closing_micros,
    }
