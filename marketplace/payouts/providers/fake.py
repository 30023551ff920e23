"""A provider for trials: plain JSON over HTTP, to a server that pays nobody. It is offered only where both its address
and its secret are set, and the secret signs what is said in both directions."""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

from django.conf import settings
from django.utils.dateparse import parse_datetime

from marketplace.payouts.providers.base import Answer, BadNotice, CallProvider, Fate, Notice, Order, Refused, Unclear

TIMEOUT_S = 20
ANSWER_BYTES_MAX = 64 * 1024
OLDEST = timedelta(minutes=5)
RECEIVER = re.compile(r"[A-Za-z0-9._@-]{1,64}")


class Fake(CallProvider):
    """Asks with `POST <url>/payments`, looks up with `GET <url>/payments/<key>`."""

    name = "test"
    title = "Trial provider (pays nobody)"
    fields = {"receiver": "Any name of letters, digits, dots, dashes and @"}

    @classmethod
    def configured(cls) -> bool:
        return settings.PAYOUT_TEST_URL.startswith(("http://", "https://")) and bool(settings.PAYOUT_TEST_SECRET)

    def check(self, details: Mapping[str, str], currency: str) -> dict[str, str]:
        wrong = {name: "is not known here" for name in details if name not in self.fields}
        if not RECEIVER.fullmatch(details.get("receiver", "")):
            wrong["receiver"] = "is needed: 1 to 64 letters, digits, dots, dashes, underscores and @"
        return wrong

    def canonical(self, details: Mapping[str, str]) -> str:
        return details["receiver"].casefold()

    def shown(self, details: Mapping[str, str]) -> str:
        return f"{details['receiver'][:2]}…"

    def send(self, order: Order) -> Answer:
        body = {
            "key": order.key,
            "amount_cents": order.amount_cents,
            "currency": order.currency,
            "receiver": order.details["receiver"],
            "reference": order.reference,
        }
        status, said = self._ask("POST", "/payments", json.dumps(body).encode())
        if status == 422:
            raise Refused(str(said.get("detail", "refused"))[:500])
        if status not in (200, 201):
            raise Unclear(f"status {status}")
        return _answer(said)

    def look_up(self, order: Order) -> Answer | None:
        status, said = self._ask("GET", f"/payments/{quote(order.key, safe='')}", None)
        if status == 404 and said.get("code") == "no-such-payment":
            return None
        if status != 200:
            raise Unclear(f"status {status}")
        return _answer(said)

    def read_notice(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Sequence[Notice]:
        stamp = headers.get("X-Test-Timestamp", "")
        given = headers.get("X-Test-Signature", "")
        if not hmac.compare_digest(given.encode(), signature(stamp.encode() + b"." + body).encode()):
            raise BadNotice("The signature is wrong.")
        said_at = parse_datetime(stamp) if len(stamp) <= 40 else None
        if said_at is None or said_at.tzinfo is None or abs(now - said_at) > OLDEST:
            raise BadNotice("The notice is too old, or from the future.")
        try:
            said = json.loads(body)
            at = datetime.fromisoformat(said["at"])
            return [Notice(event=str(said["event"])[:200], key=str(said["key"])[:200], answer=_answer(said), at=at)]
        except (ValueError, KeyError, TypeError, Unclear) as error:
            raise BadNotice("The notice cannot be read.") from error

    def _ask(self, method: str, path: str, body: bytes | None) -> tuple[int, dict[str, Any]]:
        request = Request(settings.PAYOUT_TEST_URL.rstrip("/") + path, data=body, method=method)  # noqa: S310
        request.add_header("Content-Type", "application/json")
        request.add_header("X-Test-Signature", signature(body or path.encode()))
        try:
            with urlopen(request, timeout=TIMEOUT_S) as reply:  # noqa: S310  # nosec B310  (the operator's address)
                return reply.status, _document(reply.read(ANSWER_BYTES_MAX))
        except HTTPError as error:
            with error:
                return error.code, _document(error.read(ANSWER_BYTES_MAX))
        except (URLError, HTTPException, OSError) as error:
            raise Unclear(str(error)) from error


def signature(text: bytes) -> str:
    """HMAC-SHA256 of the text under the shared secret, in hexadecimal."""
    return hmac.new(settings.PAYOUT_TEST_SECRET.encode(), text, hashlib.sha256).hexdigest()


def _document(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        raise Unclear("the answer is not JSON") from None
    if not isinstance(said, dict):
        raise Unclear("the answer is no object")
    return said


def _answer(said: Mapping[str, Any]) -> Answer:
    try:
        return Answer(
            fate=Fate(said["fate"]), reference=str(said.get("reference", "")), detail=str(said.get("detail", ""))
        )
    except (KeyError, ValueError):
        raise Unclear("the answer does not say what became of the order") from None
