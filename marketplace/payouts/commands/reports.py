"""What a provider says to have paid, compared with what is written here."""

import csv
import hashlib
import io
import json
import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from marketplace.accounts.commands.acts import record
from marketplace.common.database import rows, run
from marketplace.common.transactions import require_transaction
from marketplace.payouts.errors import ReportInvalid
from marketplace.payouts.models import CENT_MICROS, Report
from marketplace.payouts.providers.registry import provider

COLUMNS = ["key", "reference", "amount", "currency", "state"]
STATES = ("settled", "failed", "accepted")
ROWS_MAX, FINDINGS_MAX, ERRORS_MAX, KEY_MAX = 50_000, 1_000, 100, 200
AMOUNT = re.compile(r"(\d{1,11})\.(\d{2})")


@dataclass(frozen=True)
class Line:
    """One row of a report."""

    key: str
    reference: str
    amount_micros: int
    currency: str
    state: str


def take_in_report(*, provider_name: str, since: datetime, until: datetime, text: str, by: int) -> Report:
    """Compare the report with the payouts, and keep what differs:

    paid-unknown     paid there, and no payout of ours has the key
    paid-not-settled paid there, and not settled here
    settled-missing  settled here within the time, and not paid there
    amount-differs   another amount or currency
    doubled          paid there more than once

    Raises `NoSuchProvider`, `ReportInvalid` naming rows.
    """
    require_transaction()
    provider(provider_name)
    if until <= since:
        raise ReportInvalid("`until` must be after `since`.", errors=[{"field": "until", "message": "is not later"}])
    lines = _lines(text)
    findings = _findings(provider_name, since, until, lines)
    public_id: UUID = uuid4()
    run(
        "INSERT INTO payouts_report (public_id, provider, since, until, rows, sha256, findings, made_by_id)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s::jsonb, %s)",
        [
            public_id,
            provider_name,
            since,
            until,
            len(lines),
            hashlib.sha256(text.encode()).digest(),
            json.dumps(findings[:FINDINGS_MAX]),
            by,
        ],
    )
    record(
        "money.payouts_reconciled",
        subject="payout_report",
        subject_id=public_id,
        by=by,
        after={"provider": provider_name, "rows": len(lines), "findings": len(findings)},
    )
    return Report.objects.get(public_id=public_id)


def _lines(text: str) -> list[Line]:
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    lines: list[Line] = []
    errors: list[dict[str, Any]] = []
    try:
        header = next(reader, [])
        if header != COLUMNS:
            message = f"must begin with the line {','.join(COLUMNS)}"
            if header == [";".join(COLUMNS)]:
                message = "has semicolons between its columns; put commas between them"
            raise ReportInvalid(f"The file {message}.", errors=[{"row": 0, "field": "csv", "message": message}])
        for number, cells in enumerate(reader, 1):
            if number > ROWS_MAX:
                raise ReportInvalid(f"A report has at most {ROWS_MAX} rows.", errors=[])
            line = _line(number, cells, errors)
            if line is not None:
                lines.append(line)
    except csv.Error:
        message = f"is no CSV: its quotes do not fit together, up to line {reader.line_num}"
        raise ReportInvalid(f"The file {message}.", errors=[{"row": 0, "field": "csv", "message": message}]) from None
    if errors:
        raise ReportInvalid("Some rows are wrong.", errors=errors[:ERRORS_MAX])
    return lines


def _line(number: int, cells: list[str], errors: list[dict[str, Any]]) -> Line | None:
    if len(cells) != len(COLUMNS):
        errors.append({"row": number, "field": "", "message": f"must have {len(COLUMNS)} cells and has {len(cells)}"})
        return None
    key, reference, amount, currency, state = (cell.strip() for cell in cells)
    parts = AMOUNT.fullmatch(amount)
    wrong = {
        "key": (not key or len(key) > KEY_MAX or "\x00" in key) and f"must have 1 to {KEY_MAX} characters",
        "amount": (parts is None or not amount.isascii())
        and "must be a number with two digits after a point, as 12.50",
        "currency": re.fullmatch("[A-Z]{3}", currency) is None and "must be three capital letters, as EUR",
        "state": state not in STATES and f"must be one of {', '.join(STATES)}",
    }
    errors += [{"row": number, "field": field, "message": message} for field, message in wrong.items() if message]
    if any(wrong.values()) or parts is None:
        return None
    return Line(key, reference[:200], (int(parts[1]) * 100 + int(parts[2])) * CENT_MICROS, currency, state)


def _findings(name: str, since: datetime, until: datetime, lines: list[Line]) -> list[dict[str, Any]]:
    paid = [line for line in lines if line.state == "settled"]
    ours = {
        row[0]: row[1:]
        for row in rows(
            "SELECT provider_key, amount_micros, currency, state FROM payouts_payout"
            " WHERE provider = %s AND (provider_key = ANY(%s)"
            "  OR (state = 'settled' AND settled_at >= %s AND settled_at < %s))",
            [name, [line.key for line in lines], since, until],
        )
    }
    findings = [_finding(line, ours.get(line.key)) for line in paid]
    times = Counter(line.key for line in paid)
    findings += [{"kind": "doubled", "key": key, "detail": f"{n} times"} for key, n in sorted(times.items()) if n > 1]
    settled = {
        row[0]
        for row in rows(
            "SELECT provider_key FROM payouts_payout WHERE provider = %s AND state = 'settled'"
            " AND settled_at >= %s AND settled_at < %s",
            [name, since, until],
        )
    }
    findings += [
        {"kind": "settled-missing", "key": key, "detail": "settled here"} for key in sorted(settled - times.keys())
    ]
    return [finding for finding in findings if finding is not None]


def _finding(line: Line, ours: tuple[Any, ...] | None) -> dict[str, Any] | None:
    if ours is None:
        return {"kind": "paid-unknown", "key": line.key, "detail": f"{line.amount_micros} {line.currency}"}
    amount_micros, currency, state = ours
    if (amount_micros, currency) != (line.amount_micros, line.currency):
        return {
            "kind": "amount-differs",
            "key": line.key,
            "detail": f"{line.amount_micros} {line.currency} there, {amount_micros} {currency} here",
        }
    if state != "settled":
        return {"kind": "paid-not-settled", "key": line.key, "detail": f"{state} here"}
    return None
