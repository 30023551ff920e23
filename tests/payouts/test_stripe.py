"""Stripe: the real library against a server that keeps keys and groups as Stripe says it does."""

import hashlib
import hmac
import json
import logging
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args, get_type_hints

import pytest
import stripe

from marketplace.payouts.providers import stripe_connect
from marketplace.payouts.providers.base import Answer, BadNotice, Fate, Notice, Order, Refused, Unclear
from marketplace.payouts.providers.stripe_connect import TOLD, StripeConnect
from tests.payouts.local_http import AFTER, BEFORE, SLOW_S, Asked, FakeProvider, paid_in_the_end, serving

SECRET = "sk_test_veryverysecret"
HOOK_SECRET = "whsec_alsoverysecret"
ACCOUNT = "acct_1MTfjCQ9PRzxEwkZ"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ORDER = Order(
    key="po" + "ab" * 16,
    amount_cents=1_234,
    currency="EUR",
    details={"account": ACCOUNT},
    reference="Work in November",
)


@dataclass
class FakeStripe(FakeProvider):
    """Transfers by idempotency key, each key with its first answer; listed by group."""

    transfers: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[str, tuple[dict[str, str], tuple[int, Any]]] = field(default_factory=dict)

    def is_order(self, asked: Asked) -> bool:
        return (asked.method, asked.path) == ("POST", "/v1/transfers")

    def answer(self, asked: Asked) -> tuple[int, Any]:
        if asked.headers.get("authorization") != f"Bearer {SECRET}":
            return 401, problem("invalid_request_error", f"Invalid API Key provided: {SECRET[:8]}****")
        if asked.path != "/v1/transfers":
            return 404, problem("invalid_request_error", "Unrecognized request URL")
        if asked.method == "GET":
            found = [each for each in self.transfers if each["transfer_group"] == asked.query["transfer_group"]]
            return 200, {"object": "list", "url": "/v1/transfers", "has_more": False, "data": found}
        key, form = asked.headers["idempotency-key"], asked.form
        if key in self.answers:
            first, answer = self.answers[key]
            return answer if first == form else (400, problem("idempotency_error", "Keys for idempotent requests …"))
        self.answers[key] = (form, self._make(form))
        return self.answers[key][1]

    def _make(self, form: dict[str, str]) -> tuple[int, Any]:
        if form["destination"] != ACCOUNT:
            return 400, problem("invalid_request_error", "No such destination", code="resource_missing")
        self.transfers.append(transfer(form, number=len(self.transfers)))
        return 200, self.transfers[-1]


def transfer(form: dict[str, str], number: int = 0) -> dict[str, Any]:
    return {
        "id": f"tr_{number}",
        "object": "transfer",
        "amount": int(form["amount"]),
        "amount_reversed": 0,
        "created": 1_795_262_400,
        "currency": form["currency"],
        "destination": form["destination"],
        "metadata": {},
        "reversed": False,
        "transfer_group": form["transfer_group"],
    }


def problem(kind: str, message: str, code: str | None = None) -> dict[str, Any]:
    return {"error": {"type": kind, "message": message} | ({"code": code} if code else {})}


@pytest.fixture(autouse=True)
def provider(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeStripe]:
    fake = FakeStripe()
    with serving(fake) as address:
        settings.STRIPE_SECRET_KEY = SECRET
        settings.STRIPE_WEBHOOK_SECRET = HOOK_SECRET
        settings.STRIPE_API_BASE = address
        monkeypatch.setattr(stripe_connect, "READ_S", 0.5)
        yield fake


def test_an_order_becomes_one_transfer_with_its_terms_and_is_settled(provider: FakeStripe) -> None:
    answer = StripeConnect().send(ORDER)

    assert answer == Answer(Fate.SETTLED, "tr_0")
    (asked,) = provider.asked
    assert asked.form == {
        "amount": "1234",
        "currency": "eur",
        "destination": ACCOUNT,
        "transfer_group": ORDER.key,
        "description": "Work in November",
        "metadata[payout]": ORDER.key,
    }
    assert asked.headers["idempotency-key"] == ORDER.key


def test_an_order_sent_twice_is_paid_once(provider: FakeStripe) -> None:
    assert StripeConnect().send(ORDER) == StripeConnect().send(ORDER)

    assert len(provider.orders()) == 2
    assert len(provider.transfers) == 1


@pytest.mark.parametrize("fault", BEFORE)
def test_what_was_lost_on_the_way_is_unclear_found_nowhere_and_may_be_sent_again(
    provider: FakeStripe, fault: str
) -> None:
    provider.faults = [fault]

    with pytest.raises(Unclear):
        StripeConnect().send(ORDER)
    assert len(provider.orders()) == 1  # the library asks once, too
    assert StripeConnect().look_up(ORDER) is None
    assert StripeConnect().send(ORDER).fate == Fate.SETTLED
    assert len(provider.transfers) == 1


@pytest.mark.parametrize("fault", AFTER)
def test_what_was_paid_and_not_answered_is_unclear_and_found_by_its_group(provider: FakeStripe, fault: str) -> None:
    provider.faults = [fault]
    began = time.monotonic()

    with pytest.raises(Unclear) as caught:
        StripeConnect().send(ORDER)

    assert time.monotonic() - began < 10
    assert [asked.path for asked in provider.asked] == ["/v1/transfers"]  # and not where a redirect pointed
    assert SECRET not in repr(caught.value)
    assert StripeConnect().look_up(ORDER) == Answer(Fate.SETTLED, "tr_0")
    assert len(provider.transfers) == 1


def test_an_order_that_stripe_begins_after_we_gave_up_is_still_paid_once(provider: FakeStripe) -> None:
    provider.faults = ["late"]

    with pytest.raises(Unclear):
        StripeConnect().send(ORDER)
    assert StripeConnect().look_up(ORDER) is None
    StripeConnect().send(ORDER)
    time.sleep(SLOW_S)

    assert len(provider.orders()) == 2
    assert len(provider.transfers) == 1


def test_three_hundred_orders_over_a_bad_line_are_each_paid_once(provider: FakeStripe) -> None:
    draw = random.Random(11)
    faults = ["drop before", "503 before", "drop after", "500 after", "half", "garbage", "nothing"]
    orders = [replace(ORDER, key=f"po{number:032x}", amount_cents=100 + number) for number in range(300)]
    provider.faults = [draw.choice(faults) if draw.random() < 0.4 else "" for _ in range(2_000)]

    answers = [paid_in_the_end(StripeConnect(), order) for order in orders]

    assert {answer.fate for answer in answers} == {Fate.SETTLED}
    assert sorted((each["transfer_group"], each["amount"]) for each in provider.transfers) == [
        (order.key, order.amount_cents) for order in orders
    ]
    assert len(provider.orders()) > 300


def test_an_address_where_nobody_answers_is_unclear(settings: Any) -> None:
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"

    with pytest.raises(Unclear):
        StripeConnect().send(ORDER)
    with pytest.raises(Unclear):
        StripeConnect().look_up(ORDER)


@pytest.mark.parametrize(
    ("status", "answer", "outcome"),
    [
        (400, problem("invalid_request_error", "No such destination: 'acct_x'", "resource_missing"), Refused),
        (400, problem("invalid_request_error", "Insufficient funds", "balance_insufficient"), Refused),
        (400, problem("invalid_request_error", "Invalid currency: xxx"), Refused),
        (404, problem("invalid_request_error", "No such account", "resource_missing"), Refused),
        (402, problem("card_error", "Your request failed", "card_declined"), Refused),
        (403, problem("invalid_request_error", "No access to account", "account_invalid"), Refused),
        (400, problem("idempotency_error", "Keys can only be used with the same parameters"), Unclear),
        (400, problem("invalid_request_error", "Rate limit", "rate_limit"), Unclear),
        (400, problem("invalid_request_error", "Locked", "lock_timeout"), Unclear),
        (401, problem("invalid_request_error", "Invalid API Key"), Unclear),
        (403, problem("invalid_request_error", "The key may not do this", "more_permissions_required"), Unclear),
        (409, problem("idempotency_error", "Another request is using this key", "idempotency_key_in_use"), Unclear),
        (429, problem("invalid_request_error", "Too many requests", "rate_limit"), Unclear),
        (429, problem("invalid_request_error", "Locked", "lock_timeout"), Unclear),
        (500, problem("api_error", "An error occurred"), Unclear),
        (502, b"<html>Bad gateway</html>", Unclear),
        (503, problem("api_error", "Later"), Unclear),
        (400, b"no json", Unclear),
        (400, {"message": "of somebody else"}, Unclear),
        (200, {"object": "transfer"}, Unclear),
        (200, [], Unclear),
        (200, b"null", Unclear),
    ],
)
def test_each_answer_has_its_meaning(provider: FakeStripe, status: int, answer: Any, outcome: type[Exception]) -> None:
    provider.scripted = [(status, answer)]

    with pytest.raises((Refused, Unclear)) as caught:
        StripeConnect().send(ORDER)

    assert type(caught.value) is outcome
    assert len(provider.orders()) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_a_question_that_is_refused_is_no_answer(provider: FakeStripe, settings: Any, status: int) -> None:
    provider.answer = lambda asked: (status, problem("invalid_request_error", "No"))  # type: ignore[method-assign]

    with pytest.raises(Unclear):
        StripeConnect().look_up(ORDER)


@pytest.mark.parametrize(
    "answer", [b"{", [], {}, {"object": "list", "data": []}, {"object": "list", "data": [], "has_more": True}]
)
def test_nothing_less_than_an_empty_list_says_that_stripe_never_took_it(provider: FakeStripe, answer: Any) -> None:
    provider.answer = lambda asked: (200, answer)  # type: ignore[method-assign]

    with pytest.raises(Unclear):
        StripeConnect().look_up(ORDER)


def test_a_look_up_asks_by_group_and_sends_nothing(provider: FakeStripe) -> None:
    assert StripeConnect().look_up(ORDER) is None

    (asked,) = provider.asked
    assert (asked.method, asked.query["transfer_group"]) == ("GET", ORDER.key)


def test_a_transfer_that_was_reversed_has_failed_and_one_reversed_in_part_has_not(provider: FakeStripe) -> None:
    StripeConnect().send(ORDER)

    provider.transfers[0]["amount_reversed"] = 234
    assert StripeConnect().look_up(ORDER) == Answer(Fate.SETTLED, "tr_0", "234 of 1234 cents were reversed.")
    provider.transfers[0] |= {"amount_reversed": 1_234, "reversed": True}
    assert StripeConnect().look_up(ORDER) == Answer(Fate.FAILED, "tr_0", "The transfer was reversed.")


@pytest.mark.parametrize("terms", [{"amount": 1_235}, {"currency": "usd"}, {"destination": "acct_somebodyelse"}])
def test_a_transfer_with_other_terms_is_not_taken_for_the_order(provider: FakeStripe, terms: dict[str, Any]) -> None:
    StripeConnect().send(ORDER)
    provider.transfers[0] |= terms

    with pytest.raises(Unclear, match="other terms"):
        StripeConnect().look_up(ORDER)


def test_two_transfers_of_one_order_are_for_people(provider: FakeStripe) -> None:
    StripeConnect().send(ORDER)
    provider.transfers.append(provider.transfers[0] | {"id": "tr_1"})

    with pytest.raises(Unclear, match="2 transfers"):
        StripeConnect().look_up(ORDER)


@pytest.mark.parametrize(
    "changes", [{"currency": "JPY"}, {"amount_cents": 0}, {"amount_cents": -1}, {"details": {"account": "x"}}]
)
def test_an_order_that_does_not_fit_is_refused_before_anything_is_asked(
    provider: FakeStripe, changes: dict[str, Any]
) -> None:
    with pytest.raises(Refused):
        StripeConnect().send(replace(ORDER, **changes))

    assert provider.asked == []


def test_secrets_are_in_no_message_and_no_log(
    provider: FakeStripe, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    settings.STRIPE_SECRET_KEY = "sk_live_thewrongsecret"

    with pytest.raises(Unclear) as caught:
        StripeConnect().send(ORDER)
    settings.STRIPE_SECRET_KEY = SECRET
    StripeConnect().send(ORDER)

    assert str(caught.value) == "Stripe did not answer clearly: AuthenticationError, HTTP 401."
    for secret in (SECRET, HOOK_SECRET, "sk_live_thewrongsecret"):
        assert secret not in caplog.text
        assert secret not in repr(StripeConnect()) + repr(caught.value)


# --- destinations ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "account", ["", "acct_", "acct_1", "1MTfjCQ9PRzxEwkZ", f"{ACCOUNT}/x", f"{ACCOUNT}\n1", "acct_é23456789"]
)
def test_what_is_no_account_is_refused(account: str) -> None:
    assert list(StripeConnect().check({"account": account}, "EUR")) == ["account"]


@pytest.mark.parametrize("currency", ["JPY", "KRW", "UGX", "ISK", "KWD", "eur", "", "EURO"])
def test_currencies_that_do_not_count_in_hundredths_are_refused(currency: str) -> None:
    assert list(StripeConnect().check({"account": ACCOUNT}, currency)) == ["currency"]


def test_a_destination_is_one_account_and_nothing_else() -> None:
    assert StripeConnect().check({"account": f" {ACCOUNT} "}, "USD") == {}
    assert list(StripeConnect().check({"account": ACCOUNT, "iban": "x"}, "USD")) == ["iban"]
    assert StripeConnect().canonical({"account": f" {ACCOUNT} "}) == ACCOUNT
    assert StripeConnect().shown({"account": ACCOUNT}) == "acct_…EwkZ"


@pytest.mark.parametrize("missing", ["STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"])
def test_it_is_offered_only_with_both_secrets(settings: Any, missing: str) -> None:
    assert StripeConnect.configured()
    setattr(settings, missing, "")
    assert not StripeConnect.configured()


# --- notices -----------------------------------------------------------------------------------------------------
def notice_body(kind: str = "transfer.created", **changes: Any) -> bytes:
    form = {"amount": "1234", "currency": "eur", "destination": ACCOUNT, "transfer_group": ORDER.key}
    event = {
        "id": "evt_1",
        "object": "event",
        "type": kind,
        "created": 1_795_262_400,
        "data": {"object": transfer(form) | changes},
    }
    return json.dumps(event).encode()


def signature(body: bytes, *, at: datetime = NOW, secret: str = HOOK_SECRET) -> str:
    """Stripe's scheme: HMAC-SHA256 over the time, a dot and the body."""
    stamp = str(int(at.timestamp()))
    made = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={stamp},v1={made},v0=feedbeef"


def read(body: bytes, header: str | None = None, now: datetime = NOW, name: str = "Stripe-Signature") -> list[Notice]:
    return list(StripeConnect().read_notice({name: signature(body) if header is None else header}, body, now))


def test_a_signed_notice_says_what_became_of_the_order() -> None:
    at = datetime.fromtimestamp(1_795_262_400, UTC)

    assert read(notice_body()) == [Notice("evt_1", ORDER.key, Answer(Fate.SETTLED, "tr_0"), at)]
    assert read(notice_body("transfer.reversed", reversed=True, amount_reversed=1_234)) == [
        Notice("evt_1", ORDER.key, Answer(Fate.FAILED, "tr_0", "The transfer was reversed."), at)
    ]
    assert read(notice_body("transfer.reversed", amount_reversed=34))[0].answer == Answer(
        Fate.SETTLED, "tr_0", "34 of 1234 cents were reversed."
    )


def test_the_name_of_the_header_may_be_in_any_case() -> None:
    assert len(read(notice_body(), name="stripe-signature")) == 1


@pytest.mark.parametrize("kind", ["transfer.updated", "payout.paid", "charge.succeeded", "account.updated"])
def test_other_events_and_transfers_without_a_group_are_left_out(kind: str) -> None:
    assert read(notice_body(kind)) == []
    assert read(notice_body(transfer_group=None)) == []


def test_the_events_are_those_that_the_installed_library_knows() -> None:
    known = set(get_args(get_type_hints(stripe.Event)["type"]))

    assert {kind for kind in known if kind.startswith("transfer.")} == TOLD | {"transfer.updated"}


@pytest.mark.parametrize("minutes", [-6, 6, -60 * 24, 60])
def test_a_stale_or_future_notice_is_not_believed(minutes: int) -> None:
    body = notice_body()
    header = signature(body)

    assert len(read(body, header, NOW + timedelta(minutes=4))) == 1
    assert len(read(body, header, NOW - timedelta(minutes=4))) == 1
    with pytest.raises(BadNotice):
        read(body, header, NOW + timedelta(minutes=minutes))


def test_a_second_time_in_the_header_does_not_make_an_old_notice_young() -> None:
    body = notice_body()
    old = signature(body, at=NOW - timedelta(days=1))
    young = f"t={int(NOW.timestamp())}"

    stamp = old.split(",")[0].removeprefix("t=")
    for header in (f"{young},{old}", f"{old},{young}", old.replace("t=", "t=+", 1) + f",{young}"):
        with pytest.raises(BadNotice):
            read(body, header)
    with pytest.raises(BadNotice):
        read(body, old.replace(stamp, str(int(NOW.timestamp()))))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body, header: (body[:-1], header),
        lambda body, header: (body + b" ", header),
        lambda body, header: (body.replace(b"1234", b"9234"), header),
        lambda body, header: (body, signature(body, secret="whsec_another")),
        lambda body, header: (body, signature(body, secret=SECRET)),
        lambda body, header: (body, ""),
        lambda body, header: (body, "nonsense"),
        lambda body, header: (body, header.split(",")[0]),
        lambda body, header: (body, header.replace("v1=", "v0=")),
        lambda body, header: (body, header.replace("v1=", "v1=é")),
        lambda body, header: (b"\xff\xfe", header),
        lambda body, header: (b"", header),
    ],
)
def test_a_notice_that_stripe_did_not_sign_is_not_believed(spoil: Any) -> None:
    body = notice_body()
    assert len(read(body, signature(body))) == 1

    with pytest.raises(BadNotice):
        read(*spoil(body, signature(body)))


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b"null", b"{", b'{"type": "transfer.created"}', notice_body(reversed=None, id=None)[:-2]]
)
def test_a_signed_notice_that_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(BadNotice):
        read(body)


def test_without_a_webhook_secret_nothing_is_believed(settings: Any) -> None:
    settings.STRIPE_WEBHOOK_SECRET = ""
    body = notice_body()

    with pytest.raises(BadNotice):
        read(body, signature(body, secret=""))
