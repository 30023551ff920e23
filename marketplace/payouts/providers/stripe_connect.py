"""Stripe Connect: a transfer from the platform's balance to the worker's connected account.

A transfer is done when it is made: the money is on the receiver's Stripe balance, and how it goes on to his bank is
between him and Stripe. It can come back only by a reversal.

Our key is the idempotency key, so that Stripe pays it once however often it is asked; but Stripe may forget such a key
24 hours later. Therefore the key is the transfer group too, which is kept for ever: an order is sent again only after a
look-up found no transfer in its group, and within a day both walls stand.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import requests
import stripe
from django.conf import settings

from marketplace.payouts.providers.base import Answer, BadNotice, CallProvider, Fate, Notice, Order, Refused, Unclear

CONNECT_S = 5.0
READ_S = 20.0
# How far the time in a signature may be from ours; what is older may be a replay.
TOLERANCE = timedelta(minutes=5)
ACCOUNT = re.compile(r"acct_[A-Za-z0-9]{8,64}", re.ASCII)
# Stripe counts these in other units than hundredths, or wants whole ones (docs.stripe.com/currencies).
NOT_IN_CENTS = {
    "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF",
    "XOF", "XPF", "UGX", "ISK", "HUF", "TWD", "BHD", "JOD", "KWD", "OMR", "TND",
}  # fmt: skip
# Refusals of a moment, not of the order: a lock that was held, a twin of the call that was still running.
PASSING = frozenset({"lock_timeout", "rate_limit", "idempotency_key_in_use"})
# `transfer.updated` tells of descriptions; `transfer.paid` and `transfer.failed` are gone from the API.
TOLD = frozenset({"transfer.created", "transfer.reversed"})


class StripeConnect(CallProvider):
    name: ClassVar[str] = "stripe"
    title: ClassVar[str] = "Stripe"
    fields: ClassVar[Mapping[str, str]] = {"account": "The id of your connected Stripe account: acct_…"}

    @classmethod
    def configured(cls) -> bool:
        return bool(settings.STRIPE_SECRET_KEY and settings.STRIPE_WEBHOOK_SECRET)

    def check(self, details: Mapping[str, str], currency: str) -> dict[str, str]:
        faults = self.strange(details)
        if not ACCOUNT.fullmatch(self.canonical(details)):
            faults["account"] = "The id of a connected Stripe account is needed: acct_ and letters and digits."
        if not re.fullmatch("[A-Z]{3}", currency) or currency in NOT_IN_CENTS:
            faults["currency"] = "Stripe pays here in currencies of a hundred cents only."
        return faults

    def canonical(self, details: Mapping[str, str]) -> str:
        return details.get("account", "").strip()

    def shown(self, details: Mapping[str, str]) -> str:
        return f"acct_…{self.canonical(details)[-4:]}"

    def send(self, order: Order) -> Answer:
        faults = self.check(order.details, order.currency)
        if faults or order.amount_cents <= 0:
            raise Refused(" ".join(faults.values()) or "The amount is not positive.")
        with _client() as client:
            try:
                made = client.v1.transfers.create(
                    {
                        "amount": order.amount_cents,
                        "currency": order.currency.lower(),
                        "destination": self.canonical(order.details),
                        "transfer_group": order.key,
                        "description": order.reference,
                        "metadata": {"payout": order.key},
                    },
                    {"idempotency_key": order.key},
                )
            except stripe.StripeError as error:
                raise _meaning(error) from None
        return self._answer(order, _fields(made))

    def look_up(self, order: Order) -> Answer | None:
        # Lists, unlike searches, show at once what has been made. While a first call still runs at Stripe there is
        # nothing to see yet; the same idempotency key then keeps the second from paying.
        with _client() as client:
            try:
                listed = client.v1.transfers.list({"transfer_group": order.key, "limit": 100})
            except stripe.StripeError as error:
                # Whatever it is, the question was refused, not the order.
                raise Unclear(f"Stripe could not be asked: {_kind(error)}.") from None
        body = _fields(listed)
        transfers = body.get("data")
        if not isinstance(transfers, list):
            raise Unclear("Stripe's answer cannot be read.")
        if not transfers and body.get("has_more") is False:
            return None
        if len(transfers) != 1:
            raise Unclear(f"Stripe has {len(transfers)} transfers of this order.")
        return self._answer(order, transfers[0])

    def read_notice(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Sequence[Notice]:
        _require_signature(headers, body, now)
        try:
            event = json.loads(body)
            if event["type"] not in TOLD:
                return []
            transfer = event["data"]["object"]
            at = datetime.fromtimestamp(event["created"], UTC)
            # Whoever else makes transfers in this Stripe account may have groups too, or none.
            key = transfer["transfer_group"]
            return [Notice(event=str(event["id"]), key=str(key), answer=_standing(transfer), at=at)] if key else []
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            raise BadNotice("The notice is signed, and cannot be read.") from None

    def _answer(self, order: Order, transfer: Mapping[str, Any]) -> Answer:
        """What has become of the order; raises `Unclear` if this transfer is not what was ordered."""
        ordered = {
            "amount": order.amount_cents,
            "currency": order.currency.lower(),
            "destination": self.canonical(order.details),
            "transfer_group": order.key,
        }
        try:
            if {name: transfer[name] for name in ordered} != ordered:
                raise Unclear("Stripe has a transfer of this order with other terms.")
            return _standing(transfer)
        except (KeyError, TypeError, AttributeError):
            raise Unclear("Stripe's answer cannot be read.") from None


def _fields(found: object) -> dict[str, Any]:
    if not isinstance(found, stripe.StripeObject):
        raise Unclear("Stripe's answer cannot be read.")
    return found.to_dict()


def _standing(transfer: Mapping[str, Any]) -> Answer:
    reference, taken_back = str(transfer["id"]), transfer["amount_reversed"]
    if transfer["reversed"]:
        return Answer(Fate.FAILED, reference, "The transfer was reversed.")
    # A part cannot be given back to the worker as if it were the whole; that is for people.
    detail = f"{taken_back} of {transfer['amount']} cents were reversed." if taken_back else ""
    return Answer(Fate.SETTLED, reference, detail)


def _meaning(error: stripe.StripeError) -> Refused | Unclear:
    """`Refused` where Stripe has judged this order and a repeat would be judged the same; `Unclear` for the rest.

    - 400, 404, 402 (InvalidRequestError, CardError): no such account, no such currency, too little money. Nothing is
      made. Even 402 is "the parameters were valid but the request failed".
    - 403 with `account_invalid`: the destination is not ours to pay.
    - 401 and other 403: our key is wrong or too weak. Nothing was done, but that is not the order's fault; it waits
      until the key is right.
    - 409, and 400 with `idempotency_error`: our key is in use, or was used with other terms: something was begun.
    - 429: stopped before the order was read; later it may pass.
    - 5xx, no answer, half an answer: "treat the result as indeterminate". The server may have done it, and a repeat
      with the same key would get the same 500 again as long as Stripe remembers it; so look up first.
    """
    refused = isinstance(error, stripe.InvalidRequestError | stripe.CardError) and error.code not in PASSING
    foreign = isinstance(error, stripe.PermissionError) and _code(error) == "account_invalid"
    if not (refused or foreign):
        return Unclear(f"Stripe did not answer clearly: {_kind(error)}.")
    if error.code == "balance_insufficient":
        return Refused("The platform's balance at Stripe does not cover this payout.")
    return Refused(error.user_message or "Stripe refused the transfer.")


def _code(error: stripe.StripeError) -> str | None:
    return error.code or (error.error.code if error.error else None)


def _kind(error: stripe.StripeError) -> str:
    """What went wrong, without Stripe's words: they repeat parts of keys."""
    return type(error).__name__ + (f", HTTP {error.http_status}" if error.http_status else "")


@contextmanager
def _client() -> Iterator[stripe.StripeClient]:
    """A client of its own for each call, with a connection that cannot have gone stale.

    It never repeats by itself: that is decided where the order is kept.
    """
    with requests.Session() as session:
        session.max_redirects = 0  # what another place says of the order is no answer
        yield stripe.StripeClient(
            settings.STRIPE_SECRET_KEY,
            base_addresses={"api": settings.STRIPE_API_BASE},
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=(CONNECT_S, READ_S), session=session),
        )


def _require_signature(headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    header = next((given for name, given in headers.items() if name.lower() == "stripe-signature"), "")
    times = [part[2:] for part in header.split(",") if part.startswith("t=")]
    # Exactly one: the library takes the first that it can read, and we must judge the age of the one it verified.
    if len(times) != 1 or not re.fullmatch("[0-9]{1,12}", times[0], re.ASCII):
        raise BadNotice("The signature has no time.")
    try:
        # Without its tolerance, which would go by the machine's clock and let the future pass.
        stripe.WebhookSignature.verify_header(body, header, settings.STRIPE_WEBHOOK_SECRET)
    except (stripe.SignatureVerificationError, ValueError, TypeError):
        raise BadNotice("The signature is wrong.") from None
    if abs(now - datetime.fromtimestamp(int(times[0]), UTC)) > TOLERANCE:
        raise BadNotice("The signature is too old, or from the future.")
