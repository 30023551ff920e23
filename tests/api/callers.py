"""People with keys, over HTTP. Every exchange is kept, so that a test can look at all that was said."""

import itertools
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.http import HttpResponseBase
from django.test import Client

from marketplace.accounts.commands import create_key
from marketplace.accounts.models import User
from marketplace.common.transactions import one_transaction

BASE = "/api/v1"
JSON = "application/json"
_addresses = itertools.count(1)


@dataclass(frozen=True)
class Reply:
    """What came back, with the request that it answers."""

    who: str
    method: str
    path: str
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def plain_headers(self) -> dict[str, str]:
        """Its headers, without the number that every request gets."""
        return {name: value for name, value in self.headers.items() if name != "X-Request-Id"}

    @property
    def code(self) -> str:
        """The code of a refusal."""
        return str(self.json["type"]).removeprefix("/problems/")

    def expect(self, status: int) -> Any:
        """The document, when the status is the expected one (None for an empty body)."""
        assert self.status == status, f"{self.method} {self.path} as {self.who}: {self.status} {self.body[:2000]!r}"
        return self.json if self.headers.get("Content-Type") in (JSON, "application/problem+json") else None


class Caller:
    """Somebody who calls the API, with a key or without. Writes carry a new Idempotency-Key unless one is given."""

    def __init__(self, who: str, token: str | None = None, *, said: list[Reply] | None = None, **headers: str) -> None:
        self.who = who
        self.token = token
        self.said: list[Reply] = [] if said is None else said
        self._client = Client()
        self._headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **headers}
        # An address of his own, so that limits on strangers do not add up over tests.
        number = next(_addresses)
        self._address = f"10.{uuid4().int % 250}.{number // 250 % 250}.{number % 250}"

    def again(self, said: list[Reply]) -> "Caller":
        """The same person at a new address."""
        return Caller(self.who, self.token, said=said)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = "",
        raw: bytes | None = None,
        content_type: str = JSON,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """`key` None sends no Idempotency-Key; `raw` sends bytes as they are."""
        sent = {**self._headers, **(headers or {})}
        if key is not None and method not in ("GET", "HEAD", "OPTIONS"):
            sent["Idempotency-Key"] = key or str(uuid4())
        data = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        full = path if path.startswith("/") else f"{BASE}/{path}"
        response = self._client.generic(
            method, full, data, content_type=content_type, headers=sent, REMOTE_ADDR=self._address
        )
        reply = Reply(self.who, method, full, response.status_code, dict(response.headers), _whole(response))
        self.said.append(reply)
        return reply

    def get(self, path: str) -> Reply:
        return self.call("GET", path)

    def post(self, path: str, body: Any = None, **options: Any) -> Reply:
        return self.call("POST", path, {} if body is None and "raw" not in options else body, **options)

    def delete(self, path: str, **options: Any) -> Reply:
        return self.call("DELETE", path, **options)

    def all(self, path: str, limit: int = 100) -> list[Any]:
        """Every row of a list, page after page."""
        joined = "&" if "?" in path else "?"
        page = self.get(f"{path}{joined}limit={limit}").expect(200)
        found = list(page["results"])
        while page["next"]:
            page = self.get(page["next"].removeprefix("http://testserver")).expect(200)
            found += page["results"]
        return found


def _whole(response: HttpResponseBase) -> bytes:
    if getattr(response, "streaming", False):
        pieces: Iterable[bytes] = response.streaming_content  # type: ignore[attr-defined]
        return b"".join(pieces)
    return bytes(response.content)  # type: ignore[attr-defined]


def caller_for(user: User, *scopes: str, who: str = "", said: list[Reply] | None = None) -> Caller:
    """The user with a new key of these scopes."""
    with one_transaction(principal="test"):
        _, token = create_key(user=user, name="test", scopes=list(scopes), at_console=True)
    return Caller(who or "+".join(scopes), token, said=said)
