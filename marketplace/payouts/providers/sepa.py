"""SEPA credit transfers: a pain.001 file that a person carries to the bank.

A bank pays a file that it is given twice under one message id only once, if at all; so the id is made of the run, and
the bytes of a run never change.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from django.conf import settings
from sepaxml import SepaTransfer
from text_unidecode import unidecode

from marketplace.payouts.providers.base import FileProvider, Order, Refused

SCHEMA = "pain.001.001.09"
NAME_MAX = 70
REMITTANCE_MAX = 140
IDENTIFIER_MAX = 35
AMOUNT_MAX_CENTS = 99_999_999_999  # the scheme's: 999,999,999.99

# How long an IBAN is, for each country whose banks take part in SEPA (EPC409-09). Territories bank under the code of
# their state: Åland under FI, the Azores under PT, Jersey, Guernsey and the Isle of Man under GB, Réunion under FR.
IBAN_LENGTHS = {
    "AD": 24, "AL": 28, "AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20,
    "ES": 24, "FI": 18, "FR": 27, "GB": 22, "GI": 23, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IS": 26, "IT": 27,
    "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MT": 31, "NL": 18, "NO": 15,
    "PL": 28, "PT": 25, "RO": 24, "RS": 22, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "VA": 22,
}  # fmt: skip
IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[0-9A-Z]+", re.ASCII)
BIC = re.compile(r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?", re.ASCII)
# The characters that every bank in SEPA must take (EPC217-08).
FOREIGN = re.compile(r"[^A-Za-z0-9/?:().,'+ -]")
IDENTIFIER = re.compile(r"(?!/)(?!.*//)[A-Za-z0-9/?:().,'+ -]{1,35}(?<!/)")


class Sepa(FileProvider):
    name: ClassVar[str] = "sepa"
    title: ClassVar[str] = "SEPA bank transfer"
    fields: ClassVar[Mapping[str, str]] = {
        "name": "The name of the account's holder",
        "iban": "The IBAN of an account in the SEPA area",
        "bic": "The BIC of its bank; not needed",
    }
    content_type: ClassVar[str] = "application/xml"
    extension: ClassVar[str] = "xml"

    @classmethod
    def configured(cls) -> bool:
        return bool(settings.SEPA_NAME and settings.SEPA_IBAN and settings.SEPA_BIC)

    def check(self, details: Mapping[str, str], currency: str) -> dict[str, str]:
        found = {
            "name": name_fault(details.get("name", "")),
            "iban": iban_fault(details.get("iban", "")),
            "bic": bic_fault(details["bic"]) if details.get("bic") else None,
            "currency": None if currency == "EUR" else "SEPA pays in EUR only.",
        }
        return self.strange(details) | {field: fault for field, fault in found.items() if fault}

    def canonical(self, details: Mapping[str, str]) -> str:
        return without_spaces(details["iban"])

    def shown(self, details: Mapping[str, str]) -> str:
        iban = without_spaces(details["iban"])
        return f"{iban[:2]}… {iban[-4:]}"

    def write(self, orders: Sequence[Order], *, run: str, made_at: datetime) -> bytes:
        if not orders:
            raise Refused("A run without payments makes no file.")
        if len({order.key for order in orders}) != len(orders):
            raise Refused("An order is in the run twice.")
        document = _Document(_debtor(), run=run, made_at=made_at)
        for order in sorted(orders, key=lambda each: each.key):  # however the caller found them
            document.add_payment(self._payment(order, made_at))
        written: bytes = document.export(validate=True)
        return written

    def _payment(self, order: Order, made_at: datetime) -> dict[str, Any]:
        faults = self.check(order.details, order.currency)
        if not IDENTIFIER.fullmatch(order.key):
            faults["key"] = f"It cannot be an EndToEndId: at most {IDENTIFIER_MAX} of the characters that SEPA allows."
        if type(order.amount_cents) is not int or not 0 < order.amount_cents <= AMOUNT_MAX_CENTS:
            faults["amount_cents"] = "SEPA pays whole cents, from 0.01 to 999,999,999.99 EUR."
        if faults:
            named = " ".join(f"{field}: {fault}" for field, fault in faults.items())
            raise Refused(f"Order {order.key} cannot be paid by SEPA. {named}")
        bic = {"BIC": without_spaces(order.details["bic"])} if order.details.get("bic") else {}
        return bic | {
            "name": in_bank_letters(order.details["name"], NAME_MAX),
            "IBAN": without_spaces(order.details["iban"]),
            "amount": order.amount_cents,
            "execution_date": _utc(made_at).date(),
            "description": in_bank_letters(order.reference, REMITTANCE_MAX) or order.key,
            "endtoend_id": order.key,
        }


class _Document(SepaTransfer):  # type: ignore[misc]
    """The library's document, with ids and times of the run where the library puts chance and the present."""

    def __init__(self, debtor: dict[str, Any], *, run: str, made_at: datetime) -> None:
        self._run = run.replace("-", "")
        # A UUID's 32 digits, and two more characters for the group of payments, are within the 35 allowed.
        if not re.fullmatch(r"[A-Za-z0-9]{1,33}", self._run):
            raise ValueError(f"{run!r} cannot be made a message id.")
        self._made_at = _utc(made_at)
        super().__init__(debtor, SCHEMA, clean=False)

    def _create_header(self) -> None:
        self.msg_id = self._run
        super()._create_header()
        self._xml.find(f"{self.root_el}/GrpHdr/CreDtTm").text = self._made_at.strftime("%Y-%m-%dT%H:%M:%SZ")

    def _finalize_batch(self) -> None:
        super()._finalize_batch()
        for number, node in enumerate(self._xml.iter("PmtInfId"), start=1):
            node.text = f"{self._run}-{number}"


def without_spaces(typed: str) -> str:
    """An IBAN or BIC as machines write it."""
    joined = "".join(typed.split())
    return joined.upper() if joined.isascii() else joined  # upper case makes ASCII letters of others


def iban_fault(typed: str) -> str | None:
    """Why this is not the IBAN of an account that SEPA reaches; None if it may be one."""
    iban = without_spaces(typed)
    if not iban:
        return "An IBAN is needed."
    if not IBAN.fullmatch(iban):
        return "An IBAN is two letters for the country, two digits, and letters and digits."
    length = IBAN_LENGTHS.get(iban[:2])
    if length is None:
        return f"Banks under {iban[:2]} do not take part in SEPA."
    if len(iban) != length:
        return f"An IBAN that begins with {iban[:2]} has {length} characters; this one has {len(iban)}."
    # 00, 01 and 99 leave the right remainder for some accounts, but would be another spelling of the digits 97, 98 and
    # 02: one account must have one canonical text.
    if not 2 <= int(iban[2:4]) <= 98 or remainder(iban) != 1:
        return "The check digits of this IBAN are wrong: a character was mistyped."
    return None


def remainder(iban: str) -> int:
    """ISO 7064, mod 97-10: 1 if the check digits are right."""
    return int("".join(str(int(letter, 36)) for letter in iban[4:] + iban[:4])) % 97


def bic_fault(typed: str) -> str | None:
    if BIC.fullmatch(without_spaces(typed)):
        return None
    return "A BIC has 8 or 11 characters: four for the bank, two letters for the country, two, and perhaps three more."


def name_fault(typed: str) -> str | None:
    if not typed.strip():
        return "The name of the account's holder is needed."
    if any(unicodedata.category(letter).startswith("C") for letter in typed):
        return "The name has characters that cannot be seen."
    if len(unidecode(typed)) > NAME_MAX:
        return f"The name is longer than {NAME_MAX} characters in Latin letters."
    if not re.search("[A-Za-z]", in_bank_letters(typed, NAME_MAX)):
        return "The name has no letters that a bank can write."
    return None


def in_bank_letters(text: str, length_max: int) -> str:
    """The text in the characters that every bank takes, cut to the length; may be empty."""
    latin = " ".join(unidecode(text).split()).replace("&", "+").replace("_", "-")
    # A field may neither begin nor end with a slash, nor have two in a row: they separate parts in older formats.
    allowed = re.sub("/{2,}", "/", FOREIGN.sub(".", latin))
    return allowed.strip("/ ")[:length_max].strip("/ ")


def _debtor() -> dict[str, Any]:
    """The account to pay from. Raises `Refused` where the settings cannot be what the bank gave out."""
    for variable, fault in [
        ("TOUCHSTONE_SEPA_NAME", name_fault(settings.SEPA_NAME)),
        ("TOUCHSTONE_SEPA_IBAN", iban_fault(settings.SEPA_IBAN)),
        ("TOUCHSTONE_SEPA_BIC", bic_fault(settings.SEPA_BIC)),
    ]:
        if fault:
            raise Refused(f"{variable} is wrong. {fault}")
    return {
        "name": in_bank_letters(settings.SEPA_NAME, NAME_MAX),
        "IBAN": without_spaces(settings.SEPA_IBAN),
        "BIC": without_spaces(settings.SEPA_BIC),
        "batch": True,
        "currency": "EUR",
    }


def _utc(moment: datetime) -> datetime:
    assert moment.tzinfo is not None, "a time without its zone is no time"
    return moment.astimezone(UTC)
