"""A bank's or provider's list of what came in, read from CSV and compared with what was recorded. Pure."""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from marketplace.billing.errors import ReportInvalid
from marketplace.common.money import AMOUNT_MAX, MICROS, exact

COLUMNS = ("reference", "amount", "currency", "date")
ROWS_MAX, ERRORS_SHOWN, REFERENCE_MAX = 50_000, 100, 200
_AMOUNT = re.compile(r"^(\d{1,10})(?:\.(\d{1,6}))?$", re.ASCII)
_DAY = re.compile(r"^20\d\d-\d\d-\d\d$", re.ASCII)


@dataclass(frozen=True)
class Entry:
    """One deposit, as a report or as our own books have it."""

    reference: str
    amount_micros: int
    currency: str
    day: date

    def shown(self) -> dict[str, str]:
        return {
            "reference": self.reference,
            "amount": exact(self.amount_micros),
            "currency": self.currency,
            "date": self.day.isoformat(),
        }


def read_report(body: bytes) -> list[Entry]:
    """The rows of a CSV file with the columns reference, amount, currency and date (any order, others passed over).

    An amount is a decimal number with a point, a date is YYYY-MM-DD, each reference stands once. Raises `ReportInvalid`
    with the first 100 wrong rows, counted from 1 without the header; 0 is the file as a whole.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _invalid([_error(0, "", "is no text in UTF-8; save the table as CSV in UTF-8")]) from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        places = {name: header.index(name) for name in COLUMNS if header.count(name) == 1}
        missing = [name for name in COLUMNS if name not in places]
        if missing and len(header) == 1 and ";" in header[0]:
            raise _invalid([_error(0, "", "has semicolons between its columns; put commas between them")])
        if missing:
            message = f"must begin with a line of the columns {', '.join(COLUMNS)}, each once"
            raise _invalid([_error(0, missing[0], message)])
        cells = [row for row in reader if any(cell.strip() for cell in row)]
    except csv.Error:
        message = f"is no CSV: its quotes do not fit together, up to line {reader.line_num}"
        raise _invalid([_error(0, "", message)]) from None
    if not 1 <= len(cells) <= ROWS_MAX:
        raise _invalid([_error(0, "", f"has {len(cells)} rows; a report has 1 to {ROWS_MAX}")])
    return _entries(cells, places)


def _entries(cells: list[list[str]], places: Mapping[str, int]) -> list[Entry]:
    entries: list[Entry] = []
    errors: list[dict[str, Any]] = []
    first_at: dict[str, int] = {}
    for number, row in enumerate(cells, start=1):
        texts = {name: row[place].strip() if place < len(row) else "" for name, place in places.items()}
        found = [_error(number, name, message) for name, message in _wrong(texts)]
        if not found and (first := first_at.setdefault(texts["reference"], number)) != number:
            found = [_error(number, "reference", f"stands in row {first} too")]
        errors += found
        if not found:
            micros = micros_of(texts["amount"])
            assert micros is not None, "a row without errors has an amount"
            entries.append(Entry(texts["reference"], micros, texts["currency"], date.fromisoformat(texts["date"])))
    if errors:
        raise _invalid(errors)
    return entries


def _wrong(texts: Mapping[str, str]) -> list[tuple[str, str]]:
    found = []
    if not 1 <= len(texts["reference"]) <= REFERENCE_MAX or "\x00" in texts["reference"]:
        found.append(("reference", f"must have 1 to {REFERENCE_MAX} characters"))
    if micros_of(texts["amount"]) is None:
        found.append(("amount", "must be a number above zero, as 12.50, with at most six digits after the point"))
    if not re.fullmatch(r"[A-Z]{3}", texts["currency"], re.ASCII):
        found.append(("currency", "must be three capital letters, as EUR"))
    try:
        if not _DAY.match(texts["date"]):
            raise ValueError
        date.fromisoformat(texts["date"])
    except ValueError:
        found.append(("date", "must be a day as 2026-01-31"))
    return found


def micros_of(text: str) -> int | None:
    """Micro-units of a decimal number, exactly; None for what is none, or is not above zero and within bounds.

    >>> micros_of("12.5"), micros_of("0.0000001"), micros_of("1e3")
    (12500000, None, None)
    """
    parts = _AMOUNT.match(text)
    if parts is None:
        return None
    micros = int(parts[1]) * MICROS + int((parts[2] or "").ljust(6, "0"))
    return micros if 0 < micros <= AMOUNT_MAX else None


@dataclass(frozen=True)
class Comparison:
    """How many agree, and every one that does not: reported and not recorded, recorded and not reported, and recorded
    with another amount or currency."""

    matched: int
    missing_here: list[Entry]
    missing_there: list[Entry]
    different: list[tuple[Entry, Entry]]

    def findings(self) -> dict[str, list[dict[str, Any]]]:
        """As it is stored and shown."""
        return {
            "missing_here": [entry.shown() for entry in self.missing_here],
            "missing_there": [entry.shown() for entry in self.missing_there],
            "different": [
                {**told.shown(), "recorded_amount": exact(own.amount_micros), "recorded_currency": own.currency}
                for told, own in self.different
            ],
        }


def compare(told: Iterable[Entry], recorded: Iterable[Entry], *, first: date, last: date) -> Comparison:
    """Hold a report against our own entries, by reference. `recorded` has all that the report names, and all of the
    days from `first` to `last`; only what was recorded in these days can be missing there."""
    own = {entry.reference: entry for entry in recorded}
    matched, missing_here, different, named = 0, [], [], set()
    for entry in told:
        named.add(entry.reference)
        ours = own.get(entry.reference)
        if ours is None:
            missing_here.append(entry)
        elif (ours.amount_micros, ours.currency) != (entry.amount_micros, entry.currency):
            different.append((entry, ours))
        else:
            matched += 1
    missing_there = [entry for entry in own.values() if entry.reference not in named and first <= entry.day <= last]
    return Comparison(matched, missing_here, missing_there, different)


def _error(row: int, field: str, message: str) -> dict[str, Any]:
    return {"row": row, "field": field, "message": message}


def _invalid(errors: list[dict[str, Any]]) -> ReportInvalid:
    return ReportInvalid(
        "The report was not taken; correct these rows and send it again.",
        errors=errors[:ERRORS_SHOWN],
        error_count=len(errors),
    )
