"""Who asks: the bearer of a key, a page of this site, or (only to make a key) somebody who knows a password."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib.auth import authenticate
from django.db import connection
from django.db.models import Model
from knox.crypto import hash_token
from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.request import Request

from marketplace.accounts.arrival import has_to_show_address
from marketplace.accounts.models import ApiKey, Scope, User
from marketplace.accounts.second_factor import shown_in, use_code
from marketplace.common.database import one
from marketplace.rest.errors import KeyRefused
from marketplace.rest.throttles import PasswordGuesses


def _columns(model: type[Model], *wanted: str) -> list[str]:
    """The wanted columns in the model's own order, in which its rows must be built."""
    return [field.attname for field in model._meta.concrete_fields if field.attname in wanted]


KEY_COLUMNS = _columns(ApiKey, "digest", "public_id", "name", "scopes", "expiry", "user_id")
USER_COLUMNS = _columns(User, "id", "public_id", "email", "name", "is_staff", "is_active")
BEARER = (
    "SELECT w.id, coalesce(k.expiry <= market_now(), false), "
    + ", ".join([f"k.{name}" for name in KEY_COLUMNS] + [f"u.{name}" for name in USER_COLUMNS])
    + " FROM accounts_apikey k JOIN accounts_user u ON u.id = k.user_id LEFT JOIN profiles_worker w ON w.user_id = u.id"
    " WHERE k.digest = %s"
)
TOKEN_LENGTH_MAX = 200


class Bearer:
    """A key with the person who holds it; `worker_id` is None for somebody who is no worker."""

    __slots__ = ("key", "user", "worker_id")

    def __init__(self, key: ApiKey, user: User, worker_id: int | None) -> None:
        self.key = key
        self.user = user
        self.worker_id = worker_id


def bearer_of(token: str) -> Bearer:
    """Look the token's digest up, by one statement that writes nothing. Raises `KeyRefused`."""
    if len(token) > TOKEN_LENGTH_MAX:
        raise KeyRefused("This key is not known.")
    row = one(BEARER, [hash_token(token)])
    if row is None:
        raise KeyRefused("This key is not known.")
    worker_id, expired, *cells = row
    if expired:
        raise KeyRefused("This key has expired.", "key-expired")
    key = ApiKey.from_db(connection.alias, KEY_COLUMNS, cells[: len(KEY_COLUMNS)])
    user = User.from_db(connection.alias, USER_COLUMNS, cells[len(KEY_COLUMNS) :])
    if not user.is_active:
        raise KeyRefused("This account is closed.")
    key.user = user
    return Bearer(key, user, worker_id)


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer <key>`. Sets `request.user`, `request.auth` (the `ApiKey`) and `request.worker_id`."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        parts = get_authorization_header(request).split()
        if not parts or parts[0].lower() != b"bearer":
            return None
        if len(parts) != 2:
            raise KeyRefused("The Authorization header must be `Bearer` and a key.")
        try:
            bearer = bearer_of(parts[1].decode("ascii"))
        except UnicodeDecodeError:
            raise KeyRefused("This key is not known.") from None
        request.worker_id = bearer.worker_id  # type: ignore[attr-defined]
        return bearer.user, bearer.key

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


@dataclass(frozen=True, slots=True)
class PageSession:
    """Stands where a key stands for who is signed in on the pages: he may do there whatever his roles let him do."""

    session_key: str
    scopes: tuple[str, ...]


class PageAuthentication(SessionAuthentication):
    """The session of a page of this site, with its CSRF token for whatever is not a read (R29). Sets `request.user`,
    `request.auth` (a `PageSession`) and `request.worker_id`. A key goes first where a request has both."""

    def authenticate(self, request: Request) -> tuple[User, PageSession] | None:
        found = super().authenticate(request)
        if found is None:
            return None
        user = found[0]
        row = one("SELECT id FROM profiles_worker WHERE user_id = %s", [user.pk])
        request.worker_id = None if row is None else row[0]  # type: ignore[attr-defined]
        # Staff act with a second factor only (R34).
        staff = (Scope.STAFF.value,) if user.is_staff and shown_in(request._request) else ()
        scopes = (Scope.WORKER.value, Scope.REQUESTER.value, *staff)
        session_key = request._request.session.session_key
        assert session_key is not None, "who is signed in has a session"
        return user, PageSession(session_key, scopes)


class PasswordAuthentication(BaseAuthentication):
    """HTTP Basic with e-mail address and password; `Touchstone-OTP` as well where a second factor is set up.

    Wrong guesses are limited for each address and for each account. Used to make a key, and nowhere else.
    """

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        parts = get_authorization_header(request).split()
        if not parts or parts[0].lower() != b"basic":
            return None
        try:
            email, separator, password = base64.b64decode(parts[1], validate=True).decode().partition(":")
        except (IndexError, binascii.Error, UnicodeDecodeError):
            raise KeyRefused("The Authorization header is not Basic.", "password-refused") from None
        # NUL cannot be in an address, and the database would refuse the question itself.
        email = email.strip().lower()
        guesses = PasswordGuesses(request, email)
        guesses.require_some_left()
        user: Any = None
        if separator and "\x00" not in email:
            user = authenticate(request._request, email=email, password=password)
        if user is None:
            guesses.count_wrong()
            raise KeyRefused("E-mail address or password is wrong.", "password-refused")
        if has_to_show_address(user):
            raise KeyRefused("Sign in on the pages first, with the code from your mail.", "address-not-shown")
        self._require_second_factor(request, user, guesses)
        guesses.forget()
        return user, None

    def _require_second_factor(self, request: Request, user: User, guesses: PasswordGuesses) -> None:
        if not Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists():
            return
        code = request.headers.get("Touchstone-OTP", "")
        if not code or not use_code(user_id=user.pk, code=code):
            if code:
                guesses.count_wrong()
            raise KeyRefused("Send the code of your second factor as Touchstone-OTP.", "second-factor-needed")

    def authenticate_header(self, request: Request) -> str:
        return 'Basic realm="Touchstone", charset="UTF-8"'
