"""An invoice as it is read, in words: the page and the PDF show the same. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from marketplace.billing.models import DocumentKind, Invoice
from marketplace.common.money import exact

TITLES = {DocumentKind.INVOICE: "Invoice", DocumentKind.CREDIT_NOTE: "Credit note"}
WHAT = {
    "work": "Paid to workers for accepted answers",
    "topups": "Paid to workers to reach the hourly rate promised",
    "bonuses": "Bonuses paid to workers",
    "fees": "Platform fee",
}


@dataclass(frozen=True)
class Line:
    """One line of the bill. `heading` names the batch where a new one begins."""

    heading: str
    text: str
    amount: str


@dataclass(frozen=True)
class Document:
    """What stands on it. Pairs are (label, text); amounts are without their currency, which is said once."""

    title: str
    label: str
    currency: str
    seller: list[str]
    buyer: list[str]
    facts: list[tuple[str, str]]
    lines: list[Line]
    sums: list[tuple[str, str]]
    total: tuple[str, str]
    information: list[tuple[str, str]]
    notes: list[str]


def document_of(invoice: Invoice) -> Document:
    """The words for the invoice. All amounts have as many digits as the longest needs, so that they stand in line."""
    amounts = [line["amount_micros"] for line in invoice.lines] + list(invoice.money.values())
    places = max(_places(amount) for amount in [*amounts, invoice.total_micros])

    def shown(amount_micros: int) -> str:
        text = exact(amount_micros)
        return text + "0" * (places - len(text.partition(".")[2]))

    return Document(
        title=TITLES[DocumentKind(invoice.kind)],
        label=invoice.label,
        currency=invoice.currency,
        seller=_party(invoice.seller),
        buyer=_party(invoice.buyer),
        facts=_facts(invoice),
        lines=_lines(invoice, shown),
        sums=[
            ("Paid to workers on your behalf", shown(invoice.work_micros)),
            ("Platform fees", shown(invoice.fees_micros)),
        ],
        total=("Total", shown(invoice.total_micros)),
        information=_information(invoice, shown),
        notes=[note for note in (invoice.seller.get("note", ""), _settled(invoice)) if note],
    )


def _places(amount_micros: int) -> int:
    return len(exact(amount_micros).partition(".")[2])


def _party(party: dict[str, str]) -> list[str]:
    tax_id = f"Tax ID {party['tax_id']}" if party["tax_id"] else ""
    return [text for text in (party["name"], *party["address"].splitlines(), tax_id, party.get("email", "")) if text]


def _facts(invoice: Invoice) -> list[tuple[str, str]]:
    facts = [
        ("Date", invoice.issued_at.date().isoformat()),
        ("Period", f"{invoice.period_from.isoformat()} to {invoice.period_to.isoformat()} (UTC)"),
    ]
    if invoice.corrects is not None:
        facts += [("Takes back", f"Invoice {invoice.corrects.label}"), ("Reason", invoice.reason)]
    return facts


def _lines(invoice: Invoice, shown: Callable[[int], str]) -> list[Line]:
    found, before = [], None
    for line in invoice.lines:
        heading = f"{line['project_name']} · {line['batch_name']}" if line["batch"] else "Without a batch"
        found.append(Line(heading if heading != before else "", WHAT[line["what"]], shown(line["amount_micros"])))
        before = heading
    return found


def _information(invoice: Invoice, shown: Callable[[int], str]) -> list[tuple[str, str]]:
    money = invoice.money
    rows = [("Balance before", "opening_micros"), ("Deposits", "deposits_micros")]
    if money["taken_back_micros"]:
        rows.append(("Deposits taken back", "taken_back_micros"))
    rows += [("Balance after", "closing_micros"), ("Of this, held for open batches", "held_closing_micros")]
    return [(label, shown(money[name])) for label, name in rows]


def _settled(invoice: Invoice) -> str:
    if invoice.kind == DocumentKind.CREDIT_NOTE:
        return "This document takes the invoice back. It moves no money by itself."
    return "Paid from your deposits. Nothing is left to pay."
