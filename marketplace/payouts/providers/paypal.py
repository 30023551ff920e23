"""PayPal Payouts: a batch of one payment to an e-mail address, over HTTP.

Our key is the `sender_batch_id`. PayPal pays a batch of that id once and refuses the next with USER_BUSINESS_ERROR,
whose detail on SENDER_BATCH_ID links to the batch that it has; but only for 30 days. And it can be asked only by a
batch id of its own, never by ours. So what became of an order is found in one of three ways:

- by the batch id from the first answer (`Order.known_as`);
- if that answer was lost, by asking for the same batch once more: either PayPal refuses and names the one it has, or it
  never had one and this is it. Both end in one payment. After 29 days this is not tried any more;
- by a webhook, whose batch carries our key.

`look_up` therefore never says that PayPal is sure not to have taken an order.
"""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from marketplace.payouts.providers.base import Answer, BadNotice, CallProvider, Fate, Notice, Order, Refused, Unclear

# A send is at most a token, an order and the look at its twin: together within a job's time.
CONNECT_S = 5.0
READ_S = 10.0
TOKEN_MARGIN_S = 60.0
REMEMBERED = timedelta(days=29)
# PayPal repeats a notice for three days, and does not say whether the time in it moves. A replay does no harm here:
# what is believed is asked of PayPal at that moment.
NOTICE_AGE_MAX = timedelta(days=4)
CLOCK_SKEW = timedelta(minutes=5)
EMAIL_MAX = 127
# Those that PayPal pays in hundredths, to accounts of any country.
CURRENCIES = {
    "AUD", "CAD", "CHF", "CZK", "DKK", "EUR", "GBP", "HKD", "ILS", "MXN",
    "NOK", "NZD", "PHP", "PLN", "SEK", "SGD", "THB", "USD",
}  # fmt: skip
BATCH_ID = re.compile(r"[A-Za-z0-9]{1,30}", re.ASCII)
PAYOUTS = "/v1/payments/payouts"

# PayPal judged the request itself. Any other refusal (of our account, our scope, a limit) is no judgement of the order.
JUDGED = {
    (400, "VALIDATION_ERROR"),
    (400, "MALFORMED_REQUEST"),
    (400, "INVALID_REQUEST"),
    (400, "NON_HOLDING_CURRENCY"),
    (422, "INSUFFICIENT_FUNDS"),
    (422, "UNPROCESSABLE_ENTITY"),
}
# What each state of a payment means, and what to tell people beyond PayPal's own reason.
STATES = {
    "SUCCESS": (Fate.SETTLED, ""),
    "NEW": (Fate.ACCEPTED, ""),
    "PENDING": (Fate.ACCEPTED, ""),
    "PROCESSING": (Fate.ACCEPTED, ""),
    "UNCLAIMED": (Fate.ACCEPTED, "No PayPal account has this address yet; after 30 days the money comes back."),
    "ONHOLD": (Fate.ACCEPTED, "PayPal is reviewing the payment."),
    "ON_HOLD": (Fate.ACCEPTED, "PayPal is reviewing the payment."),
    "RETURNED": (Fate.FAILED, "The payment was not claimed, or was cancelled, and came back."),
    "FAILED": (Fate.FAILED, "The payment failed."),
    "BLOCKED": (Fate.FAILED, "PayPal blocked the payment."),
    "DENIED": (Fate.FAILED, "PayPal denied the payment."),
    "CANCELED": (Fate.FAILED, "The payment was cancelled."),
    "REFUNDED": (Fate.FAILED, "The receiver sent the payment back."),
    "REVERSED": (Fate.FAILED, "The payment was reversed."),
}


class PayPal(CallProvider):
    name: ClassVar[str] = "paypal"
    title: ClassVar[str] = "PayPal"
    fields: ClassVar[Mapping[str, str]] = {"email": "The e-mail address of your PayPal account"}

    @classmethod
    def configured(cls) -> bool:
        return bool(settings.PAYPAL_CLIENT_ID and settings.PAYPAL_SECRET and settings.PAYPAL_WEBHOOK_ID)

    def check(self, details: Mapping[str, str], currency: str) -> dict[str, str]:
        faults = self.strange(details)
        address = self.canonical(details)
        try:
            validate_email(address)
            fits = len(address) <= EMAIL_MAX and address.isascii()
        except ValidationError:
            fits = False
        if not fits:
            faults["email"] = "The e-mail address of a PayPal account is needed."
        if currency not in CURRENCIES:
            faults["currency"] = f"PayPal pays here in {', '.join(sorted(CURRENCIES))}."
        return faults

    def canonical(self, details: Mapping[str, str]) -> str:
        return details.get("email", "").strip().lower()

    def shown(self, details: Mapping[str, str]) -> str:
        who, _, where = self.canonical(details).partition("@")
        return f"{who[:1]}…@{where}"

    def send(self, order: Order) -> Answer:
        faults = self.check(order.details, order.currency)
        if faults or order.amount_cents <= 0:
            raise Refused(" ".join(faults.values()) or "The amount is not positive.")
        return self._place(order)

    def look_up(self, order: Order) -> Answer | None:
        if order.known_as:
            return _answer(order, _batch(order.known_as))
        if order.age is None:
            raise Unclear("Neither PayPal's number of this payment is known, nor when it was first asked for.")
        try:
            return self._place(order)
        except Refused as refusal:
            # Whether PayPal looks for a twin before it judges is not documented. The first call may have been taken
            # while there was money, and this one refused because there is none left.
            raise Unclear(f"Asked again, PayPal refused, which says nothing of the first call: {refusal}") from None

    def read_notice(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Sequence[Notice]:
        # A notice says only: look. Its signature covers a checksum of 32 bits, so that one who has seen a signed notice
        # can make another to fit it; what has become of the payment is asked of PayPal.
        event = _event(body)
        sent_at = _require_signature(headers, body, now)
        kind, resource = event.get("event_type"), event.get("resource")
        if not isinstance(kind, str) or not kind.startswith("PAYMENT.PAYOUTS") or not isinstance(resource, dict):
            return []
        batch_id = resource.get("payout_batch_id") or _part(resource, "batch_header").get("payout_batch_id")
        if not isinstance(batch_id, str) or not BATCH_ID.fullmatch(batch_id):
            raise BadNotice("The notice names no batch.")
        batch = _batch(batch_id)
        at = _time(event.get("create_time")) or sent_at
        # Batches of several payments are not ours.
        return [Notice(str(event.get("id")), batch.key, batch.answer, at)] if batch.key and batch.payments <= 1 else []

    def _place(self, order: Order) -> Answer:
        """Ask for the batch; a twin that PayPal has already is as good. Raises `Refused`, `Unclear`."""
        if order.age is not None and order.age > REMEMBERED:
            raise Unclear("PayPal may have forgotten this order and could pay it twice. A person has to look.")
        status, body = _ask("POST", PAYOUTS, self._request(order))
        if status in (200, 201, 202):
            return _taken(body)
        twin = _twin(status, body)
        if twin is None:
            raise _refusal(status, body)
        if not twin:
            return Answer(Fate.ACCEPTED, detail="PayPal has the payment and did not say under which number.")
        return _answer(order, _batch(twin))

    def _request(self, order: Order) -> bytes:
        item = {
            "recipient_type": "EMAIL",
            "receiver": self.canonical(order.details),
            "amount": {"value": cents_in_units(order.amount_cents), "currency": order.currency},
            "note": order.reference,
            "sender_item_id": order.key,
        }
        return json.dumps({"sender_batch_header": {"sender_batch_id": order.key}, "items": [item]}).encode()


def cents_in_units(cents: int) -> str:
    """An amount with its two decimals, made of integers alone."""
    units, rest = divmod(cents, 100)
    return f"{units}.{rest:02d}"


class _Batch(NamedTuple):
    """What PayPal has of a batch."""

    key: str
    answer: Answer
    payments: int
    amount: str
    currency: str


def _answer(order: Order, batch: _Batch) -> Answer:
    """What has become of the order; raises `Unclear` if this batch is not what was ordered."""
    ordered = Decimal(cents_in_units(order.amount_cents))
    if batch.key != order.key or batch.payments > 1:
        raise Unclear("PayPal's batch is not of this order.")
    if batch.payments and (batch.currency != order.currency or _decimal(batch.amount) != ordered):
        raise Unclear("PayPal has this order with other terms.")
    return batch.answer


def _batch(batch_id: str) -> _Batch:
    if not BATCH_ID.fullmatch(batch_id):
        raise Unclear("This is not the number of a batch at PayPal.")
    status, body = _ask("GET", f"{PAYOUTS}/{batch_id}")
    if status != 200:
        raise Unclear(f"PayPal could not be asked for the batch: HTTP {status}.")
    header, items = _part(body, "batch_header"), body.get("items") or []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise Unclear("PayPal's answer cannot be read.")
    item = items[0] if items else {}
    amount = _part(_part(item, "payout_item"), "amount")
    return _Batch(
        key=str(_part(header, "sender_batch_header").get("sender_batch_id") or ""),
        answer=_standing(batch_id, header, item),
        payments=len(items),
        amount=str(amount.get("value")),
        currency=str(amount.get("currency")),
    )


def _standing(batch_id: str, header: Mapping[str, Any], item: Mapping[str, Any]) -> Answer:
    """The payment's own state counts; the batch's where no payment is told of, or it was denied as a whole."""
    whole = header.get("batch_status")
    state = item.get("transaction_status") or (whole if whole != "SUCCESS" else None)
    if whole in ("DENIED", "CANCELED") and state in (None, "NEW", "PENDING", "PROCESSING"):
        state = whole
    if not isinstance(state, str) or state not in STATES:
        raise Unclear("PayPal's state of the payment is not known to us.")
    fate, words = STATES[state]
    error = _part(item, "errors")
    reason = " ".join(str(error[name]) for name in ("name", "message") if error.get(name))
    return Answer(fate, batch_id, " ".join(filter(None, [words, reason])))


def _taken(body: Mapping[str, Any]) -> Answer:
    header = _part(body, "batch_header")
    batch_id = header.get("payout_batch_id")
    if not isinstance(batch_id, str) or not BATCH_ID.fullmatch(batch_id):
        raise Unclear("PayPal's answer cannot be read.")
    denied = header.get("batch_status") == "DENIED"
    return _standing(batch_id, header, {}) if denied else Answer(Fate.ACCEPTED, batch_id)


def _twin(status: int, body: Mapping[str, Any]) -> str | None:
    """The batch that PayPal has under our key already; "" if it does not say which; None if it says something else."""
    if status != 400 or body.get("name") != "USER_BUSINESS_ERROR":
        return None
    for detail in _dicts(body.get("details")):
        about = str(detail.get("field", "")).lower().endswith("sender_batch_id")
        links = [*_dicts(detail.get("link")), *_dicts(detail.get("links")), *_dicts(body.get("links"))]
        if about and re.search("exist|duplicate", str(detail.get("issue")), re.IGNORECASE):
            return next(filter(None, map(_linked_batch, links)), "")
    return None


def _linked_batch(link: Mapping[str, Any]) -> str:
    """The batch id in a link. The link itself is not followed: our token goes to the configured server only."""
    try:
        path = urlsplit(str(link.get("href", ""))).path
    except ValueError:
        return ""
    batch_id = path.removeprefix(f"{PAYOUTS}/")
    return batch_id if batch_id != path and BATCH_ID.fullmatch(batch_id) else ""


def _refusal(status: int, body: Mapping[str, Any]) -> Refused | Unclear:
    """What a refusal of a batch means.

    `Refused` only for the judgements that the documentation names. USER_BUSINESS_ERROR of another kind may still be
    about a twin; 401 and 403 are of our account, whose trouble can be mended while the order waits; 408, 409 and 429
    pass; after 5xx the batch may have been taken, and may be asked for again with the same id.
    """
    name = str(body.get("name") or "")
    about_key = any("sender_batch_id" in str(each.get("field")).lower() for each in _dicts(body.get("details")))
    if (status, name) not in JUDGED or about_key:
        return Unclear(f"PayPal did not answer clearly: HTTP {status} {name}".strip() + ".")
    if name == "INSUFFICIENT_FUNDS":
        return Refused("The platform's balance at PayPal does not cover this payout.")
    issues = [f"{each.get('field', '')}: {each.get('issue', '')}" for each in _dicts(body.get("details"))]
    return Refused(f"PayPal refused the payment: {'; '.join(issues) or name}.")


# --- notices -----------------------------------------------------------------------------------------------------
def _event(body: bytes) -> Mapping[str, Any]:
    try:
        event = json.loads(body.decode())
    except (ValueError, RecursionError):
        raise BadNotice("The notice is not JSON.") from None
    if not isinstance(event, dict):
        raise BadNotice("The notice is not an object.")
    return event


def _require_signature(headers: Mapping[str, str], body: bytes, now: datetime) -> datetime:
    """When the notice was sent; raises `BadNotice` unless PayPal says that it has signed it.

    PayPal itself is asked: who verifies here has to fetch a certificate from an address that the notice names. The
    event goes back byte for byte, because the signature is of those bytes.
    """
    given = {name.lower().removeprefix("paypal-"): value for name, value in headers.items()}
    claim = {
        "auth_algo": given.get("auth-algo"),
        "cert_url": given.get("cert-url"),
        "transmission_id": given.get("transmission-id"),
        "transmission_sig": given.get("transmission-sig"),
        "transmission_time": given.get("transmission-time"),
        "webhook_id": settings.PAYPAL_WEBHOOK_ID,
    }
    sent_at = _time(claim["transmission_time"])
    if not all(claim.values()) or sent_at is None or not _of_paypal(str(claim["cert_url"])):
        raise BadNotice("The signature is not complete.")
    if not -CLOCK_SKEW <= now - sent_at <= NOTICE_AGE_MAX:
        raise BadNotice("The notice is too old, or from the future.")
    question = json.dumps(claim)[:-1].encode() + b', "webhook_event": ' + body + b"}"
    status, answer = _ask("POST", "/v1/notifications/verify-webhook-signature", question)
    if status not in (200, 400, 422):
        raise Unclear(f"PayPal could not be asked for the signature: HTTP {status}.")
    if status != 200 or answer.get("verification_status") != "SUCCESS":
        raise BadNotice("The signature is wrong.")
    return sent_at


def _of_paypal(address: str) -> bool:
    """Whether a certificate's address is PayPal's own; anything else is not even passed on."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    plain = parts.scheme == "https" and port in (None, 443) and "@" not in parts.netloc and "\\" not in address
    return plain and (host == "paypal.com" or host.endswith(".paypal.com"))


# --- the wire ----------------------------------------------------------------------------------------------------
# Tokens live for hours, and PayPal limits how often they are asked for. By server and client; never written down.
_tokens: dict[tuple[str, str], tuple[str, float]] = {}


def _ask(method: str, path: str, body: bytes | None = None) -> tuple[int, dict[str, Any]]:
    """PayPal's answer: status and JSON. Raises `Unclear` if there is none."""
    status, answer = _exchange(method, path, auth=_bearer(_token()), data=body, kind="application/json")
    if status == 401:
        # The token was taken back before its time. Who is not let in has ordered nothing: once more is no second order.
        _tokens.pop(_whose(), None)
        status, answer = _exchange(method, path, auth=_bearer(_token()), data=body, kind="application/json")
    return status, answer


def _token() -> str:
    known, until = _tokens.get(_whose(), ("", 0.0))
    if time.monotonic() < until:
        return known
    status, answer = _exchange(
        "POST",
        "/v1/oauth2/token",
        auth=(settings.PAYPAL_CLIENT_ID, settings.PAYPAL_SECRET),
        data=b"grant_type=client_credentials",
        kind="application/x-www-form-urlencoded",
    )
    given, lifetime_s = answer.get("access_token"), answer.get("expires_in")
    if status != 200 or not isinstance(given, str) or not given or not isinstance(lifetime_s, int):
        raise Unclear(f"PayPal did not let us in: HTTP {status}.")
    _tokens[_whose()] = (given, time.monotonic() + lifetime_s - TOKEN_MARGIN_S)
    return given


def _whose() -> tuple[str, str]:
    return settings.PAYPAL_API_BASE, settings.PAYPAL_CLIENT_ID


Auth = tuple[str, str] | Callable[[requests.PreparedRequest], requests.PreparedRequest]


def _bearer(token: str) -> Auth:
    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return sign


def _exchange(method: str, path: str, *, auth: Auth, data: bytes | None, kind: str) -> tuple[int, dict[str, Any]]:
    try:
        response = requests.request(
            method,
            settings.PAYPAL_API_BASE.rstrip("/") + path,
            auth=auth,
            data=data,
            headers={"Content-Type": kind, "Accept": "application/json"},
            timeout=(CONNECT_S, READ_S),
            allow_redirects=False,
        )
    except requests.RequestException as error:
        # The kind of failure says enough; the rest could quote what was sent.
        raise Unclear(f"PayPal gave no answer: {type(error).__name__}.") from None
    try:
        answer = json.loads(response.content, parse_float=Decimal)
    except (ValueError, RecursionError):
        answer = None
    return response.status_code, answer if isinstance(answer, dict) else {}


def _part(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = whole.get(name)
    return found if isinstance(found, dict) else {}


def _dicts(found: object) -> list[dict[str, Any]]:
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _decimal(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _time(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else None
