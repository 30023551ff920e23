"""A client of the API as tests use it: JSON in and out, a new idempotency key for each write, an address of its own."""

import base64
import json
import re
import secrets
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.test import Client

from marketplace.accounts.commands import create_key
from marketplace.accounts.models import Notice, User
from marketplace.common.transactions import one_transaction

PASSWORD = "correct horse battery staple"


class Api:
    """One caller. No two share an address, so no test spends another's limits."""

    def __init__(self, key: str | None = None, basic: tuple[str, str] | None = None) -> None:
        # Each in a network of his own: limits count those of one network together.
        self.address = f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}::{secrets.token_hex(2)}"
        self._client = Client(REMOTE_ADDR=self.address, raise_request_exception=False)
        self._headers: dict[str, str] = {}
        if key is not None:
            self._headers["Authorization"] = f"Bearer {key}"
        if basic is not None:
            self._headers["Authorization"] = "Basic " + base64.b64encode(":".join(basic).encode()).decode()

    def get(self, path: str, **headers: str) -> Any:
        return self._client.get(self._at(path), headers=self._headers | headers)

    def delete(self, path: str) -> Any:
        return self._client.delete(self._at(path), headers=self._headers | {"Idempotency-Key": str(uuid4())})

    def post(self, path: str, body: Any = None, *, key: str | None = "", **headers: str) -> Any:
        """`key` is the idempotency key: a new one by default, none for None. Bytes are sent as they are."""
        data = body if isinstance(body, bytes) else json.dumps({} if body is None else body)
        given = {} if key is None else {"Idempotency-Key": key or str(uuid4())}
        all_headers = self._headers | given | headers
        return self._client.post(self._at(path), data=data, content_type="application/json", headers=all_headers)

    def _at(self, path: str) -> str:
        return path if path.startswith(("/api/", "http")) else f"/api/v1{path}"


def new_email() -> str:
    return f"person-{uuid4().hex[:12]}@example.org"


def signed_up(email: str | None = None, password: str = PASSWORD) -> User:
    """Somebody with a password."""
    return User.objects.create_user(email or new_email(), password)


def mailed_code(email: str) -> str:
    """The code in the newest mail to this address that asks for an account."""
    [code] = re.findall(r"^([\w:-]{40,})$", Notice.objects.filter(email=email).latest("pk").text, re.MULTILINE)
    return str(code)


def opened(email: str, password: str = PASSWORD, **more: str) -> Any:
    """The reply to somebody who asked for an account and comes with the code from the mail."""
    assert Api().post("/accounts", {"email": email}).status_code == 202
    return Api().post("/accounts/confirmations", {"code": mailed_code(email.lower()), "password": password, **more})


def key_for(user: User, *scopes: str, life: timedelta | None = None) -> str:
    """The text of a new key."""
    with one_transaction(principal="test"):
        return create_key(user=user, name="test", scopes=scopes, life=life, at_console=True)[1]


def code_of(response: Any) -> str:
    """The code of a refusal; fails for anything that is no problem document."""
    assert response["Content-Type"] == "application/problem+json", response.content
    document = response.json()
    assert document["status"] == response.status_code
    assert set(document) >= {"type", "title", "status", "detail", "instance"}
    return str(document["type"].removeprefix("/problems/"))
