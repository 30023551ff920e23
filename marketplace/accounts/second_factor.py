"""The second factor: a code made from a shared secret and the time (TOTP), kept where the sign-in library keeps it.

A password and a code are looked at before a transaction begins (`prove`), for that is slow and wrong ones are counted;
the command they are for spends the code in its own transaction (`spend`). So a code counts once, and one that led to a
refusal is not used up.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from allauth.account.authentication import get_authentication_records
from allauth.mfa import app_settings
from allauth.mfa.adapter import DefaultMFAAdapter, get_adapter
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from django.contrib.auth.hashers import check_password
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from marketplace.accounts.commands import notify
from marketplace.accounts.errors import (
    CodeUsed,
    CodeWrong,
    EnrolmentInvalid,
    PasswordWrong,
    SecondFactorMissing,
    SecondFactorThere,
)
from marketplace.accounts.models import User
from marketplace.accounts.queries import factor_of, has_second_factor
from marketplace.common.commands import forgets
from marketplace.common.database import run, value
from marketplace.common.sealing import Unsealable, seal, unseal
from marketplace.common.transactions import one_transaction, require_transaction

# A clock may be wrong by one step either way.
STEPS = (0, -1, 1)
ENROLMENT_LIFE = timedelta(minutes=15)


class Adapter(DefaultMFAAdapter):
    """Keeps the library's secrets encrypted. One that was stored before stays readable."""

    def encrypt(self, text: str) -> str:
        return seal("second-factor", text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        try:
            return unseal("second-factor", encrypted_text.encode()).decode()
        except Unsealable:
            return encrypted_text


@dataclass(frozen=True)
class Proof:
    """That somebody knew a current code, which is not spent yet, and the account's password or is signed in. Made by
    `prove` and `prove_code` only."""

    user_id: int
    step: int


@dataclass(frozen=True)
class Shown:
    """That somebody knew the account's password just now. Made by `require_password` only."""

    user_id: int


@dataclass(frozen=True)
class Enrolment:
    """What an authenticator app is set up with, shown once; the token is what it is confirmed with."""

    secret: str
    uri: str
    token: str


@dataclass(frozen=True)
class NewFactor:
    """A secret that was confirmed by a code of it. Made by `prove_enrolment` only."""

    user_id: int
    secret: str
    step: int


def prove(*, user_id: int, password: str, code: str) -> Proof:
    """Look at password and code. Raises `PasswordWrong`, `SecondFactorMissing`, `CodeWrong`."""
    require_password(user_id=user_id, password=password)
    return prove_code(user_id=user_id, code=code)


def prove_code(*, user_id: int, code: str) -> Proof:
    """Look at a code alone, of somebody who is signed in. Raises `SecondFactorMissing`, `CodeWrong`."""
    factor = factor_of(user_id)
    if factor is None:
        raise SecondFactorMissing("Set up a second factor first: POST /api/v1/worker/totp.")
    step = _step_of(get_adapter().decrypt(factor.data["secret"]), code)
    if step is None:
        raise CodeWrong("`code` is not what the second factor shows now.", field="code")
    return Proof(user_id, step)


def shown_in(request: HttpRequest) -> bool:
    """Whether a code of the second factor was shown in this session, and there is one still. Whoever set his up
    after he had signed in shows a code once more."""
    user = cast(User, request.user)
    records = get_authentication_records(request, user)
    return any(record.get("method") == "mfa" for record in records) and has_second_factor(user.pk)


def require_password(*, user_id: int, password: str) -> Shown:
    """Raise `PasswordWrong` where it is not the account's.

    It stays hashed as it is: a new hash, which signing in makes where an old one is weak, would end all sessions.
    """
    if not check_password(password, User.objects.get(pk=user_id).password):
        raise PasswordWrong("`password` is not the password of this account.", field="password")
    return Shown(user_id)


def spend(proof: Proof | None, *, user_id: int) -> None:
    """Use the proof up, in the transaction of what it is for. Raises `CodeUsed`, and `CodeWrong` without a proof or for
    somebody else's."""
    require_transaction()
    if proof is None or proof.user_id != user_id:
        raise CodeWrong("`password` and `code` are needed.", field="code")
    _spend_step(user_id, proof.step)


def use_code(*, user_id: int, code: str) -> bool:
    """Whether the code is right and was never used; it is used then. For signing in, where nothing else is written."""
    factor = factor_of(user_id)
    step = None if factor is None else _step_of(get_adapter().decrypt(factor.data["secret"]), code)
    if step is None:
        return False
    try:
        with one_transaction(principal="system"):
            _spend_step(user_id, step)
    except CodeUsed:
        return False
    return True


def begin_enrolment(shown: Shown | None, *, user: User) -> Enrolment:
    """A new secret for somebody who has just shown his password. Nothing is kept: the token holds it, sealed.

    Raises `SecondFactorThere`, `PasswordWrong`.
    """
    require_transaction()
    if shown is None or shown.user_id != user.pk:
        raise PasswordWrong("`password` is needed.", field="password")
    if has_second_factor(user.pk):
        raise SecondFactorThere("This account has a second factor already.")
    secret = generate_totp_secret()
    now: datetime = value("SELECT market_now()")
    token = seal("enrolment", json.dumps([user.pk, secret, (now + ENROLMENT_LIFE).isoformat()]).encode()).decode()
    return Enrolment(secret, get_adapter().build_totp_url(user, secret), token)


def prove_enrolment(*, user_id: int, token: str, code: str) -> NewFactor:
    """Look at a code of the secret that the token holds. Raises `EnrolmentInvalid`, `CodeWrong`."""
    try:
        whose, secret, until = json.loads(unseal("enrolment", token.encode()))
    except (Unsealable, ValueError):
        text = "is not what an enrolment began with"
        raise EnrolmentInvalid(f"`token` {text}.", errors=[{"field": "token", "message": text}]) from None
    if whose != user_id or value("SELECT market_now()") > datetime.fromisoformat(until):
        text = "has expired: begin again"
        raise EnrolmentInvalid(f"`token` {text}.", errors=[{"field": "token", "message": text}])
    step = _step_of(secret, code)
    if step is None:
        raise CodeWrong("`code` is not what the new second factor shows now.", field="code")
    return NewFactor(user_id, secret, step)


def add_factor(new: NewFactor | None, *, user_id: int) -> None:
    """Make it the account's second factor and tell its owner by mail. Its first code is spent.

    Raises `SecondFactorThere`, `CodeUsed`.
    """
    require_transaction()
    if new is None or new.user_id != user_id:
        raise CodeWrong("`token` and `code` are needed.", field="code")
    user = User.objects.select_for_update(no_key=True).get(pk=user_id)
    if has_second_factor(user_id):
        raise SecondFactorThere("This account has a second factor already.")
    TOTP.activate(user, new.secret)
    _spend_step(user_id, new.step)
    notify(
        user_id=user_id,
        subject="A second factor was set up for your account",
        text="From now on, whoever changes where your money goes needs its code as well as your password.\n\n"
        "If this was not you, change your password and write to the operator of this site at once.",
    )


def _step_of(secret: str, code: str) -> int | None:
    """The step of time, of those that count now, whose code this is."""
    given = code.replace(" ", "")
    if not (given.isascii() and given.isdigit()):
        return None
    now = int(value("SELECT floor(extract(epoch FROM market_now()))::bigint")) // app_settings.TOTP_PERIOD
    steps = [now + by for by in STEPS]
    right = [step for step in steps if constant_time_compare(format_hotp_value(hotp_value(secret, step)), given)]
    return right[0] if right else None


def _spend_step(user_id: int, step: int) -> None:
    done = run("INSERT INTO accounts_usedcode (user_id, step) VALUES (%s, %s) ON CONFLICT DO NOTHING", [user_id, step])
    if not done:
        raise CodeUsed("This code was used already: wait for the next one.", field="code")


@forgets
def forget_used_codes(limit: int) -> int:
    """Those of yesterday are too old to be right."""
    return run("DELETE FROM accounts_usedcode WHERE used_at < market_now() - interval '1 day'")
