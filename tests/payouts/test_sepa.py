"""SEPA files: valid, the same for the same run, with every cent, and with nothing that a bank cannot read."""

import re
import string
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import sepaxml
import xmlschema
from hypothesis import given
from hypothesis import strategies as st

from marketplace.payouts.providers.base import Order, Refused
from marketplace.payouts.providers.sepa import (
    FOREIGN,
    IBAN_LENGTHS,
    IDENTIFIER,
    SCHEMA,
    Sepa,
    iban_fault,
    in_bank_letters,
    remainder,
)

RUN = "0b2f5a4e-7d7c-4c55-9e0b-3c9d5a1f7e21"
MADE_AT = datetime(2026, 11, 20, 23, 30, 15, 123456, tzinfo=UTC)
BERLIN = "DE89 3704 0044 0532 0130 00"
# The examples of the registry of IBANs, one for each country of the table.
GOOD = [
    "AD1200012030200359100100",
    "AL47212110090000000235698741",
    "AT611904300234573201",
    "BE68539007547034",
    "BG80BNBG96611020345678",
    "CH9300762011623852957",
    "CY17002001280000001200527600",
    "CZ6508000000192000145399",
    "DE89370400440532013000",
    "DK5000400440116243",
    "EE382200221020145685",
    "ES9121000418450200051332",
    "FI2112345600000785",
    "FR1420041010050500013M02606",
    "GB29NWBK60161331926819",
    "GI75NWBK000000007099453",
    "GR1601101250000000012300695",
    "HR1210010051863000160",
    "HU42117730161111101800000000",
    "IE29AIBK93115212345678",
    "IS140159260076545510730339",
    "IT60X0542811101000000123456",
    "LI21088100002324013AA",
    "LT121000011101001000",
    "LU280019400644750000",
    "LV80BANK0000435195001",
    "MC5811222000010123456789030",
    "MD24AG000225100013104168",
    "ME25505000012345678951",
    "MK07250120000058984",
    "MT84MALT011000012345MTLCAST001S",
    "NL91ABNA0417164300",
    "NO9386011117947",
    "PL61109010140000071219812874",
    "PT50000201231234567890154",
    "RO49AAAA1B31007593840000",
    "RS35260005601001611379",
    "SE4550000000058398257466",
    "SI56263300012039086",
    "SK3112000000198742637541",
    "SM86U0322509800000000270100",
    "VA59001123000012345678",
]


@pytest.fixture(autouse=True)
def debtor(settings: Any) -> None:
    settings.SEPA_NAME = "Müller & Söhne GmbH"
    settings.SEPA_IBAN = "de02 1203 0000 0000 2020 51"
    settings.SEPA_BIC = "BYLADEM1001"


def order(number: int = 1, **changes: Any) -> Order:
    made = Order(
        key=f"po{number:032x}",
        amount_cents=1_234,
        currency="EUR",
        details={"name": "Ada Lovelace", "iban": BERLIN},
        reference="Work in November",
    )
    return replace(made, **changes)


def written(*orders: Order, run: str = RUN, made_at: datetime = MADE_AT) -> bytes:
    return Sepa().write(orders, run=run, made_at=made_at)


def parsed(file: bytes) -> Any:
    """The document without its namespace, after the schema that the library ships has found nothing to say."""
    schema = Path(sepaxml.__file__).parent / "schemas" / f"{SCHEMA}.xsd"
    xmlschema.XMLSchema(schema).validate(file.decode())
    return ElementTree.fromstring(file.replace(f' xmlns="urn:iso:std:iso:20022:tech:xsd:{SCHEMA}"'.encode(), b""))


def texts(document: Any, path: str) -> list[str]:
    return [node.text for node in document.findall(f"CstmrCdtTrfInitn/{path}")]


def test_a_file_says_who_pays_whom_how_much_and_why() -> None:
    document = parsed(written(order(details={"name": "Ada Lovelace", "iban": BERLIN, "bic": "cobadeff xxx"})))

    assert texts(document, "GrpHdr/MsgId") == [RUN.replace("-", "")]
    assert texts(document, "GrpHdr/CreDtTm") == ["2026-11-20T23:30:15Z"]
    assert texts(document, "GrpHdr/InitgPty/Nm") == ["Muller + Sohne GmbH"]
    assert texts(document, "PmtInf/PmtInfId") == [RUN.replace("-", "") + "-1"]
    assert texts(document, "PmtInf/BtchBookg") == ["true"]
    assert texts(document, "PmtInf/PmtTpInf/SvcLvl/Cd") == ["SEPA"]
    assert texts(document, "PmtInf/ChrgBr") == ["SLEV"]
    assert texts(document, "PmtInf/ReqdExctnDt/Dt") == ["2026-11-20"]
    assert texts(document, "PmtInf/DbtrAcct/Id/IBAN") == ["DE02120300000000202051"]
    assert texts(document, "PmtInf/DbtrAgt/FinInstnId/BICFI") == ["BYLADEM1001"]
    payment = "PmtInf/CdtTrfTxInf"
    assert texts(document, f"{payment}/PmtId/EndToEndId") == [order().key]
    assert texts(document, f"{payment}/Amt/InstdAmt") == ["12.34"]
    assert document.find(f"CstmrCdtTrfInitn/{payment}/Amt/InstdAmt").get("Ccy") == "EUR"
    assert texts(document, f"{payment}/CdtrAgt/FinInstnId/BICFI") == ["COBADEFFXXX"]
    assert texts(document, f"{payment}/Cdtr/Nm") == ["Ada Lovelace"]
    assert texts(document, f"{payment}/CdtrAcct/Id/IBAN") == ["DE89370400440532013000"]
    assert texts(document, f"{payment}/RmtInf/Ustrd") == ["Work in November"]


def test_a_thousand_payments_are_all_there_and_the_header_has_their_number_and_sum() -> None:
    orders = [order(number, amount_cents=number * 7 + 1) for number in range(1_000)]

    document = parsed(written(*orders))

    total = sum(each.amount_cents for each in orders)
    amounts = texts(document, "PmtInf/CdtTrfTxInf/Amt/InstdAmt")
    assert sum(int(amount.replace(".", "")) for amount in amounts) == total
    assert texts(document, "PmtInf/CdtTrfTxInf/PmtId/EndToEndId") == [each.key for each in orders]
    for place in ("GrpHdr", "PmtInf"):
        assert texts(document, f"{place}/NbOfTxs") == ["1000"]
        assert texts(document, f"{place}/CtrlSum") == [f"{total // 100}.{total % 100:02d}"]


def test_a_run_is_the_same_bytes_whenever_and_in_whatever_order_it_is_written() -> None:
    orders = [order(number) for number in range(5)]
    elsewhere = MADE_AT.astimezone(timezone(timedelta(hours=9)))

    first = written(*orders)

    assert written(*reversed(orders)) == first
    assert written(*orders, made_at=elsewhere) == first
    assert written(*orders, run=RUN.replace("0b", "0c")) != first


def test_a_time_without_a_zone_and_a_run_without_a_usable_id_are_errors_of_the_program() -> None:
    with pytest.raises(AssertionError):
        written(order(), made_at=MADE_AT.replace(tzinfo=None))
    for run in ("", "run/1", "r" * 34):
        with pytest.raises(ValueError, match="message id"):
            written(order(), run=run)


@pytest.mark.parametrize(
    ("cents", "text"), [(1, "0.01"), (10, "0.10"), (100, "1.00"), (99_999_999_999, "999999999.99")]
)
def test_amounts_are_written_to_the_cent(cents: int, text: str) -> None:
    document = parsed(written(order(amount_cents=cents)))

    assert texts(document, "PmtInf/CdtTrfTxInf/Amt/InstdAmt") == [text]
    assert texts(document, "GrpHdr/CtrlSum") == [text]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"amount_cents": 0}, "amount_cents"),
        ({"amount_cents": -1}, "amount_cents"),
        ({"amount_cents": 100_000_000_000}, "amount_cents"),
        ({"amount_cents": 12.5}, "amount_cents"),
        ({"amount_cents": True}, "amount_cents"),
        ({"currency": "USD"}, "currency"),
        ({"details": {"name": "Ada", "iban": "DE88370400440532013000"}}, "iban"),
        ({"details": {"name": "", "iban": BERLIN}}, "name"),
        ({"details": {"name": "Ada", "iban": BERLIN, "bic": "COBADE"}}, "bic"),
        ({"key": "po" + "a" * 34}, "key"),
        ({"key": "po_1"}, "key"),
        ({"key": "/po1"}, "key"),
        ({"key": "po1/"}, "key"),
        ({"key": "po//1"}, "key"),
        ({"key": ""}, "key"),
    ],
)
def test_an_order_that_cannot_be_written_is_named_and_there_is_no_file(changes: dict[str, Any], named: str) -> None:
    unfit = order(2, **changes)

    with pytest.raises(Refused, match=re.escape(f"Order {unfit.key} cannot be paid by SEPA. {named}: ")):
        written(order(1), unfit)


def test_an_empty_run_and_an_order_twice_make_no_file() -> None:
    with pytest.raises(Refused, match="without payments"):
        written()
    with pytest.raises(Refused, match="twice"):
        written(order(1), order(1, amount_cents=5))


def test_the_keys_of_payouts_fit_into_an_end_to_end_id() -> None:
    assert IDENTIFIER.fullmatch("po" + "0123456789abcdef" * 2)


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("Jürgen Groß", "Jurgen Gross"),
        ("Łukasz Żółć", "Lukasz Zolc"),
        ("Σωκράτης", "Sokrates"),
        ("Иван Петров", "Ivan Petrov"),
        ("O’Brien & “Sons”_Ltd", "O'Brien + .Sons.-Ltd"),
        ("  a \t b\n c  ", "a b c"),
        ("//a///b//", "a/b"),
        ("x <script> #1 @ 100 %", "x .script. .1 . 100 ."),
        ("🙂", ""),
    ],
)
def test_texts_are_written_in_the_letters_that_every_bank_takes(text: str, letters: str) -> None:
    assert in_bank_letters(text, 70) == letters


def test_a_cut_leaves_no_slash_at_the_end() -> None:
    assert in_bank_letters("ab/cd", 3) == "ab"
    assert in_bank_letters("ab cd", 3) == "ab"


@given(st.text(max_size=300), st.integers(1, 140))
def test_whatever_the_text_a_bank_can_take_what_is_made_of_it(text: str, length_max: int) -> None:
    made = in_bank_letters(text, length_max)

    assert len(made) <= length_max
    assert not FOREIGN.search(made)
    assert "//" not in made
    assert not made.startswith("/")
    assert not made.endswith("/")


@pytest.mark.parametrize(
    "name", ["", "   ", "🙂🙂", "12345", "Ada\x00", "Ada\nLovelace", "Ada\u202e", "x" * 71, "щ" * 36]
)
def test_a_name_that_a_bank_cannot_write_is_refused(name: str) -> None:
    assert list(Sepa().check({"name": name, "iban": BERLIN}, "EUR")) == ["name"]


def test_markup_in_a_name_stays_text() -> None:
    file = written(order(details={"name": "Ada</Nm><Nm>Eve", "iban": BERLIN}, reference="<Amt>1</Amt>"))

    assert texts(parsed(file), "PmtInf/CdtTrfTxInf/Cdtr/Nm") == ["Ada./Nm..Nm.Eve"]


def test_a_long_reference_is_cut_and_an_empty_one_is_the_key() -> None:
    document = parsed(written(order(1, reference="é" * 200), order(2, reference="🙂")))

    assert texts(document, "PmtInf/CdtTrfTxInf/RmtInf/Ustrd") == ["e" * 140, order(2).key]


@pytest.mark.parametrize("iban", GOOD)
def test_the_registrys_examples_pass(iban: str) -> None:
    assert iban_fault(iban) is None
    assert iban_fault(iban.lower()) is None
    assert iban_fault(" ".join(iban[at : at + 4] for at in range(0, len(iban), 4))) is None


def test_every_country_of_the_table_has_its_example() -> None:
    assert [iban[:2] for iban in GOOD] == list(IBAN_LENGTHS)


@pytest.mark.parametrize(
    ("iban", "fault"),
    [
        ("", "needed"),
        (" ", "needed"),
        ("DE88370400440532013000", "check digits"),  # one digit off
        ("DE89370400440532010300", "check digits"),  # two digits swapped
        ("DE8937040044053201300", "has 22 characters; this one has 21"),
        ("DE893704004405320130000", "has 22 characters; this one has 23"),
        ("DE8937040044053201300O", "check digits"),  # a letter O for a zero
        ("SA0380000000608010167519", "do not take part"),
        ("TR330006100519786457841326", "do not take part"),
        ("FO6264600001631634", "do not take part"),
        ("XX89370400440532013000", "do not take part"),
        ("US64SVBKUS6S3300958879", "do not take part"),
        ("DE-89-3704-0044-0532-0130-00", "two letters"),
        ("89370400440532013000", "two letters"),
        ("DEAB370400440532013000", "two letters"),
        ("DE89", "two letters"),
        ("DE8٣370400440532013000", "two letters"),  # a digit, but not of ours
        ("DE89370400440532013000\x00", "two letters"),
        ("ＤＥ89370400440532013000", "two letters"),
        ("GB29NWBK6016133192681ß", "two letters"),
    ],
)
def test_what_is_no_iban_in_sepa_is_refused_with_its_reason(iban: str, fault: str) -> None:
    assert fault in (iban_fault(iban) or "")
    assert list(Sepa().check({"name": "Ada", "iban": iban}, "EUR")) == ["iban"]


@pytest.mark.parametrize(("right", "alias"), [("97", "00"), ("98", "01"), ("02", "99")])
def test_check_digits_that_are_another_spelling_of_the_right_ones_are_refused(right: str, alias: str) -> None:
    rest = next(rest for n in range(200) if remainder(f"BE{right}" + (rest := f"{n:012d}")) == 1)

    assert remainder(f"BE{alias}{rest}") == 1
    assert iban_fault(f"BE{right}{rest}") is None
    assert "check digits" in (iban_fault(f"BE{alias}{rest}") or "")


def with_check_digits(country: str, account: str) -> str:
    return f"{country}{98 - remainder(f'{country}00{account}'):02d}{account}"


@st.composite
def ibans(draw: st.DrawFn) -> str:
    country = draw(st.sampled_from(sorted(IBAN_LENGTHS)))
    length = IBAN_LENGTHS[country] - 4
    letters = string.digits + string.ascii_uppercase
    return with_check_digits(country, draw(st.text(letters, min_size=length, max_size=length)))


@given(ibans())
def test_an_iban_with_computed_check_digits_passes(iban: str) -> None:
    assert iban_fault(iban) is None


@given(ibans(), st.data())
def test_no_other_check_digits_pass(iban: str, data: st.DataObject) -> None:
    other = data.draw(st.integers(0, 99).map("{:02d}".format).filter(lambda digits: digits != iban[2:4]))

    assert iban_fault(iban[:2] + other + iban[4:]) is not None


@given(ibans(), st.data())
def test_one_wrong_digit_is_always_found(iban: str, data: st.DataObject) -> None:
    places = [at for at in range(2, len(iban)) if iban[at].isdigit()]
    at = data.draw(st.sampled_from(places))
    digit = data.draw(st.sampled_from(string.digits).filter(lambda digit: digit != iban[at]))

    assert iban_fault(iban[:at] + digit + iban[at + 1 :]) is not None


def test_a_destination_is_checked_field_by_field() -> None:
    sepa = Sepa()

    assert sepa.check({"name": "Ada", "iban": BERLIN}, "EUR") == {}
    assert sepa.check({"name": "Ada", "iban": BERLIN, "bic": ""}, "EUR") == {}
    assert list(sepa.check({}, "USD")) == ["name", "iban", "currency"]
    assert list(sepa.check({"name": "Ada", "iban": BERLIN, "swift": "x"}, "EUR")) == ["swift"]
    assert list(sepa.check({"name": "Ada", "iban": BERLIN, "bic": "COBADEFFXX"}, "EUR")) == ["bic"]


def test_the_same_account_has_one_canonical_text_however_it_was_typed() -> None:
    typed = [BERLIN, "de89370400440532013000", "DE89\u00a03704 0044\t0532013000 "]

    assert {Sepa().canonical({"name": str(n), "iban": iban}) for n, iban in enumerate(typed)} == {
        "DE89370400440532013000"
    }
    assert [Sepa().check({"name": "Ada", "iban": iban}, "EUR") for iban in typed] == [{}, {}, {}]


def test_a_destination_is_shown_without_what_is_needed_to_use_it() -> None:
    assert Sepa().shown({"name": "Ada Lovelace", "iban": BERLIN}) == "DE… 3000"


@pytest.mark.parametrize("missing", ["SEPA_NAME", "SEPA_IBAN", "SEPA_BIC"])
def test_it_is_offered_only_with_an_account_to_pay_from(settings: Any, missing: str) -> None:
    assert Sepa.configured()
    setattr(settings, missing, "")
    assert not Sepa.configured()


@pytest.mark.parametrize("variable", ["SEPA_NAME", "SEPA_IBAN", "SEPA_BIC"])
def test_a_wrong_account_to_pay_from_is_named_by_its_variable(settings: Any, variable: str) -> None:
    setattr(settings, variable, "?")

    with pytest.raises(Refused, match=f"TOUCHSTONE_{variable} is wrong"):
        written(order())
