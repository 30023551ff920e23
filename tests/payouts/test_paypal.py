"""PayPal: against a server that knows batches by our id for 30 days, and can be asked only by its own."""

import base64
import json
import logging
import random
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from marketplace.payouts.providers import paypal
from marketplace.payouts.providers.base import Answer, BadNotice, Fate, Notice, Order, Refused, Unclear
from marketplace.payouts.providers.paypal import PayPal, cents_in_units
from tests.payouts.local_http import AFTER, BEFORE, SLOW_S, Asked, FakeProvider, paid_in_the_end, serving

CLIENT, SECRET, HOOK = "client-id", "the-very-secret", "4JH86294D6297924G"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
KEYS = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
YOUNG = timedelta(minutes=10)
ORDER = Order(
    key="po" + "ab" * 16,
    amount_cents=1_230,
    currency="EUR",
    details={"email": "Ada@Example.org "},
    reference="Work in November",
)
AGAIN = replace(ORDER, age=YOUNG)


@dataclass
class FakePayPal(FakeProvider):
    """Batches by our id; tokens; signatures by a key of its own."""

    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)
    batch_status: str = "PENDING"
    item: dict[str, Any] = field(default_factory=lambda: {"transaction_status": "PENDING"})
    linked: str = "https://api-m.paypal.com/v1/payments/payouts/{}"

    def is_order(self, asked: Asked) -> bool:
        return (asked.method, asked.path) == ("POST", "/v1/payments/payouts")

    def answer(self, asked: Asked) -> tuple[int, Any]:
        if asked.path == "/v1/oauth2/token":
            return self._token(asked)
        if asked.headers.get("authorization") not in {f"Bearer {token}" for token in self.tokens}:
            return 401, {"error": "invalid_token", "error_description": "Token signature verification failed"}
        if asked.path == "/v1/notifications/verify-webhook-signature":
            return self._verified(asked)
        if asked.method == "GET":
            return self._shown(asked.path.rpartition("/")[2])
        return self._taken(asked.json)

    def _token(self, asked: Asked) -> tuple[int, Any]:
        login = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if asked.headers.get("authorization") != f"Basic {login}" or asked.form != {"grant_type": "client_credentials"}:
            return 401, {"error": "invalid_client", "error_description": "Client Authentication failed"}
        self.tokens.append(f"A21AA{len(self.tokens)}")
        return 200, {"access_token": self.tokens[-1], "token_type": "Bearer", "expires_in": 32_400}

    def _taken(self, batch: dict[str, Any]) -> tuple[int, Any]:
        key = batch["sender_batch_header"]["sender_batch_id"]
        if key in self.batches:
            return 400, duplicate(self.linked.format(self.batches[key]["id"]))
        self.batches[key] = {"id": f"BATCH{len(self.batches)}", **batch}
        header = {"payout_batch_id": self.batches[key]["id"], "batch_status": self.batch_status}
        return 201, {"batch_header": header | {"sender_batch_header": batch["sender_batch_header"]}}

    def _shown(self, number: str) -> tuple[int, Any]:
        for batch in self.batches.values():
            if batch["id"] == number:
                header = {"payout_batch_id": number, "batch_status": self.batch_status}
                items = [{"payout_item_id": "ITEM", "payout_item": item, **self.item} for item in batch["items"]]
                return 200, {
                    "batch_header": header | {"sender_batch_header": batch["sender_batch_header"]},
                    "items": items if self.item else [],
                }
        return 404, {"name": "INVALID_RESOURCE_ID", "message": "Requested resource ID was not found."}

    def _verified(self, asked: Asked) -> tuple[int, Any]:
        claim = asked.json
        raw = asked.body.partition(b'"webhook_event": ')[2][:-1]
        signed = "|".join(
            [claim["transmission_id"], claim["transmission_time"], claim["webhook_id"], str(zlib.crc32(raw))]
        )
        try:
            sig = base64.b64decode(claim["transmission_sig"], validate=True)
            KEYS.public_key().verify(sig, signed.encode(), padding.PKCS1v15(), SHA256())
        except ValueError:
            return 400, {"name": "VALIDATION_ERROR"}
        except InvalidSignature:
            return 200, {"verification_status": "FAILURE"}
        return 200, {"verification_status": "SUCCESS"}


def duplicate(link: str, issue: str = "Batch with given sender_batch_id already exists") -> dict[str, Any]:
    detail = {"field": "SENDER_BATCH_ID", "location": "body", "issue": issue, "link": [{"href": link, "rel": "self"}]}
    return {"name": "USER_BUSINESS_ERROR", "message": "User business error.", "details": [detail], "links": []}


def problem(name: str, *details: dict[str, str]) -> dict[str, Any]:
    return {"name": name, "message": "…", "debug_id": "1", "details": list(details)}


@pytest.fixture(autouse=True)
def provider(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePayPal]:
    fake = FakePayPal()
    with serving(fake) as address:
        settings.PAYPAL_CLIENT_ID = CLIENT
        settings.PAYPAL_SECRET = SECRET
        settings.PAYPAL_WEBHOOK_ID = HOOK
        settings.PAYPAL_API_BASE = address
        monkeypatch.setattr(paypal, "READ_S", 0.5)
        monkeypatch.setattr(paypal, "_tokens", {})
        yield fake


def paths(provider: FakePayPal) -> list[str]:
    return [f"{asked.method} {asked.path}" for asked in provider.asked]


def test_an_order_becomes_one_batch_of_one_payment(provider: FakePayPal) -> None:
    answer = PayPal().send(ORDER)

    assert answer == Answer(Fate.ACCEPTED, "BATCH0")
    assert paths(provider) == ["POST /v1/oauth2/token", "POST /v1/payments/payouts"]
    assert provider.asked[1].json == {
        "sender_batch_header": {"sender_batch_id": ORDER.key},
        "items": [
            {
                "recipient_type": "EMAIL",
                "receiver": "ada@example.org",
                "amount": {"value": "12.30", "currency": "EUR"},
                "note": "Work in November",
                "sender_item_id": ORDER.key,
            }
        ],
    }


def test_the_token_is_asked_for_once_and_anew_when_paypal_takes_it_back(provider: FakePayPal) -> None:
    PayPal().send(ORDER)
    PayPal().send(replace(ORDER, key="po" + "cd" * 16))
    assert paths(provider).count("POST /v1/oauth2/token") == 1

    provider.tokens[0] = "taken back"
    assert PayPal().send(replace(ORDER, key="po" + "ef" * 16)).fate == Fate.ACCEPTED
    assert paths(provider).count("POST /v1/oauth2/token") == 2
    assert len(provider.batches) == 3


def test_a_token_is_asked_for_again_before_it_ends(provider: FakePayPal, monkeypatch: pytest.MonkeyPatch) -> None:
    PayPal().send(ORDER)
    later = time.monotonic() + 32_400 - 60
    monkeypatch.setattr(paypal.time, "monotonic", lambda: later)

    PayPal().send(replace(ORDER, key="po" + "cd" * 16))

    assert paths(provider).count("POST /v1/oauth2/token") == 2


@pytest.mark.parametrize("fault", BEFORE)
def test_what_was_lost_on_the_way_is_unclear_and_then_made_by_the_look_up(provider: FakePayPal, fault: str) -> None:
    provider.faults = [fault]

    with pytest.raises(Unclear):
        PayPal().send(ORDER)
    assert len(provider.orders()) == 1
    assert provider.batches == {}

    assert PayPal().look_up(AGAIN) == Answer(Fate.ACCEPTED, "BATCH0")
    assert len(provider.batches) == 1


@pytest.mark.parametrize("fault", AFTER)
def test_what_was_taken_and_not_answered_is_unclear_and_found_by_its_twin(provider: FakePayPal, fault: str) -> None:
    provider.faults = [fault]
    provider.item = {"transaction_status": "SUCCESS"}
    began = time.monotonic()

    with pytest.raises(Unclear) as caught:
        PayPal().send(ORDER)

    assert time.monotonic() - began < 10
    assert SECRET not in repr(caught.value)
    assert paths(provider) == ["POST /v1/oauth2/token", "POST /v1/payments/payouts"]  # not where a redirect pointed
    assert PayPal().look_up(AGAIN) == Answer(Fate.SETTLED, "BATCH0")
    assert len(provider.batches) == 1
    assert paths(provider)[-1] == "GET /v1/payments/payouts/BATCH0"


def test_an_order_that_paypal_begins_after_we_gave_up_is_still_paid_once(provider: FakePayPal) -> None:
    provider.faults = ["late"]

    with pytest.raises(Unclear):
        PayPal().send(ORDER)
    assert PayPal().look_up(AGAIN) == Answer(Fate.ACCEPTED, "BATCH0")
    time.sleep(SLOW_S)

    assert len(provider.orders()) == 2
    assert len(provider.batches) == 1


def test_three_hundred_orders_over_a_bad_line_are_each_paid_once(provider: FakePayPal) -> None:
    draw = random.Random(11)
    faults = ["drop before", "503 before", "drop after", "500 after", "half", "garbage", "nothing"]
    orders = [replace(ORDER, key=f"po{number:032x}", amount_cents=100 + number) for number in range(300)]
    provider.faults = [draw.choice(faults) if draw.random() < 0.4 else "" for _ in range(2_000)]

    answers = [paid_in_the_end(PayPal(), order) for order in orders]

    assert {answer.fate for answer in answers} == {Fate.ACCEPTED}
    assert {answer.reference for answer in answers} == {batch["id"] for batch in provider.batches.values()}
    assert sorted((key, batch["items"][0]["amount"]["value"]) for key, batch in provider.batches.items()) == [
        (order.key, cents_in_units(order.amount_cents)) for order in orders
    ]
    assert len(provider.orders()) > 300


def test_an_order_sent_twice_is_paid_once(provider: FakePayPal) -> None:
    PayPal().send(ORDER)

    assert PayPal().send(ORDER) == Answer(Fate.ACCEPTED, "BATCH0")
    assert len(provider.batches) == 1


def test_a_known_batch_is_looked_at_and_never_ordered_again(provider: FakePayPal) -> None:
    PayPal().send(ORDER)
    provider.item = {"transaction_status": "SUCCESS"}

    found = PayPal().look_up(replace(ORDER, known_as="BATCH0", age=timedelta(days=300)))

    assert found == Answer(Fate.SETTLED, "BATCH0")
    assert len(provider.orders()) == 1


@pytest.mark.parametrize("known_as", ["BATCH9", "../../oauth2/token", "BATCH0?fields=x", "a" * 31])
def test_a_batch_that_paypal_does_not_have_stays_unclear(provider: FakePayPal, known_as: str) -> None:
    PayPal().send(ORDER)

    with pytest.raises(Unclear):
        PayPal().look_up(replace(AGAIN, known_as=known_as))
    assert len(provider.orders()) == 1


@pytest.mark.parametrize("age", [None, timedelta(days=29, seconds=1), timedelta(days=300)])
def test_an_order_that_paypal_may_have_forgotten_is_never_asked_for_again(
    provider: FakePayPal, age: timedelta | None
) -> None:
    with pytest.raises(Unclear):
        PayPal().look_up(replace(ORDER, age=age))
    if age:
        with pytest.raises(Unclear):
            PayPal().send(replace(ORDER, age=age))

    assert provider.asked == []


def test_a_refusal_after_a_lost_answer_does_not_give_the_money_back(provider: FakePayPal) -> None:
    provider.scripted = [(422, problem("INSUFFICIENT_FUNDS"))] * 2

    with pytest.raises(Refused, match="balance at PayPal does not cover"):
        PayPal().send(ORDER)
    with pytest.raises(Unclear, match="says nothing of the first call"):
        PayPal().look_up(AGAIN)


@pytest.mark.parametrize(
    "link",
    [
        "https://api-m.sandbox.paypal.com/v1/payments/payouts/BATCH0",
        "https://evil.example/v1/payments/payouts/BATCH0?steal=token",
        "//evil.example/v1/payments/payouts/BATCH0",
        "/v1/payments/payouts/BATCH0",
    ],
)
def test_the_link_to_the_twin_gives_its_number_and_is_not_followed(provider: FakePayPal, link: str) -> None:
    PayPal().send(ORDER)
    provider.linked = link

    assert PayPal().look_up(AGAIN) == Answer(Fate.ACCEPTED, "BATCH0")
    assert paths(provider)[-1] == "GET /v1/payments/payouts/BATCH0"


@pytest.mark.parametrize("link", ["", "https://[", "/v1/oauth2/token", "/v1/payments/payouts/../../oauth2/token", 7])
def test_a_twin_without_a_usable_number_is_taken_all_the_same(provider: FakePayPal, link: Any) -> None:
    provider.scripted = [(400, duplicate(link)), (400, duplicate(link, "Duplicate batch request"))]

    for order in (ORDER, AGAIN):
        answer = PayPal().send(order) if order is ORDER else PayPal().look_up(order)
        assert answer is not None
        assert (answer.fate, answer.reference) == (Fate.ACCEPTED, "")
    assert [path for path in paths(provider) if path.startswith("GET")] == []


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (400, problem("VALIDATION_ERROR", {"field": "items[0].receiver", "issue": "Receiver is invalid"}), Refused),
        (400, problem("MALFORMED_REQUEST"), Refused),
        (400, problem("NON_HOLDING_CURRENCY"), Refused),
        (422, problem("INSUFFICIENT_FUNDS"), Refused),
        (422, problem("UNPROCESSABLE_ENTITY"), Refused),
        (400, problem("USER_BUSINESS_ERROR"), Unclear),
        (400, problem("USER_BUSINESS_ERROR", {"field": "SENDER_BATCH_ID", "issue": "?"}), Unclear),
        (400, problem("VALIDATION_ERROR", {"field": "sender_batch_header.sender_batch_id", "issue": "?"}), Unclear),
        (400, problem("SOMETHING_NEW"), Unclear),
        (400, b"<html>", Unclear),
        (403, problem("AUTHORIZATION_ERROR"), Unclear),
        (403, problem("SENDER_RESTRICTED"), Unclear),
        (403, problem("REQUIRED_SCOPE_MISSING"), Unclear),
        (404, problem("RESOURCE_NOT_FOUND"), Unclear),
        (409, problem("CONFLICT"), Unclear),
        (429, problem("RATE_LIMIT_REACHED"), Unclear),
        (500, problem("INTERNAL_ERROR"), Unclear),
        (500, problem("INSUFFICIENT_FUNDS"), Unclear),
        (503, b"", Unclear),
        (201, b"[]", Unclear),
        (201, {"batch_header": {}}, Unclear),
        (201, {"batch_header": {"payout_batch_id": "../x"}}, Unclear),
    ],
)
def test_each_answer_has_its_meaning(provider: FakePayPal, status: int, body: Any, outcome: type[Exception]) -> None:
    provider.scripted = [(status, body)]

    with pytest.raises((Refused, Unclear)) as caught:
        PayPal().send(ORDER)

    assert type(caught.value) is outcome
    assert len(provider.orders()) == 1


def test_a_batch_denied_at_once_has_failed(provider: FakePayPal) -> None:
    provider.batch_status = "DENIED"

    assert PayPal().send(ORDER) == Answer(Fate.FAILED, "BATCH0", "PayPal denied the payment.")


@pytest.mark.parametrize(
    ("state", "fate"),
    [
        ("SUCCESS", Fate.SETTLED),
        ("PENDING", Fate.ACCEPTED),
        ("UNCLAIMED", Fate.ACCEPTED),
        ("ONHOLD", Fate.ACCEPTED),
        ("RETURNED", Fate.FAILED),
        ("FAILED", Fate.FAILED),
        ("BLOCKED", Fate.FAILED),
        ("DENIED", Fate.FAILED),
        ("CANCELED", Fate.FAILED),
        ("REFUNDED", Fate.FAILED),
        ("REVERSED", Fate.FAILED),
    ],
)
def test_each_state_of_a_payment_has_its_fate(provider: FakePayPal, state: str, fate: Fate) -> None:
    PayPal().send(ORDER)
    provider.batch_status = "SUCCESS"  # of the batch as a whole, which says nothing of its payment
    provider.item = {"transaction_status": state, "errors": {"name": "RECEIVER_LOCKED", "message": "Locked."}}

    answer = PayPal().look_up(replace(ORDER, known_as="BATCH0"))

    assert answer is not None
    assert (answer.fate, answer.reference) == (fate, "BATCH0")
    assert answer.detail.endswith("RECEIVER_LOCKED Locked.")


@pytest.mark.parametrize(
    ("batch_status", "item", "fate"),
    [
        ("DENIED", {}, Fate.FAILED),
        ("CANCELED", {}, Fate.FAILED),
        ("DENIED", {"transaction_status": "PENDING"}, Fate.FAILED),
        ("DENIED", {"transaction_status": "SUCCESS"}, Fate.SETTLED),
        ("PROCESSING", {}, Fate.ACCEPTED),
        ("SUCCESS", {}, None),
        ("SUCCESS", {"transaction_status": "TELEPORTED"}, None),
        ("SUCCESS", {"transaction_status": ["SUCCESS"]}, None),
    ],
)
def test_the_batchs_state_counts_only_where_the_payment_has_none(
    provider: FakePayPal, batch_status: str, item: dict[str, Any], fate: Fate | None
) -> None:
    PayPal().send(ORDER)
    provider.batch_status, provider.item = batch_status, item
    known = replace(ORDER, known_as="BATCH0")

    if fate is None:
        with pytest.raises(Unclear):
            PayPal().look_up(known)
    else:
        answer = PayPal().look_up(known)
        assert answer is not None
        assert answer.fate == fate


@pytest.mark.parametrize("changes", [{"amount_cents": 1_231}, {"currency": "USD"}, {"key": "po" + "cd" * 16}])
def test_a_batch_with_other_terms_is_not_taken_for_the_order(provider: FakePayPal, changes: dict[str, Any]) -> None:
    PayPal().send(ORDER)

    with pytest.raises(Unclear):
        PayPal().look_up(replace(ORDER, known_as="BATCH0", **changes))


def test_an_amount_is_compared_by_value_and_not_by_its_spelling(provider: FakePayPal) -> None:
    PayPal().send(ORDER)
    provider.batches[ORDER.key]["items"][0]["amount"]["value"] = "12.3"

    assert PayPal().look_up(replace(ORDER, known_as="BATCH0")) == Answer(Fate.ACCEPTED, "BATCH0")


def test_who_is_not_let_in_has_ordered_nothing(provider: FakePayPal, settings: Any) -> None:
    settings.PAYPAL_SECRET = "wrong"

    with pytest.raises(Unclear, match="did not let us in: HTTP 401"):
        PayPal().send(ORDER)
    assert provider.orders() == []


def test_secrets_and_tokens_are_in_no_message_and_no_log(
    provider: FakePayPal, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    provider.faults = ["drop after"]
    with pytest.raises(Unclear) as caught:
        PayPal().send(ORDER)
    PayPal().look_up(AGAIN)

    told = caplog.text + repr(PayPal()) + repr(caught.value) + repr(caught.value.__context__)
    assert SECRET not in told
    assert "A21AA0" not in told


@pytest.mark.parametrize(
    "changes", [{"currency": "JPY"}, {"amount_cents": 0}, {"amount_cents": -1}, {"details": {"email": "x"}}]
)
def test_an_order_that_does_not_fit_is_refused_before_anything_is_asked(
    provider: FakePayPal, changes: dict[str, Any]
) -> None:
    with pytest.raises(Refused):
        PayPal().send(replace(ORDER, **changes))

    assert provider.asked == []


@given(st.integers(1, 10**15))
def test_cents_are_written_exactly(cents: int) -> None:
    text = cents_in_units(cents)

    assert Decimal(text) * 100 == cents
    assert len(text.partition(".")[2]) == 2
    assert int(text.replace(".", "")) == cents


# --- destinations ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "email", ["", "ada", "ada@", "ada@example.org, eve@example.org", "a" * 120 + "@example.org", "adá@example.org"]
)
def test_what_is_no_address_is_refused(email: str) -> None:
    assert list(PayPal().check({"email": email}, "EUR")) == ["email"]


@pytest.mark.parametrize("currency", ["JPY", "HUF", "TWD", "BRL", "XXX", "eur", ""])
def test_currencies_that_paypal_does_not_pay_in_hundredths_are_refused(currency: str) -> None:
    assert list(PayPal().check({"email": "ada@example.org"}, currency)) == ["currency"]


def test_a_destination_is_one_address_and_nothing_else() -> None:
    assert PayPal().check({"email": " Ada@Example.ORG"}, "USD") == {}
    assert list(PayPal().check({"email": "ada@example.org", "iban": "x"}, "USD")) == ["iban"]
    assert PayPal().canonical({"email": " Ada@Example.ORG"}) == "ada@example.org"
    assert PayPal().shown({"email": "ada@example.org"}) == "a…@example.org"


@pytest.mark.parametrize("missing", ["PAYPAL_CLIENT_ID", "PAYPAL_SECRET", "PAYPAL_WEBHOOK_ID"])
def test_it_is_offered_only_with_all_that_it_needs(settings: Any, missing: str) -> None:
    assert PayPal.configured()
    setattr(settings, missing, "")
    assert not PayPal.configured()


# --- notices -----------------------------------------------------------------------------------------------------
def event(kind: str = "PAYMENT.PAYOUTS-ITEM.SUCCEEDED", **resource: Any) -> bytes:
    told = {
        "id": "WH-1",
        "create_time": "2026-11-21T11:59:00.5Z",
        "event_type": kind,
        "resource": resource or {"payout_batch_id": "BATCH0", "transaction_status": "SUCCESS"},
    }
    # Spaces as PayPal might put them: what is verified is these bytes, not another spelling of the same JSON.
    return json.dumps(told, separators=(" , ", " :")).encode()


def signed(body: bytes, *, at: datetime = NOW, hook: str = HOOK, **changes: str) -> dict[str, str]:
    stamp = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    text = f"69cd13f0|{stamp}|{hook}|{zlib.crc32(body)}".encode()
    return {
        "Paypal-Transmission-Id": "69cd13f0",
        "Paypal-Transmission-Time": stamp,
        "Paypal-Transmission-Sig": base64.b64encode(KEYS.sign(text, padding.PKCS1v15(), SHA256())).decode(),
        "Paypal-Cert-Url": "https://api.paypal.com/v1/notifications/certs/CERT-360caa42",
        "Paypal-Auth-Algo": "SHA256withRSA",
    } | changes


def read(body: bytes, headers: dict[str, str] | None = None, now: datetime = NOW) -> list[Notice]:
    return list(PayPal().read_notice(signed(body) if headers is None else headers, body, now))


def test_a_signed_notice_makes_us_ask_what_became_of_the_order(provider: FakePayPal) -> None:
    PayPal().send(ORDER)
    provider.item = {"transaction_status": "SUCCESS"}

    notices = read(event())

    at = datetime(2026, 11, 21, 11, 59, 0, 500_000, tzinfo=UTC)
    assert notices == [Notice("WH-1", ORDER.key, Answer(Fate.SETTLED, "BATCH0"), at)]
    assert paths(provider)[-2:] == [
        "POST /v1/notifications/verify-webhook-signature",
        "GET /v1/payments/payouts/BATCH0",
    ]


def test_what_a_notice_says_is_not_believed_but_what_paypal_says_when_asked(provider: FakePayPal) -> None:
    PayPal().send(ORDER)  # still pending, whatever the signed notice says

    assert [notice.answer.fate for notice in read(event())] == [Fate.ACCEPTED]


def test_a_notice_of_a_batch_is_one_of_its_payment(provider: FakePayPal) -> None:
    PayPal().send(ORDER)
    provider.batch_status = "DENIED"

    (notice,) = read(event("PAYMENT.PAYOUTSBATCH.DENIED", batch_header={"payout_batch_id": "BATCH0"}))

    assert (notice.key, notice.answer.fate) == (ORDER.key, Fate.FAILED)


def test_other_events_and_batches_of_many_are_left_out(provider: FakePayPal) -> None:
    PayPal().send(ORDER)
    assert read(event("PAYMENT.CAPTURE.COMPLETED")) == []

    provider.batches[ORDER.key]["items"] *= 2
    assert read(event()) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body, headers: (body.replace(b"BATCH0", b"BATCH1"), headers),
        lambda body, headers: (json.dumps(json.loads(body)).encode(), headers),
        lambda body, headers: (body[:-1], headers),
        lambda body, headers: (b"", headers),
        lambda body, headers: (b"[]", headers),
        lambda body, headers: (b"\xff\xfe", headers),
        lambda body, headers: (b"[" * 100_000, headers),
        lambda body, headers: (body, signed(body, hook="ANOTHERWEBHOOK")),
        lambda body, headers: (body, headers | {"Paypal-Transmission-Id": "other"}),
        lambda body, headers: (body, headers | {"Paypal-Transmission-Sig": "bm90IGEgc2lnbmF0dXJl"}),
        lambda body, headers: (body, headers | {"Paypal-Transmission-Sig": "?"}),
        lambda body, headers: (body, {}),
    ]
    + [
        lambda body, headers, name=name: (body, {n: v for n, v in headers.items() if n != name}) for name in signed(b"")
    ],
)
def test_a_notice_that_paypal_did_not_sign_is_not_believed(provider: FakePayPal, spoil: Any) -> None:
    PayPal().send(ORDER)
    body = event()
    assert len(read(body)) == 1
    seen = len(provider.asked)

    with pytest.raises(BadNotice):
        read(*spoil(body, signed(body)))
    assert [path for path in paths(provider)[seen:] if path.startswith("GET")] == []


@pytest.mark.parametrize(
    "address",
    [
        "http://api.paypal.com/cert",
        "https://api.paypal.com.evil.example/cert",
        "https://evilpaypal.com/cert",
        "https://paypal.com@evil.example/cert",
        "https://evil.example@api.paypal.com/cert",
        "https://evil.example/api.paypal.com",
        "https://api.paypal.com:8443/cert",
        "https://evil.example\\.paypal.com/cert",
        "https://[",
        "file:///etc/passwd",
        "",
    ],
)
def test_a_certificate_from_elsewhere_is_not_even_passed_on(provider: FakePayPal, address: str) -> None:
    body = event()

    with pytest.raises(BadNotice):
        read(body, signed(body, **{"Paypal-Cert-Url": address}))
    assert provider.asked == []


def test_a_notice_is_believed_for_as_long_as_paypal_repeats_it_and_no_longer(provider: FakePayPal) -> None:
    PayPal().send(ORDER)
    body = event()
    headers = signed(body)

    assert len(read(body, headers, NOW + timedelta(days=3))) == 1
    for now in (NOW + timedelta(days=4, seconds=1), NOW - timedelta(minutes=6)):
        with pytest.raises(BadNotice):
            read(body, headers, now)


@pytest.mark.parametrize("stamp", ["", "yesterday", "2026-11-21T12:00:00", "1795262400"])
def test_a_notice_without_a_time_is_not_believed(provider: FakePayPal, stamp: str) -> None:
    body = event()

    with pytest.raises(BadNotice):
        read(body, signed(body, **{"Paypal-Transmission-Time": stamp}))
    assert provider.asked == []


def test_a_notice_cannot_smuggle_in_another_answer_to_the_question(provider: FakePayPal) -> None:
    PayPal().send(ORDER)
    body = event() + b', "webhook_id": "ANOTHERWEBHOOK"'

    with pytest.raises(BadNotice):
        read(body)


@pytest.mark.parametrize("batch_id", [None, "", 7, "../../oauth2/token", "BATCH0/x"])
def test_a_signed_notice_without_a_batch_is_refused(provider: FakePayPal, batch_id: Any) -> None:
    with pytest.raises(BadNotice):
        read(event(payout_batch_id=batch_id, other=1))


@pytest.mark.parametrize("answer", [(500, {}), (401, {}), (403, {}), (429, {})])
def test_a_notice_that_cannot_be_verified_now_shall_come_again(provider: FakePayPal, answer: tuple[int, Any]) -> None:
    PayPal().send(ORDER)
    provider._verified = lambda asked: answer  # type: ignore[method-assign]

    with pytest.raises(Unclear):
        read(event())


def test_a_notice_of_a_batch_that_cannot_be_asked_for_shall_come_again(provider: FakePayPal) -> None:
    PayPal().send(ORDER)

    with pytest.raises(Unclear):
        read(event(payout_batch_id="BATCH9"))
